// SPDX-License-Identifier: Apache-2.0
//! A copy of a machine's disk, whole and resting on nothing, sent away: to become an image, or to another node.
//!
//! Of a running machine QEMU makes it: its backup job copies what a write is about to change before it changes, so the
//! copy is the disk at the moment when the job began, and the machine's own chain of images is never touched. Of a
//! stopped one `qemu-img` makes it, as the machine's own user, in the cage. Then it is sent.
//!
//! All that there is of it lies in one folder, which is made before QEMU is asked and goes when QEMU has let go of it;
//! nothing is remembered. A copy that a killed agent, a reboot or a dead QEMU cut short begins anew.

use std::{
    fmt,
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use contracts::node::{
    Failure, MachineDesired, MachineState, Role, RootDisk, SnapshotDesired, SnapshotObserved, SnapshotStep, Ticket,
};
use disks::{
    Format,
    cage::{Cage, Image},
    overlay,
};
use nix::sys::statvfs::statvfs;
use qemu::Machine;
use tokio::{fs::File, sync::watch, task::JoinHandle};
use types::{ImageId, ServerId};
use work::{crash, durable};

use super::{Workshop, disks::image_of, task::Task};
use crate::{
    Error, Result,
    error::{Doing, blocking},
    ledger::Ledger,
    link, state_dir,
};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A guest that works is not starved by the copying of its disk. Bytes a second.
const SPEED: u64 = 256 << 20;
/// How often QEMU is asked how far it is.
const LOOK: Duration = Duration::from_millis(200);

/// What becomes of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    Snapshot(ImageId),
    /// The disk of a machine that another node takes over.
    Move,
}

/// A copy on its way; it ends when this is dropped, but for what QEMU does of it.
pub(super) struct Copying {
    errand: Errand,
    /// Of a machine that runs.
    live: bool,
    steps: watch::Receiver<SnapshotStep>,
    work: JoinHandle<()>,
}

/// What is copied for, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Errand {
    pub purpose: Purpose,
    pub ticket: Ticket,
}

/// All that the copying needs; it goes on beside the machine's task.
struct Copier {
    errand: Errand,
    server: ServerId,
    shop: Arc<Workshop>,
    ledger: Ledger,
    uid: u32,
    /// What the disk rests on, if it does.
    base: Option<RootDisk>,
    /// The machine's process, if it runs.
    machine: Option<Machine>,
}

impl Errand {
    /// What a machine that is wanted like this and is at rest shall have copied.
    pub fn of(machine: &MachineDesired) -> Option<Self> {
        if let Role::Send { ticket } = &machine.role {
            return Some(Self { purpose: Purpose::Move, ticket: ticket.clone() });
        }
        let SnapshotDesired { image_id, ticket } = machine.snapshot.clone()?;
        Some(Self { purpose: Purpose::Snapshot(image_id), ticket })
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(image) => write!(f, "a snapshot, image {image}"),
            Self::Move => f.write_str("another node"),
        }
    }
}

impl Copying {
    /// How far a snapshot is, if it is one.
    pub fn observed(&self) -> Option<SnapshotObserved> {
        match &self.errand.purpose {
            Purpose::Snapshot(image_id) => Some(SnapshotObserved { image_id: image_id.clone(), step: self.step() }),
            Purpose::Move => None,
        }
    }

    pub fn step(&self) -> SnapshotStep {
        self.steps.borrow().clone()
    }

    /// Waits for its next step.
    pub async fn advanced(&mut self) {
        if self.steps.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Task {
    /// Begins what is asked for and has not begun.
    pub(super) fn begin_copying(&mut self, desired: &MachineDesired) {
        let Some(errand) = Errand::of(desired).filter(|_| self.copying.is_none()) else { return };
        let base = self.recorded.root.clone().or_else(|| desired.root().cloned());
        let copier = Copier {
            errand: errand.clone(),
            server: self.server_id.clone(),
            shop: self.shop.clone(),
            ledger: self.ledger.clone(),
            uid: self.recorded.uid,
            base: base.filter(|_| self.recorded.received.is_none()),
            machine: self.machine().cloned(),
        };
        let live = copier.machine.is_some();
        let (told, steps) = watch::channel(SnapshotStep::Copying);
        let work = tokio::spawn(async move { copier.run(&told).await });
        self.copying = Some(Copying { errand, live, steps, work });
    }

    /// How far the disk of a machine is that goes to another node.
    pub(super) async fn sending(&mut self, desired: &MachineDesired) -> Result<MachineState> {
        let (Role::Send { ticket }, Some(copying)) = (&desired.role, &self.copying) else {
            return Ok(MachineState::Stopped);
        };
        match copying.step() {
            SnapshotStep::Failed { cause } => return Ok(MachineState::Failed { cause, transient: false, how: Failure::Unmade }),
            SnapshotStep::Sent if self.recorded.sent.as_ref() != Some(ticket) => {
                self.recorded.sent = Some(ticket.clone());
                self.keep_recorded().await?;
                crash::point("node.move.sent");
            }
            _ => {}
        }
        let is_sent = self.recorded.sent.as_ref() == Some(ticket);
        Ok(if is_sent { MachineState::Sent } else { MachineState::Preparing { step: "sending".into() } })
    }

    /// Ends any copying but this one, in the way that the machine now allows.
    pub(super) async fn end_copying_but(&mut self, wanted: Option<&Errand>) {
        let live = self.machine().is_some();
        let goes_on = |copying: &Copying| Some(&copying.errand) == wanted && copying.live == live;
        if let Some(mut copying) = self.copying.take_if(|copying| !goes_on(copying)) {
            copying.work.abort();
            // Not before it has ended may its files go.
            let _ = (&mut copying.work).await;
        }
    }

    /// Takes away what an ended copying left, that of an earlier agent too.
    pub(super) async fn tidy_copying(&self) -> Result<()> {
        match self.copying {
            None => release(&self.ledger, self.machine()).await,
            Some(_) => Ok(()),
        }
    }
}

impl Copier {
    async fn run(&self, told: &watch::Sender<SnapshotStep>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let before = told.borrow().clone();
            let outcome = match before {
                SnapshotStep::Copied | SnapshotStep::Sent => self.send().await.map(|()| SnapshotStep::Sent),
                _ => self.copy().await.map(|()| SnapshotStep::Copied),
            };
            let (purpose, server) = (&self.errand.purpose, &self.server);
            match outcome {
                Ok(SnapshotStep::Sent) if *purpose == Purpose::Move => {
                    told.send_if_modified(|step| std::mem::replace(step, SnapshotStep::Sent) != SnapshotStep::Sent);
                    // Who takes it may die before it has it for good, and asks again.
                    tokio::time::sleep(FIRST_PAUSE).await;
                }
                Ok(step @ SnapshotStep::Sent) => return self.end(told, step).await,
                Ok(step) => drop(told.send_replace(step)),
                // The other node has not come yet, or not come again.
                Err(Error::NotNow { refusal, .. }) if *purpose == Purpose::Move => {
                    tracing::debug!(%server, %refusal, "a disk is offered again");
                    tokio::time::sleep(FIRST_PAUSE).await;
                    continue;
                }
                Err(error) if error.is_transient() => {
                    tracing::warn!(%server, %purpose, error = error.chain(), "the copy of a disk is tried again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
                // It went out before; that nobody wants it again is fine.
                Err(_) if before == SnapshotStep::Sent => return self.end(told, before).await,
                Err(error) => {
                    tracing::warn!(%server, %purpose, error = error.chain(), "a disk cannot be copied");
                    return self.end(told, SnapshotStep::Failed { cause: error.chain() }).await;
                }
            }
            pause = FIRST_PAUSE;
        }
    }

    async fn end(&self, told: &watch::Sender<SnapshotStep>, step: SnapshotStep) {
        if let Err(error) = release(&self.ledger, self.machine.as_ref()).await {
            let (purpose, server) = (&self.errand.purpose, &self.server);
            tracing::warn!(%server, %purpose, error = error.chain(), "what is left of a copy goes with the next or with its machine");
        }
        told.send_replace(step);
    }

    async fn copy(&self) -> Result<()> {
        let _turn = self.shop.turn_to_copy().await;
        release(&self.ledger, self.machine.as_ref()).await?;
        let folder = self.ledger.snapshot();
        let (disk, uid, path) = (self.ledger.root_disk(), self.uid, self.path());
        let (ledger, live) = (self.ledger.clone(), self.machine.is_some());
        let base = match &self.base {
            Some(root) => Some(self.shop.images.ready(&image_of(root)?)?),
            None => None,
        };
        let begun = blocking(move || {
            let size = overlay::Base { path: &disk, format: Format::Qcow2 }.virtual_size()?;
            let base = match &base {
                Some(base) => overlay::Base { path: &base.path, format: base.format }.virtual_size()?,
                None => 0,
            };
            state_dir::make(&folder, 0o711).doing(|| format!("make {}", folder.display()))?;
            check_room(&folder, size.min(base + written(&disk)?))?;
            if live {
                overlay::create_blank(&path, size)?;
                ledger.hand_to(&path, uid)?;
            }
            Ok(size)
        });
        let size = begun.await.map_err(|error| self.if_full(error))?;
        crash::point("node.snapshot.begun");
        match &self.machine {
            Some(machine) => self.copy_by(machine).await?,
            None => self.copy_at_rest(size).await?,
        }
        crash::point("node.snapshot.copied");
        // Nobody but us touches it from here on.
        let path = self.path();
        blocking(move || {
            let taking = || format!("take over {}", path.display());
            chown(&path, Some(0), Some(0)).doing(taking)?;
            fs::set_permissions(&path, Permissions::from_mode(0o600)).doing(taking)
        })
        .await
    }

    async fn copy_by(&self, machine: &Machine) -> Result<()> {
        machine.begin_backup(ROOT, &self.path(), SPEED).await?;
        crash::point("node.snapshot.copying");
        let mut told = Told::default();
        while let Some(fraction) = machine.backup_progress().await? {
            self.tell(&mut told, fraction);
            tokio::time::sleep(LOOK).await;
        }
        Ok(machine.end_backup().await?)
    }

    async fn copy_at_rest(&self, size: u64) -> Result<()> {
        let cage = Cage::new(self.uid, self.uid).for_size(size);
        let (disk, path) = (self.ledger.root_disk(), self.path());
        let from = Image { path: &disk, format: Format::Qcow2 };
        let mut told = Told::default();
        let copied = cage.convert(from, Image { path: &path, format: Format::Qcow2 }, |fraction| self.tell(&mut told, fraction));
        copied.await.map_err(|error| self.if_full(error.into()))
    }

    fn tell(&self, told: &mut Told, fraction: f32) {
        if let Some(percent) = told.step(fraction) {
            tracing::info!(server = %self.server, purpose = %self.errand.purpose, percent, "a disk is being copied");
        }
    }

    async fn send(&self) -> Result<()> {
        // One that goes to another node waits for it to begin to read; meanwhile others have their turn.
        let _turn = match self.errand.purpose {
            Purpose::Snapshot(_) => self.shop.turn_to_copy().await,
            Purpose::Move => None,
        };
        let path = self.path();
        let file = File::open(&path).await.doing(|| format!("open {}", path.display()))?;
        let length = file.metadata().await.doing(|| format!("look at {}", path.display()))?.len();
        tracing::info!(server = %self.server, purpose = %self.errand.purpose, "the copy of a disk is sent");
        crash::point("node.snapshot.sending");
        let client = self.shop.link.client()?;
        client.put(&self.errand.ticket.path(), link::of_file(file), length).await?;
        crash::point("node.snapshot.sent");
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.ledger.snapshot().join("disk.qcow2")
    }

    fn if_full(&self, error: Error) -> Error {
        error.if_full(&self.ledger.snapshot(), || "a copy of a machine's disk was to be made there".into())
    }
}

/// The name of the disk in QEMU.
const ROOT: &str = "root";

/// Progress, told in steps of ten percent.
#[derive(Default)]
struct Told(u32);

impl Told {
    fn step(&mut self, fraction: f32) -> Option<u32> {
        let percent = (fraction * 100.0) as u32 / 10 * 10;
        (percent > self.0).then(|| {
            self.0 = percent;
            percent
        })
    }
}

/// Takes away all there is of a copy: QEMU's job, its hold on the file, the folder.
async fn release(ledger: &Ledger, machine: Option<&Machine>) -> Result<()> {
    let folder = ledger.snapshot();
    if !folder.exists() {
        return Ok(());
    }
    if let Some(machine) = machine {
        machine.release_backup().await?;
    }
    blocking(move || durable::remove_dir(&folder).doing(|| format!("remove {}", folder.display()))).await
}

/// Bytes that a disk's own file takes up.
fn written(disk: &Path) -> Result<u64> {
    const BLOCK: u64 = 512;
    let is = fs::metadata(disk).doing(|| format!("look at {}", disk.display()))?;
    Ok(is.blocks() * BLOCK)
}

/// A guest whose writes cannot be copied aside would see errors: no copy begins that might fill the disk.
fn check_room(folder: &Path, size: u64) -> Result<()> {
    let disk = statvfs(folder).doing(|| format!("look at the disk of {}", folder.display()))?;
    let free = disk.blocks_available() * disk.fragment_size();
    if size <= free {
        return Ok(());
    }
    let what = format!("a copy of a machine's disk may need {size} bytes there, and {free} are free");
    Err(Error::DiskFull { path: folder.to_owned(), what })
}
