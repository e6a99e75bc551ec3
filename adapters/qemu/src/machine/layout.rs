// SPDX-License-Identifier: Apache-2.0
//! Where the devices sit that a machine begins with: each in a root port of its own, and so on a bus of its own.
//!
//! Firmware numbers the buses behind the root ports in the order of the ports, from 1, and Linux keeps its numbers. So it
//! is known before a guest starts where it will see what.
//!
//! Invariant: a guest sees its devices where it was told that they are (test: `devices_sit_where_the_layout_says`).

use super::{DiskBus, MachineSpec};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The controller of CD-ROM drives, if there is one.
    controllers: usize,
    disks: usize,
    nics: usize,
}

impl Layout {
    /// Disks are those that have a port of their own, volumes among them: CD-ROM drives have not.
    pub fn new(has_cdrom: bool, disks: usize, nics: usize) -> Self {
        Self { controllers: usize::from(has_cdrom), disks, nics }
    }

    pub(super) fn of(spec: &MachineSpec) -> Self {
        let disks = spec.disks.iter().filter(|disk| disk.bus == DiskBus::Virtio).count();
        // They share a virtio controller: the kernels of slim cloud images have no driver for a SATA one.
        Self::new(disks < spec.disks.len(), disks + spec.volumes.len(), spec.nics.len())
    }

    /// Where the guest sees its `number`th disk, as in `0000:01:00.0`.
    pub fn address_of_disk(self, number: usize) -> String {
        address(self.disk(number))
    }

    pub fn address_of_nic(self, number: usize) -> String {
        address(self.nic(number))
    }

    pub(super) fn controller(self) -> Option<usize> {
        (self.controllers > 0).then_some(0)
    }

    pub(super) fn disk(self, number: usize) -> usize {
        self.controllers + number
    }

    pub(super) fn nic(self, number: usize) -> usize {
        self.controllers + self.disks + number
    }

    pub(super) fn rng(self) -> usize {
        self.controllers + self.disks + self.nics
    }

    /// How many ports are taken.
    pub(super) fn taken(self) -> usize {
        self.rng() + 1
    }
}

fn address(port: usize) -> String {
    format!("0000:{:02x}:00.0", port + 1)
}
