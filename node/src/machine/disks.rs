// SPDX-License-Identifier: Apache-2.0
//! The disks of a machine that is off: made of their images, kept, put back, grown. All of it is done by rename or not at all,
//! so a task that was cut short does it again.
//!
//! The root disk is a tenant's data. It is made once; where it was made and is not there, the machine says so, and nothing empty
//! is put into its place.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use contracts::node::{KeptDisk, MachineDesired, RootDisk};
use disks::{
    Format,
    cage::{Cage, Image},
    overlay,
};
use work::{crash, durable};

use super::task::Task;
use crate::{
    Error, Result,
    error::{Doing, blocking},
    image::{Needed, Ready},
    ledger::Kept,
};

/// The names of the disks in QEMU.
pub(super) const ROOT: &str = "root";
pub(super) const RESCUE: &str = "rescue";

/// Disks that were made, and that a power cut would still take away: they are put on record when it would not.
#[derive(Default)]
pub(super) struct Made {
    root: Option<RootDisk>,
    rescue: Option<RootDisk>,
}

/// What the disks rest on. None for one that rests on nothing.
pub(super) struct Images {
    root: Option<Ready>,
    rescue: Option<Ready>,
}

impl Task {
    /// The images that the disks rest on, once they are here.
    pub(super) fn images(&self, desired: &MachineDesired) -> Result<impl Future<Output = Result<Images>> + use<>> {
        if desired.root().is_none() && !desired.disks().any(|disk| disk.boot) {
            return Err(Error::Unfit("a machine that has neither a root disk nor a volume to boot from cannot start".into()));
        }
        let root = match desired.root() {
            Some(root) => {
                self.check_that_it_is_not_missing(root)?;
                if self.is_flat(root) { None } else { Some(image_of(root)?) }
            }
            None => None,
        };
        let rescue = desired.rescue().map(image_of).transpose()?;
        let images = self.shop.images.clone();
        Ok(async move {
            let ready = async |needed: Option<Needed>| match needed {
                Some(needed) => images.ensure(&needed).await.map(Some),
                None => Ok(None),
            };
            let (root, rescue) = tokio::join!(ready(root), ready(rescue));
            Ok(Images { root: root?, rescue: rescue? })
        })
    }

    /// Everything that a start needs. The machine has no process.
    pub(super) async fn ensure_disks(&mut self, desired: &MachineDesired, images: Images) -> Result<Made> {
        let mut made = Made::default();
        if let (Some(root), Some(image)) = (desired.root(), images.root) {
            made.root = self.ensure_root(root, image).await?;
        }
        self.tend_disks(desired).await?;
        let (Some(rescue), Some(image)) = (desired.rescue(), images.rescue) else { return Ok(made) };
        let path = self.ledger.rescue_disk();
        if self.recorded.has_rescue(rescue) && path.exists() {
            return Ok(made);
        }
        let wanted = rescue.clone();
        blocking(move || make(&path, &wanted, &image)).await?;
        crash::point("node.rescue.made");
        made.rescue = Some(rescue.clone());
        Ok(made)
    }

    /// Puts on record what was made, once it is on the disk. Nothing else is written down meanwhile.
    pub(super) fn settle(&mut self, made: Made) -> impl Future<Output = Result<()>> + use<> {
        let mut fresh = Vec::new();
        if let Some(root) = made.root {
            fresh.push(self.ledger.root_disk());
            (self.recorded.root, self.recorded.received) = (Some(root), None);
        }
        if let Some(rescue) = made.rescue {
            fresh.push(self.ledger.rescue_disk());
            self.recorded.rescue = Some(rescue);
        }
        let (ledger, recorded) = (self.ledger.clone(), self.recorded.clone());
        async move {
            if fresh.is_empty() {
                return Ok(());
            }
            blocking(move || {
                fresh.iter().try_for_each(|path| overlay::settle(path))?;
                ledger.keep_recorded(&recorded)
            })
            .await
        }
    }

    /// What is to be done with the disks of a machine that is off, whether it is about to start or not.
    pub(super) async fn tend_disks(&mut self, desired: &MachineDesired) -> Result<()> {
        self.tend_kept(desired.kept).await?;
        if let Some(root) = desired.root() {
            self.grow(root.size).await?;
        }
        self.drop_rescue(desired).await
    }

    /// The machine's own disk over the shared image; made anew if it shall be of another image.
    async fn ensure_root(&self, root: &RootDisk, image: Ready) -> Result<Option<RootDisk>> {
        let path = self.ledger.root_disk();
        if self.recorded.has_root(root) && path.exists() {
            return Ok(None);
        }
        let wanted = root.clone();
        blocking(move || make(&path, &wanted, &image)).await?;
        Ok(Some(root.clone()))
    }

    /// Keeps a copy of the root as it is now, or makes an earlier one the root again, or drops it: each once.
    async fn tend_kept(&mut self, wanted: Option<KeptDisk>) -> Result<()> {
        let Some(wanted) = wanted else { return self.drop_kept().await };
        let known = self.recorded.kept.filter(|known| known.mark == wanted.mark);
        let (root, kept) = (self.ledger.root_disk(), self.ledger.kept_disk());
        match known {
            None if wanted.back || !root.exists() => return Ok(()),
            None => {
                blocking(move || duplicate(&root, &kept)).await?;
                crash::point("node.kept.copied");
            }
            Some(known) if wanted.back && !known.is_back => {
                // If it is not there, it was put back before this was written down.
                blocking(move || if kept.exists() { put_in_place(&kept, &root) } else { Ok(()) }).await?;
                crash::point("node.kept.back");
            }
            Some(_) => return Ok(()),
        }
        self.recorded.kept = Some(Kept { mark: wanted.mark, is_back: wanted.back });
        self.keep_recorded().await
    }

    /// Also beside a running machine, which does not have it.
    pub(super) async fn drop_kept(&mut self) -> Result<()> {
        if self.recorded.kept.is_none() && !self.ledger.kept_disk().exists() {
            return Ok(());
        }
        let path = self.ledger.kept_disk();
        blocking(move || durable::remove_file(&path).doing(|| format!("remove {}", path.display()))).await?;
        crash::point("node.kept.dropped");
        self.recorded.kept = None;
        self.keep_recorded().await
    }

    /// Never shorter: what lies behind the new end would be lost.
    async fn grow(&self, size: u64) -> Result<()> {
        let path = self.ledger.root_disk();
        if !path.exists() || virtual_size(&path)? >= size {
            return Ok(());
        }
        crash::point("node.disk.growing");
        let cage = Cage::new(self.recorded.uid, self.recorded.uid);
        Ok(cage.grow(Image { path: &path, format: Format::Qcow2 }, size).await?)
    }

    async fn drop_rescue(&mut self, desired: &MachineDesired) -> Result<()> {
        let path = self.ledger.rescue_disk();
        if desired.rescue().is_some() || (self.recorded.rescue.is_none() && !path.exists()) {
            return Ok(());
        }
        blocking(move || durable::remove_file(&path).doing(|| format!("remove {}", path.display()))).await?;
        crash::point("node.rescue.dropped");
        self.recorded.rescue = None;
        self.keep_recorded().await
    }

    /// It came whole from another node, and rests on no image.
    fn is_flat(&self, root: &RootDisk) -> bool {
        let is_of_it = self.recorded.has_root(root);
        is_of_it && self.recorded.received.is_some() && self.ledger.root_disk().exists()
    }

    /// Invariant: no empty disk takes the place of one that was made (test: `a_disk_that_is_missing_is_said_to_be_and_not_made_anew`).
    pub(super) fn check_that_it_is_not_missing(&self, root: &RootDisk) -> Result<()> {
        let path = self.ledger.root_disk();
        if !root.made || path.exists() {
            return Ok(());
        }
        Err(Error::DiskMissing { path })
    }
}

pub(super) fn root_of(desired: &MachineDesired) -> Result<&RootDisk> {
    desired.root().ok_or_else(|| Error::Unfit("a machine without a root disk cannot start".into()))
}

/// The image that a disk is made of.
pub(super) fn image_of(root: &RootDisk) -> Result<Needed> {
    let format = root.format.parse().map_err(|_| Error::Unfit(format!("an image of format {} cannot boot", root.format)))?;
    Ok(Needed { sha512: root.sha512.clone(), size: root.image_size, format, disk: root.size, ticket: root.ticket.clone() })
}

/// What stood there before is replaced.
fn make(path: &Path, disk: &RootDisk, image: &Ready) -> Result<()> {
    let base = overlay::Base { path: &image.path, format: image.format };
    let made = overlay::create(path, base, (disk.size > 0).then_some(disk.size)).map_err(Error::from);
    made.map_err(|error| error.if_full(path, || "a machine's own disk begins there".into()))
}

fn virtual_size(path: &Path) -> Result<u64> {
    Ok(overlay::Base { path, format: Format::Qcow2 }.virtual_size()?)
}

/// Shares the blocks where the file system can.
fn duplicate(from: &Path, to: &Path) -> Result<()> {
    let copying = || format!("copy {}", from.display());
    let fresh = to.with_extension("new");
    let copy = || -> io::Result<()> {
        durable::remove_file(&fresh)?;
        let mut source = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(from)?;
        let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        io::copy(&mut source, &mut target)?;
        target.sync_all()?;
        fs::rename(&fresh, to)?;
        durable::sync_directory_of(to)
    };
    let copied = copy();
    if copied.is_err() {
        // Half of it would only take the room that others need.
        let _ = durable::remove_file(&fresh);
    }
    copied.doing(copying).map_err(|error| error.if_full(to, || "a copy of a machine's disk was to be kept there".into()))
}

/// Gives a file that is safe another one's name, for good.
pub(super) fn put_in_place(from: &Path, to: &Path) -> Result<()> {
    let naming = || format!("rename {} to {}", from.display(), to.display());
    File::open(from).and_then(|file| file.sync_all()).doing(naming)?;
    fs::rename(from, to).doing(naming)?;
    durable::sync_directory_of(to).doing(naming)
}
