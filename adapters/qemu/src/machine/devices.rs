// SPDX-License-Identifier: Apache-2.0
//! What a machine has while it runs, and network cards and volumes that come and go meanwhile.
//!
//! ```text
//!   (none) ── plug ──▶ there ── unplug ──▶ asked of the guest ── it lets go ──▶ (none)
//!                        ▲                        │
//!                        └──── it does not answer ┘   asked again; a machine that starts anew begins without it
//! ```
//! Nothing is remembered here: QEMU's own tree of devices tells what there is, and where. It does so whatever the guest has
//! made of its buses, which the guest's view of them (`query-pci`) does not.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::command_line::{CARD, DISK, SLOT, backend, backend_id, card, card_id, drive, drive_id};
use super::{DeviceName, Machine, MachineSpec, Nic, Volume};
use crate::Result;
use crate::error::Error;
use crate::qmp::{ErrorClass, Qmp};

/// Where QEMU keeps the devices that have a name.
const NAMED: &str = "/machine/peripheral";

/// The devices that a machine has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Devices {
    pub disks: BTreeSet<DeviceName>,
    pub nics: BTreeSet<DeviceName>,
    others: Vec<String>,
    slots: usize,
}

/// What came of asking for a device to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unplug {
    Gone,
    /// The guest was asked; that it has let go is told by an event.
    Asked,
}

impl Machine {
    pub async fn devices(&self) -> Result<Devices> {
        #[derive(Deserialize)]
        struct Child {
            name: String,
            #[serde(rename = "type")]
            kind: String,
        }
        let children: Vec<Child> = self.qmp().execute("qom-list", json!({ "path": NAMED })).await?;
        let mut devices = Devices::default();
        // Beside them the list has a property of its own.
        let children = children.into_iter().filter(|child| child.kind.starts_with("child<"));
        for Child { name, .. } in children {
            if let Some(nic) = name.strip_prefix(CARD).and_then(|name| DeviceName::new(name).ok()) {
                devices.nics.insert(nic);
            } else if let Some(disk) = name.strip_prefix(DISK).and_then(|name| DeviceName::new(name).ok()) {
                devices.disks.insert(disk);
            } else if name.strip_prefix(SLOT).is_some_and(|number| number.parse::<usize>().is_ok()) {
                devices.slots += 1;
            } else {
                devices.others.push(name);
            }
        }
        Ok(devices)
    }

    /// Plugs a card in, into the first slot that is free. Fine if it is there.
    pub async fn plug(&self, nic: &Nic) -> Result<()> {
        let devices = self.devices().await?;
        if devices.nics.contains(&nic.name) {
            return Ok(());
        }
        let slot = self.free_slot(&devices).await?;
        // One of an attempt that was cut short holds a tap that may be another by now.
        release_backend(self.qmp(), &nic.name).await?;
        self.qmp().execute::<Value>("netdev_add", backend(nic)).await?;
        let plugged = self.qmp().execute::<Value>("device_add", card(nic, &slot)).await;
        if let Err(error) = plugged {
            release_backend(self.qmp(), &nic.name).await?;
            return Err(error);
        }
        Ok(())
    }

    /// Plugs a volume in, into the first slot that is free. Fine if it is there.
    pub async fn plug_volume(&self, volume: &Volume) -> Result<()> {
        let devices = self.devices().await?;
        if devices.disks.contains(&volume.name()) {
            return Ok(());
        }
        let slot = self.free_slot(&devices).await?;
        // What an attempt that was cut short has opened may be another way to it by now.
        self.qmp().ensure_closed(volume.id).await?;
        self.qmp().ensure_open(volume.id, &volume.source, volume.read_only).await?;
        let plugged = self.qmp().execute::<Value>("device_add", drive(volume, &slot)?).await;
        if let Err(error) = plugged {
            self.qmp().ensure_closed(volume.id).await?;
            return Err(error);
        }
        Ok(())
    }

    /// Asks the guest to let go of a volume. Once it has, QEMU closes it: this is called again then.
    pub async fn unplug_volume(&self, volume: Uuid) -> Result<Unplug> {
        let unplug = self.ask_for(&drive_id(&DeviceName::for_id(volume))).await?;
        if unplug == Unplug::Gone {
            self.qmp().ensure_closed(volume).await?;
        }
        Ok(unplug)
    }

    /// Asks the guest to let go of a card. Once it has, what was behind the card goes, too: this is called again then.
    pub async fn unplug(&self, nic: &DeviceName) -> Result<Unplug> {
        let unplug = self.ask_for(&card_id(nic)).await?;
        if unplug == Unplug::Gone {
            release_backend(self.qmp(), nic).await?;
        }
        Ok(unplug)
    }

    async fn ask_for(&self, id: &str) -> Result<Unplug> {
        let asked = self.qmp().execute::<Value>("device_del", json!({ "id": id })).await;
        match asked {
            Err(Error::Refused { class: ErrorClass::DeviceNotFound, .. }) => Ok(Unplug::Gone),
            // It is being asked already.
            Err(Error::Refused { description, .. }) if description.contains("process of unplug") => Ok(Unplug::Asked),
            asked => asked.map(|_| Unplug::Asked),
        }
    }

    async fn free_slot(&self, devices: &Devices) -> Result<String> {
        let mut taken = BTreeSet::new();
        for device in devices.with_a_bus() {
            let path = format!("{NAMED}/{device}");
            let bus: String = self.qmp().execute("qom-get", json!({ "path": path, "property": "parent_bus" })).await?;
            taken.extend(bus.rsplit('/').next().map(str::to_owned));
        }
        let free = (0..devices.slots).map(|number| format!("{SLOT}{number}")).find(|slot| !taken.contains(slot));
        free.ok_or_else(|| {
            let message = "all slots for devices are taken: unplug one, or restart the machine, which gives it new ones";
            Error::Spec(message.into())
        })
    }
}

impl Devices {
    /// What a machine has that was just started.
    pub fn of(spec: &MachineSpec) -> Self {
        let volumes = spec.volumes.iter().map(Volume::name);
        let disks = spec.disks.iter().map(|disk| disk.name.clone()).chain(volumes).collect();
        Self { disks, nics: spec.nics.iter().map(|nic| nic.name.clone()).collect(), ..Self::default() }
    }

    /// By the names that QEMU has for them.
    fn with_a_bus(&self) -> impl Iterator<Item = String> {
        let nics = self.nics.iter().map(card_id);
        nics.chain(self.disks.iter().map(drive_id)).chain(self.others.iter().cloned())
    }
}

async fn release_backend(qmp: &Qmp, nic: &DeviceName) -> Result<()> {
    match qmp.execute::<Value>("netdev_del", json!({ "id": backend_id(nic) })).await {
        Err(Error::Refused { class: ErrorClass::DeviceNotFound, .. }) => Ok(()),
        Err(Error::Refused { description, .. }) if description.contains("not found") => Ok(()),
        done => done.map(drop),
    }
}
