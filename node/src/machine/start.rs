// SPDX-License-Identifier: Apache-2.0
//! From a ledger entry to a process whose guest has not run: images, disks, configuration drive, QEMU.

use std::{path::PathBuf, time::Duration};

use contracts::node::{MachineDesired, WatchdogAction};
use disks::config_drive;
use futures_util::future::{join, join3};
use qemu::{Accelerator, DeviceName, Devices, Disk, DiskBus, DiskFormat, Machine, MachineSpec, RunAs, Volume};
use tokio::sync::{oneshot, watch};
use work::crash;

use super::{
    disks::{RESCUE, ROOT},
    held::is_about_kvm,
    task::Task,
    wire::ensure_taps,
};
use crate::{Error, Result, error::blocking, guest};

/// Slots for volumes and ports that are plugged in while the machine runs.
const SPARE_SLOTS: u8 = 16;
/// How often a process that ends before it answers is started, and the pause between.
const STARTS: u32 = 3;
const BETWEEN_STARTS: Duration = Duration::from_millis(100);

impl Task {
    /// What does not lean on one another is done at once, and what only a loss of power makes needful, beside the start of QEMU:
    /// it is the longest part of it, and until its guest runs there is nothing to lose.
    pub(super) async fn start(&mut self, desired: &MachineDesired) -> Result<()> {
        let (images, shop) = (self.images(desired)?, self.shop.clone());
        let prepared = async { Ok::<_, Error>((images.await?, shop.turn_to_start().await)) };
        // Fetching may take minutes in which the machine may be deleted.
        let prepared = self.passing("image").during(self.unless_changed(prepared)).await;
        let Some((images, _turn)) = prepared.transpose()? else { return Ok(()) };
        crash::point("node.image.ready");

        if self.note_ports(desired)? {
            self.keep_recorded().await?;
        }
        let volumes = self.volumes(desired).await?;
        let spec = self.spec(desired, volumes)?;
        let (drive, taps) = (self.config_drive(desired), ensure_taps(&spec));
        let (made, drive, taps) = self.passing("disk").during(join3(self.ensure_disks(desired, images), drive, taps)).await;
        drive?;
        taps?;
        crash::point("node.disk.ready");

        let (under_kvm, devices) = (spec.accelerator == Accelerator::Kvm, Devices::of(&spec));
        let (settled, is_settled) = oneshot::channel();
        let settle = self.settle(made?);
        // To its end in any case: two who write the ledger at once would be in each other's way.
        let settle = async { settle.await.map(|()| settled.send(()).is_ok()) };
        let launch = self.launch_and_wire(desired, spec, is_settled);
        let (settled, launched) = self.passing("start").during(join(settle, launch)).await;
        settled?;
        let (machine, runs) = match launched {
            Err(error) if under_kvm && is_about_kvm(&error) => return self.give_kvm_up(&error.chain()).await,
            launched => launched?,
        };
        crash::point("node.qemu.started");
        self.hold(machine, Some(devices));
        self.hold_volumes().await?;
        if runs { self.has_begun(desired.reboots).await } else { Ok(()) }
    }

    /// Ends a process whose guest has not run, and whose disk was not on record when its start was cut short.
    pub(super) async fn end_unrecorded(&mut self) -> Result<()> {
        if let Some(machine) = self.machine().cloned() {
            machine.kill().await?;
        }
        self.forget_process();
        Ok(())
    }

    fn config_drive(&self, desired: &MachineDesired) -> impl Future<Output = Result<()>> + use<> {
        let (ledger, uid) = (self.ledger.clone(), self.recorded.uid);
        let files = desired.has_config_drive().then(|| guest::config_drive(desired));
        async move {
            let Some(files) = files else { return Ok(()) };
            blocking(move || {
                let path = ledger.config_drive();
                config_drive::create(&path, &files)?;
                ledger.hand_to(&path, uid)
            })
            .await
        }
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
    pub(super) async fn launch(&self, spec: MachineSpec, may_run: watch::Receiver<bool>) -> Result<(Machine, bool)> {
        let mut left = STARTS;
        loop {
            // A start that was cut short may have left a process that does not answer yet; it is of no use.
            Machine::ensure_gone(self.id, &self.ledger.run_dir()).await?;
            crash::point("node.qemu.starting");
            left -= 1;
            let mut may_run = may_run.clone();
            let may_run = async move { drop(may_run.wait_for(|may_run| *may_run).await) };
            match Machine::start_and_run(spec.clone(), may_run).await {
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
