// SPDX-License-Identifier: Apache-2.0
//! The far side of the room's doors: hosts that keep volumes in memory and do what they are told, images, and compute.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, Weak},
};

use contracts::{
    BoxFuture, Refusal,
    images::{Chunks, ImageFacts, Images, NewSnapshot},
    node::{
        Accelerator, Answer, Ask, Console, Door, DoorObserved, DoorState, Feature, Found, Hello, PROTOCOL, SnapshotObserved,
        SnapshotStep, Spec, StorageFacts, Stream, Thing, ThingId, Ticket, Versions, VolumeDesired, VolumeObserved,
        VolumeSnapshotObserved, VolumeSnapshotState, VolumeState, Want, Way,
    },
    nodes::{DesiredSource, NodeFacts, Nodes, ObservedSink, Report, SnapshotSink},
    volumes::Servers,
};
use types::{Generation, ImageId, NodeId, ProjectId, ServerId, SnapshotId, Timestamp, VolumeId};

use crate::BlockStorage;

pub const IMAGE: &str = "11111111-1111-4111-8111-111111111111";

/// A volume as a host keeps it.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    pub size: u64,
    pub snapshots: BTreeSet<SnapshotId>,
    pub door: Option<Door>,
}

#[derive(Default)]
pub struct Far {
    pub nodes: Mutex<BTreeMap<NodeId, NodeFacts>>,
    pub volumes: Mutex<HashMap<(NodeId, VolumeId), Kept>>,
    /// Hosts that hear and do nothing.
    pub asleep: Mutex<HashSet<NodeId>>,
    /// Hosts that cannot make anything, and why.
    pub failing: Mutex<HashMap<NodeId, String>>,
    /// Volumes whose door stays open whatever is said.
    pub stuck: Mutex<HashSet<VolumeId>>,
    /// To how many nodes a volume was ever open at once.
    pub opened_twice: Mutex<Vec<VolumeId>>,
    pub images: Mutex<HashMap<ImageId, bool>>,
    pub rung: Mutex<HashSet<ServerId>>,
    /// Where hosts keep what they have, if they outlive the process.
    file: Option<PathBuf>,
    room: OnceLock<Weak<BlockStorage>>,
    myself: OnceLock<Weak<Far>>,
}

impl Far {
    pub fn kept_in(file: Option<PathBuf>, hosts: &[(&str, u64)]) -> Arc<Self> {
        let kept = file.as_ref().and_then(|file| std::fs::read(file).ok()).unwrap_or_else(|| b"[]".to_vec());
        let kept: Vec<((NodeId, VolumeId), Kept)> = serde_json::from_slice(&kept).unwrap();
        let far = Self { file, volumes: Mutex::new(kept.into_iter().collect()), ..Self::default() };
        far.images.lock().unwrap().insert(IMAGE.into(), true);
        for (host, total) in hosts {
            far.nodes.lock().unwrap().insert(NodeId::new(*host), facts(host, *total));
        }
        let far = Arc::new(far);
        far.myself.set(Arc::downgrade(&far)).unwrap();
        far
    }

    pub fn serve(&self, room: &Arc<BlockStorage>) {
        self.room.set(Arc::downgrade(room)).unwrap_or_else(|_| panic!("a far side serves one room"));
    }

    pub fn of_host(&self, host: &str) -> Vec<VolumeId> {
        let mut ids: Vec<VolumeId> =
            self.volumes.lock().unwrap().keys().filter(|(node, _)| node.as_str() == host).map(|(_, id)| id.clone()).collect();
        ids.sort();
        ids
    }

    /// The host does what it hears from now on, and hears all.
    pub async fn wake(&self, host: &str) {
        let node = NodeId::new(host);
        self.asleep.lock().unwrap().remove(&node);
        let room = self.room.get().unwrap().upgrade().unwrap();
        let things = room.all(&node).await.unwrap();
        self.act(&room, &node, things).await;
    }

    pub async fn report(&self, host: &str, found: VolumeObserved) {
        let room = self.room.get().unwrap().upgrade().unwrap();
        let report = Report { found: vec![Found::Volume(found)], absent: vec![] };
        room.observed(&NodeId::new(host), &report).await.unwrap();
    }

    async fn act(&self, room: &Arc<BlockStorage>, node: &NodeId, things: Vec<Thing>) {
        if self.asleep.lock().unwrap().contains(node) {
            return;
        }
        let mut copies = Vec::new();
        let mut found = Vec::new();
        for thing in things {
            match thing.want {
                Want::Present(Spec::Volume(volume)) => {
                    found.push(Found::Volume(self.make_so(node, &volume)));
                    copies.extend(volume.copy.map(|copy| (volume.volume_id.clone(), copy.image_id)));
                }
                Want::Present(Spec::Machine(_)) => panic!("the volume room wants a machine"),
                Want::Released => {
                    let id = thing.id.as_volume().unwrap();
                    self.volumes.lock().unwrap().remove(&(node.clone(), id.clone()));
                    found.push(Found::Volume(observed(&id, thing.generation, VolumeState::Gone)));
                }
            }
        }
        self.keep();
        if !found.is_empty() {
            // Refused while the tables are busy; a real host says it again.
            let _ = room.observed(node, &Report { found, absent: vec![] }).await;
        }
        for (_, image) in copies {
            let nothing: Chunks = Box::pin(futures_util::stream::empty());
            let _ = room.take_snapshot(node, &image, nothing).await;
        }
    }

    fn keep(&self) {
        let Some(file) = &self.file else { return };
        let kept = self.volumes.lock().unwrap();
        let new = file.with_extension("new");
        let kept = serde_json::to_vec(&kept.iter().collect::<Vec<_>>()).unwrap();
        // The folder goes with its test, which this may outlive.
        if std::fs::write(&new, kept).is_ok() {
            let _ = std::fs::rename(new, file);
        }
    }

    fn make_so(&self, node: &NodeId, wanted: &VolumeDesired) -> VolumeObserved {
        let id = &wanted.volume_id;
        if let Some(cause) = self.failing.lock().unwrap().get(node) {
            return observed(id, wanted.generation, VolumeState::Failed { cause: cause.clone(), transient: false });
        }
        let mut volumes = self.volumes.lock().unwrap();
        let key = (node.clone(), id.clone());
        if wanted.made && !volumes.contains_key(&key) {
            let state = VolumeState::Failed { cause: "its data is missing".to_owned(), transient: false };
            return observed(id, wanted.generation, state);
        }
        let kept = volumes.entry(key).or_default();
        kept.size = kept.size.max(wanted.size);
        kept.snapshots.extend(wanted.snapshots.iter().map(|snapshot| snapshot.id.clone()));
        kept.snapshots.retain(|id| !wanted.released.contains(id));
        let is_stuck = self.stuck.lock().unwrap().contains(id);
        let mut closing = false;
        if kept.door.as_ref().map(|door| &door.node) != wanted.open_to.as_ref().map(|door| &door.node) {
            match (&kept.door, is_stuck) {
                (Some(_), true) => closing = true,
                (Some(_), false) if wanted.open_to.is_some() => self.opened_twice.lock().unwrap().push(id.clone()),
                _ => kept.door.clone_from(&wanted.open_to),
            }
        }
        let made = kept.snapshots.iter().map(|id| VolumeSnapshotObserved { id: id.clone(), state: VolumeSnapshotState::Made });
        let gone = wanted.released.iter().map(|id| VolumeSnapshotObserved { id: id.clone(), state: VolumeSnapshotState::Gone });
        let door = kept.door.as_ref().map(|door| {
            let way = match door.node == *node {
                true => Way::Here,
                false => Way::Nbd { address: "10.0.0.1:10809".parse().unwrap(), export: id.to_string(), peer: node.clone() },
            };
            let state = if closing { DoorState::Closing } else { DoorState::Open { way } };
            DoorObserved { node: door.node.clone(), state }
        });
        VolumeObserved {
            snapshots: made.chain(gone).collect(),
            door,
            copy: wanted
                .copy
                .as_ref()
                .map(|copy| SnapshotObserved { image_id: copy.image_id.clone(), step: SnapshotStep::Copying }),
            ..observed(id, wanted.generation, VolumeState::Ready { size: kept.size })
        }
    }
}

pub fn observed(id: &VolumeId, generation: Generation, state: VolumeState) -> VolumeObserved {
    VolumeObserved { volume_id: id.clone(), generation, state, snapshots: vec![], door: None, copy: None }
}

fn facts(host: &str, total_gb: u64) -> NodeFacts {
    NodeFacts {
        id: NodeId::new(host),
        hostname: host.to_owned(),
        up: true,
        disabled: false,
        disabled_reason: None,
        joined_at: Timestamp::now(),
        seen_at: Timestamp::now(),
        lease_until: Timestamp::now(),
        strays: vec![],
        hello: Some(Hello {
            speaks: Versions::only(PROTOCOL),
            features: BTreeSet::from([Feature::Volumes, Feature::CopyVolume]),
            holds: vec![],
            version: "1".to_owned(),
            hostname: host.to_owned(),
            boot_id: "b".to_owned(),
            vcpus: 8,
            memory_mb: 8192,
            disk_gb: 1000,
            accelerator: Accelerator { kind: "tcg".to_owned(), finding: "there is no /dev/kvm".to_owned() },
            datapath: "userspace".to_owned(),
            encap_ip: "10.1.0.1".parse().unwrap(),
            physical_networks: Vec::new(),
            cpu_arch: "x86_64".to_owned(),
            hypervisor_version: "10.0.2".to_owned(),
            storage: Some(StorageFacts { total_gb, free_gb: total_gb, address: None }),
            knows: None,
        }),
    }
}

impl Nodes for Far {
    fn list(&self) -> BoxFuture<'_, Result<Vec<NodeFacts>, Refusal>> {
        Box::pin(async { Ok(self.nodes.lock().unwrap().values().cloned().collect()) })
    }

    fn get<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Option<NodeFacts>, Refusal>> {
        Box::pin(async { Ok(self.nodes.lock().unwrap().get(node).cloned()) })
    }

    fn set_disabled<'a>(&'a self, _: &'a NodeId, _: Option<String>, _: bool) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Err(Refusal::internal("the volume room disables no nodes")) })
    }

    fn tell(&self, node: &NodeId, things: &[ThingId]) {
        let Some(room) = self.room.get().and_then(Weak::upgrade) else { return };
        let Some(far) = self.myself.get().and_then(Weak::upgrade) else { return };
        let (node, things) = (node.clone(), things.to_vec());
        tokio::spawn(async move {
            let Ok(wanted) = room.changed(&node, &things).await else { return };
            far.act(&room, &node, wanted).await;
        });
    }

    fn wake(&self, _: &NodeId) {}

    fn ticket(&self, node: &NodeId, stream: &Stream) -> Ticket {
        Ticket::new(format!("{node} {stream}"))
    }

    fn ask<'a>(&'a self, _: &'a NodeId, _: Ask) -> BoxFuture<'a, Result<Answer, Refusal>> {
        Box::pin(async { Err(Refusal::internal("the volume room asks no nodes")) })
    }

    fn open_console<'a>(
        &'a self,
        _: &'a NodeId,
        _: &'a ServerId,
        _: Console,
        _: Chunks,
    ) -> BoxFuture<'a, Result<Chunks, Refusal>> {
        Box::pin(async { Err(Refusal::internal("the volume room opens no consoles")) })
    }
}

impl Images for Far {
    fn get<'a>(&'a self, _: Option<&'a ProjectId>, id: &'a ImageId) -> BoxFuture<'a, Result<ImageFacts, Refusal>> {
        let known = self.images.lock().unwrap().get(id).copied();
        let id = id.clone();
        Box::pin(async move {
            let is_whole = known.ok_or_else(|| Refusal::not_found("no such image"))?;
            Ok(ImageFacts {
                id,
                name: "small".to_owned(),
                status: if is_whole { "active" } else { "queued" }.to_owned(),
                disk_format: "qcow2".to_owned(),
                container_format: "bare".to_owned(),
                size: 1 << 20,
                virtual_size: 2 << 30,
                min_disk: 1,
                min_ram: 0,
                sha512: "ab".repeat(64),
                properties: BTreeMap::from([("hw_disk_bus".to_owned(), "virtio".to_owned())]),
            })
        })
    }

    fn file<'a>(&'a self, _: &'a ImageId) -> BoxFuture<'a, Result<PathBuf, Refusal>> {
        Box::pin(async { Ok(PathBuf::from("/image")) })
    }

    fn ensure_snapshot<'a>(&'a self, snapshot: &'a NewSnapshot) -> BoxFuture<'a, Result<(), Refusal>> {
        self.images.lock().unwrap().entry(snapshot.id.clone()).or_insert(false);
        Box::pin(async { Ok(()) })
    }

    fn receive_snapshot<'a>(&'a self, id: &'a ImageId, _: Chunks) -> BoxFuture<'a, Result<(), Refusal>> {
        self.images.lock().unwrap().insert(id.clone(), true);
        Box::pin(async { Ok(()) })
    }

    fn release_snapshot<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Refusal>> {
        self.images.lock().unwrap().remove(id);
        Box::pin(async { Ok(()) })
    }
}

impl Servers for Far {
    fn volumes_changed(&self, servers: &[ServerId]) {
        self.rung.lock().unwrap().extend(servers.iter().cloned());
    }
}
