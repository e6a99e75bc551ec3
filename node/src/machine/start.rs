// SPDX-License-Identifier: Apache-2.0
//! From a ledger entry to a process whose guest has not run: images, disks, configuration drive, QEMU.

use std::{path::PathBuf, time::Duration};

use contracts::node::{MachineDesired, MachineState, WatchdogAction};
use disks::config_drive;
use qemu::{Accelerator, DeviceName, Devices, Disk, DiskBus, DiskFormat, Machine, MachineSpec, RunAs, Volume};
use work::crash;

use super::{
    disks::{RESCUE, ROOT},
    held::is_about_kvm,
    task::Task,
};
use crate::{Result, error::blocking, guest};

/// Slots for volumes and ports that are plugged in while the machine runs.
const SPARE_SLOTS: u8 = 16;
/// How often a process that ends before it answers is started, and the pause between.
const STARTS: u32 = 3;
const BETWEEN_STARTS: Duration = Duration::from_millis(100);

impl Task {
    pub(super) async fn start(&mut self, desired: &MachineDesired) -> Result<()> {
        self.report(MachineState::Preparing { step: "image".into() });
        // Fetching may take minutes in which the machine may be deleted.
        let images = self.images(desired)?;
        let Some(images) = self.unless_changed(images).await.transpose()? else { return Ok(()) };
        crash::point("node.image.ready");
        let shop = self.shop.clone();
        let Some(_turn) = self.unless_changed(shop.turn_to_start()).await else { return Ok(()) };

        self.report(MachineState::Preparing { step: "disk".into() });
        let before = self.recorded.clone();
        self.ensure_disks(desired, images).await?;
        if desired.has_config_drive() {
            self.write_config_drive(desired).await?;
        }
        crash::point("node.disk.ready");

        self.report(MachineState::Preparing { step: "start".into() });
        self.note_ports(desired)?;
        // Once for all of it: each time costs the disk's slowest word.
        if self.recorded != before {
            self.keep_recorded().await?;
        }
        let volumes = self.volumes(desired).await?;
        let spec = self.spec(desired, volumes)?;
        let (under_kvm, devices) = (spec.accelerator == Accelerator::Kvm, Devices::of(&spec));
        let machine = match self.launch_and_wire(desired, spec).await {
            Err(error) if under_kvm && is_about_kvm(&error) => return self.give_kvm_up(&error.chain()).await,
            launched => launched?,
        };
        crash::point("node.qemu.started");
        self.hold(machine, Some(devices));
        self.hold_volumes().await?;
        Ok(())
    }

    async fn write_config_drive(&self, desired: &MachineDesired) -> Result<()> {
        let (ledger, uid) = (self.ledger.clone(), self.recorded.uid);
        let files = guest::config_drive(desired);
        blocking(move || {
            let path = ledger.config_drive();
            config_drive::create(&path, &files)?;
            ledger.hand_to(&path, uid)
        })
        .await
    }

    fn spec(&self, desired: &MachineDesired, volumes: Vec<Volume>) -> Result<MachineSpec> {
        let mut disks = Vec::new();
        if desired.rescue().is_some() {
            disks.push(disk(RESCUE, self.ledger.rescue_disk(), DiskBus::Virtio, DiskFormat::Qcow2, Some(1))?);
        }
        if desired.root().is_some() {
            let boots = disks.is_empty() && !desired.disks().any(|disk| disk.boot);
            let first = boots.then_some(1);
            disks.push(disk(ROOT, self.ledger.root_disk(), DiskBus::Virtio, DiskFormat::Qcow2, first)?);
        }
        if desired.has_config_drive() {
            disks.push(disk("config", self.ledger.config_drive(), DiskBus::Cdrom, DiskFormat::Raw, None)?);
        }
        Ok(MachineSpec {
            id: self.id,
            vcpus: desired.vcpus,
            memory_mib: desired.memory_mb,
            accelerator: self.accelerator(),
            disks,
            volumes,
            nics: self.nics(desired)?,
            console_log: self.ledger.console_log(),
            run_dir: self.ledger.run_dir(),
            run_as: RunAs { uid: self.recorded.uid, gid: self.recorded.uid },
            spare_slots: SPARE_SLOTS,
            watchdog: desired.watchdog.map(watchdog),
        })
    }

    /// What the host uses, unless KVM failed this very machine.
    fn accelerator(&self) -> Accelerator {
        let emulated = self.recorded.emulated.as_deref() == Some(self.shop.host.boot_id());
        if emulated { Accelerator::Tcg } else { self.shop.host.accelerator() }
    }

    /// A process that is being forked elsewhere in the agent holds copies of all our files until it becomes another program,
    /// that of a tap just made among them, and QEMU then finds the tap busy. It passes: a start that ends at once is repeated.
    pub(super) async fn launch(&self, spec: MachineSpec) -> Result<Machine> {
        let mut left = STARTS;
        loop {
            // A start that was cut short may have left a process that does not answer yet; it is of no use.
            Machine::ensure_gone(self.id, &self.ledger.run_dir()).await?;
            crash::point("node.qemu.starting");
            left -= 1;
            match Machine::start(spec.clone()).await {
                Err(error @ qemu::Error::Died { .. }) if left > 0 => {
                    tracing::info!(server = %self.server_id, %error, "the machine is started once more");
                    tokio::time::sleep(BETWEEN_STARTS).await;
                }
                started => return Ok(started?),
            }
        }
    }
}

fn watchdog(action: WatchdogAction) -> qemu::WatchdogAction {
    match action {
        WatchdogAction::Reset => qemu::WatchdogAction::Reset,
        WatchdogAction::Poweroff => qemu::WatchdogAction::Poweroff,
        WatchdogAction::Pause => qemu::WatchdogAction::Pause,
        WatchdogAction::None => qemu::WatchdogAction::None,
    }
}

fn disk(name: &str, path: PathBuf, bus: DiskBus, format: DiskFormat, boot_index: Option<u32>) -> Result<Disk> {
    let read_only = bus == DiskBus::Cdrom;
    Ok(Disk { name: DeviceName::new(name)?, path, format, bus, read_only, boot_index, serial: None })
}
