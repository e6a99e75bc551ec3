// SPDX-License-Identifier: Apache-2.0
//! A frozen layer that no snapshot and no other volume rests on is merged with the one above it, and the space comes back
//! ([decision 22](../../../docs/decisions/0022-volumes-in-the-long-run.md)).
//!
//! ```text
//!   base ─ A ─ B ─ (written)      a snapshot named A and was deleted: what B holds is written into A, which takes B's place
//!   base ─ AB ─── (written)
//! ```
//! It is done by whoever has the volume open, or by a storage daemon of its own if nobody has. Whatever else is to be done to the
//! volume comes first: a merge is cut short for it, and begun anew after.
//!
//! Invariant: layers that are merged read as before, whenever a process dies (test:
//! `an_agent_that_is_killed_while_layers_are_merged_loses_nothing_and_goes_on`).

use std::time::{Duration, Instant};

use qemu::{
    Qmp,
    block::{Merge, Merging},
    storage::{Daemon, DaemonSpec, Entrance},
};
use uuid::Uuid;
use work::crash;

use super::{
    Ground,
    keep::{Holder, Keep},
};
use crate::Result;

const LOOK: Duration = Duration::from_millis(200);
const TELL: Duration = Duration::from_secs(30);
/// After one that did not come to its end.
const PAUSE: Duration = Duration::from_secs(60);

/// What is under way, and when to try again.
#[derive(Default)]
pub(super) struct Merges {
    under: Option<Under>,
    again_at: Option<Instant>,
}

/// One that QEMU is at.
struct Under {
    qmp: Qmp,
    volume: Uuid,
    told_at: Instant,
}

impl Merges {
    /// Waits until there is something to do.
    pub async fn advanced(&mut self) {
        if let Some(under) = &mut self.under {
            under.ended().await;
            self.under = None;
            return;
        }
        match self.again_at {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    }

    pub fn failed(&mut self) {
        (self.under, self.again_at) = (None, Some(Instant::now() + PAUSE));
    }

    /// Merges what can be, one after the other. That it fails is no fault of the volume's, which is as good as before.
    pub async fn tend(&mut self, ground: &Ground, keep: &mut Keep, is_quiet: bool) -> Result<()> {
        if !self.is_their_time() {
            return Ok(());
        }
        match self.merge(ground, keep, is_quiet).await {
            Ok(()) => Ok(()),
            Err(error) => {
                tracing::warn!(volume = %keep.id, error = error.chain(), "layers of a volume are not merged now");
                self.failed();
                keep.end_merge().await
            }
        }
    }

    async fn merge(&mut self, ground: &Ground, keep: &mut Keep, is_quiet: bool) -> Result<()> {
        self.under = None;
        keep.drop_spent().await?;
        loop {
            let next = if is_quiet { keep.recorded.merging.clone().or_else(|| keep.mergeable()) } else { None };
            let Some(pair) = next else { return keep.end_merge().await };
            if keep.hands().is_err() {
                // A machine may have it of whom we hear soon.
                return Ok(());
            }
            keep.begin_merge(&pair).await?;
            ensure_somebody_has_it_open(ground, keep).await?;
            keep.lend(&pair).await?;
            let Some(qmp) = keep.hands()?.cloned() else { return Ok(()) };
            let merge = Merge { upper: pair.upper.clone(), lower: pair.lower.clone() };
            qmp.begin_merge(keep.id, &keep.source(), &merge).await?;
            match qmp.merging(keep.id, &merge).await? {
                Merging::Under { .. } => {
                    self.under = Some(Under { qmp, volume: keep.id, told_at: Instant::now() });
                    return Ok(());
                }
                Merging::Done => {
                    crash::point("node.volume.merged");
                    keep.give_up(&pair).await?;
                    tracing::info!(volume = %keep.id, layers = keep.recorded.layers.len(), "two layers of a volume were merged");
                }
                Merging::Failed(cause) => return Err(qemu::Error::Merge(cause).into()),
            }
        }
    }

    fn is_their_time(&mut self) -> bool {
        let is = self.again_at.is_none_or(|at| at <= Instant::now());
        if is {
            self.again_at = None;
        }
        is
    }
}

impl Under {
    async fn ended(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            match self.qmp.progress_of_merge(self.volume).await {
                Ok(Some((done, of))) if self.told_at.elapsed() >= TELL => {
                    tracing::info!(volume = %self.volume, done, of, "layers are being merged");
                    self.told_at = Instant::now();
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }
}

async fn ensure_somebody_has_it_open(ground: &Ground, keep: &mut Keep) -> Result<()> {
    if keep.hands()?.is_some() {
        return Ok(());
    }
    let run_dir = keep.folder.run_dir();
    Daemon::ensure_gone(&run_dir).await?;
    let user = ground.users.of(&run_dir);
    keep.hand_to(user.run_as()).await?;
    let spec = DaemonSpec { id: keep.id, run_dir, run_as: user.run_as(), entrance: Entrance::None };
    let daemon = Daemon::start(spec).await?;
    crash::point("node.volume.merger");
    keep.holder = Holder::Merger(daemon.clone(), user);
    daemon.qmp().ensure_open(keep.id, &keep.source(), false).await?;
    Ok(())
}
