// SPDX-License-Identifier: Apache-2.0
//! Snapshots of disks, of running machines and of stopped ones.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use contracts::{
    Refusal,
    node::{MachineDesired, MachineState, Power, SnapshotStep},
};
use sha2::{Digest, Sha512};
use types::ImageId;

use super::{
    cloud::{Cloud, Node},
    guest,
    machine::{pid_of, until},
    port::booted,
};

/// Where the guests of these tests never write.
const MARK: &str = "1M 64k";

fn folder(node: &Node, machine: &MachineDesired) -> PathBuf {
    node.dir().join("machines").join(machine.server_id.as_str())
}

fn disk_says(path: &Path, command: &str) -> String {
    let told = Command::new("qemu-io").args(["-f", "qcow2", "-c", command]).arg(path).output().unwrap();
    String::from_utf8(told.stdout).unwrap()
}

fn asking(machine: &MachineDesired) -> (MachineDesired, ImageId) {
    let image = ImageId::generate();
    (MachineDesired { snapshot: Some(guest::copy_for(&image)), ..machine.clone() }, image)
}

/// The disk that arrived has the mark, rests on nothing, and a machine boots from it.
async fn is_a_whole_disk(cloud: &Cloud, node: &Node, id: &types::NodeId, image: &ImageId) {
    let data = cloud.rooms.snapshots.lock().unwrap()[image].clone();
    let sha512 = cloud.image(&data);
    assert_eq!(sha512, hex::encode(Sha512::digest(&data)));
    let path = cloud.rooms.images.lock().unwrap()[&sha512].clone();
    let info = Command::new("qemu-img").args(["info", "-f", "qcow2", "--output", "json"]).arg(&path).output().unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info.stdout).unwrap();
    assert_eq!((&info["virtual-size"], &info["backing-filename"]), (&(8 << 20).into(), &serde_json::Value::Null));
    assert!(disk_says(&path, &format!("read -P 0x5a {MARK}")).contains("read 65536/65536"), "the machine's own writes are in it");
    let mut machine = guest::machine(cloud, &data);
    machine.root_mut().unwrap().format = "qcow2".into();
    cloud.run(id, &machine).await;
    booted(node, &machine).await;
    cloud.unwant(id, &machine.server_id);
    cloud.rooms.state_when(&machine.server_id, MachineState::Gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_of_a_machine_is_sent_and_boots_again() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = guest::machine(&cloud, &guest::obedient());
    let server = &machine.server_id;
    cloud.run(&id, &machine).await;
    booted(&node, &machine).await;

    // Stopped, with something written since it was made.
    let stopped = guest::next(&machine, |machine| machine.power = Power::Stopped);
    cloud.want(&id, &stopped);
    cloud.rooms.state_when(server, MachineState::Stopped).await;
    let disk = folder(&node, &machine).join("root.qcow2");
    assert!(disk_says(&disk, &format!("write -P 0x5a {MARK}")).contains("wrote 65536/65536"));
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&disk).unwrap());
    let (asked, image) = asking(&stopped);
    cloud.want(&id, &asked);
    cloud.rooms.snapshot_when(server, SnapshotStep::Sent).await;
    is_a_whole_disk(&cloud, &node, &id, &image).await;
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&disk).unwrap()), owner, "it is still the machine's own");

    // Running: the same process goes on.
    let running = guest::next(&stopped, |machine| machine.power = Power::Running);
    cloud.run(&id, &running).await;
    let pid = pid_of(node.dir(), server);
    let (asked, image) = asking(&running);
    cloud.want(&id, &asked);
    let found = cloud.rooms.snapshot_when(server, SnapshotStep::Sent).await;
    assert_eq!((found.state, found.snapshot.unwrap().image_id), (MachineState::Running, image.clone()));
    is_a_whole_disk(&cloud, &node, &id, &image).await;
    assert_eq!(pid_of(node.dir(), server), pid);

    // Another one, and none any more.
    let (asked, image) = asking(&running);
    cloud.want(&id, &asked);
    let sent = |found: &contracts::node::MachineObserved| {
        found.snapshot.as_ref().is_some_and(|it| it.image_id == image && it.step == SnapshotStep::Sent)
    };
    cloud.rooms.observed_when(server, sent).await;
    cloud.want(&id, &running);
    cloud.rooms.observed_when(server, |found| found.snapshot.is_none()).await;
    assert!(!folder(&node, &machine).join("snapshot").exists());
    cloud.unwant(&id, server);
    cloud.rooms.state_when(server, MachineState::Gone).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_the_controller_refuses_is_given_up_and_one_that_it_cannot_take_now_is_sent_again() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = guest::machine(&cloud, &guest::obedient());
    let server = &machine.server_id;
    cloud.run(&id, &machine).await;

    cloud.rooms.refuse_snapshots.lock().unwrap().push(Refusal::exhausted("the project has enough"));
    cloud.want(&id, &asking(&machine).0);
    cloud.rooms.snapshot_when(server, SnapshotStep::Failed { cause: "the project has enough".into() }).await;
    until("nothing is left", || !folder(&node, &machine).join("snapshot").exists()).await;

    cloud.rooms.refuse_snapshots.lock().unwrap().push(Refusal::unavailable("the tables are away"));
    let (asked, image) = asking(&machine);
    cloud.want(&id, &asked);
    cloud.rooms.snapshot_when(server, SnapshotStep::Sent).await;
    assert!(cloud.rooms.snapshots.lock().unwrap().contains_key(&image));
    assert_eq!(cloud.rooms.last(server).unwrap().state, MachineState::Running);
    cloud.unwant(&id, server);
    cloud.rooms.state_when(server, MachineState::Gone).await;
    node.stop().await;
}
