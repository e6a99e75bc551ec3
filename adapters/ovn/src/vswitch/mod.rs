// SPDX-License-Identifier: Apache-2.0
//! The local Open vSwitch, through its database: bridges, ports, and the settings of ovn-controller.
//!
//! `ensure` and `release` are idempotent and send nothing when nothing differs. They return when the database has the
//! change; ovs-vswitchd follows, which `attached`, `installed` and `settled` wait for by event.

mod desired;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use tokio::time::Instant;

pub use desired::{Bridge, ChassisSettings, Datapath, FailMode, Monitor, Port, PortKind, PortView};

use crate::ovsdb::{Client, Remote, Replica, Select, Transaction, Watched};
use crate::{Error, Result};

const ATTEMPTS: u32 = 8;

/// A connection to the local Open_vSwitch database.
#[derive(Clone, Debug)]
pub struct Vswitch {
    client: Client,
}

impl Vswitch {
    /// Starts connecting.
    pub fn connect(remote: Remote) -> Self {
        // Columns are named because statistics would wake everybody every few seconds.
        let watched = Watched::new("Open_vSwitch")
            .columns("Open_vSwitch", &["bridges", "external_ids", "next_cfg", "cur_cfg", "ovs_version"])
            .columns("Bridge", &["name", "ports", "datapath_type", "fail_mode", "external_ids", "other_config"])
            .columns("Port", &["name", "interfaces", "tag"])
            .columns("Interface", &["name", "type", "options", "external_ids", "ofport", "mtu_request", "error"]);
        Self { client: Client::connect(vec![remote], watched) }
    }

    /// The connection, to wait on its changes.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until the database is reached and known.
    pub async fn ready(&self, deadline: Instant) -> Result<()> {
        self.client.ready(deadline).await
    }

    /// Ensures a bridge with its own internal port.
    pub async fn ensure_bridge(&self, bridge: &Bridge) -> Result<()> {
        self.change(&bridge.name, |replica| plan::ensure_bridge(replica, bridge)).await
    }

    /// Releases a bridge with all its ports.
    pub async fn release_bridge(&self, name: &str) -> Result<()> {
        self.change(name, |replica| Ok(plan::release_bridge(replica, name))).await
    }

    /// The names of all bridges.
    pub fn bridges(&self) -> Result<Vec<String>> {
        self.client.read_current(|replica| replica.rows("Bridge").map(|(_, row)| row.text("name").to_owned()).collect())
    }

    /// Ensures a port on a bridge; one of the same name on another bridge moves.
    pub async fn ensure_port(&self, bridge: &str, port: &Port) -> Result<()> {
        self.change(&port.name, |replica| plan::ensure_port(replica, bridge, port)).await
    }

    /// Releases a port, on whichever bridge it is.
    pub async fn release_port(&self, name: &str) -> Result<()> {
        self.change(name, |replica| Ok(plan::release_port(replica, name))).await
    }

    /// All ports.
    pub fn ports(&self) -> Result<Vec<PortView>> {
        self.client.read_current(plan::ports)
    }

    /// Ensures how this host takes part in OVN.
    pub async fn ensure_chassis(&self, settings: &ChassisSettings) -> Result<()> {
        self.ensure_external_ids(&settings.external_ids()?).await
    }

    /// Ensures entries of the switch's own `external_ids`; others are left alone.
    pub async fn ensure_external_ids(&self, entries: &BTreeMap<String, String>) -> Result<()> {
        self.change("Open_vSwitch", |replica| Ok(plan::ensure_external_ids(replica, entries))).await
    }

    /// Releases entries of the switch's own `external_ids`.
    pub async fn release_external_ids(&self, keys: &[&str]) -> Result<()> {
        self.change("Open_vSwitch", |replica| Ok(plan::release_external_ids(replica, keys))).await
    }

    /// Waits until ovs-vswitchd has attached a port, and returns its OpenFlow number.
    pub async fn attached(&self, port: &str, deadline: Instant) -> Result<u32> {
        let mut reason = None;
        let waited = self.client.wait_until(format!("port {port} to be attached"), deadline, |replica| {
            let found = plan::port(replica, port)?;
            reason = found.error;
            found.ofport
        });
        match (waited.await, reason) {
            (Err(Error::DeadlinePassed { .. }), Some(why)) => Err(Error::NotAttached { port: port.to_owned(), why }),
            (waited, _) => waited,
        }
    }

    /// Waits until ovn-controller has put all flows of a port's interface in place.
    pub async fn installed(&self, port: &str, deadline: Instant) -> Result<()> {
        let look = |replica: &Replica| {
            let (_, interface) = replica.named("Interface", port)?;
            (interface.entry("external_ids", "ovn-installed") == Some("true")).then_some(())
        };
        self.client.wait_until(format!("the flows of port {port}"), deadline, look).await
    }

    /// Waits until ovs-vswitchd has acted on everything written so far.
    pub async fn settled(&self, deadline: Instant) -> Result<()> {
        let mut transaction = Transaction::new();
        transaction.increment("Open_vSwitch", Select::all(), "next_cfg");
        self.client.transact(&transaction).await?;
        let asked = self.client.read(|replica| replica.singleton("Open_vSwitch")?.1.integer("next_cfg"));
        let done = |replica: &Replica| {
            let (_, row) = replica.singleton("Open_vSwitch")?;
            (row.integer("cur_cfg") >= asked).then_some(())
        };
        self.client.wait_until("ovs-vswitchd to catch up", deadline, done).await
    }

    /// Composes a change from what the replica shows, and composes it anew if somebody was faster.
    async fn change(&self, what: &str, plan: impl Fn(&Replica) -> Result<Transaction>) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let transaction = self.client.read_current(&plan)??;
            if transaction.is_empty() {
                return Ok(());
            }
            match self.client.transact(&transaction).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_lost_race() || is_taken_name(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended { scope: what.to_owned(), attempts: ATTEMPTS })
    }
}

/// Somebody else has just created a row of the same name.
fn is_taken_name(error: &Error) -> bool {
    matches!(error, Error::Refused { error, .. } if error == "constraint violation")
}
