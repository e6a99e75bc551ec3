// SPDX-License-Identifier: Apache-2.0
//! What compute needs of the network room: the NICs of a server.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use types::{Mac, NetworkId, NodeId, PortId, ProjectId, SecurityGroupId, ServerId, SubnetId};

use crate::{BoxFuture, Refusal, caller::Caller};

/// One NIC as the user asked for it in `POST /servers`; kept with the server, so that `ensure` can be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicAsk {
    /// The port of this NIC. Chosen at the API door for a NIC that compute makes, so that a repeated `ensure`
    /// never makes two; the user's own for a NIC that he brought.
    pub port_id: PortId,
    /// Made by compute, and so released with the server.
    pub made_by_compute: bool,
    pub network_id: NetworkId,
    pub fixed_ip: Option<IpAddr>,
    /// For a port that compute makes. One that the user brought keeps its own, but the wish must be one that the network
    /// could meet.
    pub security_groups: Vec<SecurityGroupId>,
    pub tag: Option<String>,
}

/// What a user may write in `networks` of `POST /servers`, before it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NicWish {
    Port(PortId),
    Network {
        id: NetworkId,
        fixed_ip: Option<IpAddr>,
    },
    /// Whatever network the project has, if it has exactly one (`auto`, or nothing said).
    Any,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortFacts {
    pub id: PortId,
    pub mac: Mac,
    pub network_id: NetworkId,
    pub network_name: String,
    pub mtu: u32,
    pub fixed_ips: Vec<FixedIp>,
    /// Floating addresses that lead to one of the fixed ones.
    pub floating_ips: Vec<FloatingIp>,
    pub security_groups: Vec<String>,
    pub port_security_enabled: bool,
    /// The metadata door of the network, if a subnet of it has DHCP.
    pub metadata: Option<MetadataDoor>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedIp {
    pub subnet_id: SubnetId,
    pub address: IpAddr,
    pub prefix: u8,
    pub gateway: Option<IpAddr>,
    pub dns: Vec<IpAddr>,
    pub routes: Vec<(String, IpAddr)>,
    pub dhcp: bool,
    /// How guests get their address in an IPv6 subnet, in Neutron's words; none where Neutron does not say.
    #[serde(default)]
    pub ipv6_address_mode: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloatingIp {
    pub address: IpAddr,
    pub fixed: IpAddr,
}

/// The OVN `localport` of a network behind which each host serves metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataDoor {
    pub port_id: PortId,
    pub mac: Mac,
    /// Its own addresses in the network's subnets, with prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
}

pub trait Ports: Send + Sync {
    /// Checks the wishes against what the caller may use in his project, by the policies that his own requests for ports
    /// would meet, and fills them in. Nothing is made yet.
    fn plan<'a>(
        &'a self,
        caller: &'a Arc<Caller>,
        wishes: &'a [NicWish],
        security_groups: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<NicAsk>, Refusal>>;

    /// Makes or adopts the port, gives it to the server and binds it to the node. Idempotent.
    fn ensure<'a>(
        &'a self,
        project: &'a ProjectId,
        server: &'a ServerId,
        server_name: &'a str,
        node: &'a NodeId,
        ask: &'a NicAsk,
    ) -> BoxFuture<'a, Result<PortFacts, Refusal>>;

    /// Deletes a port that compute made; unbinds one that the user brought. Nothing there is fine.
    fn release<'a>(&'a self, server: &'a ServerId, ask: &'a NicAsk) -> BoxFuture<'a, Result<(), Refusal>>;

    /// The ports of many servers, in a constant number of statements.
    fn of_servers<'a>(&'a self, servers: &'a [ServerId]) -> BoxFuture<'a, Result<HashMap<ServerId, Vec<PortFacts>>, Refusal>>;
}
