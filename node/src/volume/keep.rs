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
    folder::{BASE, Folder, Fresh, Layer, Pair, Recorded},
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
    /// A storage daemon that merges layers, and lets nobody in. Whoever wants the volume ends it.
    Merger(Daemon, #[expect(dead_code, reason = "it is taken as long as this is")] User),
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
    pub fn hands(&self) -> Result<Option<&Qmp>> {
        match &self.holder {
            Holder::Machine(machine) => Ok(Some(machine.qmp())),
            Holder::Daemon(daemon, _) | Holder::Merger(daemon, _) => Ok(Some(daemon.qmp())),
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
        self.end_merge().await?;
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
        self.end_merge().await?;
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

    /// Forgets snapshots. If none is left that needs the layer just below the one that is written, this one is frozen, so that the two
    /// can be merged.
    pub async fn release(&mut self, released: &[SnapshotId]) -> Result<()> {
        let known = self.recorded.snapshots.len();
        let below = self.recorded.layers.iter().rev().nth(1).cloned();
        let was_named = below.as_ref().is_some_and(|below| self.is_named(below));
        self.recorded.snapshots.retain(|id, _| !released.contains(id));
        if self.recorded.snapshots.len() == known {
            return Ok(());
        }
        if let Some(below) = below.filter(|below| was_named && self.may_be_merged_into(below)) {
            self.recorded.fresh.get_or_insert_with(|| Fresh { layer: Layer::fresh().id, snapshot: None });
            tracing::debug!(volume = %self.id, layer = below.id, "the last snapshot of a layer was released");
        }
        self.record().await?;
        crash::point("node.volume.released");
        self.go_through().await
    }

    /// The lowest two layers that can be merged.
    pub fn mergeable(&self) -> Option<Pair> {
        let (_, frozen) = self.recorded.layers.split_last()?;
        let pair = frozen.windows(2).find(|pair| self.may_be_merged_into(&pair[0]))?;
        Some(Pair { lower: pair[0].id.clone(), upper: pair[1].id.clone() })
    }

    /// Nobody needs what the layer is like now: no snapshot, and no other volume.
    fn may_be_merged_into(&self, layer: &Layer) -> bool {
        layer.id != BASE && !layer.is_raw && !self.is_named(layer) && !self.folder.is_shared(layer)
    }

    fn is_named(&self, layer: &Layer) -> bool {
        self.recorded.snapshots.values().any(|named| *named == layer.id)
    }

    pub async fn begin_merge(&mut self, pair: &Pair) -> Result<()> {
        if self.recorded.merging.as_ref() != Some(pair) {
            self.recorded.merging = Some(pair.clone());
            self.record().await?;
            crash::point("node.volume.merging");
        }
        Ok(())
    }

    /// Lets whoever has the volume open write what a merge writes: the lower layer, and the name of what it rests on into the layer
    /// above both.
    pub async fn lend(&self, pair: &Pair) -> Result<()> {
        let Some(user) = self.folder.user(&self.recorded) else { return Ok(()) };
        self.each_lent(pair, move |folder, layer| folder.hand_layer(layer, user)).await
    }

    async fn each_lent(&self, pair: &Pair, each: impl Fn(&Folder, &Layer) -> Result<()> + Send + 'static) -> Result<()> {
        let frozen = self.recorded.layers.split_last().map(|(_, frozen)| frozen).unwrap_or_default();
        let above = frozen.iter().skip_while(|layer| layer.id != pair.upper).nth(1);
        let lent: Vec<Layer> = frozen.iter().filter(|layer| layer.id == pair.lower).chain(above).cloned().collect();
        let folder = self.folder.clone();
        blocking(move || lent.iter().try_for_each(|layer| each(&folder, layer))).await
    }

    /// Cuts a merge short: nobody writes a frozen layer when this returns, nor has a daemon that only merges the volume open.
    pub async fn end_merge(&mut self) -> Result<()> {
        let merging = self.recorded.merging.clone();
        let is_nobodys = self.recorded.opened_by.is_none() && self.recorded.exported.is_none();
        match &self.holder {
            Holder::Machine(_) | Holder::Daemon(..) if merging.is_some() => {
                // With its process it has ended, too.
                if let Some(qmp) = self.hands()?
                    && let Err(error) = qmp.end_merge(self.id).await
                {
                    tracing::debug!(volume = %self.id, %error, "a merge is given up");
                }
            }
            Holder::Merger(daemon, _) => {
                daemon.stop().await?;
                Daemon::ensure_gone(&self.folder.run_dir()).await?;
                self.holder = Holder::Nobody;
                self.take_back().await?;
            }
            // Of an agent before us.
            Holder::Nobody if merging.is_some() && is_nobodys => {
                Daemon::ensure_gone(&self.folder.run_dir()).await?;
                self.take_back().await?;
            }
            _ => {}
        }
        let Some(pair) = merging else { return Ok(()) };
        self.each_lent(&pair, Folder::freeze).await?;
        self.recorded.merging = None;
        self.record().await
    }

    /// The upper one of two that were merged goes.
    pub async fn give_up(&mut self, pair: &Pair) -> Result<()> {
        self.each_lent(pair, Folder::freeze).await?;
        self.recorded.layers.retain(|layer| layer.id != pair.upper);
        for named in self.recorded.snapshots.values_mut().filter(|named| **named == pair.upper) {
            named.clone_from(&pair.lower);
        }
        self.recorded.spent.push(pair.upper.clone());
        self.recorded.merging = None;
        self.record().await?;
        crash::point("node.volume.folded");
        self.drop_spent().await
    }

    pub async fn drop_spent(&mut self) -> Result<()> {
        if self.recorded.spent.is_empty() {
            return Ok(());
        }
        let (folder, spent) = (self.folder.clone(), self.recorded.spent.clone());
        blocking(move || spent.into_iter().map(Layer::named).try_for_each(|layer| folder.drop_layer(&layer))).await?;
        self.recorded.spent.clear();
        self.record().await
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
