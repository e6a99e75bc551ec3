// SPDX-License-Identifier: Apache-2.0
//! Guests that are held still, and let go on.

use std::time::Duration;

use contracts::node::{MachineDesired, MachineState, Power, RebootKind};
use qemu::{Machine, RunDir, RunState, machine::running_below};

use super::{
    cloud::{Cloud, Node, PATIENCE},
    guest,
    machine::{kill, pid_of},
    port::booted,
};
use crate::NodeConfig;

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_held_still_in_memory_over_a_restart_of_the_agent_and_goes_on() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = guest::machine(&cloud, &guest::obedient());
    let server = &machine.server_id;
    cloud.run(&id, &machine).await;
    booted(&node, &machine).await;
    let pid = pid_of(node.dir(), server);

    let paused = guest::next(&machine, |machine| machine.power = Power::Paused);
    cloud.want(&id, &paused);
    let found = cloud.rooms.state_when(server, MachineState::Paused).await;
    assert_eq!(found.generation, paused.generation);
    let config = node.stop().await;
    cloud.rooms.forget(server);
    let node = Node::start(config);
    cloud.rooms.state_when(server, MachineState::Paused).await;
    assert_eq!(pid_of(node.dir(), server), pid);

    let running = guest::next(&paused, |machine| machine.power = Power::Running);
    cloud.run(&id, &running).await;
    assert_eq!(pid_of(node.dir(), server), pid, "it is the same guest");
    // It hears its power button again.
    let stopped = guest::next(&running, |machine| machine.power = Power::Stopped);
    cloud.want(&id, &stopped);
    cloud.rooms.state_when(server, MachineState::Stopped).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_is_held_still_is_rebooted_stopped_and_released_all_the_same() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let machine = guest::machine(&cloud, &guest::obedient());
    let server = &machine.server_id;
    cloud.run(&id, &machine).await;
    let paused = guest::next(&machine, |machine| machine.power = Power::Paused);
    cloud.want(&id, &paused);
    cloud.rooms.state_when(server, MachineState::Paused).await;
    let pid = pid_of(node.dir(), server);
    let rebooted = guest::next(&paused, |machine| {
        (machine.power, machine.reboots, machine.reboot) = (Power::Running, 1, RebootKind::Soft);
    });
    cloud.want(&id, &rebooted);
    cloud.rooms.observed_when(server, |found| found.reboots == 1 && found.state == MachineState::Running).await;
    assert_ne!(pid_of(node.dir(), server), pid);

    let paused = guest::next(&rebooted, |machine| machine.power = Power::Paused);
    cloud.want(&id, &paused);
    cloud.rooms.state_when(server, MachineState::Paused).await;
    let stopped = guest::next(&paused, |machine| machine.power = Power::Stopped);
    cloud.want(&id, &stopped);
    cloud.rooms.state_when(server, MachineState::Stopped).await;
    let paused = guest::next(&stopped, |machine| machine.power = Power::Paused);
    cloud.want(&id, &paused);
    cloud.rooms.state_when(server, MachineState::Paused).await;

    // What was in its memory is lost with its process: its owner is told, and it is not silently another.
    kill(node.dir(), server);
    cloud.rooms.observed_when(server, |found| matches!(found.state, MachineState::Failed { .. })).await;
    assert!(running_below(node.dir()).unwrap().is_empty());
    cloud.unwant(&id, server);
    cloud.rooms.state_when(server, MachineState::Gone).await;
    node.stop().await;
}

/// What may not run in two places stands still while nobody can tell this node whether it runs elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn an_exclusive_machine_stands_still_while_its_node_has_no_lease_and_goes_on_with_one() {
    let (cloud, node, id) = Cloud::with_a_node().await;
    let mut machine = guest::machine(&cloud, &guest::obedient());
    machine.exclusive = true;
    let other = guest::machine(&cloud, &guest::obedient());
    for machine in [&machine, &other] {
        cloud.run(&id, machine).await;
        booted(&node, machine).await;
    }
    // An agent that starts has no lease, and this one gets none.
    let config = node.stop().await;
    let pid = pid_of(&config.state_dir, &machine.server_id);
    let cut_off = NodeConfig { controllers: vec!["127.0.0.1:1".into()], ..config.clone() };
    let fenced = async {
        while run_state(&config, &machine).await != RunState::Paused {
            let node = Node::start(cut_off.clone());
            tokio::time::sleep(Duration::from_millis(200)).await;
            node.stop().await;
        }
    };
    tokio::time::timeout(PATIENCE, fenced).await.expect("it runs on");
    assert_eq!(run_state(&config, &other).await, RunState::Running);

    cloud.rooms.forget(&machine.server_id);
    let node = Node::start(config);
    cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
    let config = node.stop().await;
    assert_eq!(run_state(&config, &machine).await, RunState::Running);
    assert_eq!(pid_of(&config.state_dir, &machine.server_id), pid);
}

/// As QEMU says itself, while no agent speaks with it.
async fn run_state(config: &NodeConfig, machine: &MachineDesired) -> RunState {
    let run_dir = RunDir::new(config.state_dir.join("machines").join(machine.server_id.as_str()).join("run"));
    let machine = Machine::adopt(machine.server_id.as_str().parse().unwrap(), &run_dir).await.unwrap().unwrap();
    machine.run_state().await.unwrap()
}
