// SPDX-License-Identifier: Apache-2.0
//! The host's Open vSwitch and its part in OVN.
//!
//! `br-int` is OVN's: every tap and every metadata door is a port of it, named by its `iface-id`. A physical network
//! is a bridge of its own that the host's operator wires to a card; OVN patches it to `br-int` where it needs it.

mod setup;

use std::time::Duration;

use ovn::{
    daemons::Supervisor,
    vswitch::{Datapath, Port, PortKind, PortView, Vswitch},
};
use tokio::time::Instant;

use crate::{Error, Result};

pub(crate) use setup::Chassis;

pub(crate) const INTEGRATION: &str = "br-int";

/// By this entry of `external_ids` we know our own ports from those of others on a shared switch.
const MARK: &str = "ferrostack";

/// A switch that answers at all does so within milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Switching {
    vswitch: Vswitch,
    datapath: Datapath,
    mark: String,
    /// The daemons, when they are ours. They outlive us.
    _daemons: Vec<Supervisor>,
}

impl Switching {
    pub fn datapath(&self) -> Datapath {
        self.datapath
    }

    /// Makes the tap of a port part of `br-int`; OVN takes it from there.
    pub async fn ensure_machine_port(&self, tap: &str, port: &str, mac: &str, server: &str) -> Result<()> {
        let port = Port::of_machine(tap, port, mac, server).external_id(MARK, &self.mark);
        Ok(self.vswitch.ensure_port(INTEGRATION, &port).await?)
    }

    /// Makes one end of a veth pair the door of a network.
    pub async fn ensure_door_port(&self, device: &str, port: &str) -> Result<()> {
        let port = Port::new(device, PortKind::Device).external_id("iface-id", port).external_id(MARK, &self.mark);
        Ok(self.vswitch.ensure_port(INTEGRATION, &port).await?)
    }

    pub async fn release_port(&self, device: &str) -> Result<()> {
        Ok(self.vswitch.release_port(device).await?)
    }

    /// Waits until OVN has put the flows of a port in place; says why not if it takes too long.
    pub async fn installed(&self, device: &str, patience: Duration) -> Result<()> {
        Ok(self.vswitch.installed(device, Instant::now() + patience).await?)
    }

    /// Every port of `br-int` that we made.
    pub fn our_ports(&self) -> Result<Vec<PortView>> {
        let ports = self.vswitch.ports()?;
        Ok(ports.into_iter().filter(|port| port.external_ids.get(MARK) == Some(&self.mark)).collect())
    }
}

impl From<ovn::Error> for Error {
    fn from(error: ovn::Error) -> Self {
        Self::Switch(error)
    }
}
