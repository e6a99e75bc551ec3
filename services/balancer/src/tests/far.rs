// SPDX-License-Identifier: Apache-2.0
//! The network room's side of the door, in memory: ports with addresses, what OVN was told, and what it says of members. It can
//! be kept in a file, so that it outlives a process that is killed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use contracts::{
    BoxFuture, Refusal,
    caller::Caller,
    ports::PortFacts,
    vips::{Health, Spread, Vip, VipWish, Vips},
};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use types::{LoadBalancerId, Mac, NodeId, PortId, ProjectId, SubnetId};

#[derive(Default)]
pub struct Far {
    kept: Mutex<Kept>,
    file: Option<PathBuf>,
    news: Notify,
}

#[derive(Default, Clone, Serialize, Deserialize)]
pub struct Kept {
    pub ports: BTreeMap<String, IpAddr>,
    pub spreads: BTreeMap<String, Spread>,
    pub dead: BTreeSet<String>,
    /// OVN cannot be reached.
    pub is_away: bool,
    /// The network room refuses what it is asked.
    pub refuses: bool,
}

impl Far {
    pub fn kept_in(file: Option<PathBuf>) -> Arc<Self> {
        let kept = file.as_ref().and_then(|file| std::fs::read(file).ok());
        let kept = kept.map(|bytes| serde_json::from_slice(&bytes).unwrap()).unwrap_or_default();
        Arc::new(Self { kept: Mutex::new(kept), file, news: Notify::new() })
    }

    pub fn change(&self, edit: impl FnOnce(&mut Kept)) {
        let mut kept = self.kept.lock().unwrap();
        edit(&mut kept);
        if let Some(file) = &self.file {
            std::fs::write(file, serde_json::to_vec(&*kept).unwrap()).unwrap();
        }
        drop(kept);
        self.news.notify_one();
    }

    pub fn look(&self) -> Kept {
        self.kept.lock().unwrap().clone()
    }

    fn answer<T>(&self, answer: T) -> Result<T, Refusal> {
        let kept = self.look();
        match (kept.is_away, kept.refuses) {
            (true, _) => Err(Refusal::unavailable("OVN does not answer")),
            (_, true) => Err(Refusal::conflict("Port p is in use.")),
            _ => Ok(answer),
        }
    }
}

impl Vips for Far {
    fn plan<'a>(&'a self, _: &'a Arc<Caller>, wish: &'a VipWish) -> BoxFuture<'a, Result<Vip, Refusal>> {
        let vip = Vip {
            port_id: wish.port.clone().unwrap_or_else(PortId::generate),
            is_made: wish.port.is_none(),
            network_id: wish.network.clone().unwrap_or_else(|| "net".into()),
            subnet_id: wish.subnet.clone(),
            address: wish.address,
        };
        Box::pin(async move {
            match wish {
                VipWish { port: None, network: None, subnet: None, .. } => {
                    Err(Refusal::invalid("VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id."))
                }
                _ => Ok(vip),
            }
        })
    }

    fn sees_subnet<'a>(&'a self, _: &'a Arc<Caller>, subnet: &'a SubnetId) -> BoxFuture<'a, Result<(), Refusal>> {
        let is_seen = !subnet.as_str().starts_with("ffffffff");
        let missing = Refusal::not_found(format!("Subnet {subnet} not found."));
        Box::pin(async move { if is_seen { Ok(()) } else { Err(missing) } })
    }

    fn ensure<'a>(
        &'a self,
        _: &'a ProjectId,
        _: &'a LoadBalancerId,
        _: &'a str,
        vip: &'a Vip,
        _: Option<&'a NodeId>,
    ) -> BoxFuture<'a, Result<(Vip, PortFacts), Refusal>> {
        let address = vip.address.unwrap_or_else(|| "192.0.2.50".parse().unwrap());
        let vip = Vip { address: Some(address), subnet_id: vip.subnet_id.clone().or(Some("sub".into())), ..vip.clone() };
        let facts = PortFacts {
            id: vip.port_id.clone(),
            mac: Mac::generate(),
            network_id: vip.network_id.clone(),
            network_name: String::new(),
            mtu: 1442,
            fixed_ips: vec![],
            floating_ips: vec![],
            security_groups: vec![],
            port_security_enabled: false,
            metadata: None,
        };
        let answer = self.answer((vip, facts));
        if let Ok((vip, _)) = &answer {
            self.change(|kept| {
                kept.ports.insert(vip.port_id.to_string(), address);
            });
        }
        Box::pin(async move { answer })
    }

    fn spread<'a>(
        &'a self,
        _: &'a ProjectId,
        balancer: &'a LoadBalancerId,
        _: &'a Vip,
        spread: &'a Spread,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        let answer = self.answer(());
        if answer.is_ok() {
            self.change(|kept| drop(kept.spreads.insert(balancer.to_string(), spread.clone())));
        }
        Box::pin(async move { answer })
    }

    fn release<'a>(&'a self, balancer: &'a LoadBalancerId, vip: &'a Vip) -> BoxFuture<'a, Result<(), Refusal>> {
        self.change(|kept| {
            kept.spreads.remove(balancer.as_str());
            kept.ports.remove(vip.port_id.as_str());
        });
        Box::pin(async { Ok(()) })
    }

    fn health<'a>(
        &'a self,
        balancers: &'a [LoadBalancerId],
    ) -> BoxFuture<'a, Result<HashMap<LoadBalancerId, Vec<Health>>, Refusal>> {
        let kept = self.look();
        let of = |id: &LoadBalancerId| {
            let spread = kept.spreads.get(id.as_str())?;
            let checked = spread.services.iter().filter(|service| service.check.is_some());
            let health = checked.flat_map(|service| {
                service.backends.iter().map(|backend| Health {
                    transport: service.transport,
                    address: backend.address,
                    port: backend.port,
                    is_up: Some(!kept.dead.contains(&backend.address.to_string())),
                })
            });
            Some((id.clone(), health.collect()))
        };
        let found = balancers.iter().filter_map(of).collect();
        Box::pin(async move { Ok(found) })
    }

    fn health_changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.news.notified())
    }
}
