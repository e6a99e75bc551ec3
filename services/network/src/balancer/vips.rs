// SPDX-License-Identifier: Apache-2.0
//! What the balancer room asks of this one. Everything may be repeated at any time.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use contracts::{
    BoxFuture, Refusal,
    caller::Caller,
    ports::PortFacts,
    vips::{Health, Spread, Vip, VipWish, Vips},
};
use store::{Tx, params};
use tokio::time::timeout;
use types::{LoadBalancerId, NodeId, PortId, ProjectId, SubnetId};

use super::{OWNER, Row, plan, probe};
use crate::{
    Error, Network, Result, keys,
    neighbour::facts,
    network,
    port::{self, addresses::Wish, table::Create},
    quota,
    resource::Kept,
    security_group,
    settings::Settings,
    who::Doer,
};

/// How long a caller waits for OVN before he is told to come again.
const PATIENCE: Duration = Duration::from_secs(10);
/// Several members change their state at once, when a host does.
const BURST: Duration = Duration::from_millis(100);

impl Vips for Network {
    fn plan<'a>(&'a self, caller: &'a Arc<Caller>, wish: &'a VipWish) -> BoxFuture<'a, Result<Vip, Refusal>> {
        Box::pin(plan::plan(self, self.room.policies.judge(caller.clone()), wish.clone()))
    }

    fn sees_subnet<'a>(&'a self, caller: &'a Arc<Caller>, subnet: &'a SubnetId) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(plan::sees(self, self.room.policies.judge(caller.clone()), subnet.clone()))
    }

    fn ensure<'a>(
        &'a self,
        project: &'a ProjectId,
        balancer: &'a LoadBalancerId,
        name: &'a str,
        vip: &'a Vip,
        node: Option<&'a NodeId>,
    ) -> BoxFuture<'a, Result<(Vip, PortFacts), Refusal>> {
        let settings = self.room.settings.clone();
        let claim = Claim {
            project: project.clone(),
            device: device(balancer),
            balancer: balancer.clone(),
            name: name.to_owned(),
            host: node.map(ToString::to_string).unwrap_or_default(),
            vip: vip.clone(),
        };
        Box::pin(async move {
            // OVN hears of the port in its own time; what needs it there says so to OVN again.
            let made = self.room.change(move |tx| claim.make(tx, &settings)).await?;
            work::crash::point("network.vip.ensured");
            Ok(made)
        })
    }

    fn spread<'a>(
        &'a self,
        project: &'a ProjectId,
        balancer: &'a LoadBalancerId,
        vip: &'a Vip,
        spread: &'a Spread,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        let row = Row {
            id: balancer.clone(),
            project_id: project.clone(),
            port_id: vip.port_id.clone(),
            network_id: vip.network_id.clone(),
            spread: spread.clone(),
        };
        Box::pin(async move {
            let key = keys::balancer(&row.id);
            self.room.change(move |tx| keep(tx, &row)).await?;
            work::crash::point("network.balancer.kept");
            self.in_ovn(&key).await?;
            work::crash::point("network.balancer.spread");
            Ok(())
        })
    }

    fn release<'a>(&'a self, balancer: &'a LoadBalancerId, vip: &'a Vip) -> BoxFuture<'a, Result<(), Refusal>> {
        let (balancer, vip) = (balancer.clone(), vip.clone());
        Box::pin(async move {
            let (key, port) = (keys::balancer(&balancer), keys::port(&vip.port_id));
            if self.room.change(move |tx| let_go(tx, &balancer, &vip)).await? {
                work::crash::point("network.balancer.released");
                // OVN is rid of both when we answer, where it can be told; where not, by the reconciler.
                let _ = timeout(PATIENCE, self.room.converge(&key)).await;
                let _ = timeout(PATIENCE, self.room.converge(&port)).await;
            }
            Ok(())
        })
    }

    fn health<'a>(
        &'a self,
        balancers: &'a [LoadBalancerId],
    ) -> BoxFuture<'a, Result<HashMap<LoadBalancerId, Vec<Health>>, Refusal>> {
        let ids = balancers.to_vec();
        Box::pin(async move {
            let unavailable = |error: ovn::Error| Refusal::unavailable(error.to_string());
            let known = self.room.southbound.monitored().map_err(unavailable)?;
            let rows = self.room.store.list(move |tx| Row::many(tx, &ids)).await?;
            let of = |row: Row| {
                let checked = row.spread.services.iter().filter(|service| service.check.is_some());
                let each = checked.flat_map(|service| service.backends.iter().map(|backend| (service.transport, backend)));
                let health = each.map(|(transport, backend)| {
                    let is_it = |one: &&ovn::southbound::Monitored| {
                        one.protocol == transport.word()
                            && one.port == i64::from(backend.port)
                            && one.ip.parse::<IpAddr>().is_ok_and(|ip| ip == backend.address)
                    };
                    let is_up = known.iter().find(is_it).and_then(|one| match one.status.as_str() {
                        "online" => Some(true),
                        "offline" | "error" => Some(false),
                        _ => None,
                    });
                    Health { transport, address: backend.address, port: backend.port, is_up }
                });
                (row.id.clone(), health.collect())
            };
            Ok(rows.into_iter().map(of).collect())
        })
    }

    fn health_changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let mut changes = self.room.southbound.client().changes();
            changes.borrow_and_update();
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(BURST).await;
        })
    }
}

impl Network {
    async fn in_ovn(&self, key: &str) -> Result<(), Refusal> {
        match timeout(PATIENCE, self.room.converge(key)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Refusal::unavailable(format!("{key} is not in OVN yet: {error}"))),
            Err(_) => Err(Refusal::unavailable(format!("{key} is not in OVN yet: it did not answer in time"))),
        }
    }
}

fn device(balancer: &LoadBalancerId) -> String {
    format!("lb-{balancer}")
}

/// A port on its way to being a load balancer's.
struct Claim {
    project: ProjectId,
    balancer: LoadBalancerId,
    device: String,
    name: String,
    host: String,
    vip: Vip,
}

impl Claim {
    fn make(&self, tx: &mut Tx, settings: &Settings) -> Result<(Vip, PortFacts)> {
        let doer = Doer::acting_for("balancer", &self.project);
        let id = &self.vip.port_id;
        match port::Row::get(tx, id) {
            Ok(row) => self.adopt(tx, &doer, &row)?,
            Err(Error::PortNotFound { .. }) if self.vip.is_made => self.insert(tx, &doer, settings)?,
            Err(error) => return Err(error),
        }
        let sql = "INSERT INTO balancer_ports (port_id, balancer_id) VALUES ($1, $2) ON CONFLICT (port_id) DO NOTHING";
        tx.execute(sql, &params![id, &self.balancer])?;
        let row = port::Row::get(tx, id)?;
        let fixed = port::table::addresses_of(tx, id)?;
        let is_it = |fixed: &&port::FixedIp| self.vip.address.is_none_or(|address| address == fixed.ip_address);
        let own = fixed.iter().find(is_it).or(fixed.first()).cloned();
        let own =
            own.ok_or_else(|| Error::bad(format!("Port {id} has no address at which a load balancer could be reached.")))?;
        let facts = facts::of(tx, vec![row])?.pop().map(|(_, facts)| facts);
        let facts = facts.ok_or_else(|| Error::PortNotFound { port_id: id.to_string() })?;
        let vip = Vip { subnet_id: Some(own.subnet_id), address: Some(own.ip_address), ..self.vip.clone() };
        Ok((vip, facts))
    }

    fn insert(&self, tx: &mut Tx, doer: &Doer, settings: &Settings) -> Result<()> {
        let network = network::Row::get(tx, &self.vip.network_id)?;
        quota::take(tx, &self.project, &port::QUOTA, 1, settings)?;
        security_group::table::ensure_default(tx, doer, &self.project, settings)?;
        let create = Create {
            id: self.vip.port_id.clone(),
            name: format!("octavia-{}", self.device),
            device_id: self.device.clone(),
            device_owner: OWNER.to_owned(),
            host_id: self.host.clone(),
            // What may come to a load balancer its listeners say.
            port_security_enabled: Some(false),
            security_groups: Some(Vec::new()),
            fixed_ips: Some(vec![Wish { subnet: self.vip.subnet_id.clone(), address: self.vip.address }]),
            ..Create::on(self.project.clone(), network.id.clone())
        };
        port::table::insert(tx, doer, &network, &create)?;
        tracing::debug!(balancer = %self.balancer, name = self.name, "the port of a load balancer is made");
        Ok(())
    }

    fn adopt(&self, tx: &mut Tx, doer: &Doer, before: &port::Row) -> Result<()> {
        if !before.device_id.is_empty() && before.device_id != self.device {
            return Err(Error::PortInUse { port_id: before.id.to_string(), device_id: before.device_id.clone() });
        }
        let mut row = before.clone();
        row.device_id.clone_from(&self.device);
        OWNER.clone_into(&mut row.device_owner);
        row.host_id.clone_from(&self.host);
        let differs =
            (&row.device_id, &row.device_owner, &row.host_id) != (&before.device_id, &before.device_owner, &before.host_id);
        if differs { port::table::write(tx, doer, before, &mut row) } else { Ok(()) }
    }
}

/// Writes down what OVN shall do. What is so already is no change.
fn keep(tx: &mut Tx, row: &Row) -> Result<()> {
    let doer = Doer::acting_for("balancer", &row.project_id);
    let spread = serde_json::json!(row.spread).to_string();
    let sql = "INSERT INTO balancers (id, project_id, port_id, network_id, spread) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (id) DO UPDATE SET spread = excluded.spread";
    tx.execute(sql, &params![&row.id, &row.project_id, &row.port_id, &row.network_id, spread])?;
    tx.execute("DELETE FROM balancer_backends WHERE balancer_id = $1", &params![&row.id])?;
    let checked = row.spread.services.iter().filter(|service| service.check.is_some());
    for backend in checked.flat_map(|service| &service.backends) {
        let sql =
            "INSERT INTO balancer_backends (balancer_id, address) VALUES ($1, $2) ON CONFLICT (address, balancer_id) DO NOTHING";
        tx.execute(sql, &params![&row.id, backend.address.to_string()])?;
    }
    probe::settle(tx, &doer, row)?;
    // The port gives up its own place in OVN to the load balancer.
    keys::mark(tx, &keys::port(&row.port_id))?;
    for floating in crate::floating_ip::leading::of_ports(tx, [&row.port_id])? {
        keys::mark(tx, &keys::floating_ip(&floating.id))?;
    }
    Ok(keys::mark(tx, &keys::balancer(&row.id))?)
}

/// True if there was something.
fn let_go(tx: &mut Tx, balancer: &LoadBalancerId, vip: &Vip) -> Result<bool> {
    let doer = Doer::system("balancer");
    let carried = Row::many(tx, [balancer])?.pop();
    if let Some(row) = &carried {
        probe::settle(tx, &doer, &Row { spread: Spread::default(), ..row.clone() })?;
        tx.execute("DELETE FROM balancer_backends WHERE balancer_id = $1", &params![balancer])?;
        tx.execute("DELETE FROM balancers WHERE id = $1", &params![balancer])?;
        keys::mark(tx, &keys::balancer(balancer))?;
    }
    tx.execute("DELETE FROM balancer_ports WHERE balancer_id = $1", &params![balancer])?;
    let freed = free(tx, &doer, &vip.port_id, balancer, vip.is_made)?;
    Ok(carried.is_some() || freed)
}

fn free(tx: &mut Tx, doer: &Doer, port: &PortId, balancer: &LoadBalancerId, is_made: bool) -> Result<bool> {
    let before = match port::Row::get(tx, port) {
        Ok(row) if row.device_id == device(balancer) => row,
        Ok(_) | Err(Error::PortNotFound { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    if is_made {
        port::table::erase(tx, doer, &before)?;
        doer.removed(tx, &before)?;
        return Ok(true);
    }
    let mut row = before.clone();
    row.device_id.clear();
    row.device_owner.clear();
    row.host_id.clear();
    port::table::write(tx, doer, &before, &mut row)?;
    for floating in crate::floating_ip::leading::of_ports(tx, [port])? {
        keys::mark(tx, &keys::floating_ip(&floating.id))?;
    }
    Ok(true)
}
