// SPDX-License-Identifier: Apache-2.0
//! What the balancer room needs of the network room: the address at which a load balancer is reached, and the spreading of
//! connections that OVN does itself.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use types::{LoadBalancerId, NetworkId, NodeId, PortId, ProjectId, SubnetId};

use crate::{BoxFuture, Refusal, caller::Caller, ports::PortFacts};

/// Where a user wants his load balancer to be reached: a port that he has, or an address that is taken for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VipWish {
    pub port: Option<PortId>,
    pub network: Option<NetworkId>,
    pub subnet: Option<SubnetId>,
    pub address: Option<IpAddr>,
}

/// The address of a load balancer and its port; kept with it, so that `ensure` can be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vip {
    /// Chosen at the API door for a port that is made for it, so that a repeated `ensure` never makes two.
    pub port_id: PortId,
    /// Made for the load balancer, and so deleted with it. Else the user's own.
    pub is_made: bool,
    pub network_id: NetworkId,
    /// Where the address is taken from; known of every one that was ensured.
    pub subnet_id: Option<SubnetId>,
    /// The address that is wished for, or the one that the port has.
    pub address: Option<IpAddr>,
}

/// What OVN shall do for a load balancer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    pub services: Vec<SpreadService>,
}

/// Connections to one port of the address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpreadService {
    /// Of the listener.
    pub id: String,
    pub transport: Transport,
    pub port: u16,
    /// For how many seconds a client stays with the member that it had.
    pub affinity: Option<u32>,
    /// Whether a client's address alone says which member it gets.
    pub by_client: bool,
    pub backends: Vec<Backend>,
    pub check: Option<Check>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    Tcp,
    Udp,
    Sctp,
}

/// A member, as far as packets know it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Backend {
    pub address: IpAddr,
    pub port: u16,
    /// Where the user says that it is.
    pub subnet_id: Option<SubnetId>,
}

/// How it is found out whether members live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Seconds between two looks.
    pub delay: u32,
    pub timeout: u32,
    /// So many answers make a member live, …
    pub rise: u32,
    /// … and so many misses dead.
    pub fall: u32,
}

/// What is known of a member that is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub transport: Transport,
    pub address: IpAddr,
    pub port: u16,
    /// None before the first answer, and of one that is no port of this cloud's networks.
    pub is_up: Option<bool>,
}

impl Transport {
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

pub trait Vips: Send + Sync {
    /// Checks the wish against what the caller may use in his project, by the policies that his own request for a port would
    /// meet, and fills it in. Nothing is made yet.
    fn plan<'a>(&'a self, caller: &'a Arc<Caller>, wish: &'a VipWish) -> BoxFuture<'a, Result<Vip, Refusal>>;

    /// Not found, unless the caller sees this subnet.
    fn sees_subnet<'a>(&'a self, caller: &'a Arc<Caller>, subnet: &'a SubnetId) -> BoxFuture<'a, Result<(), Refusal>>;

    /// Makes or adopts the port and gives it to the load balancer; answers it with its address. It is plugged at a host where
    /// one is named, and else held for OVN. Idempotent.
    fn ensure<'a>(
        &'a self,
        project: &'a ProjectId,
        balancer: &'a LoadBalancerId,
        name: &'a str,
        vip: &'a Vip,
        node: Option<&'a NodeId>,
    ) -> BoxFuture<'a, Result<(Vip, PortFacts), Refusal>>;

    /// Has OVN spread what comes to the address like this. Durable when it answers, and in OVN.
    fn spread<'a>(
        &'a self,
        project: &'a ProjectId,
        balancer: &'a LoadBalancerId,
        vip: &'a Vip,
        spread: &'a Spread,
    ) -> BoxFuture<'a, Result<(), Refusal>>;

    /// OVN knows nothing of it any more, a port that was made for it is deleted, and one that the user brought is free.
    /// Nothing there is fine.
    fn release<'a>(&'a self, balancer: &'a LoadBalancerId, vip: &'a Vip) -> BoxFuture<'a, Result<(), Refusal>>;

    /// What is known of the members of these that are checked, as far as OVN has told.
    fn health<'a>(
        &'a self,
        balancers: &'a [LoadBalancerId],
    ) -> BoxFuture<'a, Result<HashMap<LoadBalancerId, Vec<Health>>, Refusal>>;

    /// Waits until there may be news of members' health.
    fn health_changed(&self) -> BoxFuture<'_, ()>;
}
