// SPDX-License-Identifier: Apache-2.0
//! The one task that brings a volume to what is wanted of it, and says what it found.

use std::{sync::Arc, time::Duration};

use contracts::node::{
    SnapshotDesired, VolumeDesired, VolumeObserved, VolumeSnapshotObserved, VolumeSnapshotState as SnapshotState, VolumeState,
};
use qemu::storage::Daemon;
use tokio::{sync::watch, time::timeout};
use types::{Generation, SnapshotId, VolumeId};
use uuid::Uuid;
use work::crash;

use super::{
    Ground, Volume, Volumes,
    copy::{Copying, tidy},
    folder::Wanted,
    keep::{Holder, Keep},
    merge::Merges,
};
use crate::{Error, Result, error::blocking};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// A certificate may have been renewed.
const LOOK_AGAIN: Duration = Duration::from_secs(12 * 3600);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

pub(super) struct Task {
    id: Uuid,
    pub(super) ground: Arc<Ground>,
    pub(super) volumes: Volumes,
    volume: Arc<Volume>,
    wanted: watch::Receiver<Wanted>,
    /// What is written down.
    kept: Option<Wanted>,
    /// Snapshots that cannot be had, and why.
    failed: Vec<(SnapshotId, String)>,
    copying: Option<Copying>,
    merges: Merges,
}

enum Step {
    Rest,
    Gone,
}

impl Task {
    pub fn new(id: Uuid, ground: Arc<Ground>, volumes: Volumes, volume: Arc<Volume>) -> Self {
        let wanted = volume.wanted.subscribe();
        Self { id, ground, volumes, volume, wanted, kept: None, failed: Vec::new(), copying: None, merges: Merges::default() }
    }

    pub async fn run(mut self, retire: impl Fn() -> bool) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.step().await {
                Ok(Step::Rest) => {
                    pause = FIRST_PAUSE;
                    if self.rest().await.is_none() {
                        return;
                    }
                }
                Ok(Step::Gone) => {
                    if retire() {
                        return;
                    }
                    self.kept = None;
                    self.volume.keep.lock().await.recorded = Default::default();
                }
                Err(error) => {
                    let transient = error.is_transient();
                    tracing::warn!(volume = %self.id, error = error.chain(), transient, "the volume is not as desired");
                    let failed = VolumeState::Failed { cause: error.chain(), transient };
                    self.report(&*self.volume.keep.lock().await, failed);
                    let longest = if transient { pause } else { Duration::MAX };
                    let changed = async {
                        tokio::select! {
                            changed = self.wanted.changed() => changed.ok(),
                            () = self.volume.bell.notified() => Some(()),
                        }
                    };
                    if let Ok(None) = timeout(longest, changed).await {
                        return;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Step> {
        let volume = self.volume.clone();
        let mut keep = volume.keep.lock().await;
        let wanted = self.wanted.borrow_and_update().clone();
        self.write_down(&keep, &wanted).await?;
        let Wanted::Volume(desired) = wanted else { return self.release(&mut keep).await };
        if !keep.is_made() {
            self.make(&mut keep, &desired).await?;
        }
        self.take_up(&mut keep).await?;
        self.tend_snapshots(&mut keep, &desired).await?;
        keep.grow(desired.size).await?;
        self.tend_door(&mut keep, &desired).await?;
        self.tend_copy(&mut keep, desired.copy.as_ref()).await?;
        let size = keep.size()?;
        self.report(&keep, VolumeState::Ready { size });
        let is_quiet = !self.copying.as_ref().is_some_and(Copying::is_under_way);
        self.merges.tend(&self.ground, &mut keep, is_quiet).await?;
        Ok(Step::Rest)
    }

    /// Waits for whatever may change things. None when the agent ends.
    async fn rest(&mut self) -> Option<()> {
        let daemon = match &self.volume.keep.lock().await.holder {
            Holder::Daemon(daemon, _) | Holder::Merger(daemon, _) => Some(daemon.clone()),
            _ => None,
        };
        let lost = async {
            match daemon {
                Some(daemon) => daemon.ended().await,
                None => std::future::pending().await,
            }
        };
        let advanced = async {
            match &mut self.copying {
                Some(copying) => copying.advanced().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = advanced => {}
            () = self.merges.advanced() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = lost => {
                let mut keep = self.volume.keep.lock().await;
                // It may have been ended by ourselves meanwhile.
                if matches!(keep.holder, Holder::Daemon(..)) {
                    tracing::error!(volume = %self.id, "the volume's storage daemon was lost: another one takes its place");
                    keep.holder = Holder::Nobody;
                }
                if matches!(keep.holder, Holder::Merger(..)) {
                    tracing::warn!(volume = %self.id, "the storage daemon that merged layers was lost");
                    keep.holder = Holder::Nobody;
                    self.merges.failed();
                }
            }
            () = self.volume.bell.notified() => {}
            changed = self.wanted.changed() => return changed.ok(),
        }
        Some(())
    }

    async fn write_down(&mut self, keep: &Keep, wanted: &Wanted) -> Result<()> {
        if self.kept.as_ref() == Some(wanted) {
            return Ok(());
        }
        // Of a volume that is not here there is nothing to write down that it shall not be.
        if *wanted != Wanted::Gone || keep.folder.dir().exists() {
            let (folder, kept) = (keep.folder.clone(), wanted.clone());
            blocking(move || folder.keep_wanted(&kept)).await?;
        }
        self.kept = Some(wanted.clone());
        crash::point("node.volume.kept");
        Ok(())
    }

    /// What was begun before we were: a daemon that runs is taken up, or nothing can be said of who has the volume open.
    async fn take_up(&self, keep: &mut Keep) -> Result<()> {
        if keep.recorded.exported.is_none() || !matches!(keep.holder, Holder::Nobody) {
            return Ok(());
        }
        let run_dir = keep.folder.run_dir();
        let user = self.ground.users.of(&run_dir);
        match Daemon::adopt(&run_dir).await? {
            Some(daemon) => {
                tracing::info!(volume = %keep.id, pid = daemon.pid(), "adopted the volume's storage daemon");
                keep.holder = Holder::Daemon(daemon, user);
            }
            None => keep.take_back().await?,
        }
        Ok(())
    }

    /// Those that are wanted are made, in their order, and those that are released by name are forgotten.
    async fn tend_snapshots(&mut self, keep: &mut Keep, desired: &VolumeDesired) -> Result<()> {
        keep.go_through().await?;
        self.failed.clear();
        keep.release(&desired.released).await?;
        for snapshot in &desired.snapshots {
            if keep.recorded.snapshots.contains_key(&snapshot.id) {
                continue;
            }
            if snapshot.made {
                let cause = "the snapshot was made before and is not on this host: its volume was put back to an earlier state";
                self.failed.push((snapshot.id.clone(), cause.into()));
                continue;
            }
            match keep.freeze(Some(snapshot.id.clone())).await {
                Ok(()) => tracing::info!(volume = %keep.id, snapshot = %snapshot.id, "a snapshot was taken"),
                Err(error @ Error::Unfit(_)) => self.failed.push((snapshot.id.clone(), error.chain())),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Begins the copy that is asked for, and ends any other.
    async fn tend_copy(&mut self, keep: &mut Keep, wanted: Option<&SnapshotDesired>) -> Result<()> {
        if self.copying.as_ref().is_some_and(|copying| copying.is_of(wanted)) {
            return Ok(());
        }
        if let Some(copying) = self.copying.take() {
            copying.end().await;
        }
        tidy(keep).await?;
        if let Some(wanted) = wanted {
            self.copying = Some(Copying::begin(keep, wanted.clone(), self.ground.clone()).await?);
        }
        Ok(())
    }

    /// Everything of it, as soon as nobody has it open.
    ///
    /// Invariant: a volume that a machine has open is not removed (test: `a_volume_goes_when_its_machine_has_let_it_go`).
    async fn release(&mut self, keep: &mut Keep) -> Result<Step> {
        if keep.recorded.opened_by.is_some() {
            let size = keep.size()?;
            self.report(keep, VolumeState::Ready { size });
            return Ok(Step::Rest);
        }
        self.tend_copy(keep, None).await?;
        keep.end_merge().await?;
        self.end_export(keep).await?;
        Daemon::ensure_gone(&keep.folder.run_dir()).await?;
        let folder = keep.folder.clone();
        blocking(move || folder.remove()).await?;
        crash::point("node.volume.removed");
        keep.recorded = Default::default();
        self.volumes.ring_all();
        self.report(keep, VolumeState::Gone);
        Ok(Step::Gone)
    }

    pub(super) fn report(&self, keep: &Keep, state: VolumeState) {
        let desired = match &self.kept {
            Some(Wanted::Volume(desired)) => Some(&**desired),
            _ => None,
        };
        let is_gone = state == VolumeState::Gone;
        self.ground.board.write(VolumeObserved {
            volume_id: VolumeId::new(self.id.to_string()),
            generation: desired.map_or_else(Generation::default, |desired| desired.generation),
            snapshots: desired.filter(|_| !is_gone).map_or_else(Vec::new, |desired| self.snapshots(keep, desired)),
            door: if is_gone { None } else { self.door(keep, desired) },
            copy: self.copying.as_ref().map(Copying::observed),
            state,
        });
    }

    fn snapshots(&self, keep: &Keep, desired: &VolumeDesired) -> Vec<VolumeSnapshotObserved> {
        let is_there = |id: &SnapshotId| keep.recorded.snapshots.contains_key(id);
        let why = |id: &SnapshotId| self.failed.iter().find(|(failed, _)| failed == id).map(|(_, cause)| cause.clone());
        let wanted = desired.snapshots.iter().map(|snapshot| &snapshot.id).map(|id| match why(id) {
            Some(cause) => (id, SnapshotState::Failed { cause }),
            None if is_there(id) => (id, SnapshotState::Made),
            None => (id, SnapshotState::Making),
        });
        let released = desired.released.iter().filter(|id| !is_there(id)).map(|id| (id, SnapshotState::Gone));
        wanted.chain(released).map(|(id, state)| VolumeSnapshotObserved { id: id.clone(), state }).collect()
    }
}
