// SPDX-License-Identifier: Apache-2.0
//! NICs that come to a running machine, and go from it, each for itself.
//!
//! ```text
//!   wanted ──▶ noted ──▶ tap ──▶ port of the switch ──▶ plugged into QEMU
//!   not wanted ──▶ its guest is asked ── lets go ──▶ unplugged ──▶ port and tap released ──▶ forgotten
//!                       └── does not answer: said, asked again, and done at the next start at the latest
//! ```
//! What the machine has is read from QEMU, and which taps there may be from the ledger, so whoever was cut short goes on.
//!
//! Invariant: a NIC whose guest has not let it go is never said to be gone (test:
//! `a_nic_that_its_guest_does_not_let_go_is_said_to_be_there_and_goes_with_the_next_start`).

use contracts::node::{MachineDesired, NicDesired};
use qemu::{DeviceName, Machine, Unplug, tap};
use types::PortId;
use work::crash;

use super::{
    task::Task,
    wire::{nic_of, nics_of, uuid_of},
};
use crate::{Error, Result, error::blocking};

impl Task {
    /// Brings the NICs of a machine whose process is there to what is wanted, as far as that can be done now.
    pub(super) async fn tend_nics(&mut self, desired: &MachineDesired) -> Result<()> {
        let Some(machine) = self.machine().cloned() else { return Ok(()) };
        let has = self.devices(&machine).await?.nics;
        let wanted: Vec<NicDesired> = nics_of(self.shop.switch.as_ref(), desired).cloned().collect();
        for nic in wanted.iter().filter(|nic| name_of(&nic.port_id).is_some_and(|name| !has.contains(&name))) {
            self.try_to_plug(&machine, nic).await?;
        }
        let is_wanted = |port: &PortId| wanted.iter().any(|nic| nic.port_id == *port);
        for port in self.recorded.ports.clone().into_iter().filter(|port| !is_wanted(port)) {
            self.try_to_unplug(&machine, &port).await?;
        }
        let there = &self.recorded.ports;
        self.nics.keep(is_wanted, |port| there.contains(port));
        Ok(())
    }

    async fn try_to_plug(&mut self, machine: &Machine, nic: &NicDesired) -> Result<()> {
        match self.plug_in(machine, nic).await {
            Ok(()) => {
                self.nics.over(&nic.port_id);
                tracing::info!(server = %self.id, port = %nic.port_id, "a NIC was plugged in");
                Ok(())
            }
            Err(error) => self.note_trouble(&nic.port_id, error),
        }
    }

    async fn try_to_unplug(&mut self, machine: &Machine, port: &PortId) -> Result<()> {
        match self.unplug(machine, port).await {
            Ok(()) => Ok(()),
            Err(error) => self.note_trouble(port, error),
        }
    }

    /// What is wrong with one NIC keeps neither the others nor the machine from anything.
    fn note_trouble(&mut self, port: &PortId, error: Error) -> Result<()> {
        // The process ends, or has: that is seen elsewhere.
        if matches!(error, Error::Qemu(qemu::Error::Closed)) {
            return Err(error);
        }
        tracing::warn!(server = %self.id, %port, error = error.chain(), "a NIC is not as wanted");
        self.nics.failed(port, &error);
        Ok(())
    }

    async fn plug_in(&mut self, machine: &Machine, wanted: &NicDesired) -> Result<()> {
        let Some(switch) = self.shop.switch.clone() else { return Ok(()) };
        let nic = nic_of(&switch, wanted)?;
        self.note_port(&wanted.port_id).await?;
        crash::point("node.nic.noted");
        let (made, uid) = (nic.clone(), self.recorded.uid);
        blocking(move || Ok(tap::ensure(&made.tap, uid, made.mtu, made.datapath)?)).await?;
        crash::point("node.nic.tapped");
        switch.ensure_machine_port(&nic.tap, wanted.port_id.as_str(), &nic.mac, self.server_id.as_str()).await?;
        crash::point("node.nic.wired");
        machine.plug(&nic).await?;
        crash::point("node.nic.plugged");
        self.know_nic(nic.name, true);
        Ok(())
    }

    /// Asks the guest, or takes away what is behind a NIC that it has let go.
    async fn unplug(&mut self, machine: &Machine, port: &PortId) -> Result<()> {
        let Some(name) = name_of(port) else { return Ok(()) };
        match machine.unplug(&name).await? {
            Unplug::Gone => {
                crash::point("node.nic.unplugged");
                self.know_nic(name, false);
                self.nics.over(port);
                self.release_port(port).await?;
                self.recorded.ports.retain(|known| known != port);
                self.keep_recorded().await?;
                crash::point("node.nic.released");
                tracing::info!(server = %self.id, %port, "a NIC was unplugged");
            }
            Unplug::Asked => {
                crash::point("node.nic.asked");
                self.nics.asked(port);
            }
        }
        Ok(())
    }
}

pub(super) fn name_of(port: &PortId) -> Option<DeviceName> {
    uuid_of(port).ok().map(DeviceName::for_id)
}
