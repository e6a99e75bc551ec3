// SPDX-License-Identifier: Apache-2.0
//! The network room, as compute sees it: ports on one network.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
};

use contracts::{
    BoxFuture, Refusal,
    caller::Caller,
    ports::{FixedIp, FloatingIp, NicAsk, NicWish, PortFacts, Ports},
};
use types::{Mac, NetworkId, NodeId, PortId, ProjectId, ServerId, SubnetId};

use super::{super::NETWORK, Far, PortKept};

impl Ports for Far {
    fn plan<'a>(
        &'a self,
        _caller: &'a Arc<Caller>,
        wishes: &'a [NicWish],
        security_groups: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<NicAsk>, Refusal>> {
        Box::pin(async move {
            if security_groups.iter().any(|group| group != "default") {
                return Err(Refusal::not_found(format!("Security group {} not found.", security_groups[0])));
            }
            wishes.iter().map(plan).collect()
        })
    }

    fn ensure<'a>(
        &'a self,
        _project: &'a ProjectId,
        server: &'a ServerId,
        _name: &'a str,
        _node: &'a NodeId,
        ask: &'a NicAsk,
    ) -> BoxFuture<'a, Result<PortFacts, Refusal>> {
        Box::pin(async move {
            if let Some(refusal) = self.refuse_ports.lock().unwrap().pop() {
                return Err(refusal);
            }
            let address = self.change(|kept| {
                let next = kept.addresses + 1;
                let new = PortKept { server: server.to_string(), address: next };
                let port = kept.ports.entry(ask.port_id.to_string()).or_insert(new);
                kept.addresses = kept.addresses.max(port.address);
                port.address
            });
            Ok(port(&ask.port_id, address))
        })
    }

    fn release<'a>(&'a self, _server: &'a ServerId, ask: &'a NicAsk) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            self.change(|kept| kept.ports.remove(ask.port_id.as_str()));
            Ok(())
        })
    }

    fn of_servers<'a>(&'a self, servers: &'a [ServerId]) -> BoxFuture<'a, Result<HashMap<ServerId, Vec<PortFacts>>, Refusal>> {
        self.asked_for_ports.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            if let Some(refusal) = self.refuse_ports.lock().unwrap().last() {
                return Err(refusal.clone());
            }
            let kept = self.kept.lock().unwrap();
            let mut found: HashMap<ServerId, Vec<PortFacts>> = HashMap::new();
            for (id, kept) in &kept.ports {
                if let Some(server) = servers.iter().find(|server| server.as_str() == kept.server) {
                    let mut port = port(&PortId::new(id.as_str()), kept.address);
                    let fixed = port.fixed_ips[0].address;
                    let floating = *self.floating_ip.lock().unwrap();
                    port.floating_ips.extend(floating.map(|address| FloatingIp { address, fixed }));
                    found.entry(server.clone()).or_default().push(port);
                }
            }
            Ok(found)
        })
    }
}

fn plan(wish: &NicWish) -> Result<NicAsk, Refusal> {
    let ask = |port_id, made_by_compute, fixed_ip| NicAsk {
        port_id,
        made_by_compute,
        network_id: NetworkId::new(NETWORK),
        fixed_ip,
        security_groups: Vec::new(),
        tag: None,
    };
    match wish {
        NicWish::Any => Ok(ask(PortId::generate(), true, None)),
        NicWish::Network { id, fixed_ip } if id.as_str() == NETWORK => Ok(ask(PortId::generate(), true, *fixed_ip)),
        NicWish::Network { id, .. } => Err(Refusal::not_found(format!("Network {id} could not be found."))),
        NicWish::Port(id) => Ok(ask(id.clone(), false, None)),
    }
}

fn port(id: &PortId, address: u8) -> PortFacts {
    PortFacts {
        id: id.clone(),
        mac: Mac([0xfa, 0x16, 0x3e, 0, 0, address]),
        network_id: NetworkId::new(NETWORK),
        network_name: "net".to_owned(),
        mtu: 1442,
        fixed_ips: vec![FixedIp {
            subnet_id: SubnetId::new("33333333-3333-4333-8333-333333333333"),
            address: IpAddr::from([10, 0, 0, address]),
            prefix: 24,
            gateway: None,
            dns: Vec::new(),
            routes: Vec::new(),
            dhcp: true,
            ipv6_address_mode: None,
        }],
        floating_ips: Vec::new(),
        security_groups: vec!["default".to_owned()],
        port_security_enabled: true,
        metadata: None,
    }
}
