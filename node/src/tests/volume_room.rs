// SPDX-License-Identifier: Apache-2.0
//! The room of volumes on the far side of the fleet's doors: what a node shall have, and what it reported.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
};

use contracts::{
    BoxFuture, Refusal,
    node::{
        Door, DoorState, Found, Kind, Origin, Stream, Thing, ThingId, VolumeDesired, VolumeObserved, VolumeSnapshot, VolumeState,
        Way,
    },
    nodes::{DesiredSource, NodeFacts, Nodes, ObservedSink, Report},
};
use serde_json::{Value, json};
use tokio::sync::watch;
use types::{Generation, NodeId, SnapshotId, VolumeId};

use super::cloud::{Cloud, Neighbours, Node, PATIENCE};

pub(super) const MIB: u64 = 1 << 20;

#[derive(Default)]
pub(super) struct Volumes {
    wanted: Mutex<HashMap<NodeId, Vec<VolumeDesired>>>,
    released: Mutex<HashSet<VolumeId>>,
    observed: watch::Sender<HashMap<VolumeId, VolumeObserved>>,
}

pub(super) struct VolumeRoom(pub Arc<Neighbours>);

/// A blank volume of 8 MiB that nobody may open.
pub(super) fn blank() -> VolumeDesired {
    VolumeDesired {
        volume_id: VolumeId::generate(),
        generation: Generation(1),
        size: 8 * MIB,
        from: Origin::Blank,
        made: false,
        snapshots: vec![],
        released: vec![],
        open_to: None,
        copy: None,
    }
}

pub(super) fn from(origin: Origin) -> VolumeDesired {
    VolumeDesired { from: origin, ..blank() }
}

/// The same volume, wanted anew.
pub(super) fn next(volume: &VolumeDesired, change: impl FnOnce(&mut VolumeDesired)) -> VolumeDesired {
    let mut volume = volume.clone();
    volume.generation = volume.generation.next();
    change(&mut volume);
    volume
}

pub(super) fn with_snapshot(volume: &VolumeDesired, id: &SnapshotId) -> VolumeDesired {
    next(volume, |volume| volume.snapshots.push(VolumeSnapshot { id: id.clone(), made: false }))
}

pub(super) fn open_to(volume: &VolumeDesired, node: Option<&NodeId>) -> VolumeDesired {
    next(volume, |volume| volume.open_to = node.map(|node| Door { node: node.clone(), read_only: false }))
}

impl Cloud {
    pub fn want_volume(&self, node: &NodeId, volume: &VolumeDesired) {
        let mut volume = volume.clone();
        if let Origin::Image { sha512, ticket, .. } = &mut volume.from {
            *ticket = self.fleet.ticket(node, &Stream::Image { sha512: sha512.clone() });
        }
        let id = volume.volume_id.clone();
        if let Some(copy) = &mut volume.copy {
            let stream = Stream::VolumeCopy { volume_id: id.clone(), image_id: copy.image_id.clone() };
            copy.ticket = self.fleet.ticket(node, &stream);
        }
        let mut wanted = self.rooms.volumes.wanted.lock().unwrap();
        let of_node = wanted.entry(node.clone()).or_default();
        of_node.retain(|known| known.volume_id != id);
        of_node.push(volume);
        drop(wanted);
        self.fleet.tell(node, &[ThingId::volume(&id)]);
    }

    pub fn release_volume(&self, node: &NodeId, volume: &VolumeId) {
        self.rooms.volumes.released.lock().unwrap().insert(volume.clone());
        self.rooms.volumes.wanted.lock().unwrap().entry(node.clone()).or_default().retain(|known| known.volume_id != *volume);
        self.fleet.tell(node, &[ThingId::volume(volume)]);
    }

    /// Waits until this was reported.
    pub async fn volume_when(&self, volume: &VolumeId, wanted: impl Fn(&VolumeObserved) -> bool) -> VolumeObserved {
        let mut observed = self.rooms.volumes.observed.subscribe();
        let found = observed.wait_for(|observed| observed.get(volume).is_some_and(&wanted));
        let found = tokio::time::timeout(PATIENCE, found).await.map(|found| found.unwrap()[volume].clone());
        found.unwrap_or_else(|_| panic!("the last report was {:?}", self.rooms.volumes.observed.borrow().get(volume)))
    }

    /// Wants it, and waits until it is as wanted.
    pub async fn volume(&self, node: &NodeId, volume: &VolumeDesired) -> VolumeObserved {
        self.want_volume(node, volume);
        let is_done =
            |found: &VolumeObserved| found.generation == volume.generation && matches!(found.state, VolumeState::Ready { .. });
        self.volume_when(&volume.volume_id, is_done).await
    }

    /// By which way the node reaches it that it is open to.
    pub async fn way(&self, volume: &VolumeDesired) -> Way {
        let node = volume.open_to.as_ref().unwrap().node.clone();
        let is_open = |found: &VolumeObserved| {
            found.generation == volume.generation
                && found.door.as_ref().is_some_and(|door| door.node == node && matches!(door.state, DoorState::Open { .. }))
        };
        let door = self.volume_when(&volume.volume_id, is_open).await.door.unwrap();
        let DoorState::Open { way } = door.state else { panic!("{door:?}") };
        way
    }
}

pub(super) fn folder(node: &Node, volume: &VolumeId) -> PathBuf {
    node.dir().join("volumes").join(volume.as_str())
}

/// What a volume consists of, as its record says, for QEMU's tools.
fn chain(node: &Node, volume: &VolumeId) -> Value {
    let folder = folder(node, volume);
    let recorded: Value = serde_json::from_slice(&std::fs::read(folder.join("recorded.json")).unwrap()).unwrap();
    let mut below = Value::Null;
    for layer in recorded["layers"].as_array().unwrap() {
        let id = layer["id"].as_str().unwrap();
        let (name, driver) = if id == "base" { (id.to_owned(), "raw") } else { (format!("{id}.qcow2"), "qcow2") };
        let mut this = json!({ "driver": driver, "file": { "driver": "file", "filename": folder.join(name).to_str().unwrap() } });
        if driver == "qcow2" {
            this["backing"] = below;
        }
        below = this;
    }
    below
}

/// The layers that a volume consists of, and the files that there are.
pub(super) fn layers(node: &Node, volume: &VolumeId) -> (usize, usize) {
    let folder = folder(node, volume);
    let recorded: Value = serde_json::from_slice(&std::fs::read(folder.join("recorded.json")).unwrap()).unwrap();
    let files = std::fs::read_dir(&folder).unwrap().flatten();
    let files = files.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "qcow2")).count();
    (recorded["layers"].as_array().unwrap().len(), files)
}

/// Reads or writes a volume that nobody has open.
pub(super) fn io(node: &Node, volume: &VolumeId, orders: &[&str]) {
    let orders = orders.iter().flat_map(|order| ["-c", *order]);
    let image = format!("json:{}", chain(node, volume));
    let output = Command::new("qemu-io").args(orders).arg(image).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && !said.contains("failed"), "{said}");
}

impl DesiredSource for VolumeRoom {
    fn kind(&self) -> Kind {
        Kind::Volume
    }

    fn all<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Vec<Thing>, Refusal>> {
        let volumes = self.0.volumes.wanted.lock().unwrap().get(node).cloned().unwrap_or_default();
        let mut things: Vec<Thing> = volumes.into_iter().map(Thing::volume).collect();
        let released = self.0.volumes.released.lock().unwrap();
        things.extend(released.iter().map(|id| Thing::released(ThingId::volume(id), Generation::default())));
        Box::pin(async { Ok(things) })
    }

    fn changed<'a>(&'a self, node: &'a NodeId, ids: &'a [ThingId]) -> BoxFuture<'a, Result<Vec<Thing>, Refusal>> {
        Box::pin(async {
            let all = self.all(node).await?;
            Ok(all.into_iter().filter(|thing| ids.contains(&thing.id)).collect())
        })
    }
}

impl ObservedSink for VolumeRoom {
    fn kind(&self) -> Kind {
        Kind::Volume
    }

    fn observed<'a>(&'a self, _: &'a NodeId, report: &'a Report) -> BoxFuture<'a, Result<(), Refusal>> {
        let found = report.found.iter().filter_map(Found::as_volume).map(|volume| (volume.volume_id.clone(), volume.clone()));
        self.0.volumes.observed.send_modify(|known| known.extend(found));
        Box::pin(async { Ok(()) })
    }

    fn node_changed<'a>(&'a self, _: &'a NodeFacts) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Ok(()) })
    }
}
