// SPDX-License-Identifier: Apache-2.0
//! The machine's ports: a tap each, which is a port of the switch while the machine has a process.
//!
//! Which ports taps were made for is written down before the first is made, so that none is left over.

use std::time::Duration;

use contracts::node::{MachineDesired, NicDesired};
use futures_util::future::{join_all, try_join, try_join_all};
use ovn::vswitch;
use qemu::{Datapath, DeviceName, Machine, MachineSpec, Nic, tap};
use tokio::sync::{oneshot, watch};
use types::PortId;
use uuid::Uuid;
use work::crash;

use super::task::Task;
use crate::{Error, Result, error::blocking, switch::Switching};

/// A guest whose ports OVN has not wired by then boots all the same, as in Nova's own retry of DHCP.
const WIRED_WITHIN: Duration = Duration::from_secs(10);

impl Task {
    /// Notes the ports that the machine is about to have, to be written down before it has them. Whether any is new.
    pub(super) fn note_ports(&mut self, desired: &MachineDesired) -> Result<bool> {
        let wanted: Vec<PortId> = nics_of(self.shop.switch.as_ref(), desired).map(|nic| nic.port_id.clone()).collect();
        for port in &wanted {
            self.shop.taps.claim(port)?;
        }
        let known = self.recorded.ports.len();
        for port in wanted {
            if !self.recorded.ports.contains(&port) {
                self.recorded.ports.push(port);
            }
        }
        Ok(self.recorded.ports.len() > known)
    }

    /// The same for one that comes while it runs.
    pub(super) async fn note_port(&mut self, port: &PortId) -> Result<()> {
        self.shop.taps.claim(port)?;
        if self.recorded.ports.contains(port) {
            return Ok(());
        }
        self.recorded.ports.push(port.clone());
        self.keep_recorded().await
    }

    pub(super) fn nics(&self, desired: &MachineDesired) -> Result<Vec<Nic>> {
        let Some(switch) = &self.shop.switch else { return Ok(Vec::new()) };
        desired.nics().map(|nic| nic_of(switch, nic)).collect()
    }

    /// QEMU opens the taps. That they become ports of the switch and that OVN has their flows goes on beside its start; what comes
    /// of both is a guest that runs from the moment it can, if nothing else is wanted by then and all is on record.
    pub(super) async fn launch_and_wire(
        &self,
        desired: &MachineDesired,
        spec: MachineSpec,
        is_settled: oneshot::Receiver<()>,
    ) -> Result<(Machine, bool)> {
        let (go, may_run) = watch::channel(false);
        let wired = async {
            self.wire(desired).await?;
            crash::point("node.machine.wired");
            // What is said now is done when QEMU comes to it: too late for what must not run beyond its lease.
            if is_settled.await.is_ok() && !desired.exclusive && !self.has_changed() {
                go.send_replace(true);
            }
            Ok(())
        };
        let ((), launched) = try_join(wired, self.launch(spec, may_run)).await?;
        Ok(launched)
    }

    /// Waits until OVN has the flows of all ports that the process was started with, or long enough.
    pub(super) async fn wire(&self, desired: &MachineDesired) -> Result<()> {
        self.plug(desired).await?;
        let Some(switch) = &self.shop.switch else { return Ok(()) };
        let started_with = || desired.nics().filter(|nic| self.recorded.ports.contains(&nic.port_id));
        let waits = started_with().map(|nic| {
            let switch = switch.clone();
            async move {
                let tap = tap::name_of(uuid_of(&nic.port_id)?);
                switch.installed(&tap, WIRED_WITHIN).await
            }
        });
        let waited = self.passing("ports").during(join_all(waits)).await;
        for (waited, nic) in waited.into_iter().zip(started_with()) {
            if let Err(error) = waited {
                tracing::warn!(server = %self.id, port = %nic.port_id, error = error.chain(), "the machine starts before its port is wired");
            }
        }
        Ok(())
    }

    /// Removes the ports and taps of the machine; its process must be gone.
    pub(super) async fn unwire(&mut self) -> Result<()> {
        if self.recorded.ports.is_empty() {
            return Ok(());
        }
        for port in self.recorded.ports.clone() {
            self.release_port(&port).await?;
        }
        self.recorded.ports.clear();
        self.keep_recorded().await
    }

    /// Takes away a port of the switch and its tap, which nothing may use any more.
    pub(super) async fn release_port(&self, port: &PortId) -> Result<()> {
        let Ok(id) = uuid_of(port) else { return Ok(()) };
        let tap = tap::name_of(id);
        if let Some(switch) = &self.shop.switch {
            switch.release_port(&tap).await?;
        }
        crash::point("node.port.released");
        blocking(move || Ok(tap::release(&tap)?)).await?;
        self.shop.taps.release(port);
        Ok(())
    }

    async fn plug(&self, desired: &MachineDesired) -> Result<()> {
        let Some(switch) = &self.shop.switch else { return Ok(()) };
        let plugs = desired.nics().filter(|nic| self.recorded.ports.contains(&nic.port_id)).map(|nic| {
            let switch = switch.clone();
            async move {
                let tap = tap::name_of(uuid_of(&nic.port_id)?);
                let (mac, port) = (nic.mac.to_string(), nic.port_id.as_str());
                switch.ensure_machine_port(&tap, port, &mac, self.server_id.as_str()).await
            }
        });
        try_join_all(plugs).await?;
        crash::point("node.ports.plugged");
        Ok(())
    }
}

/// The taps that QEMU is going to open.
pub(super) fn ensure_taps(spec: &MachineSpec) -> impl Future<Output = Result<()>> + use<> {
    let (nics, uid) = (spec.nics.clone(), spec.run_as.uid);
    async move {
        let made = blocking(move || Ok(nics.iter().try_for_each(|nic| tap::ensure(&nic.tap, uid, nic.mtu, nic.datapath))?)).await;
        crash::point("node.taps.ready");
        made
    }
}

/// A host without a switch has no ports.
pub(super) fn nics_of<'a, S>(
    switch: Option<&S>,
    desired: &'a MachineDesired,
) -> impl Iterator<Item = &'a NicDesired> + use<'a, S> {
    let any = switch.is_some();
    desired.nics().filter(move |_| any)
}

pub(super) fn nic_of(switch: &Switching, nic: &NicDesired) -> Result<Nic> {
    let port = uuid_of(&nic.port_id)?;
    Ok(Nic {
        name: DeviceName::for_id(port),
        tap: tap::name_of(port),
        mac: nic.mac.to_string(),
        mtu: mtu_of(nic)?,
        datapath: tap_datapath(switch),
    })
}

fn tap_datapath(switch: &Switching) -> Datapath {
    match switch.datapath() {
        vswitch::Datapath::Kernel => Datapath::Kernel,
        vswitch::Datapath::Userspace => Datapath::Userspace,
    }
}

pub(super) fn uuid_of(port: &PortId) -> Result<Uuid> {
    port.as_str().parse().map_err(|_| Error::Unfit(format!("{port} is not how a port is named")))
}

fn mtu_of(nic: &NicDesired) -> Result<u16> {
    u16::try_from(nic.mtu).map_err(|_| Error::Unfit(format!("port {} cannot have an MTU of {}", nic.port_id, nic.mtu)))
}
