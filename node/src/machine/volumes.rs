// SPDX-License-Identifier: Apache-2.0
//! The volumes of a machine: opened for its start, or plugged in and out while it runs, each for itself.
//!
//! ```text
//!   wanted ──▶ noted ──▶ opened, or a bridge built ──▶ plugged into QEMU
//!   not wanted ──▶ its guest is asked ── lets go ──▶ unplugged ──▶ closed, or the bridge released ──▶ forgotten
//! ```
//! Which volumes may be open is in the ledger, so whoever was cut short closes them.
//!
//! Invariant: a volume whose guest has not let it go is never said to be gone (test:
//! `a_volume_goes_when_its_machine_has_let_it_go`).

use contracts::node::{DiskDesired, MachineDesired, Way};
use qemu::{DeviceName, Machine, RunAs, Unplug, Volume, block::Source};
use types::VolumeId;
use uuid::Uuid;
use work::crash;

use super::task::Task;
use crate::{Error, Result};

/// Behind the machine's own disks.
const FIRST_BOOT_INDEX: u32 = 10;

impl Task {
    /// Opens all volumes of a machine that is about to start.
    pub(super) async fn volumes(&mut self, desired: &MachineDesired) -> Result<Vec<Volume>> {
        let wanted: Vec<DiskDesired> = desired.disks().cloned().collect();
        let named: Vec<VolumeId> = wanted.iter().map(|disk| disk.volume_id.clone()).collect();
        self.note_volumes(named).await?;
        let mut volumes = Vec::new();
        for disk in &wanted {
            volumes.push(self.open(disk).await?);
        }
        Ok(volumes)
    }

    /// From now on the machine's process does what is done to its volumes.
    pub(super) async fn hold_volumes(&self) -> Result<()> {
        let Some(machine) = self.machine() else { return Ok(()) };
        for volume in &self.recorded.volumes {
            self.shop.volumes.held_by(machine, volume).await?;
        }
        Ok(())
    }

    /// Brings the volumes of a machine whose process is there to what is wanted, as far as that can be done now.
    pub(super) async fn tend_volumes(&mut self, desired: &MachineDesired) -> Result<()> {
        let Some(machine) = self.machine().cloned() else { return Ok(()) };
        let has = self.devices(&machine).await?.disks;
        let is_there = |volume: &VolumeId| name_of(volume).is_some_and(|name| has.contains(&name));
        let wanted: Vec<DiskDesired> = desired.disks().cloned().collect();
        for disk in &wanted {
            let done = if is_there(&disk.volume_id) {
                self.keep_up(&machine, disk).await
            } else {
                self.plug_in_volume(&machine, disk).await
            };
            self.note_volume_trouble(&disk.volume_id, done)?;
        }
        let is_wanted = |volume: &VolumeId| wanted.iter().any(|disk| disk.volume_id == *volume);
        for volume in self.recorded.volumes.clone().into_iter().filter(|volume| !is_wanted(volume)) {
            let done = self.unplug_volume(&machine, &volume).await;
            self.note_volume_trouble(&volume, done)?;
        }
        let there = &self.recorded.volumes;
        self.volumes.keep(is_wanted, |volume| there.contains(volume));
        Ok(())
    }

    /// Closes what the machine had open; its process must be gone. Those that it is about to have again are opened again.
    pub(super) async fn close_volumes(&mut self) -> Result<()> {
        if self.recorded.volumes.is_empty() {
            return Ok(());
        }
        for volume in self.recorded.volumes.clone() {
            self.close(&volume).await?;
        }
        self.recorded.volumes.clear();
        self.keep_recorded().await
    }

    async fn note_volumes(&mut self, volumes: Vec<VolumeId>) -> Result<()> {
        let before = self.recorded.volumes.len();
        for volume in volumes {
            if !self.recorded.volumes.contains(&volume) {
                self.recorded.volumes.push(volume);
            }
        }
        if self.recorded.volumes.len() == before { Ok(()) } else { self.keep_recorded().await }
    }

    async fn open(&self, disk: &DiskDesired) -> Result<Volume> {
        let id = uuid_of(&disk.volume_id)?;
        let user = self.user();
        let source = match disk.way {
            Way::Here => self.shop.volumes.open_to(self.id, user, disk).await?,
            Way::Nbd { .. } => self.shop.bridges.ensure(disk, &self.ledger.bridges(), user).await?,
        };
        let boot_index = disk.boot.then_some(FIRST_BOOT_INDEX);
        Ok(Volume { id, source, read_only: disk.read_only, boot_index, serial: disk.serial() })
    }

    async fn close(&self, volume: &VolumeId) -> Result<()> {
        self.shop.volumes.closed_by(self.id, volume).await?;
        self.shop.bridges.release(volume).await
    }

    /// Builds what leads to volumes of other hosts, and nothing else: QEMU may be waiting for it.
    pub(super) fn keep_bridges(&self, desired: &MachineDesired) -> Result<()> {
        for disk in desired.disks().filter(|disk| matches!(disk.way, Way::Nbd { .. })) {
            if self.recorded.volumes.contains(&disk.volume_id) {
                self.shop.bridges.keep_up(disk, &self.ledger.bridges(), self.user())?;
            }
        }
        Ok(())
    }

    /// A bridge from before our start, or one that leads to where the volume was before, is looked after. A volume that has grown at
    /// the other end is larger for the guest, too.
    async fn keep_up(&self, machine: &Machine, disk: &DiskDesired) -> Result<()> {
        let Way::Nbd { .. } = disk.way else { return Ok(()) };
        let id = uuid_of(&disk.volume_id)?;
        let source = self.shop.bridges.keep_up(disk, &self.ledger.bridges(), self.user())?;
        if machine.qmp().size_of(id, &source).await?.is_some_and(|size| size < disk.size) {
            let source = self.shop.bridges.ensure(disk, &self.ledger.bridges(), self.user()).await?;
            machine.qmp().follow(id, &source, disk.size).await?;
            tracing::info!(server = %self.id, volume = %disk.volume_id, size = disk.size, "a volume of another host has grown");
        }
        Ok(())
    }

    fn user(&self) -> RunAs {
        RunAs { uid: self.recorded.uid, gid: self.recorded.uid }
    }

    async fn plug_in_volume(&mut self, machine: &Machine, disk: &DiskDesired) -> Result<()> {
        self.note_volumes(vec![disk.volume_id.clone()]).await?;
        crash::point("node.disk.noted");
        let volume = self.open(disk).await?;
        crash::point("node.disk.opened");
        machine.plug_volume(&volume).await?;
        crash::point("node.disk.plugged");
        if matches!(volume.source, Source::Layers(_)) {
            self.shop.volumes.held_by(machine, &disk.volume_id).await?;
        }
        self.know_disk(volume.name(), true);
        tracing::info!(server = %self.id, volume = %disk.volume_id, "a volume was plugged in");
        Ok(())
    }

    /// Asks the guest, or closes a volume that it has let go.
    async fn unplug_volume(&mut self, machine: &Machine, volume: &VolumeId) -> Result<()> {
        match machine.unplug_volume(uuid_of(volume)?).await? {
            Unplug::Gone => {
                crash::point("node.disk.unplugged");
                if let Some(name) = name_of(volume) {
                    self.know_disk(name, false);
                }
                self.close(volume).await?;
                self.recorded.volumes.retain(|known| known != volume);
                self.keep_recorded().await?;
                crash::point("node.disk.closed");
                self.volumes.over(volume);
                tracing::info!(server = %self.id, %volume, "a volume was unplugged");
            }
            Unplug::Asked => {
                crash::point("node.disk.asked");
                self.volumes.asked(volume);
            }
        }
        Ok(())
    }

    /// What is wrong with one keeps neither the others nor the machine from anything.
    fn note_volume_trouble(&mut self, volume: &VolumeId, done: Result<()>) -> Result<()> {
        match done {
            Ok(()) => {
                if self.recorded.volumes.contains(volume) && self.volumes.has_failed(volume) {
                    self.volumes.over(volume);
                }
                Ok(())
            }
            // The process ends, or has: that is seen elsewhere.
            Err(error @ Error::Qemu(qemu::Error::Closed)) => Err(error),
            Err(error) => {
                tracing::warn!(server = %self.id, %volume, error = error.chain(), "a volume is not as wanted");
                self.volumes.failed(volume, &error);
                Ok(())
            }
        }
    }
}

pub(super) fn name_of(volume: &VolumeId) -> Option<DeviceName> {
    uuid_of(volume).ok().map(DeviceName::for_id)
}

fn uuid_of(volume: &VolumeId) -> Result<Uuid> {
    volume.as_str().parse().map_err(|_| Error::Unfit(format!("{volume} is not how a volume is named")))
}
