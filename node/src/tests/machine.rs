// SPDX-License-Identifier: Apache-2.0
//! Machines without ports, from wanted to gone, through restarts and deaths.

use std::{fs, path::Path, time::Duration};

use contracts::node::{Failure, MachineState, Power, RebootKind};
use qemu::machine::running_below;
use types::ServerId;

use super::{
    cloud::{Cloud, Node, PATIENCE},
    guest,
};

pub(super) fn pid_of(dir: &Path, server: &ServerId) -> Option<i32> {
    let running = running_below(dir).unwrap();
    running.into_iter().find(|(id, _)| id.to_string() == server.as_str()).map(|(_, pid)| pid)
}

pub(super) async fn until(what: &str, done: impl Fn() -> bool) {
    let look = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap()
}

/// The last of a start: a machine that was not noted is found again by looking.
async fn until_it_is_noted_that_it_runs(node: &Node, server: &ServerId) {
    let (recorded, boot_id) = (directory(node, server).join("recorded.json"), boot_id());
    until("that it runs is noted", || fs::read_to_string(&recorded).unwrap().contains(boot_id.trim())).await;
}

fn directory(node: &Node, server: &ServerId) -> std::path::PathBuf {
    node.dir().join("machines").join(server.as_str())
}

pub(super) fn kill(dir: &Path, server: &ServerId) {
    let pid = nix::unistd::Pid::from_raw(pid_of(dir, server).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_runs_stops_starts_reboots_and_goes() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = guest::machine(&cloud, &guest::obedient());
    let server = &machine.server_id;
    let console = directory(&node, server).join("console.log");

    cloud.run(&id, &machine).await;
    until("the guest says hello", || fs::read_to_string(&console).is_ok_and(|text| text.contains("hello"))).await;
    let first = pid_of(node.dir(), server).unwrap();

    let stopped = guest::next(&machine, |machine| machine.power = Power::Stopped);
    cloud.want(&id, &stopped);
    let found = cloud.rooms.state_when(server, MachineState::Stopped).await;
    assert_eq!(found.generation, stopped.generation);
    assert_eq!(pid_of(node.dir(), server), None);

    let started = guest::next(&stopped, |machine| machine.power = Power::Running);
    cloud.run(&id, &started).await;
    let second = pid_of(node.dir(), server).unwrap();
    assert_ne!(second, first);
    until("it boots", || fs::read_to_string(&console).unwrap().matches("hello").count() == 2).await;

    for (number, kind) in [(1, RebootKind::Soft), (2, RebootKind::Hard)] {
        let rebooted = guest::next(&started, |machine| (machine.reboots, machine.reboot) = (number, kind));
        cloud.want(&id, &rebooted);
        cloud.rooms.observed_when(server, |found| found.reboots == number && found.state == MachineState::Running).await;
        let hellos = 2 + number as usize;
        until("it boots again", || fs::read_to_string(&console).unwrap().matches("hello").count() == hellos).await;
    }
    assert_ne!(pid_of(node.dir(), server).unwrap(), second);

    cloud.unwant(&id, server);
    cloud.rooms.state_when(server, MachineState::Gone).await;
    assert_eq!(pid_of(node.dir(), server), None);
    assert!(!directory(&node, server).exists());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_powers_off_stays_off_until_it_is_wanted_anew() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = guest::machine(&cloud, &guest::tired());
    let server = &machine.server_id;
    cloud.run(&id, &machine).await;
    cloud.rooms.state_when(server, MachineState::Stopped).await;

    // Also over a restart of the agent.
    let node = Node::start(node.stop().await);
    cloud.up("one").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(pid_of(node.dir(), server), None);

    cloud.rooms.forget(server);
    cloud.want(&id, &guest::next(&machine, |_| {}));
    cloud.rooms.state_when(server, MachineState::Running).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_process_dies_is_reported_and_not_restarted() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = guest::machine(&cloud, &guest::obedient());
    let server = &machine.server_id;
    cloud.run(&id, &machine).await;
    kill(node.dir(), server);
    let found = cloud.rooms.observed_when(server, |found| matches!(found.state, MachineState::Failed { .. })).await;
    let MachineState::Failed { cause, transient: false, how: Failure::Crashed } = found.state else { panic!("{found:?}") };
    assert!(cause.contains("signal 9") && cause.contains("A hard reboot"), "{cause}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(pid_of(node.dir(), server), None);
    // A reboot is a wish to run.
    cloud.want(&id, &guest::next(&machine, |machine| (machine.reboots, machine.reboot) = (1, RebootKind::Hard)));
    cloud.rooms.state_when(server, MachineState::Running).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_live_on_without_agent_and_are_adopted() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let (kept, gone) = (guest::machine(&cloud, &guest::obedient()), guest::machine(&cloud, &guest::obedient()));
    for machine in [&kept, &gone] {
        cloud.want(&id, machine);
        cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
    }
    let pid = pid_of(node.dir(), &kept.server_id).unwrap();
    let config = node.stop().await;
    assert_eq!(pid_of(&config.state_dir, &kept.server_id), Some(pid));

    // Deleted while nobody was there to hear it.
    cloud.unwant(&id, &gone.server_id);
    cloud.rooms.forget(&kept.server_id);
    let node = Node::start(config);
    cloud.rooms.state_when(&kept.server_id, MachineState::Running).await;
    cloud.rooms.state_when(&gone.server_id, MachineState::Gone).await;
    assert_eq!(pid_of(node.dir(), &kept.server_id), Some(pid));
    assert_eq!(running_below(node.dir()).unwrap().len(), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_the_host_machines_come_up_again() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = guest::machine(&cloud, &guest::obedient());
    cloud.run(&id, &machine).await;
    let recorded = directory(&node, &machine.server_id).join("recorded.json");
    let pid = pid_of(node.dir(), &machine.server_id).unwrap();
    until_it_is_noted_that_it_runs(&node, &machine.server_id).await;
    let config = node.stop().await;

    // What a restart of the host leaves: no process, and a record of another boot.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    let (text, boot_id) = (fs::read_to_string(&recorded).unwrap(), boot_id());
    fs::write(&recorded, text.replace(boot_id.trim(), "another-boot")).unwrap();

    cloud.rooms.forget(&machine.server_id);
    let node = Node::start(config);
    cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
    assert!(pid_of(node.dir(), &machine.server_id).is_some_and(|fresh| fresh != pid));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_with_another_hash_is_refused() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = guest::machine(&cloud, &guest::obedient());
    // The controller's file rotted, or somebody changed it.
    let path = cloud.rooms.images.lock().unwrap()[&machine.root().unwrap().sha512].clone();
    let mut content = fs::read(&path).unwrap();
    content[100] ^= 1;
    fs::write(&path, content).unwrap();

    cloud.want(&id, &machine);
    let found = cloud.rooms.observed_when(&machine.server_id, |found| matches!(found.state, MachineState::Failed { .. })).await;
    let MachineState::Failed { cause, .. } = found.state else { unreachable!() };
    assert!(cause.contains("SHA-512"), "{cause}");
    assert_eq!(fs::read_dir(node.dir().join("images")).unwrap().count(), 0);
    cloud.unwant(&id, &machine.server_id);
    cloud.rooms.state_when(&machine.server_id, MachineState::Gone).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_cannot_be_says_why() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let mut machine = guest::machine(&cloud, &guest::obedient());
    machine.root_mut().unwrap().size = 4096;
    cloud.want(&id, &machine);
    let found = cloud.rooms.observed_when(&machine.server_id, |found| matches!(found.state, MachineState::Failed { .. })).await;
    let MachineState::Failed { cause, transient, .. } = found.state else { unreachable!() };
    assert!(cause.contains("cannot hold an image") && !transient, "{cause}");

    // With what was wrong put right it goes on at once.
    cloud.want(&id, &guest::next(&machine, |machine| machine.root_mut().unwrap().size = 8 << 20));
    cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_that_the_operator_stopped_with_the_cloud_come_up_with_it_again() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = guest::machine(&cloud, &guest::obedient());
    cloud.run(&id, &machine).await;
    until_it_is_noted_that_it_runs(&node, &machine.server_id).await;
    let config = node.stop().await;

    assert_eq!(crate::stop_machines(&config.state_dir, Duration::from_secs(1)).await.unwrap(), 1);
    assert_eq!(pid_of(&config.state_dir, &machine.server_id), None);
    cloud.rooms.forget(&machine.server_id);
    let node = Node::start(config);
    cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
    node.stop().await;
}
