// SPDX-License-Identifier: Apache-2.0
//! Machines of this host open the volumes that lie on it.

use contracts::node::DiskDesired;
use qemu::{Machine, RunAs, block};
use types::VolumeId;
use uuid::Uuid;
use work::crash;

use super::{Volumes, Wanted, keep::Holder, uuid_of};
use crate::{Error, Result};

impl Volumes {
    /// Opens a volume up to the user of a machine, if the door is open to this host and nobody else has it. Fine if that machine has it.
    pub async fn open_to(&self, machine: Uuid, user: RunAs, disk: &DiskDesired) -> Result<block::Source> {
        let id = uuid_of(&disk.volume_id)?;
        let volume = self.find(id).ok_or_else(|| Error::Unfit(format!("the volume {id} is not on this host")))?;
        let mut keep = volume.keep.lock().await;
        let is_ours = match &*volume.wanted.borrow() {
            Wanted::Volume(wanted) => wanted
                .open_to
                .as_ref()
                .is_some_and(|door| door.node == self.inner.ground.node && (disk.read_only || !door.read_only)),
            Wanted::Gone => false,
        };
        // Asked anew by the clock: what is said of the volume and of the machine comes in any order.
        if !is_ours || !keep.is_made() || keep.recorded.exported.is_some() {
            return Err(Error::Closed { volume: id });
        }
        if keep.recorded.opened_by.is_some_and(|other| other != machine) {
            return Err(Error::Closed { volume: id });
        }
        keep.end_merge().await?;
        if keep.recorded.opened_by.is_none() {
            keep.recorded.opened_by = Some(machine);
            keep.record().await?;
            crash::point("node.volume.opening");
        }
        // An earlier process of the machine that had it is no more.
        keep.holder = Holder::Nobody;
        complete_without_a_process(&mut keep).await?;
        keep.hand_to(user).await?;
        volume.bell.notify_one();
        Ok(keep.source())
    }

    /// From now on this machine's process does what is done to the volume.
    pub async fn held_by(&self, machine: &Machine, volume: &VolumeId) -> Result<()> {
        let Some(volume) = self.find(uuid_of(volume)?) else { return Ok(()) };
        let mut keep = volume.keep.lock().await;
        if keep.recorded.opened_by == Some(machine.id()) {
            keep.holder = Holder::Machine(machine.clone());
            volume.bell.notify_one();
        }
        Ok(())
    }

    /// No process of the machine has it open any more. Fine if none had.
    pub async fn closed_by(&self, machine: Uuid, volume: &VolumeId) -> Result<()> {
        let Some(volume) = self.find(uuid_of(volume)?) else { return Ok(()) };
        let mut keep = volume.keep.lock().await;
        if keep.recorded.opened_by != Some(machine) {
            return Ok(());
        }
        keep.end_merge().await?;
        keep.holder = Holder::Nobody;
        keep.take_back().await?;
        crash::point("node.volume.closing");
        keep.recorded.opened_by = None;
        keep.record().await?;
        volume.bell.notify_one();
        Ok(())
    }
}

/// A snapshot that was under way when the process ended is gone through with, or the next one would open the layers without it.
async fn complete_without_a_process(keep: &mut super::keep::Keep) -> Result<()> {
    let opened_by = keep.recorded.opened_by.take();
    let done = keep.go_through().await;
    keep.recorded.opened_by = opened_by;
    match done {
        Ok(()) => keep.record().await,
        failed => failed,
    }
}
