// SPDX-License-Identifier: Apache-2.0
//! Killed while it makes, freezes, exports, closes and removes volumes.

use contracts::node::{
    Device, DeviceId, DeviceState, DiskDesired, DoorState, MachineObserved, MachineState, Origin, Power, VolumeObserved,
    VolumeSnapshotState, VolumeState, Way,
};
use types::{AttachmentId, SnapshotId};

use super::{Node, die_at};
use crate::tests::{
    cloud::Cloud,
    guest,
    merges::{released, until_merged},
    volume_room::{MIB, blank, folder, from, io, next, open_to, with_snapshot},
};

#[tokio::test]
async fn an_agent_that_is_killed_while_layers_are_merged_loses_nothing_and_goes_on() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let mut volume = blank();
    cloud.volume(&id, &volume).await;
    let mut node = Some(node);
    for (number, point) in
        ["node.volume.released", "node.volume.merging", "node.volume.merger", "node.volume.merged", "node.volume.folded"]
            .into_iter()
            .enumerate()
    {
        let at = node.take().unwrap();
        io(&at, &volume.volume_id, &[&format!("write -P {} {number}M 1M", number + 1)]);
        let snapshot = SnapshotId::generate();
        volume = with_snapshot(&volume, &snapshot);
        cloud.volume(&id, &volume).await;
        io(&at, &volume.volume_id, &[&format!("write -P {} {number}M 512k", number + 101)]);
        let config = at.stop().await;
        volume = released(&volume, &snapshot);
        cloud.want_volume(&id, &volume);
        die_at(&config, point).await;
        let at = Node::start(config);
        cloud.up("one").await;
        until_merged(&at, &volume.volume_id).await;
        for number in 0..=number {
            let (new, old) = (format!("read -P {} {number}M 512k", number + 101), number * 1024 + 512);
            io(&at, &volume.volume_id, &[&new, &format!("read -P {} {old}k 512k", number + 1)]);
        }
        node = Some(at);
    }
    node.unwrap().stop().await;
}

#[tokio::test]
async fn an_agent_that_is_killed_while_it_works_on_volumes_leaves_all_that_was_written() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let other = cloud.node("two").await;
    let second = cloud.facts("two").await.unwrap().id;
    let config = node.stop().await;
    let is_ready = |generation| {
        move |found: &VolumeObserved| found.generation == generation && matches!(found.state, VolumeState::Ready { .. })
    };
    for point in ["node.volume.kept", "node.volume.shared", "node.volume.made"] {
        let volume = blank();
        cloud.want_volume(&id, &volume);
        die_at(&config, point).await;
        let node = Node::start(config.clone());
        cloud.volume_when(&volume.volume_id, is_ready(volume.generation)).await;
        io(&node, &volume.volume_id, &["read -P 0 0 8M"]);
        cloud.release_volume(&id, &volume.volume_id);
        cloud.volume_when(&volume.volume_id, |found| found.state == VolumeState::Gone).await;
        node.stop().await;
    }

    let mut volume = blank();
    let node = Node::start(config.clone());
    cloud.up("one").await;
    cloud.volume(&id, &volume).await;
    io(&node, &volume.volume_id, &["write -P 1 0 1M"]);
    node.stop().await;
    for point in ["node.volume.freezing", "node.volume.layered", "node.volume.frozen", "node.volume.growing"] {
        let snapshot = SnapshotId::generate();
        volume = next(&with_snapshot(&volume, &snapshot), |volume| volume.size += MIB);
        cloud.want_volume(&id, &volume);
        die_at(&config, point).await;
        let node = Node::start(config.clone());
        let found = cloud.volume_when(&volume.volume_id, is_ready(volume.generation)).await;
        assert_eq!(found.snapshot(&snapshot), Some(&VolumeSnapshotState::Made), "{point}");
        assert_eq!(found.state, VolumeState::Ready { size: volume.size }, "{point}");
        io(&node, &volume.volume_id, &["read -P 1 0 1M", "read -P 0 1M 7M"]);
        node.stop().await;
    }

    for point in ["node.volume.exporting", "node.volume.daemon", "node.volume.exported"] {
        volume = open_to(&volume, Some(&second));
        cloud.want_volume(&id, &volume);
        die_at(&config, point).await;
        let node = Node::start(config.clone());
        cloud.way(&volume).await;
        volume = open_to(&volume, None);
        cloud.want_volume(&id, &volume);
        let generation = volume.generation;
        cloud.volume_when(&volume.volume_id, |found| found.generation == generation && found.door.is_none()).await;
        node.stop().await;
    }
    volume = open_to(&volume, Some(&second));
    cloud.want_volume(&id, &volume);
    let node = Node::start(config.clone());
    cloud.way(&volume).await;
    volume = open_to(&volume, Some(&id));
    node.stop().await;
    cloud.want_volume(&id, &volume);
    die_at(&config, "node.volume.closed").await;
    let clone = from(Origin::Volume { volume_id: volume.volume_id.clone() });
    cloud.want_volume(&id, &contracts::node::VolumeDesired { size: volume.size, ..clone.clone() });
    die_at(&config, "node.volume.cloning").await;
    let node = Node::start(config.clone());
    let is_here = |found: &VolumeObserved| {
        found.door.as_ref().is_some_and(|door| door.node == id && matches!(door.state, DoorState::Open { .. }))
    };
    cloud.volume_when(&volume.volume_id, is_here).await;
    cloud.volume_when(&clone.volume_id, is_ready(clone.generation)).await;
    io(&node, &clone.volume_id, &["read -P 1 0 1M", "read -P 0 1M 7M"]);
    node.stop().await;

    cloud.release_volume(&id, &volume.volume_id);
    die_at(&config, "node.volume.removing").await;
    let node = Node::start(config.clone());
    cloud.volume_when(&volume.volume_id, |found| found.state == VolumeState::Gone).await;
    assert!(!folder(&node, &volume.volume_id).exists());
    io(&node, &clone.volume_id, &["read -P 1 0 1M"]);
    node.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn an_agent_that_is_killed_while_a_volume_comes_and_goes_ends_what_it_began() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = guest::machine(&cloud, &guest::obedient());
    let server = &machine.server_id;
    cloud.run(&id, &machine).await;
    let config = node.stop().await;
    let mut wanted = machine.clone();
    for point in ["node.disk.noted", "node.volume.opening", "node.disk.opened", "node.disk.plugged"] {
        let volume = open_to(&blank(), Some(&id));
        let disk = DiskDesired {
            volume_id: volume.volume_id.clone(),
            attachment_id: AttachmentId::generate(),
            size: volume.size,
            read_only: false,
            boot: false,
            tag: None,
            way: Way::Here,
        };
        cloud.want_volume(&id, &volume);
        wanted = guest::next(&wanted, |machine| {
            machine.power = Power::Running;
            machine.devices.push(Device::Disk(disk));
        });
        cloud.want(&id, &wanted);
        die_at(&config, point).await;
        let node = Node::start(config.clone());
        let device = DeviceId::disk(&volume.volume_id);
        cloud.rooms.observed_when(server, |found| found.device(&device) == Some(&DeviceState::Plugged)).await;
        node.stop().await;

        // Without it and off: whoever was killed on the way gives it back, and it can go.
        wanted = guest::next(&wanted, |machine| {
            machine.power = Power::Stopped;
            machine.devices.retain(|device| !matches!(device, Device::Disk(_)));
        });
        cloud.want(&id, &wanted);
        die_at(&config, "node.volume.closing").await;
        let node = Node::start(config.clone());
        cloud
            .rooms
            .observed_when(server, |found| found.generation == wanted.generation && found.state == MachineState::Stopped)
            .await;
        cloud.release_volume(&id, &volume.volume_id);
        cloud.volume_when(&volume.volume_id, |found| found.state == VolumeState::Gone).await;
        wanted = guest::next(&wanted, |machine| machine.power = Power::Running);
        cloud.want(&id, &wanted);
        let runs = |found: &MachineObserved| found.generation == wanted.generation && found.state == MachineState::Running;
        cloud.rooms.observed_when(server, runs).await;
        node.stop().await;
    }
    cloud.unwant(&id, server);
    let node = Node::start(config);
    cloud.rooms.state_when(server, MachineState::Gone).await;
    node.stop().await;
}
