// SPDX-License-Identifier: Apache-2.0
//! Volumes: layers, snapshots, clones, doors, and machines that have them.

use std::{fs, path::Path, process::Command, time::Duration};

use contracts::node::{
    Device, DeviceId, DeviceState, DiskDesired, DoorState, MachineDesired, MachineObserved, MachineState, Origin, Power,
    SnapshotStep, VolumeDesired, VolumeObserved, VolumeSnapshotState, VolumeState, Way,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use types::{AttachmentId, SnapshotId, VolumeId};

use super::{
    cloud::{Cloud, Node, PATIENCE},
    disks::folder as machine_folder,
    guest,
    machine::pid_of,
    volume_room::{MIB, blank, folder, from, io, next, open_to, with_snapshot},
};

fn ready(size: u64) -> VolumeState {
    VolumeState::Ready { size }
}

fn disk(volume: &VolumeDesired, way: Way) -> DiskDesired {
    DiskDesired {
        volume_id: volume.volume_id.clone(),
        attachment_id: AttachmentId::generate(),
        size: volume.size,
        read_only: false,
        boot: false,
        tag: None,
        way,
    }
}

fn with(machine: &MachineDesired, disk: DiskDesired) -> MachineDesired {
    guest::next(machine, |machine| machine.devices.push(Device::Disk(disk)))
}

fn is_plugged(volume: &VolumeId) -> impl Fn(&MachineObserved) -> bool {
    let id = DeviceId::disk(volume);
    move |found| found.device(&id) == Some(&DeviceState::Plugged)
}

async fn gone(cloud: &Cloud, node: &Node, volume: &VolumeId) {
    cloud.volume_when(volume, |found| found.state == VolumeState::Gone).await;
    assert!(!folder(node, volume).exists());
}

pub(super) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let look = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// The storage daemons with a run directory below.
pub(super) fn daemons(below: &Path) -> Vec<i32> {
    let is_it = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.split('\0').next().is_some_and(|program| program.ends_with(qemu::STORAGE_DAEMON))
            && line.contains(&format!("{}/", below.display()))
    };
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_it).collect()
}

/// Reads or writes an export as the node whose identity lies there; answers what was said if that failed.
pub(super) async fn through(identity: &Path, way: &Way, order: &str) -> Result<(), String> {
    let Way::Nbd { address, export, peer } = way else { panic!("{way:?}") };
    let dir = tempfile::tempdir().unwrap();
    for (name, file) in [("ca-cert", "authority"), ("client-cert", "certificate"), ("client-key", "key")] {
        fs::copy(identity.join(format!("{file}.pem")), dir.path().join(format!("{name}.pem"))).unwrap();
    }
    let credentials = format!("tls-creds-x509,id=tls,endpoint=client,verify-peer=on,dir={}", dir.path().display());
    let image = format!(
        "driver=nbd,server.type=inet,server.host={},server.port={},export={export},tls-creds=tls,tls-hostname={peer}",
        address.ip(),
        address.port()
    );
    let mut command = Command::new("qemu-io");
    command.args(["--object", &credentials, "--image-opts", "-c", order, &image]).stdin(std::process::Stdio::null());
    // Not on this thread, on which the agents go on meanwhile.
    let output = tokio::process::Command::from(command).kill_on_drop(true).output();
    let Ok(output) = tokio::time::timeout(PATIENCE, output).await else { return Err("it hangs".into()) };
    let output = output.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() && !said.contains("failed") { Ok(()) } else { Err(said) }
}

pub(super) async fn until_through(identity: &Path, way: &Way, order: &str) {
    let look = async { while through(identity, way, order).await.is_err() {} };
    tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("in vain: {order}"));
}

#[tokio::test]
async fn a_clone_outlives_what_it_was_made_of() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let volume = blank();
    let source = &volume.volume_id;
    assert_eq!(cloud.volume(&id, &volume).await.state, ready(8 * MIB));
    io(&node, source, &["read -P 0 0 8M", "write -P 1 0 2M"]);

    let snapshot = SnapshotId::generate();
    let frozen = with_snapshot(&volume, &snapshot);
    let found = cloud.volume(&id, &frozen).await;
    assert_eq!(found.snapshot(&snapshot), Some(&VolumeSnapshotState::Made));
    io(&node, source, &["read -P 1 0 2M", "write -P 2 1M 2M"]);

    let old = from(Origin::Snapshot { volume_id: source.clone(), snapshot_id: snapshot.clone() });
    let new = VolumeDesired { size: 16 * MIB, ..from(Origin::Volume { volume_id: source.clone() }) };
    cloud.volume(&id, &old).await;
    assert_eq!(cloud.volume(&id, &new).await.state, ready(16 * MIB));
    io(&node, source, &["write -P 9 0 8M"]);
    let grown = next(&frozen, |volume| volume.size = 32 * MIB);
    assert_eq!(cloud.volume(&id, &grown).await.state, ready(32 * MIB));
    io(&node, source, &["read -P 9 0 8M", "read -P 0 8M 24M"]);

    let released = next(&grown, |volume| {
        volume.snapshots.clear();
        volume.released.push(snapshot.clone());
    });
    assert_eq!(cloud.volume(&id, &released).await.snapshot(&snapshot), Some(&VolumeSnapshotState::Gone));
    cloud.release_volume(&id, source);
    gone(&cloud, &node, source).await;
    io(&node, &old.volume_id, &["read -P 1 0 2M", "read -P 0 2M 6M", "write -P 5 7M 1M"]);
    io(&node, &new.volume_id, &["read -P 1 0 1M", "read -P 2 1M 2M", "read -P 0 3M 13M"]);
    for volume in [&old.volume_id, &new.volume_id] {
        cloud.release_volume(&id, volume);
        gone(&cloud, &node, volume).await;
    }
    node.stop().await;
}

#[tokio::test]
async fn a_volume_that_is_missing_is_said_to_be_and_not_made_anew() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let volume = VolumeDesired { made: true, ..blank() };
    cloud.want_volume(&id, &volume);
    let is_missing = |found: &VolumeObserved| matches!(&found.state, VolumeState::Failed { cause, transient: false } if cause.contains("is not on this host"));
    cloud.volume_when(&volume.volume_id, is_missing).await;
    // That it was made before is no hindrance to its going.
    cloud.release_volume(&id, &volume.volume_id);
    gone(&cloud, &node, &volume.volume_id).await;
    node.stop().await;
}

#[tokio::test]
async fn a_door_is_closed_for_one_before_it_is_opened_for_another() {
    let (cloud, one, first) = Cloud::with_a_node().await;
    let (two, three) = (cloud.node("two").await, cloud.node("three").await);
    let (second, third) = (cloud.facts("two").await.unwrap().id, cloud.facts("three").await.unwrap().id);
    let identity = |node: &Node| node.dir().join("identity");
    let volume = open_to(&blank(), Some(&second));
    cloud.want_volume(&first, &volume);
    let way = cloud.way(&volume).await;
    through(&identity(&two), &way, "write -P 7 0 1M").await.unwrap();
    for stranger in [&one, &three] {
        let refused = through(&identity(stranger), &way, "read 0 512").await.unwrap_err();
        assert!(refused.contains("terminated") || refused.contains("negotiation"), "{refused}");
    }

    // The daemon is lost: another one takes its place, at the same address.
    let [daemon] = daemons(one.dir())[..] else { panic!("there is no daemon") };
    kill(Pid::from_raw(daemon), Signal::SIGKILL).unwrap();
    until_through(&identity(&two), &way, "read -P 7 0 1M").await;
    let again = daemons(one.dir());
    assert!(again.len() == 1 && again[0] != daemon, "{again:?}");

    // What is done while somebody is connected, and what an agent finds that was away meanwhile.
    let snapshot = SnapshotId::generate();
    let frozen = with_snapshot(&volume, &snapshot);
    cloud.volume(&first, &frozen).await;
    let grown = next(&frozen, |volume| volume.size = 16 * MIB);
    assert_eq!(cloud.volume(&first, &grown).await.state, ready(16 * MIB));
    until_through(&identity(&two), &way, "write -P 8 12M 1M").await;
    let one = Node::start(one.stop().await);
    cloud.up("one").await;
    through(&identity(&two), &way, "read -P 8 12M 1M").await.unwrap();

    let moved = open_to(&grown, Some(&third));
    cloud.want_volume(&first, &moved);
    let elsewhere = cloud.way(&moved).await;
    through(&identity(&two), &elsewhere, "read 0 512").await.unwrap_err();
    through(&identity(&three), &elsewhere, "read -P 7 0 1M").await.unwrap();
    let closed = open_to(&moved, None);
    assert_eq!(cloud.volume(&first, &closed).await.door, None);
    assert_eq!(daemons(one.dir()), Vec::<i32>::new());
    io(&one, &volume.volume_id, &["read -P 7 0 1M", "read -P 8 12M 1M"]);
    for node in [one, two, three] {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_volume_goes_when_its_machine_has_let_it_go() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let volume = open_to(&blank(), Some(&id));
    cloud.volume(&id, &volume).await;
    assert_eq!(cloud.way(&volume).await, Way::Here);
    let machine = guest::machine(&cloud, &guest::obedient());
    let server = &machine.server_id;
    cloud.run(&id, &machine).await;
    let pid = pid_of(node.dir(), server);
    let plugged = with(&machine, disk(&volume, Way::Here));
    cloud.want(&id, &plugged);
    cloud.rooms.observed_when(server, is_plugged(&volume.volume_id)).await;

    // The machine's QEMU freezes and grows it while it has it open; an agent that begins meanwhile hears of that.
    let snapshot = SnapshotId::generate();
    let frozen = with_snapshot(&volume, &snapshot);
    assert_eq!(cloud.volume(&id, &frozen).await.snapshot(&snapshot), Some(&VolumeSnapshotState::Made));
    let node = Node::start(node.stop().await);
    cloud.up("one").await;
    let grown = next(&frozen, |volume| volume.size = 16 * MIB);
    assert_eq!(cloud.volume(&id, &grown).await.state, ready(16 * MIB));
    assert_eq!(pid_of(node.dir(), server), pid);

    // This guest lets nothing go: neither is it said to be unplugged, nor does it go though it is released.
    let without = guest::next(&plugged, |machine| machine.devices.retain(|device| !matches!(device, Device::Disk(_))));
    cloud.want(&id, &without);
    let device = DeviceId::disk(&volume.volume_id);
    let is_asked = |found: &MachineObserved| found.device(&device) == Some(&DeviceState::Unplugging);
    cloud.rooms.observed_when(server, is_asked).await;
    cloud.release_volume(&id, &volume.volume_id);
    let is_closing = |found: &VolumeObserved| found.door.as_ref().is_some_and(|door| door.state == DoorState::Closing);
    cloud.volume_when(&volume.volume_id, is_closing).await;
    assert!(folder(&node, &volume.volume_id).exists());
    cloud.want(&id, &guest::next(&without, |machine| machine.power = Power::Stopped));
    gone(&cloud, &node, &volume.volume_id).await;
    cloud.rooms.state_when(server, MachineState::Stopped).await;
    cloud.unwant(&id, server);
    cloud.rooms.state_when(server, MachineState::Gone).await;
    node.stop().await;
}

#[tokio::test]
async fn a_machine_boots_from_a_volume_of_another_host_and_goes_on_when_what_is_between_is_lost() {
    let (cloud, one, first) = Cloud::with_a_node().await;
    let two = cloud.node("two").await;
    let second = cloud.facts("two").await.unwrap().id;
    let mut image = guest::obedient();
    image.resize(MIB as usize, 0);
    let origin = Origin::Image {
        image_id: types::ImageId::generate(),
        sha512: cloud.image(&image),
        format: "raw".into(),
        image_size: image.len() as u64,
        ticket: contracts::node::Ticket::new(String::new()),
    };
    let volume = open_to(&from(origin), Some(&second));
    cloud.want_volume(&first, &volume);
    let way = cloud.way(&volume).await;
    let mut machine = guest::machine(&cloud, &image);
    machine.devices = vec![Device::Disk(DiskDesired { boot: true, ..disk(&volume, way.clone()) })];
    let server = &machine.server_id;
    cloud.run(&second, &machine).await;
    let console = machine_folder(&two, &machine).join("console.log");
    until("the guest boots", || fs::read_to_string(&console).is_ok_and(|said| said.contains("hello"))).await;
    let pid = pid_of(two.dir(), server);

    // Both daemons are killed, and the agent of its host begins anew.
    let all = [daemons(one.dir()), daemons(two.dir())].concat();
    assert_eq!(all.len(), 2, "an export and a bridge");
    for daemon in &all {
        kill(Pid::from_raw(*daemon), Signal::SIGKILL).unwrap();
    }
    let two = Node::start(two.stop().await);
    cloud.up("two").await;
    until("both are back", || {
        let now = [daemons(one.dir()), daemons(two.dir())].concat();
        now.len() == 2 && now.iter().all(|daemon| !all.contains(daemon))
    })
    .await;
    let rebooted = guest::next(&machine, |machine| {
        machine.reboots += 1;
        machine.reboot = contracts::node::RebootKind::Hard;
    });
    cloud.want(&second, &rebooted);
    let again = |said: &str| said.matches("hello").count() == 2;
    until("it boots again", || fs::read_to_string(&console).is_ok_and(|said| again(&said))).await;
    assert_ne!(pid_of(two.dir(), server), pid);

    cloud.unwant(&second, server);
    cloud.rooms.state_when(server, MachineState::Gone).await;
    assert_eq!(daemons(two.dir()), Vec::<i32>::new(), "the bridge goes with its machine");
    cloud.release_volume(&first, &volume.volume_id);
    gone(&cloud, &one, &volume.volume_id).await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_volume_becomes_an_image() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let volume = blank();
    cloud.volume(&id, &volume).await;
    io(&node, &volume.volume_id, &["write -P 1 0 2M"]);
    let snapshot = SnapshotId::generate();
    let frozen = with_snapshot(&volume, &snapshot);
    cloud.volume(&id, &frozen).await;
    io(&node, &volume.volume_id, &["write -P 2 1M 3M"]);
    let image = types::ImageId::generate();
    let copied = next(&frozen, |volume| volume.copy = Some(guest::copy_for(&image)));
    cloud.want_volume(&id, &copied);
    let is_sent = |found: &VolumeObserved| found.copy.as_ref().is_some_and(|copy| copy.step == SnapshotStep::Sent);
    cloud.volume_when(&volume.volume_id, is_sent).await;
    let data = cloud.rooms.snapshots.lock().unwrap().remove(&image).unwrap();
    let path = cloud.dir.path().join("copy");
    fs::write(&path, data).unwrap();
    let orders = ["read -P 1 0 1M", "read -P 2 1M 3M", "read -P 0 4M 4M"];
    let orders = orders.iter().flat_map(|order| ["-c", *order]);
    let read = Command::new("qemu-io").args(["-r", "-f", "qcow2"]).args(orders).arg(&path).output().unwrap();
    assert!(read.status.success() && !String::from_utf8_lossy(&read.stdout).contains("failed"), "{read:?}");
    let named = Command::new("qemu-img").args(["info", "-f", "qcow2"]).arg(&path).output().unwrap();
    assert!(!String::from_utf8_lossy(&named.stdout).contains("backing"), "it rests on nothing: {named:?}");

    let done = next(&copied, |volume| volume.copy = None);
    assert_eq!(cloud.volume(&id, &done).await.copy, None);
    assert!(!folder(&node, &volume.volume_id).join("copy").exists());
    node.stop().await;
}
