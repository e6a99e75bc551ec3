// SPDX-License-Identifier: Apache-2.0
//! The agent is killed at every point where it has just done, or is about to do, something outside of itself. The
//! next agent must end where the killed one was going, with nothing left over.

mod changes;
mod moves;
mod volumes;

use std::{net::Ipv4Addr, os::unix::process::ExitStatusExt, process::Stdio, time::Duration};

use contracts::node::{Answer, Device, Failure, MachineDesired, MachineState, Power, RebootKind, SnapshotStep};
use nix::sys::signal::Signal;
use tokio::process::Command;
use types::{ImageId, NodeId};

use super::{
    cloud::{Cloud, Node, PATIENCE},
    guest,
    network::{Central, Network, in_private_network, with_switch},
    port::{booted, inventory, nic, nothing_is_left},
};
use crate::{Agent, NodeConfig};

const CONFIG: &str = "NODE_TEST_CONFIG";

const WHILE_STARTING: [&str; 13] = [
    "node.machine.kept",
    "node.image.written",
    "node.image.ready",
    "node.disk.ready",
    "node.taps.ready",
    "node.qemu.starting",
    "node.ports.plugged",
    "node.qemu.started",
    "node.machine.wired",
    "node.machine.running",
    "node.door.making",
    "node.door.made",
    "node.door.wired",
];
const WHILE_ENDING: [&str; 5] =
    ["node.machine.killed", "node.port.released", "node.machine.unwired", "node.machine.removed", "node.door.unwired"];
const WHILE_COPYING: [&str; 5] =
    ["node.snapshot.begun", "node.snapshot.copying", "node.snapshot.copied", "node.snapshot.sending", "node.snapshot.sent"];
const WHILE_CHANGING: [(&str, Power); 3] = [
    ("node.machine.stopping", Power::Stopped),
    ("node.machine.stopped", Power::Stopped),
    ("node.machine.rebooting", Power::Running),
];

struct Scene {
    central: Central,
    cloud: Cloud,
    network: Network,
    config: NodeConfig,
    id: NodeId,
}

impl Scene {
    /// A cloud whose only node has joined and is not running now.
    async fn set() -> Self {
        let central = Central::start().await;
        let cloud = Cloud::start_with(&central.southbound()).await;
        let node = Node::start(with_switch(cloud.config("one", Some(cloud.token().await))));
        let id = cloud.up("one").await.id;
        let config = node.stop().await;
        let network = central.network(1);
        Self { central, cloud, network, config, id }
    }

    /// A machine with a port, a configuration drive and an image that no other has.
    fn machine(&self, number: usize) -> MachineDesired {
        self.machine_of(guest::obedient(), number)
    }

    fn machine_of(&self, mut image: Vec<u8>, number: usize) -> MachineDesired {
        image.extend(format!("{number}").as_bytes());
        image.resize(image.len().next_multiple_of(512), 0);
        let mut machine = guest::machine(&self.cloud, &image);
        machine.devices.push(Device::Config);
        machine.set_nics([nic(&self.central, &self.network, Ipv4Addr::new(10, 0, 1, 10 + u8::try_from(number).unwrap()))]);
        machine
    }

    fn start(&self) -> Node {
        Node::start(self.config.clone())
    }

    async fn die_at(&self, point: &str) {
        die_at(&self.config, point).await;
    }

    async fn end(&self, machine: &MachineDesired) {
        self.cloud.unwant(&self.id, &machine.server_id);
        nothing_is_left(&self.cloud, &self.id).await;
    }
}

/// Runs an agent until it comes to this point, where it dies.
async fn die_at(config: &NodeConfig, point: &str) {
    let ended = tokio::time::timeout(PATIENCE, agent(config, Some(point)).status()).await;
    let status = ended.unwrap_or_else(|_| panic!("the agent did not come to {point}")).unwrap();
    assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{point}: {status}");
}

/// An agent in a process of its own.
fn agent(config: &NodeConfig, crash_point: Option<&str>) -> Command {
    let mut agent = Command::new(std::env::current_exe().unwrap());
    agent.args(["--ignored", "--exact", "tests::crash::an_agent_in_a_process_of_its_own"]);
    agent.env("FERROSTACK_CRASH", crash_point.unwrap_or_default());
    agent.env(CONFIG, serde_json::to_string(config).unwrap());
    agent.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    agent
}

/// Run by the other tests only, with its configuration in the environment.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is the far half of the other tests here"]
async fn an_agent_in_a_process_of_its_own() {
    let Ok(config) = std::env::var(CONFIG) else { return };
    Agent::run(serde_json::from_str(&config).unwrap(), std::future::pending()).await.unwrap();
}

#[test]
fn a_killed_agent_leaves_nothing_behind() {
    in_private_network(async || {
        let scene = Scene::set().await;
        for (number, point) in WHILE_STARTING.into_iter().enumerate() {
            let machine = scene.machine(number);
            scene.cloud.want(&scene.id, &machine);
            scene.die_at(point).await;
            // What was wanted comes to be, once.
            let node = scene.start();
            scene.cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
            assert_eq!(qemu::machine::running_below(node.dir()).unwrap().len(), 1, "{point}");
            scene.end(&machine).await;
            node.stop().await;

            // And if it is not wanted any more by then, nothing of it stays.
            let machine = scene.machine(number + 100);
            scene.cloud.want(&scene.id, &machine);
            scene.die_at(point).await;
            scene.cloud.unwant(&scene.id, &machine.server_id);
            let node = scene.start();
            nothing_is_left(&scene.cloud, &scene.id).await;
            node.stop().await;
        }
    });
}

#[test]
fn an_agent_killed_while_it_takes_a_machine_down_ends_it_later() {
    in_private_network(async || {
        let scene = Scene::set().await;
        for (number, point) in WHILE_ENDING.into_iter().enumerate() {
            let machine = scene.machine(number);
            scene.cloud.want(&scene.id, &machine);
            let node = scene.start();
            scene.cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
            node.stop().await;
            scene.cloud.unwant(&scene.id, &machine.server_id);
            scene.die_at(point).await;
            let node = scene.start();
            nothing_is_left(&scene.cloud, &scene.id).await;
            node.stop().await;
        }
    });
}

#[test]
fn an_agent_killed_while_it_stops_or_reboots_a_machine_gets_there_later() {
    in_private_network(async || {
        let scene = Scene::set().await;
        for (number, (point, power)) in WHILE_CHANGING.into_iter().enumerate() {
            let machine = scene.machine(number);
            scene.cloud.want(&scene.id, &machine);
            let node = scene.start();
            scene.cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
            booted(&node, &machine).await;
            node.stop().await;
            let changed = guest::next(&machine, |machine| {
                machine.power = power;
                (machine.reboots, machine.reboot) = (u32::from(power == Power::Running), RebootKind::Hard);
            });
            scene.cloud.want(&scene.id, &changed);
            scene.die_at(point).await;
            let node = scene.start();
            let state = if power == Power::Stopped { MachineState::Stopped } else { MachineState::Running };
            let there = |found: &contracts::node::MachineObserved| {
                found.state == state && found.generation == changed.generation && found.reboots == changed.reboots
            };
            scene.cloud.rooms.observed_when(&machine.server_id, there).await;
            scene.end(&machine).await;
            node.stop().await;
        }
    });
}

#[test]
fn an_agent_killed_while_it_copies_a_disk_sends_it_later_or_leaves_nothing() {
    in_private_network(async || {
        let scene = Scene::set().await;
        for (number, point) in WHILE_COPYING.into_iter().enumerate() {
            let machine = scene.machine(number);
            scene.cloud.want(&scene.id, &machine);
            let node = scene.start();
            scene.cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
            node.stop().await;
            let image = ImageId::generate();
            let asked = MachineDesired { snapshot: Some(guest::copy_for(&image)), ..machine.clone() };
            scene.cloud.want(&scene.id, &asked);
            scene.die_at(point).await;
            let folder = scene.config.state_dir.join("machines").join(machine.server_id.as_str()).join("snapshot");
            assert!(folder.exists(), "{point}");

            // It is not wanted any more: nothing stays, neither with the agent nor in QEMU, which ran on.
            scene.cloud.want(&scene.id, &machine);
            let node = scene.start();
            super::machine::until("the folder is gone", || !folder.exists()).await;
            // It is wanted again: the disk arrives, whole.
            scene.cloud.rooms.snapshots.lock().unwrap().clear();
            scene.cloud.want(&scene.id, &asked);
            scene.cloud.rooms.snapshot_when(&machine.server_id, SnapshotStep::Sent).await;
            node.stop().await;

            // A QEMU that died with the agent does not hold it up: the disk is copied without it.
            scene.cloud.want(&scene.id, &machine);
            let other = MachineDesired { snapshot: Some(guest::copy_for(&ImageId::generate())), ..machine.clone() };
            let node = scene.start();
            super::machine::until("the folder is gone", || !folder.exists()).await;
            node.stop().await;
            scene.cloud.want(&scene.id, &other);
            scene.die_at(point).await;
            super::machine::kill(&scene.config.state_dir, &machine.server_id);
            scene.cloud.rooms.forget(&machine.server_id);
            let node = scene.start();
            let sent = |found: &contracts::node::MachineObserved| {
                let lost = matches!(found.state, MachineState::Failed { how: Failure::Crashed, .. });
                lost && found.snapshot.as_ref().is_some_and(|it| it.step == SnapshotStep::Sent)
            };
            scene.cloud.rooms.observed_when(&machine.server_id, sent).await;
            assert!(!folder.exists(), "{point}");
            scene.end(&machine).await;
            node.stop().await;
        }
    });
}

/// The points are where we think that it matters. Here the agent is killed whenever it happens to be.
#[test]
fn an_agent_killed_at_any_moment_leaves_nothing_behind() {
    in_private_network(async || {
        let scene = Scene::set().await;
        let mut wanted: Vec<MachineDesired> = Vec::new();
        for round in 0..24 {
            // One more machine, and from time to time one less.
            let machine = scene.machine(round);
            scene.cloud.want(&scene.id, &machine);
            wanted.push(machine);
            if round % 3 == 2 {
                scene.cloud.unwant(&scene.id, &wanted.remove(0).server_id);
            }
            let mut agent = agent(&scene.config, None).spawn().unwrap();
            tokio::time::sleep(Duration::from_millis(37 * (round as u64 % 16) + 20)).await;
            agent.kill().await.unwrap();
            if wanted.len() > 6 {
                scene.cloud.unwant(&scene.id, &wanted.remove(0).server_id);
            }
        }
        let node = scene.start();
        scene.cloud.up("one").await;
        for machine in &wanted {
            scene.cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
        }
        // Those that were released end beside those that run.
        let complete = async {
            loop {
                let Answer::Inventory { processes, taps, machines, switch_ports, namespaces } =
                    inventory(&scene.cloud, &scene.id).await
                else {
                    panic!("no inventory")
                };
                let machines = [processes.len(), taps.len(), machines.len(), switch_ports.len() - 1];
                if machines == [wanted.len(); 4] && namespaces.len() == 1 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, complete).await.expect("there is more, or less, than what is wanted");
        for machine in &wanted {
            scene.cloud.unwant(&scene.id, &machine.server_id);
        }
        nothing_is_left(&scene.cloud, &scene.id).await;
        node.stop().await;
    });
}
