// SPDX-License-Identifier: Apache-2.0
//! A copy of a machine's disk, whole and resting on nothing, for the controller.
//!
//! Of a running machine QEMU makes it: its backup job copies what a write is about to change before it changes, so the
//! copy is the disk at the moment when the job began, and the machine's own chain of images is never touched. Of a
//! stopped one `qemu-img` makes it, as the machine's own user, in the cage. Then it is sent.
//!
//! All that there is of it lies in one folder, which is made before QEMU is asked and goes when QEMU has let go of it;
//! nothing is remembered. A copy that a killed agent, a reboot or a dead QEMU cut short begins anew.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use contracts::node::{MachineDesired, RootDisk, SnapshotDesired, SnapshotObserved, SnapshotStep, Ticket};
use disks::{
    Format,
    cage::{Cage, Image},
    overlay,
};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use nix::sys::statvfs::statvfs;
use qemu::Machine;
use tokio::{fs::File, io::AsyncReadExt, sync::watch, task::JoinHandle};
use types::{ImageId, ServerId};
use work::{crash, durable};

use super::{Workshop, start::image_of, task::Task};
use crate::{
    Error, Result,
    error::{Doing, blocking},
    ledger::Ledger,
    link::Sent,
    state_dir,
};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const PIECE: usize = 256 << 10;
/// A guest that works is not starved by the copying of its disk. Bytes a second.
const SPEED: u64 = 256 << 20;
/// How often QEMU is asked how far it is.
const LOOK: Duration = Duration::from_millis(200);

/// A copy on its way; it ends when this is dropped, but for what QEMU does of it.
pub(super) struct Copying {
    image: ImageId,
    /// Of a machine that runs.
    live: bool,
    steps: watch::Receiver<SnapshotStep>,
    work: JoinHandle<()>,
}

/// All that the copying needs; it goes on beside the machine's task.
struct Copier {
    image: ImageId,
    ticket: Ticket,
    server: ServerId,
    shop: Arc<Workshop>,
    ledger: Ledger,
    uid: u32,
    root: RootDisk,
    /// The machine's process, if it runs.
    machine: Option<Machine>,
}

impl Copying {
    pub fn observed(&self) -> SnapshotObserved {
        SnapshotObserved { image_id: self.image.clone(), step: self.steps.borrow().clone() }
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
        let (Some(asked), Some(root)) = (desired.snapshot.clone(), desired.root()) else { return };
        if self.copying.is_some() {
            return;
        }
        let SnapshotDesired { image_id: image, ticket } = asked;
        let copier = Copier {
            image: image.clone(),
            ticket,
            server: self.server_id.clone(),
            shop: self.shop.clone(),
            ledger: self.ledger.clone(),
            uid: self.recorded.uid,
            root: root.clone(),
            machine: self.machine().cloned(),
        };
        let live = copier.machine.is_some();
        let (told, steps) = watch::channel(SnapshotStep::Copying);
        let work = tokio::spawn(async move { copier.run(&told).await });
        self.copying = Some(Copying { image, live, steps, work });
    }

    /// Ends any copying but one for this image, in the way that the machine now allows.
    pub(super) async fn end_copying_but(&mut self, wanted: Option<&ImageId>) {
        let live = self.machine().is_some();
        let goes_on = |copying: &Copying| Some(&copying.image) == wanted && copying.live == live;
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
            let is_copied = *told.borrow() == SnapshotStep::Copied;
            let outcome = if is_copied {
                self.send().await.map(|()| SnapshotStep::Sent)
            } else {
                self.copy().await.map(|()| SnapshotStep::Copied)
            };
            let (image, server) = (&self.image, &self.server);
            let step = match outcome {
                Ok(step) => step,
                Err(error) if error.is_transient() => {
                    tracing::warn!(%server, %image, error = error.chain(), "a snapshot is tried again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%server, %image, error = error.chain(), "a snapshot cannot be taken");
                    SnapshotStep::Failed { cause: error.chain() }
                }
            };
            pause = FIRST_PAUSE;
            let is_over = matches!(step, SnapshotStep::Sent | SnapshotStep::Failed { .. });
            if is_over && let Err(error) = release(&self.ledger, self.machine.as_ref()).await {
                tracing::warn!(%server, %image, error = error.chain(), "what is left of a snapshot goes with the next or with its machine");
            }
            told.send_replace(step);
            if is_over {
                return;
            }
        }
    }

    async fn copy(&self) -> Result<()> {
        let _turn = self.shop.turn_to_copy().await;
        release(&self.ledger, self.machine.as_ref()).await?;
        let folder = self.ledger.snapshot();
        let (disk, uid, path) = (self.ledger.root_disk(), self.uid, self.path());
        let (ledger, live, base) = (self.ledger.clone(), self.machine.is_some(), self.shop.images.ready(&image_of(&self.root)?)?);
        let begun = blocking(move || {
            let size = overlay::Base { path: &disk, format: Format::Qcow2 }.virtual_size()?;
            let base = overlay::Base { path: &base.path, format: base.format }.virtual_size()?;
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
            tracing::info!(server = %self.server, image = %self.image, percent, "a disk is being copied for a snapshot");
        }
    }

    async fn send(&self) -> Result<()> {
        let _turn = self.shop.turn_to_copy().await;
        let path = self.path();
        let file = File::open(&path).await.doing(|| format!("open {}", path.display()))?;
        tracing::info!(server = %self.server, image = %self.image, "a snapshot is sent to the controller");
        crash::point("node.snapshot.sending");
        let client = self.shop.link.client()?;
        client.put(&self.ticket.path(), body(file)).await?;
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

/// Takes away all there is of a snapshot: QEMU's job, its hold on the file, the folder.
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

fn body(file: File) -> Sent {
    StreamBody::new(stream::unfold(Some(file), next_piece)).boxed_unsync()
}

async fn next_piece(file: Option<File>) -> Option<(io::Result<Frame<Bytes>>, Option<File>)> {
    let mut file = file?;
    let mut piece = Vec::with_capacity(PIECE);
    match (&mut file).take(PIECE as u64).read_to_end(&mut piece).await {
        Ok(0) => None,
        Ok(_) => Some((Ok(Frame::data(piece.into())), Some(file))),
        Err(error) => Some((Err(error), None)),
    }
}
