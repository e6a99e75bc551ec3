// SPDX-License-Identifier: Apache-2.0
//! The volumes of this host: disks that outlive every machine, one task for each.
//!
//! ```text
//!   (told) ──▶ Preparing(image → layer) ──▶ Ready ──▶ released by name, and nobody has it open ──▶ Gone
//!                                             │ snapshot: the highest layer is frozen, an empty one is put above it
//!                                             │ growth:   the highest layer is made larger
//!                                             │ door:     open to one node at a time, see [`door`]
//! ```
//! A volume is a chain of qcow2 layers in a folder of its own ([`folder`]). What is done to it is done by whoever has it open
//! ([`keep`]). A volume that lies on another host comes to a machine of this one over a [`bridge`].

mod bridge;
mod copy;
mod door;
mod folder;
mod keep;
mod make;
mod merge;
mod open;
mod task;
mod users;

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use contracts::node::{Held, Spec, Thing, ThingId, VolumeDesired, VolumeObserved, VolumeState, Want};
use disks::cage::Cage;
use qemu::storage::TlsFiles;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use types::{Generation, NodeId, VolumeId};
use uuid::Uuid;

use crate::{Error, Result, board::Board, image::ImageCache, link::Link};

pub(crate) use bridge::Bridges;
pub(crate) use door::FIRST_PORT;
use folder::{Folder, Found, Recorded, Wanted};
use keep::Keep;
use task::Task;
use users::Users;

/// What the tasks of all volumes share.
pub(crate) struct Ground {
    pub node: NodeId,
    /// Where other hosts reach this one.
    pub address: IpAddr,
    pub tls: TlsFiles,
    pub dir: PathBuf,
    pub images: ImageCache,
    pub board: Arc<Board>,
    pub link: Link,
    /// Who copies, in the cage.
    pub cage: Cage,
    users: Users,
}

#[derive(Clone)]
pub(crate) struct Volumes {
    inner: Arc<Inner>,
}

struct Inner {
    ground: Arc<Ground>,
    known: Mutex<HashMap<Uuid, Arc<Volume>>>,
    /// Volumes whose record cannot be read. They are left as they are.
    unread: HashSet<Uuid>,
    tasks: Mutex<JoinSet<()>>,
}

struct Volume {
    wanted: watch::Sender<Wanted>,
    keep: tokio::sync::Mutex<Keep>,
    /// Rung when somebody else did something with it.
    bell: Notify,
}

impl Ground {
    pub fn new(
        node: NodeId,
        (address, first_uid): (IpAddr, u32),
        tls: TlsFiles,
        dir: PathBuf,
        images: ImageCache,
        board: Arc<Board>,
        (link, cage): (Link, Cage),
    ) -> Self {
        Self { node, address, tls, dir, images, board, link, cage, users: Users::new(first_uid) }
    }
}

impl Volumes {
    /// Takes up every volume that has a folder, as it was wanted last.
    pub fn open(ground: Ground) -> Result<Self> {
        let listed = Folder::list(&ground.dir)?;
        let is_unread = |(id, found): &(Uuid, Found)| matches!(found, Found::Unread).then_some(*id);
        let unread: HashSet<Uuid> = listed.iter().filter_map(is_unread).collect();
        for volume in &unread {
            tracing::error!(%volume, "the record of this volume is damaged: the volume is left as it is");
        }
        let inner = Inner { ground: Arc::new(ground), known: Mutex::default(), unread, tasks: Mutex::default() };
        let volumes = Self { inner: Arc::new(inner) };
        let mut known = volumes.lock();
        let kept = listed.into_iter().filter_map(|(id, found)| match found {
            Found::Kept { wanted, recorded } => Some((id, wanted, *recorded)),
            // Nobody has acknowledged it: a controller that wants it says so again.
            Found::Begun => Some((id, Wanted::Gone, Recorded::default())),
            Found::Unread => None,
        });
        let begun: Vec<_> = kept.map(|(id, wanted, recorded)| (id, volumes.enter(&mut known, id, wanted, recorded))).collect();
        drop(known);
        // Only now: one may rest on another.
        for (id, volume) in begun {
            volumes.begin(id, volume);
        }
        Ok(volumes)
    }

    /// The whole of what a controller wants. Volumes of which it says nothing stay.
    pub fn hear_all(&self, things: Vec<Thing>) {
        let named: HashSet<Uuid> = things.iter().filter_map(|thing| thing.id.id.parse().ok()).collect();
        self.hear(things);
        let strays = self.lock().keys().filter(|id| !named.contains(id)).map(Uuid::to_string).collect::<Vec<_>>();
        if !strays.is_empty() {
            tracing::warn!(
                volumes = strays.join(", "),
                "the controller does not know of these volumes; they are kept as they are"
            );
        }
    }

    pub fn hear(&self, things: Vec<Thing>) {
        for thing in things {
            let Ok(id) = thing.id.id.parse::<Uuid>() else {
                tracing::error!(volume = thing.id.id, "the controller names a volume in a way that no volume is named");
                continue;
            };
            match thing.want {
                Want::Present(Spec::Volume(volume)) => self.set(id, volume),
                Want::Present(Spec::Machine(_)) => {}
                Want::Released => self.want(id, Wanted::Gone),
            }
        }
    }

    fn set(&self, id: Uuid, volume: Box<VolumeDesired>) {
        let newest = self.lock().get(&id).and_then(|known| match &*known.wanted.borrow() {
            Wanted::Volume(current) => Some(current.generation),
            Wanted::Gone => None,
        });
        if newest.is_none_or(|newest| newest <= volume.generation) {
            self.want(id, Wanted::Volume(volume));
        }
    }

    fn want(&self, id: Uuid, wanted: Wanted) {
        if self.inner.unread.contains(&id) {
            return self.say_that_it_is_damaged(id);
        }
        let mut known = self.lock();
        if let Some(volume) = known.get(&id) {
            volume.wanted.send_if_modified(|current| {
                let differs = *current != wanted;
                *current = wanted;
                differs
            });
            return;
        }
        let volume = self.enter(&mut known, id, wanted, Recorded::default());
        drop(known);
        self.begin(id, volume);
    }

    /// All that there is, with the generation that each was wanted in last.
    pub fn held(&self) -> Vec<Held> {
        let held = |id: &Uuid, generation| Held { id: ThingId::volume(&VolumeId::new(id.to_string())), generation };
        let known = self.lock();
        let known = known.iter().map(|(id, volume)| match &*volume.wanted.borrow() {
            Wanted::Volume(volume) => held(id, volume.generation),
            Wanted::Gone => held(id, Generation::default()),
        });
        known.chain(self.inner.unread.iter().map(|id| held(id, Generation::default()))).collect()
    }

    /// Ends the tasks; volumes that are open stay so.
    pub async fn rest(&self) {
        let mut tasks = std::mem::take(&mut *self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
    }

    fn say_that_it_is_damaged(&self, id: Uuid) {
        let folder = self.inner.ground.dir.join(id.to_string());
        let cause = format!("the record of the volume in {} cannot be read: restore it, or remove the folder", folder.display());
        let (snapshots, door, copy) = (Vec::new(), None, None);
        let state = VolumeState::Failed { cause, transient: false };
        let volume_id = VolumeId::new(id.to_string());
        let generation = Generation::default();
        self.inner.ground.board.write(VolumeObserved { volume_id, generation, state, snapshots, door, copy });
    }

    /// Something has gone that others may have rested on with it.
    fn ring_all(&self) {
        self.lock().values().for_each(|volume| volume.bell.notify_one());
    }

    fn find(&self, id: Uuid) -> Option<Arc<Volume>> {
        self.lock().get(&id).cloned()
    }

    fn enter(&self, known: &mut HashMap<Uuid, Arc<Volume>>, id: Uuid, wanted: Wanted, recorded: Recorded) -> Arc<Volume> {
        self.inner.ground.board.expect(ThingId::volume(&VolumeId::new(id.to_string())));
        let folder = Folder::new(self.inner.ground.dir.join(id.to_string()));
        let keep = tokio::sync::Mutex::new(Keep::new(id, folder, recorded));
        let volume = Arc::new(Volume { wanted: watch::Sender::new(wanted), keep, bell: Notify::new() });
        known.insert(id, volume.clone());
        volume
    }

    fn begin(&self, id: Uuid, volume: Arc<Volume>) {
        let task = Task::new(id, self.inner.ground.clone(), self.clone(), volume);
        let volumes = self.clone();
        let mut tasks = self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task.run(move || volumes.retire(id)));
    }

    /// Forgets a volume that is gone. False if it is wanted again.
    fn retire(&self, id: Uuid) -> bool {
        let mut known = self.lock();
        let gone = known.get(&id).is_none_or(|volume| *volume.wanted.borrow() == Wanted::Gone);
        if gone {
            known.remove(&id);
        }
        gone
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Volume>>> {
        self.inner.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn uuid_of(volume: &VolumeId) -> Result<Uuid> {
    volume.as_str().parse().map_err(|_| Error::Unfit(format!("{volume} is not how a volume is named")))
}
