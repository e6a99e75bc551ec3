// SPDX-License-Identifier: Apache-2.0
//! The disks of a machine: its own, the one that it is rescued from, the copy that is kept.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use contracts::node::{
    Device, DeviceId, DeviceState, KeptDisk, MachineDesired, MachineObserved, MachineState, Power, RebootKind, RootDisk,
};
use disks::{Format, overlay::Base};

use super::{
    cloud::{Cloud, Node},
    guest,
    machine::{kill, pid_of, until},
    port::booted,
};
use crate::NodeConfig;

/// Where the guests of these tests never write.
const MARK: &str = "1M 64k";

/// A process that was killed is seen no more a moment before the kernel has given back its locks.
pub(super) fn disk_says(path: &Path, command: &str) -> String {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let told = Command::new("qemu-io").args(["-f", "qcow2", "-c", command]).arg(path).output().unwrap();
        let refusal = String::from_utf8(told.stderr).unwrap();
        if !refusal.contains("lock") || Instant::now() > until {
            return format!("{}{refusal}", String::from_utf8(told.stdout).unwrap());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(super) fn mark(path: &Path, byte: u8) {
    assert!(disk_says(path, &format!("write -P {byte} {MARK}")).contains("wrote 65536/65536"));
}

pub(super) fn has_mark(path: &Path, byte: u8) -> bool {
    let told = disk_says(path, &format!("read -P {byte} {MARK}"));
    assert!(told.contains("read 65536/65536") || told.contains("verification failed"), "{told}");
    !told.contains("verification failed")
}

pub(super) fn folder(node: &Node, machine: &MachineDesired) -> PathBuf {
    node.dir().join("machines").join(machine.server_id.as_str())
}

pub(super) fn restarted(machine: &MachineDesired, change: impl FnOnce(&mut MachineDesired)) -> MachineDesired {
    guest::next(machine, |machine| {
        machine.power = Power::Running;
        machine.reboots += 1;
        machine.reboot = RebootKind::Hard;
        change(machine);
    })
}

/// Wants it, and waits until it runs as wanted.
pub(super) async fn run(cloud: &Cloud, node: &types::NodeId, machine: &MachineDesired) -> MachineObserved {
    cloud.want(node, machine);
    let as_wanted = |found: &MachineObserved| {
        (found.generation, found.reboots) == (machine.generation, machine.reboots) && found.state == MachineState::Running
    };
    cloud.rooms.observed_when(&machine.server_id, as_wanted).await
}

pub(super) async fn stop(cloud: &Cloud, node: &types::NodeId, machine: &MachineDesired) -> MachineDesired {
    let stopped = guest::next(machine, |machine| machine.power = Power::Stopped);
    cloud.want(node, &stopped);
    let as_wanted = |found: &MachineObserved| found.generation == stopped.generation && found.state == MachineState::Stopped;
    cloud.rooms.observed_when(&machine.server_id, as_wanted).await;
    stopped
}

/// One that turns machines off after a second.
pub(super) async fn with_an_impatient_node() -> (Cloud, Node, types::NodeId) {
    let cloud = Cloud::start().await;
    let config = NodeConfig { stop_seconds: 1, ..cloud.config("one", Some(cloud.token().await)) };
    let node = Node::start(config);
    let id = cloud.up("one").await.id;
    (cloud, node, id)
}

pub(super) fn size_of(path: &Path) -> u64 {
    Base { path, format: Format::Qcow2 }.virtual_size().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_rescued_from_another_disk_beside_its_own_and_gets_its_own_back() {
    let (cloud, node, id) = with_an_impatient_node().await;
    // Its own system does not even begin.
    let machine = guest::machine(&cloud, &guest::stubborn());
    let rescue = guest::machine(&cloud, &guest::obedient()).root().unwrap().clone();
    run(&cloud, &id, &machine).await;
    let own = folder(&node, &machine).join("root.qcow2");
    let other = folder(&node, &machine).join("rescue.qcow2");

    let rescued = restarted(&machine, |machine| machine.devices.insert(0, Device::Rescue(rescue.clone())));
    let found = run(&cloud, &id, &rescued).await;
    let states = [DeviceId::rescue(), DeviceId::root()].map(|device| found.device(&device).cloned());
    assert_eq!(states, [Some(DeviceState::Plugged), Some(DeviceState::Plugged)]);
    // It is the other system that runs.
    booted(&node, &machine).await;

    // Over a restart of the agent, and with the guest's own restart, it stays what it is.
    let node = Node::start(node.stop().await);
    let stopped = stop(&cloud, &id, &rescued).await;
    mark(&own, 7);
    assert!(other.exists());

    let healed = restarted(&stopped, |machine| machine.devices.retain(|device| !matches!(device, Device::Rescue(_))));
    let found = run(&cloud, &id, &healed).await;
    assert_eq!(found.device(&DeviceId::rescue()), None);
    assert!(!other.exists());
    kill(node.dir(), &machine.server_id);
    until("it is off", || pid_of(node.dir(), &machine.server_id).is_none()).await;
    assert!(has_mark(&own, 7), "its own disk is what it was");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_of_a_later_edition_is_made_anew_once_and_none_of_an_earlier_one() {
    let (cloud, node, id) = with_an_impatient_node().await;
    let machine = guest::machine(&cloud, &guest::stubborn());
    let other = guest::machine(&cloud, &guest::obedient()).root().unwrap().clone();
    run(&cloud, &id, &machine).await;
    let own = folder(&node, &machine).join("root.qcow2");
    let mut stopped = stop(&cloud, &id, &machine).await;
    mark(&own, 7);
    // Of the image that it had, and of another.
    for (edition, root) in [(1, machine.root().unwrap().clone()), (2, other.clone())] {
        let anew = restarted(&stopped, |machine| {
            *machine.root_mut().unwrap() = RootDisk { edition, made: true, ..root.clone() };
        });
        run(&cloud, &id, &anew).await;
        stopped = stop(&cloud, &id, &anew).await;
        assert!(!has_mark(&own, 7), "edition {edition}");
        mark(&own, 7);
        stopped = stop(&cloud, &id, &restarted(&stopped, |_| ())).await;
        assert!(has_mark(&own, 7), "once for each edition");
    }
    // A controller that was put back to an earlier state undoes nothing.
    let earlier = restarted(&stopped, |wanted| *wanted.root_mut().unwrap() = machine.root().unwrap().clone());
    run(&cloud, &id, &earlier).await;
    stop(&cloud, &id, &earlier).await;
    assert!(has_mark(&own, 7));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_disk_grows_with_the_next_start_and_never_becomes_shorter() {
    let (cloud, node, id) = with_an_impatient_node().await;
    let mut machine = guest::machine(&cloud, &guest::obedient());
    run(&cloud, &id, &machine).await;
    let disk = folder(&node, &machine).join("root.qcow2");
    for (wanted, found) in [(16 << 20, 16 << 20), (4 << 20, 16 << 20)] {
        machine = restarted(&machine, |machine| {
            machine.root_mut().unwrap().size = wanted;
            (machine.vcpus, machine.memory_mb) = (2, 48);
        });
        run(&cloud, &id, &machine).await;
        assert_eq!(size_of(&disk), found);
        let line = qemu::machine::command_line(pid_of(node.dir(), &machine.server_id).unwrap()).unwrap();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        assert!(line.contains("-m 48M -smp cpus=2"), "{line}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_disk_is_kept_put_back_once_or_dropped() {
    let (cloud, node, id) = with_an_impatient_node().await;
    let machine = guest::machine(&cloud, &guest::obedient());
    run(&cloud, &id, &machine).await;
    let (own, copy) = (folder(&node, &machine).join("root.qcow2"), folder(&node, &machine).join("root.kept.qcow2"));
    let stopped = stop(&cloud, &id, &machine).await;
    mark(&own, 1);

    // Kept as it was, before it grows.
    let kept = KeptDisk { mark: 1, back: false };
    let larger = restarted(&stopped, |machine| {
        machine.kept = Some(kept);
        machine.root_mut().unwrap().size = 16 << 20;
    });
    run(&cloud, &id, &larger).await;
    assert_eq!((size_of(&own), size_of(&copy)), (16 << 20, 8 << 20));
    let stopped = stop(&cloud, &id, &larger).await;
    mark(&own, 2);
    let again = restarted(&stopped, |_| ());
    run(&cloud, &id, &again).await;
    let stopped = stop(&cloud, &id, &again).await;
    assert!(has_mark(&own, 2) && has_mark(&copy, 1), "of the same mark no other copy is made");

    // Put back, once.
    let back = restarted(&stopped, |machine| {
        machine.kept = Some(KeptDisk { back: true, ..kept });
        machine.root_mut().unwrap().size = 8 << 20;
    });
    run(&cloud, &id, &back).await;
    assert_eq!(size_of(&own), 8 << 20);
    let stopped = stop(&cloud, &id, &back).await;
    assert!(has_mark(&own, 1));
    mark(&own, 3);
    let again = restarted(&stopped, |_| ());
    run(&cloud, &id, &again).await;
    let stopped = stop(&cloud, &id, &again).await;
    assert!(has_mark(&own, 3));

    // Another is kept, and dropped while it runs.
    let other = restarted(&stopped, |machine| machine.kept = Some(KeptDisk { mark: 2, back: false }));
    run(&cloud, &id, &other).await;
    assert!(copy.exists());
    cloud.want(&id, &guest::next(&other, |machine| machine.kept = None));
    until("the copy is gone", || !copy.exists()).await;
    node.stop().await;
}

/// Somebody removed a tenant's disk from the host.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_missing_is_said_to_be_and_not_made_anew() {
    let (cloud, node, id) = with_an_impatient_node().await;
    let machine = guest::machine(&cloud, &guest::obedient());
    run(&cloud, &id, &machine).await;
    let made = |root: &mut RootDisk| root.made = true;
    let stopped = guest::next(&machine, |machine| {
        machine.power = Power::Stopped;
        made(machine.root_mut().unwrap());
    });
    cloud.want(&id, &stopped);
    cloud.rooms.state_when(&machine.server_id, MachineState::Stopped).await;
    let disk = folder(&node, &machine).join("root.qcow2");
    let aside = disk.with_extension("aside");
    fs::rename(&disk, &aside).unwrap();

    let started = guest::next(&stopped, |machine| machine.power = Power::Running);
    cloud.want(&id, &started);
    let is_missing =
        |found: &MachineObserved| found.generation == started.generation && matches!(found.state, MachineState::Failed { .. });
    let found = cloud.rooms.observed_when(&machine.server_id, is_missing).await;
    let MachineState::Failed { cause, transient: false, .. } = &found.state else { panic!("{found:?}") };
    assert!(cause.contains("was made before and is not on this host"), "{cause}");
    assert!(matches!(found.device(&DeviceId::root()), Some(DeviceState::Failed { .. })), "{found:?}");
    assert!(!disk.exists());

    // It is there again, and all is well.
    fs::rename(&aside, &disk).unwrap();
    run(&cloud, &id, &guest::next(&started, |_| ())).await;
    node.stop().await;
}
