// SPDX-License-Identifier: Apache-2.0
//! What compute asks of this room: the NICs of a server.
//!
//! `ensure` and `release` may be repeated at any time: a port is made under the id that the ask carries, so a second
//! attempt finds the first one's port.

pub mod facts;
pub mod plan;

use std::{collections::HashMap, sync::Arc, time::Duration};

use contracts::{
    BoxFuture, Refusal,
    caller::Caller,
    ports::{NicAsk, NicWish, PortFacts, Ports},
};
use plan::Planner;
use store::Tx;
use tokio::time::timeout;
use types::{NodeId, PortId, ProjectId, ServerId};
use work::Bell;

use crate::{
    Error, Network, Result, keys, network,
    port::{self, addresses::Wish, table::Create},
    quota,
    resource::Kept,
    security_group,
    settings::Settings,
    who::Doer,
};

/// How long a caller waits for OVN before he is told to come again.
const PATIENCE: Duration = Duration::from_secs(10);
/// A tenant may write any device into a port of his, but not the host: that is written by `ensure` alone.
pub const PLUGGED: &str = "device_owner LIKE 'compute:%' AND host_id <> ''";
/// What Neutron's users see as the owner of a machine's port.
const OWNER: &str = "compute:";

impl Ports for Network {
    fn plan<'a>(
        &'a self,
        caller: &'a Arc<Caller>,
        wishes: &'a [NicWish],
        security_groups: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<NicAsk>, Refusal>> {
        let asker = self.room.policies.judge(caller.clone());
        let (wishes, groups) = (wishes.to_vec(), security_groups.to_vec());
        let settings = self.room.settings.clone();
        Box::pin(async move {
            let planned = self.room.store.read(move |tx| Planner::of(&asker)?.plan(tx, &settings, &wishes, &groups));
            planned.await.map_err(plan::refusal)
        })
    }

    fn ensure<'a>(
        &'a self,
        project: &'a ProjectId,
        server: &'a ServerId,
        server_name: &'a str,
        node: &'a NodeId,
        ask: &'a NicAsk,
    ) -> BoxFuture<'a, Result<PortFacts, Refusal>> {
        let settings = self.room.settings.clone();
        let nic = Nic {
            project: project.clone(),
            server: server.clone(),
            host: node.to_string(),
            dns_name: words::hostname::from_name(server_name),
            ask: ask.clone(),
        };
        Box::pin(async move {
            let others = RingAtLast(self.room.bell.clone());
            let port = self.room.change_unheard(move |tx| claim(tx, &settings, &nic)).await?;
            let (key, of) = (keys::port(&port), port.clone());
            let facts = self.room.store.read(move |tx| {
                let row = port::Row::get(tx, &of)?;
                let facts = facts::of(tx, vec![row])?.pop().map(|(_, facts)| facts);
                facts.ok_or_else(|| Error::PortNotFound { port_id: of.to_string() })
            });
            let (facts, written) = tokio::join!(facts, timeout(PATIENCE, self.room.write_out(&key)));
            let written = match written {
                Ok(Ok(written)) => written,
                Ok(Err(error)) => return Err(Refusal::unavailable(format!("the port {port} is not in OVN yet: {error}"))),
                Err(_) => {
                    return Err(Refusal::unavailable(format!("the port {port} is not in OVN yet: it did not answer in time")));
                }
            };
            work::crash::point("network.port.ensured");
            // The server need not wait until it is noted that OVN has its port. Should that be lost, OVN is asked once more.
            let room = self.room.clone();
            tokio::spawn(async move {
                if let Err(error) = room.settle(written).await {
                    tracing::warn!(%port, %error, "it could not be noted that OVN has a port");
                }
                drop(others);
            });
            Ok(facts?)
        })
    }

    fn release<'a>(&'a self, server: &'a ServerId, ask: &'a NicAsk) -> BoxFuture<'a, Result<(), Refusal>> {
        let (server, ask) = (server.clone(), ask.clone());
        let key = keys::port(&ask.port_id);
        Box::pin(async move {
            if self.room.change(move |tx| let_go(tx, &server, &ask)).await? {
                // So that OVN is rid of the port when we answer, where it can be told. Whoever gets the address before that takes
                // the port's key along to OVN (see `ipam::leaving`).
                let _ = timeout(PATIENCE, self.room.converge(&key)).await;
            }
            Ok(())
        })
    }

    fn of_servers<'a>(&'a self, servers: &'a [ServerId]) -> BoxFuture<'a, Result<HashMap<ServerId, Vec<PortFacts>>, Refusal>> {
        let servers = servers.to_vec();
        Box::pin(async move { Ok(self.room.store.list(move |tx| of_servers(tx, &servers)).await?) })
    }
}

/// Has the reconciler look at whatever else a change was about, when its port is in OVN or has come to nothing.
struct RingAtLast(Bell);

impl Drop for RingAtLast {
    fn drop(&mut self) {
        self.0.ring();
    }
}

struct Nic {
    project: ProjectId,
    server: ServerId,
    host: String,
    dns_name: String,
    ask: NicAsk,
}

/// Makes or adopts the port and gives it to the server.
fn claim(tx: &mut Tx, settings: &Settings, nic: &Nic) -> Result<PortId> {
    // What goes wrong is told to the server's owner, so no more than he may know.
    let doer = Doer::acting_for("compute", &nic.project);
    let device_owner = format!("{OWNER}{}", settings.availability_zone);
    let ask = &nic.ask;
    if !ask.security_groups.is_empty() && !network::Row::get(tx, &ask.network_id)?.port_security_enabled {
        // Passed over in silence it would be a machine that its owner takes for protected.
        return Err(Error::BadRequest(format!(
            "The security groups cannot be applied: port security is off in network {}. Leave the groups out, or switch it on.",
            ask.network_id
        )));
    }
    let before = match port::Row::get(tx, &ask.port_id) {
        Ok(row) => row,
        Err(Error::PortNotFound { .. }) if ask.made_by_compute => {
            make(tx, settings, &doer, nic, device_owner)?;
            return Ok(ask.port_id.clone());
        }
        Err(error) => return Err(error),
    };
    if !before.device_id.is_empty() && before.device_id != nic.server.as_str() {
        return Err(Error::PortInUse { port_id: before.id.to_string(), device_id: before.device_id });
    }
    let mut row = before.clone();
    row.device_id = nic.server.to_string();
    row.device_owner = device_owner;
    row.host_id.clone_from(&nic.host);
    if row.dns_name.is_empty() {
        row.dns_name.clone_from(&nic.dns_name);
    }
    let is_as_wanted = (&row.device_id, &row.device_owner, &row.host_id, &row.dns_name)
        == (&before.device_id, &before.device_owner, &before.host_id, &before.dns_name);
    if !is_as_wanted {
        port::table::write(tx, &doer, &before, &mut row)?;
    }
    Ok(row.id)
}

fn make(tx: &mut Tx, settings: &Settings, doer: &Doer, nic: &Nic, device_owner: String) -> Result<()> {
    let ask = &nic.ask;
    let network = network::Row::get(tx, &ask.network_id)?;
    quota::take(tx, &nic.project, &port::QUOTA, 1, settings)?;
    security_group::table::ensure_default(tx, doer, &nic.project, settings)?;
    let create = Create {
        id: ask.port_id.clone(),
        device_id: nic.server.to_string(),
        device_owner,
        host_id: nic.host.clone(),
        dns_name: nic.dns_name.clone(),
        fixed_ips: ask.fixed_ip.map(|address| vec![Wish { subnet: None, address: Some(address) }]),
        security_groups: (!ask.security_groups.is_empty()).then(|| ask.security_groups.clone()),
        ..Create::on(nic.project.clone(), network.id.clone())
    };
    port::table::insert(tx, doer, &network, &create).map(drop)
}

/// Deletes or frees the port, if it is still this server's. True if something was done.
fn let_go(tx: &mut Tx, server: &ServerId, ask: &NicAsk) -> Result<bool> {
    let doer = Doer::system("compute");
    let before = match port::Row::get(tx, &ask.port_id) {
        Ok(row) => row,
        Err(Error::PortNotFound { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    if before.device_id != server.as_str() {
        return Ok(false);
    }
    if ask.made_by_compute {
        port::table::erase(tx, &doer, &before)?;
        doer.removed(tx, &before)?;
        return Ok(true);
    }
    let mut row = before.clone();
    row.device_id.clear();
    row.device_owner.clear();
    row.host_id.clear();
    row.dns_name.clear();
    port::table::write(tx, &doer, &before, &mut row)?;
    Ok(true)
}

fn of_servers(tx: &mut Tx, servers: &[ServerId]) -> Result<HashMap<ServerId, Vec<PortFacts>>> {
    let select = port::Row::select().filter_in("device_id", servers).condition(PLUGGED);
    let rows = port::Row::rows(tx, select.sort(&[("created_at", store::Direction::Asc)], "id"))?;
    let mut all: HashMap<ServerId, Vec<PortFacts>> = HashMap::new();
    for (device, facts) in facts::of(tx, rows)? {
        all.entry(ServerId::new(device)).or_default().push(facts);
    }
    Ok(all)
}
