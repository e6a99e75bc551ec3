// SPDX-License-Identifier: Apache-2.0
//! Layers that nobody names any more become one, whoever has the volume open.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

use contracts::node::{Device, DeviceId, DeviceState, DiskDesired, MachineState, Origin, Power, VolumeDesired, Way};
use types::{AttachmentId, SnapshotId, VolumeId};

use super::{
    cloud::{Cloud, Node},
    guest,
    volume_room::{MIB, blank, folder, from, io, layers, next, open_to, with_snapshot},
    volumes::{daemons, until},
};

pub(super) fn released(volume: &VolumeDesired, snapshot: &SnapshotId) -> VolumeDesired {
    next(volume, |volume| {
        volume.snapshots.retain(|known| known.id != *snapshot);
        volume.released.push(snapshot.clone());
    })
}

/// A volume that nobody has open.
pub(super) async fn until_merged(node: &Node, volume: &VolumeId) {
    let below: PathBuf = folder(node, volume);
    until("its layers are merged", || layers(node, volume) == (2, 2) && daemons(&below).is_empty()).await;
}

/// Bytes that its files take.
fn taken(node: &Node, volume: &VolumeId) -> u64 {
    let files = fs::read_dir(folder(node, volume)).unwrap().flatten();
    files.filter(|entry| entry.file_type().unwrap().is_file()).map(|entry| entry.metadata().unwrap().blocks() * 512).sum()
}

#[tokio::test]
async fn layers_that_nobody_names_are_merged_whoever_has_the_volume_open_and_their_space_comes_back() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let volume = blank();
    let name = &volume.volume_id;
    cloud.volume(&id, &volume).await;
    let (first, second) = (SnapshotId::generate(), SnapshotId::generate());
    io(&node, name, &["write -P 1 0 4M"]);
    let volume = with_snapshot(&volume, &first);
    cloud.volume(&id, &volume).await;
    io(&node, name, &["write -P 2 0 4M"]);
    let volume = with_snapshot(&volume, &second);
    cloud.volume(&id, &volume).await;
    io(&node, name, &["write -P 3 0 1M"]);
    assert!(layers(&node, name) == (3, 3) && taken(&node, name) > 9 * MIB);

    // By nobody: a daemon comes for it, and goes.
    let volume = released(&volume, &first);
    cloud.volume(&id, &volume).await;
    until_merged(&node, name).await;
    assert!(taken(&node, name) < 6 * MIB, "{}", taken(&node, name));
    let clone = from(Origin::Snapshot { volume_id: name.clone(), snapshot_id: second.clone() });
    cloud.volume(&id, &clone).await;
    io(&node, &clone.volume_id, &["read -P 2 0 4M", "read -P 0 4M 4M"]);
    io(&node, name, &["read -P 3 0 1M", "read -P 2 1M 3M"]);

    // What another volume rests on is not touched, until that one goes.
    let volume = released(&volume, &second);
    cloud.volume(&id, &volume).await;
    let third = SnapshotId::generate();
    let volume = with_snapshot(&volume, &third);
    cloud.volume(&id, &volume).await;
    io(&node, &clone.volume_id, &["read -P 2 0 4M"]);
    assert_eq!(layers(&node, name), (3, 3));
    cloud.release_volume(&id, &clone.volume_id);
    until_merged(&node, name).await;

    // By the storage daemon that exports it.
    let other = cloud.node("two").await;
    let volume = open_to(&volume, Some(&cloud.facts("two").await.unwrap().id));
    cloud.want_volume(&id, &volume);
    cloud.way(&volume).await;
    let volume = released(&volume, &third);
    cloud.volume(&id, &volume).await;
    until("the daemon merges", || layers(&node, name) == (2, 2)).await;
    assert_eq!(daemons(&folder(&node, name)).len(), 1, "it goes on to export");

    // By the machine that has it.
    let volume = open_to(&volume, Some(&id));
    cloud.want_volume(&id, &volume);
    cloud.way(&volume).await;
    let machine = guest::machine(&cloud, &guest::obedient());
    let disk = DiskDesired {
        volume_id: name.clone(),
        attachment_id: AttachmentId::generate(),
        size: volume.size,
        read_only: false,
        boot: false,
        tag: None,
        way: Way::Here,
    };
    let machine = guest::next(&machine, |machine| machine.devices.push(Device::Disk(disk)));
    cloud.run(&id, &machine).await;
    let device = DeviceId::disk(name);
    cloud.rooms.observed_when(&machine.server_id, |found| found.device(&device) == Some(&DeviceState::Plugged)).await;
    let fourth = SnapshotId::generate();
    let volume = with_snapshot(&volume, &fourth);
    cloud.volume(&id, &volume).await;
    let volume = released(&volume, &fourth);
    cloud.volume(&id, &volume).await;
    until("the machine merges", || layers(&node, name) == (2, 2)).await;
    let stopped = guest::next(&machine, |machine| machine.power = Power::Stopped);
    cloud.want(&id, &stopped);
    cloud.rooms.state_when(&machine.server_id, MachineState::Stopped).await;
    io(&node, name, &["read -P 3 0 1M", "read -P 2 1M 3M", "read -P 0 4M 4M"]);
    assert!(taken(&node, name) < 6 * MIB, "{}", taken(&node, name));
    node.stop().await;
    other.stop().await;
}
