// SPDX-License-Identifier: Apache-2.0
//! A volume in somebody's hands: whoever works on it holds this, and nobody else touches its layers meanwhile.
//!
//! Who has it open does what is done to it: the machine's QEMU or the storage daemon, which flush and freeze while they go on. One
//! that nobody has open is only files.

use qemu::{Machine, Qmp, RunAs, block, storage::Daemon};
use types::SnapshotId;
use uuid::Uuid;
use work::crash;

use super::{
    folder::{Folder, Fresh, Layer, Recorded},
    users::User,
};
use crate::{Error, Result, error::blocking};

/// Each costs whoever reads a step more.
const MOST_LAYERS: usize = 48;

pub(crate) struct Keep {
    pub id: Uuid,
    pub folder: Folder,
    pub recorded: Recorded,
    pub holder: Holder,
}

/// Who has it open, as far as we hear of him.
pub(crate) enum Holder {
    Nobody,
    Machine(Machine),
    /// A storage daemon, whose user is nobody else's as long as it is.
    Daemon(Daemon, #[expect(dead_code, reason = "it is taken as long as this is")] User),
}

impl Keep {
    pub fn new(id: Uuid, folder: Folder, recorded: Recorded) -> Self {
        Self { id, folder, recorded, holder: Holder::Nobody }
    }

    pub fn is_made(&self) -> bool {
        !self.recorded.layers.is_empty()
    }

    pub async fn record(&self) -> Result<()> {
        let (folder, recorded) = (self.folder.clone(), self.recorded.clone());
        blocking(move || folder.keep_recorded(&recorded)).await
    }

    pub fn source(&self) -> block::Source {
        block::Source::Layers(self.folder.layers(&self.recorded))
    }

    pub fn highest(&self) -> Result<&Layer> {
        self.recorded.layers.last().ok_or_else(|| Error::Unfit("the volume has not been made".into()))
    }

    /// Bytes that whoever opens it sees.
    pub fn size(&self) -> Result<u64> {
        Ok(disks::layer::size(&self.folder.path(self.highest()?))?)
    }

    /// Who works on it now. None if nobody has it open; it fails where a machine may have it of whom we have not heard yet.
    fn hands(&self) -> Result<Option<&Qmp>> {
        match &self.holder {
            Holder::Machine(machine) => Ok(Some(machine.qmp())),
            Holder::Daemon(daemon, _) => Ok(Some(daemon.qmp())),
            Holder::Nobody if self.recorded.opened_by.is_some() => Err(Error::Busy),
            Holder::Nobody => Ok(None),
        }
    }

    /// Freezes what there is, and lets all that follows be written above it. What was begun is gone through with first.
    pub async fn freeze(&mut self, snapshot: Option<SnapshotId>) -> Result<()> {
        self.go_through().await?;
        if self.recorded.layers.len() >= MOST_LAYERS {
            let message = format!(
                "the volume rests on {} layers, which is as many as there may be: delete snapshots of it, or copy it into a new \
                 volume by way of an image",
                self.recorded.layers.len()
            );
            return Err(Error::Unfit(message));
        }
        self.hands()?;
        self.recorded.fresh = Some(Fresh { layer: Layer::fresh().id, snapshot });
        self.record().await?;
        crash::point("node.volume.freezing");
        self.go_through().await
    }

    /// Puts the layer above the others that was about to be. Whether that was done before nobody knows who was cut short; with
    /// the layer in its place the volume reads the same either way.
    pub async fn go_through(&mut self) -> Result<()> {
        let Some(Fresh { layer, snapshot }) = self.recorded.fresh.clone() else { return Ok(()) };
        let fresh = Layer::named(layer);
        let below = self.highest()?.clone();
        let size = self.size()?;
        let (folder, made, under) = (self.folder.clone(), fresh.clone(), below.clone());
        let user = if self.hands()?.is_some() { self.folder.user(&self.recorded) } else { None };
        blocking(move || {
            let path = folder.path(&made);
            if !path.exists() {
                let under = folder.path(&under);
                let base = disks::overlay::Base { path: &under, format: disks::Format::Qcow2 };
                let created = disks::layer::create_above(&path, base, size).map_err(Error::from);
                created.map_err(|error| error.if_full(folder.dir(), || "a layer of a volume begins there".into()))?;
            }
            user.map_or(Ok(()), |user| folder.hand_layer(&made, user))
        })
        .await?;
        crash::point("node.volume.layered");
        if let Some(qmp) = self.hands()? {
            qmp.put_above(self.id, &self.source(), &self.folder.layer(&fresh)).await?;
        }
        crash::point("node.volume.frozen");
        let (folder, frozen) = (self.folder.clone(), below.clone());
        blocking(move || folder.freeze(&frozen)).await?;
        self.recorded.layers.push(fresh);
        if let Some(snapshot) = snapshot {
            self.recorded.snapshots.insert(snapshot, below.id);
        }
        self.recorded.fresh = None;
        self.record().await
    }

    /// Never smaller.
    pub async fn grow(&mut self, size: u64) -> Result<()> {
        self.go_through().await?;
        if self.size()? >= size {
            return Ok(());
        }
        crash::point("node.volume.growing");
        // Whom it is exported to was told its size when he came in: he comes in again.
        if let Holder::Daemon(daemon, _) = &self.holder {
            daemon.close_export().await?;
        }
        match self.hands()? {
            Some(qmp) => qmp.grow(self.id, &self.source(), size).await?,
            None => {
                let path = self.folder.path(self.highest()?);
                blocking(move || Ok(disks::layer::grow(&path, size)?)).await?;
            }
        }
        Ok(())
    }

    /// Opens its layers up to this user, and to no other.
    pub async fn hand_to(&self, user: RunAs) -> Result<()> {
        let (folder, recorded) = (self.folder.clone(), self.recorded.clone());
        blocking(move || folder.hand_to(&recorded, user)).await
    }

    pub async fn take_back(&self) -> Result<()> {
        let (folder, recorded) = (self.folder.clone(), self.recorded.clone());
        blocking(move || folder.take_back(&recorded)).await
    }
}
