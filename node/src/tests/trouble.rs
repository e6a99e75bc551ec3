// SPDX-License-Identifier: Apache-2.0
//! Machines whose QEMU does not go on: each of its ways, provoked, and what becomes of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use contracts::node::{Failure, MachineDesired, MachineObserved, MachineState, RebootKind, WatchdogAction};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::{
    cloud::{Cloud, Node},
    guest,
    machine::{kill, pid_of, until},
};
use crate::AcceleratorChoice;

async fn failed(cloud: &Cloud, machine: &MachineDesired) -> (String, Failure) {
    let is_failure = |found: &MachineObserved| matches!(found.state, MachineState::Failed { .. });
    let found = cloud.rooms.observed_when(&machine.server_id, is_failure).await;
    let MachineState::Failed { cause, transient: false, how } = found.state else { panic!("{found:?}") };
    (cause, how)
}

fn console(node: &Node, machine: &MachineDesired) -> PathBuf {
    node.dir().join("machines").join(machine.server_id.as_str()).join("console.log")
}

async fn until_it_said(node: &Node, machine: &MachineDesired, text: &str) {
    let console = console(node, machine);
    until(text, || fs::read_to_string(&console).is_ok_and(|said| said.contains(text))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_panics_is_kept_as_it_is_until_somebody_decides() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = guest::machine(&cloud, &guest::panicking());
    cloud.want(&id, &machine);
    let (cause, how) = failed(&cloud, &machine).await;
    assert_eq!((cause.contains("panicked"), how), (true, Failure::Crashed), "{cause}");
    let pid = pid_of(node.dir(), &machine.server_id).unwrap();

    // An agent that starts finds it so, too.
    let node = {
        let config = node.stop().await;
        cloud.rooms.forget(&machine.server_id);
        Node::start(config)
    };
    assert_eq!(failed(&cloud, &machine).await.1, Failure::Crashed);
    assert_eq!(pid_of(node.dir(), &machine.server_id), Some(pid));

    // A reboot, even a soft one, does not wait for a guest that hears nothing.
    let began = std::time::Instant::now();
    let rebooted = guest::next(&machine, |machine| (machine.reboots, machine.reboot) = (1, RebootKind::Soft));
    cloud.want(&id, &rebooted);
    cloud.rooms.observed_when(&machine.server_id, |found| found.reboots == 1).await;
    assert!(began.elapsed() < node.config.stop_grace(), "it waited for its guest");
    assert_ne!(pid_of(node.dir(), &machine.server_id), Some(pid));
    cloud.unwant(&id, &machine.server_id);
    cloud.rooms.state_when(&machine.server_id, MachineState::Gone).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_does_not_feed_its_watchdog_is_paused_or_switched_off_as_its_owner_wished() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let mut machine = guest::machine(&cloud, &guest::forgetful());
    machine.watchdog = Some(WatchdogAction::Pause);
    cloud.want(&id, &machine);
    let (cause, how) = failed(&cloud, &machine).await;
    assert_eq!((cause.contains("watchdog"), how), (true, Failure::Crashed), "{cause}");
    cloud.unwant(&id, &machine.server_id);

    let mut machine = guest::machine(&cloud, &guest::forgetful());
    machine.watchdog = Some(WatchdogAction::Poweroff);
    cloud.want(&id, &machine);
    cloud.rooms.state_when(&machine.server_id, MachineState::Stopped).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_lost_is_told_from_a_guest_that_switched_itself_off_even_if_nobody_watched() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let (lost, tired) = (guest::machine(&cloud, &guest::obedient()), guest::machine(&cloud, &guest::tired()));
    for machine in [&lost, &tired] {
        cloud.want(&id, machine);
    }
    cloud.rooms.state_when(&lost.server_id, MachineState::Running).await;
    cloud.rooms.state_when(&tired.server_id, MachineState::Stopped).await;
    until_it_said(&node, &lost, "hello").await;
    let config = node.stop().await;
    kill(&config.state_dir, &lost.server_id);
    for machine in [&lost, &tired] {
        cloud.rooms.forget(&machine.server_id);
    }
    let node = Node::start(config);
    let (cause, how) = failed(&cloud, &lost).await;
    assert_eq!((cause.contains("QEMU"), how), (true, Failure::Crashed), "{cause}");
    cloud.rooms.state_when(&tired.server_id, MachineState::Stopped).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_holds_a_machine_and_names_the_disk_until_there_is_room_again() {
    let cloud = Cloud::start().await;
    let config = cloud.config("one", Some(cloud.token().await));
    let disks = SmallFileSystem::mount(&config.state_dir.join("machines"), 4 << 20);
    let node = Node::start(config);
    let id = cloud.up("one").await.id;
    let machine = guest::machine(&cloud, &guest::writing());
    cloud.want(&id, &machine);
    let (cause, how) = failed(&cloud, &machine).await;
    assert_eq!(how, Failure::Held, "{cause}");
    assert!(cause.contains("the disk root has no room left"), "{cause}");
    let pid = pid_of(node.dir(), &machine.server_id);

    cloud.rooms.forget(&machine.server_id);
    disks.resize(64 << 20);
    cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
    until_it_said(&node, &machine, "done").await;
    assert_eq!(fs::read_to_string(console(&node, &machine)).unwrap(), "hello\ndone\n");
    assert_eq!(pid_of(node.dir(), &machine.server_id), pid, "it is the same machine that went on");
    cloud.unwant(&id, &machine.server_id);
    cloud.rooms.state_when(&machine.server_id, MachineState::Gone).await;
    node.stop().await;
}

/// Wherever it runs: a machine without KVM cannot begin under it, a bad KVM fails it, and a good one cannot run this guest.
#[tokio::test(flavor = "multi_thread")]
async fn where_kvm_fails_a_machine_the_host_emulates_it_says_so_and_remembers_it() {
    let cloud = Cloud::start().await;
    let mut config = cloud.config("one", Some(cloud.token().await));
    config.accelerator = AcceleratorChoice::Kvm;
    let node = Node::start(config);
    let facts = cloud.up("one").await;
    assert_eq!(facts.hello.unwrap().accelerator.kind, "kvm");

    let machine = guest::machine(&cloud, &guest::unfit_for_kvm());
    cloud.want(&facts.id, &machine);
    until_it_said(&node, &machine, "hello").await;
    cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
    let is_emulated = |accelerator: &contracts::node::Accelerator| {
        accelerator.kind == "tcg" && accelerator.finding.contains("KVM failed machine")
    };
    let facts = cloud.facts_when("one", |facts| is_emulated(&facts.hello.as_ref().unwrap().accelerator)).await;

    // The next machine need not die first, nor one after the agent was started anew.
    let second = guest::machine(&cloud, &guest::unfit_for_kvm());
    cloud.run(&facts.id, &second).await;
    until_it_said(&node, &second, "hello").await;
    let node = Node::start(node.stop().await);
    until_up_again(&cloud, &node).await;
    let facts = cloud.up("one").await;
    assert!(is_emulated(&facts.hello.as_ref().unwrap().accelerator), "{facts:?}");
    assert_eq!(qemu::running_below(node.dir()).unwrap().len(), 2);
    node.stop().await;
}

async fn until_up_again(cloud: &Cloud, node: &Node) {
    assert!(!node.running.is_finished());
    cloud.up("one").await;
}

/// A file system of so many bytes, which is gone with it.
struct SmallFileSystem {
    path: PathBuf,
}

impl SmallFileSystem {
    fn mount(path: &Path, size: u64) -> Self {
        fs::create_dir_all(path).unwrap();
        let small = Self { path: path.to_owned() };
        small.set_size(size, MsFlags::empty());
        small
    }

    fn resize(&self, size: u64) {
        self.set_size(size, MsFlags::MS_REMOUNT);
    }

    fn set_size(&self, size: u64, flags: MsFlags) {
        let options = format!("size={size},mode=711");
        mount(Some("tmpfs"), &self.path, Some("tmpfs"), flags, Some(options.as_str())).unwrap();
    }
}

impl Drop for SmallFileSystem {
    fn drop(&mut self) {
        let _ = umount2(&self.path, MntFlags::MNT_DETACH);
    }
}
