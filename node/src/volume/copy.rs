// SPDX-License-Identifier: Apache-2.0
//! A copy of a volume that becomes an image: what there is now is frozen, copied flat in the cage, and sent.
//!
//! The volume goes on meanwhile, above what was frozen. Nothing is remembered of it: a copy that was cut short begins anew.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use contracts::node::{SnapshotDesired, SnapshotObserved, SnapshotStep};
use disks::{
    Format,
    cage::{Cage, Image},
};
use tokio::{fs::File, sync::watch, task::JoinHandle};
use uuid::Uuid;
use work::{crash, durable};

use super::{Ground, keep::Keep};
use crate::{
    Error, Result,
    error::{Doing, blocking},
    link,
};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// It ends when this is dropped.
pub(super) struct Copying {
    wanted: SnapshotDesired,
    steps: watch::Receiver<SnapshotStep>,
    work: JoinHandle<()>,
}

struct Copier {
    id: Uuid,
    wanted: SnapshotDesired,
    /// The lowest first.
    layers: Vec<(PathBuf, Format)>,
    size: u64,
    to: PathBuf,
    ground: Arc<Ground>,
}

impl Copying {
    pub fn observed(&self) -> SnapshotObserved {
        SnapshotObserved { image_id: self.wanted.image_id.clone(), step: self.steps.borrow().clone() }
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

impl Copying {
    /// What there is now is frozen, and copied from then on.
    pub async fn begin(keep: &mut Keep, wanted: SnapshotDesired, ground: Arc<Ground>) -> Result<Self> {
        keep.freeze(None).await?;
        let frozen = keep.recorded.layers.split_last().map(|(_, frozen)| frozen).unwrap_or_default();
        let format = |is_raw| if is_raw { Format::Raw } else { Format::Qcow2 };
        let layers = frozen.iter().map(|layer| (keep.folder.path(layer), format(layer.is_raw))).collect();
        let (told, steps) = watch::channel(SnapshotStep::Copying);
        let (id, size, to) = (keep.id, keep.size()?, keep.folder.copy());
        let copier = Copier { id, wanted: wanted.clone(), layers, size, to, ground };
        let work = tokio::spawn(async move { copier.run(&told).await });
        Ok(Self { wanted, steps, work })
    }

    /// Frozen layers are being read for it.
    pub fn is_under_way(&self) -> bool {
        *self.steps.borrow() == SnapshotStep::Copying
    }

    pub fn is_of(&self, wanted: Option<&SnapshotDesired>) -> bool {
        Some(&self.wanted) == wanted
    }

    /// Not before it has ended may its file go.
    pub async fn end(mut self) {
        self.work.abort();
        let _ = (&mut self.work).await;
    }
}

/// What a copy that has ended, or was cut short, has left.
pub(super) async fn tidy(keep: &Keep) -> Result<()> {
    let to = keep.folder.copy();
    let left = [to.clone(), disks::durable::partial_name(&to)?];
    blocking(move || left.iter().try_for_each(|left| durable::remove_file(left).doing(|| format!("remove {}", left.display()))))
        .await
}

impl Copier {
    async fn run(&self, told: &watch::Sender<SnapshotStep>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let is_copied = *told.borrow() == SnapshotStep::Copied;
            let done = if is_copied { self.send().await } else { self.copy().await };
            match done {
                Ok(()) if is_copied => {
                    let _ = fs::remove_file(&self.to);
                    told.send_replace(SnapshotStep::Sent);
                    return;
                }
                Ok(()) => drop(told.send_replace(SnapshotStep::Copied)),
                Err(error) if error.is_transient() => {
                    tracing::warn!(volume = %self.id, error = error.chain(), "the copy of a volume is tried again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => {
                    tracing::warn!(volume = %self.id, error = error.chain(), "a volume cannot be copied");
                    let _ = fs::remove_file(&self.to);
                    told.send_replace(SnapshotStep::Failed { cause: error.chain() });
                    return;
                }
            }
        }
    }

    async fn copy(&self) -> Result<()> {
        let layers: Vec<Image<'_>> = self.layers.iter().map(|(path, format)| Image { path, format: *format }).collect();
        let cage: Cage = self.ground.cage.clone().for_size(self.size);
        let copied = cage.flatten(&layers, &self.to, |_| ()).await.map_err(Error::from);
        copied.map_err(|error| error.if_full(&self.to, || "a copy of a volume was to be made there".into()))?;
        crash::point("node.volume.copied");
        Ok(())
    }

    async fn send(&self) -> Result<()> {
        let file = File::open(&self.to).await.doing(|| format!("open {}", self.to.display()))?;
        let length = file.metadata().await.doing(|| format!("look at {}", self.to.display()))?.len();
        self.ground.link.client()?.put(&self.wanted.ticket.path(), link::of_file(file), length).await.map(drop)
    }
}
