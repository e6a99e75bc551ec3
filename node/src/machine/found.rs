// SPDX-License-Identifier: Apache-2.0
//! What is said of a machine's devices, each for itself: what QEMU has of them, or what the next start will find.

use contracts::node::{Device, DeviceId, DeviceObserved, DeviceState, MachineDesired, MachineState};
use qemu::{DeviceName, Devices, Machine};
use types::VolumeId;

use super::{
    disks::{RESCUE, ROOT},
    nics::name_of,
    task::Task,
    volumes,
};
use crate::Result;

impl Task {
    /// What the process has, read from QEMU unless it is known.
    pub(super) async fn devices(&mut self, machine: &Machine) -> Result<Devices> {
        if let Some(known) = self.process.as_ref().and_then(|running| running.devices.clone()) {
            return Ok(known);
        }
        let found = machine.devices().await?;
        if let Some(running) = &mut self.process {
            running.devices = Some(found.clone());
        }
        Ok(found)
    }

    pub(super) fn know_disk(&mut self, disk: DeviceName, is_there: bool) {
        let Some(devices) = self.process.as_mut().and_then(|running| running.devices.as_mut()) else { return };
        if is_there {
            devices.disks.insert(disk)
        } else {
            devices.disks.remove(&disk)
        };
    }

    pub(super) fn know_nic(&mut self, nic: DeviceName, is_there: bool) {
        let Some(devices) = self.process.as_mut().and_then(|running| running.devices.as_mut()) else { return };
        if is_there {
            devices.nics.insert(nic)
        } else {
            devices.nics.remove(&nic)
        };
    }

    /// Of a machine that is in this state.
    pub(super) fn found(&self, desired: &MachineDesired, state: &MachineState) -> Vec<DeviceObserved> {
        let has = self.process.as_ref().and_then(|running| running.devices.as_ref());
        let at_rest = matches!(state, MachineState::Stopped | MachineState::Sent | MachineState::Received);
        let wanted =
            desired.devices.iter().map(|device| DeviceObserved { id: device.id(), state: self.state_of(device, has, at_rest) });
        let leaving = self.leaving(desired, has);
        wanted.chain(leaving).collect()
    }

    fn state_of(&self, device: &Device, has: Option<&Devices>, at_rest: bool) -> DeviceState {
        let plugged = |is_there: bool| if is_there { DeviceState::Plugged } else { DeviceState::Plugging };
        match device {
            Device::Root(root) => match self.check_that_it_is_not_missing(root) {
                Err(error) => DeviceState::Failed { cause: error.to_string() },
                Ok(()) => plugged(self.recorded.root.is_some() && self.ledger.root_disk().exists()),
            },
            Device::Rescue(_) => plugged(at_rest || has.is_some_and(|has| has_disk(has, RESCUE))),
            Device::Config => plugged(at_rest || has.is_some()),
            // Never wanted of an agent that does not say that it can have volumes.
            Device::Disk(disk) => match self.volumes.state_of(&disk.volume_id) {
                Some(state) => state.clone(),
                None => plugged(at_rest || has.is_some_and(|has| has_volume(has, &disk.volume_id))),
            },
            Device::Nic(nic) => match self.nics.state_of(&nic.port_id) {
                Some(state) => state.clone(),
                None => {
                    plugged(at_rest || has.is_some_and(|has| name_of(&nic.port_id).is_some_and(|name| has.nics.contains(&name))))
                }
            },
        }
    }

    /// Devices that the process has and that are not wanted any more. What was not asked yet what it has may have them all:
    /// who hears that a NIC is gone gives its address to another.
    fn leaving(&self, desired: &MachineDesired, has: Option<&Devices>) -> Vec<DeviceObserved> {
        if self.process.is_none() {
            return Vec::new();
        }
        let is_there = |name: Option<DeviceName>| name.is_some_and(|name| has.is_none_or(|has| has.nics.contains(&name)));
        let ports = self.recorded.ports.iter().filter(|port| is_there(name_of(port)));
        let ports = ports.filter(|port| desired.nics().all(|nic| nic.port_id != **port));
        let nics = ports.map(|port| DeviceObserved {
            id: DeviceId::nic(port),
            state: self.nics.state_of(port).cloned().unwrap_or(DeviceState::Unplugging),
        });
        // One is said until it is closed, for then only another may open it.
        let volumes = self.recorded.volumes.iter().filter(|volume| desired.disks().all(|disk| disk.volume_id != **volume));
        let volumes = volumes.map(|volume| DeviceObserved {
            id: DeviceId::disk(volume),
            state: self.volumes.state_of(volume).cloned().unwrap_or(DeviceState::Unplugging),
        });
        let has_both = has.is_some_and(|has| has_disk(has, RESCUE) && has_disk(has, ROOT));
        let rescue = (desired.rescue().is_none() && has_both)
            .then(|| DeviceObserved { id: DeviceId::rescue(), state: DeviceState::Unplugging });
        nics.chain(volumes).chain(rescue).collect()
    }
}

fn has_volume(devices: &Devices, volume: &VolumeId) -> bool {
    volumes::name_of(volume).is_some_and(|name| devices.disks.contains(&name))
}

fn has_disk(devices: &Devices, name: &str) -> bool {
    devices.disks.iter().any(|disk| disk.as_str() == name)
}
