// SPDX-License-Identifier: Apache-2.0
//! What OVN tells us: which ports are plugged, which hosts there are, and that it can be reached again.
//!
//! Every controller knows the hosts ([`watch_hosts`]), since its API speaks of them; what follows from OVN's news for the
//! tables and for OVN is the business of the one that leads ([`Observer`]).

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use ovn::{
    ovsdb::{Follower, Touched},
    southbound::Chassis,
};
use store::params;
use types::PortId;

use crate::{Room, keys, port::Row, resource::Kept, who::Doer};

/// How fast the hosts notice that one of them does not answer, so that gateways move: 1.5 seconds instead of OVN's five.
const OPTIONS: [(&str, &str); 3] = [("bfd-min-rx", "500"), ("bfd-min-tx", "500"), ("bfd-mult", "3")];
/// Changes come in bursts; one look answers for all of a burst.
const BURST: Duration = Duration::from_millis(50);
const RETRY: Duration = Duration::from_secs(1);

/// Keeps what the room knows of the hosts up to date. Runs until it is dropped.
pub async fn watch_hosts(room: Arc<Room>) {
    let mut south = room.southbound.client().changes();
    let mut known: Option<Vec<Chassis>> = None;
    loop {
        south.borrow_and_update();
        if let Ok(hosts) = room.southbound.chassis()
            && known.as_deref().is_none_or(|known| names(known) != names(&hosts))
        {
            room.set_chassis(hosts.clone());
            known = Some(hosts);
        }
        let _ = south.changed().await;
        tokio::time::sleep(BURST).await;
    }
}

pub struct Observer {
    room: Arc<Room>,
    ports: Follower,
    /// The ports of which the tables say that they are up.
    up: HashSet<String>,
    was_current: bool,
    knows_options: bool,
}

impl Observer {
    pub fn new(room: Arc<Room>) -> Self {
        let ports = room.northbound.follow_ports();
        Self { room, ports, up: HashSet::new(), was_current: false, knows_options: false }
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        let mut north = self.room.northbound.client().changes();
        let mut hosts = self.room.chassis();
        // Those that are known already may have changed while nobody led.
        let mut hosts_changed = true;
        loop {
            north.borrow_and_update();
            self.look().await;
            if hosts_changed && hosts.borrow_and_update().is_some() {
                match self.heed_hosts().await {
                    Ok(()) => hosts_changed = false,
                    Err(error) => {
                        tracing::warn!(%error, "a change of hosts is not noted yet");
                        tokio::time::sleep(RETRY).await;
                        continue;
                    }
                }
            }
            tokio::select! {
                _ = north.changed() => {}
                _ = hosts.changed() => hosts_changed = true,
            }
            tokio::time::sleep(BURST).await;
        }
    }

    async fn look(&mut self) {
        let is_current = self.room.northbound.client().is_current();
        if is_current && !self.was_current {
            // What waited for OVN need not wait for the clock.
            self.room.bell.ring();
            self.knows_options = false;
        }
        self.was_current = is_current;
        if is_current && !self.knows_options {
            // If it does not succeed now, the next change brings us here again.
            let options = OPTIONS.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            self.knows_options = match self.room.northbound.ensure_options(&options).await {
                Ok(()) => true,
                Err(ovn::Error::Led { theirs, .. }) => {
                    self.outbid(theirs).await;
                    false
                }
                Err(_) => false,
            };
        }
        if let Err(error) = self.look_at_ports().await {
            tracing::warn!(%error, "what OVN says of ports was not noted; it will be at the next change");
        }
    }

    /// OVN has seen a later lead than ours. Either ours is over, and the tables refuse this; or the tables were restored
    /// from a backup, and the next lead is above both.
    async fn outbid(&self, theirs: u64) {
        match self.room.store.outbid(i64::try_from(theirs).unwrap_or(i64::MAX)).await {
            Ok(()) => tracing::warn!(theirs, "OVN knows a later lead than the tables; the lead is taken anew above it"),
            Err(error) => tracing::info!(theirs, %error, "OVN knows a later lead"),
        }
    }

    /// Notes of the ports that came, went or were plugged whether they are up.
    async fn look_at_ports(&mut self) -> crate::Result<()> {
        if !self.room.northbound.client().is_current() {
            return Ok(());
        }
        let touched = self.ports.take();
        let outcome = self.note_ports(&touched).await;
        if !matches!(outcome, Ok(true)) {
            // What was not noted is met when all are looked at.
            self.ports = self.room.northbound.follow_ports();
        }
        outcome.map(drop)
    }

    /// False if OVN cannot be looked at now.
    async fn note_ports(&mut self, touched: &Touched) -> crate::Result<bool> {
        let northbound = &self.room.northbound;
        let looked = match touched {
            Touched::All => {
                // What was plugged when we stopped may not be any more.
                let rows = self.room.store.list(|tx| tx.query("SELECT id FROM ports WHERE up = 1", &[])).await?;
                self.up = rows.iter().map(|row| row.get(0)).collect::<Result<_, store::Error>>()?;
                northbound.ports()
            }
            Touched::These(keys) => northbound.ports_of(keys.iter().map(String::as_str)),
        };
        let Ok(ports) = looked else { return Ok(false) };
        let changed: Vec<(String, bool)> =
            ports.into_iter().filter(|port| self.up.contains(&port.name) != port.up).map(|port| (port.name, port.up)).collect();
        if !changed.is_empty() {
            let noted = changed.clone();
            self.room.store.write(move |tx| noted.iter().try_for_each(|(id, up)| note(tx, id, *up))).await?;
        }
        for (id, up) in changed {
            if up {
                self.up.insert(id)
            } else {
                self.up.remove(&id)
            };
        }
        // One that is gone from OVN is forgotten; its row in the tables is gone, or will be written again.
        if let Touched::These(keys) = touched {
            let ids = keys.iter().filter_map(|key| key.strip_prefix("port/"));
            let gone = ids.filter(|id| {
                northbound.ports_of([format!("port/{id}").as_str()].into_iter()).is_ok_and(|found| found.is_empty())
            });
            gone.for_each(|id| {
                self.up.remove(id);
            });
        }
        Ok(true)
    }

    /// Gateways are on hosts.
    async fn heed_hosts(&self) -> crate::Result<()> {
        self.room.store.write(keys::mark_gateways).await?;
        self.room.bell.ring();
        Ok(())
    }
}

/// What of the hosts matters to gateways and provider networks.
fn names(hosts: &[Chassis]) -> Vec<(&str, &BTreeMap<String, String>)> {
    hosts.iter().map(|host| (host.name.as_str(), &host.bridge_mappings)).collect()
}

fn note(tx: &mut store::Tx, id: &str, up: bool) -> crate::Result<()> {
    let sql = format!("SELECT {} FROM ports WHERE id = $1 AND up <> $2", Row::COLUMNS);
    let Some(found) = tx.query_opt(&sql, &params![id, up])? else { return Ok(()) };
    let before = Row::read(&found)?;
    tx.execute("UPDATE ports SET up = $2 WHERE id = $1", &params![&PortId::from(id), up])?;
    let after = Row { up, ..before.clone() };
    Doer::system("network").changed(tx, &before, &after)?;
    Ok(())
}
