// SPDX-License-Identifier: Apache-2.0
//! The agent is killed while a machine that is there changes: its NICs, its power, its disks.

use std::{net::Ipv4Addr, path::PathBuf};

use contracts::node::{Answer, Device, DeviceId, DeviceState, KeptDisk, MachineDesired, MachineObserved, MachineState, Power};

use super::{
    super::{
        cloud::{Cloud, Node},
        disks::{restarted, size_of},
        guest,
        machine::until,
        network::in_private_network,
        port::{booted, inventory, nic},
    },
    Scene, die_at,
};
use crate::NodeConfig;

const WHILE_A_NIC_COMES: [&str; 4] = ["node.nic.noted", "node.nic.tapped", "node.nic.wired", "node.nic.plugged"];
const WHILE_A_NIC_GOES: [&str; 4] = ["node.nic.asked", "node.nic.unplugged", "node.port.released", "node.nic.released"];

async fn taps(scene: &Scene) -> usize {
    let Answer::Inventory { taps, switch_ports, .. } = inventory(&scene.cloud, &scene.id).await else { panic!("no inventory") };
    let plugged = switch_ports.iter().filter(|port| port.starts_with("tap")).count();
    assert_eq!(plugged, taps.len(), "each has its port of the switch: {switch_ports:?}");
    taps.len()
}

/// What is wanted of it now is there, and nothing else.
async fn is_as_wanted(scene: &Scene, machine: &MachineDesired) {
    let has_all = |found: &MachineObserved| {
        let nics = machine.nics().all(|nic| found.device(&DeviceId::nic(&nic.port_id)) == Some(&DeviceState::Plugged));
        (found.state == MachineState::Running && found.generation == machine.generation && nics)
            && found.devices.len() == machine.devices.len()
    };
    scene.cloud.rooms.observed_when(&machine.server_id, has_all).await;
    assert_eq!(taps(scene).await, machine.nics().count());
}

#[test]
fn an_agent_killed_while_a_nic_comes_or_goes_ends_it_later() {
    in_private_network(async || {
        let scene = Scene::set().await;
        for (number, point) in WHILE_A_NIC_COMES.into_iter().chain(WHILE_A_NIC_GOES).enumerate() {
            let one = scene.machine_of(guest::courteous(), number);
            let address = Ipv4Addr::new(10, 0, 1, 100 + u8::try_from(number).unwrap());
            let other = nic(&scene.central, &scene.network, address);
            let both = guest::next(&one, |machine| machine.devices.push(Device::Nic(other.clone())));
            let comes = number < WHILE_A_NIC_COMES.len();
            let (before, after) = if comes { (&one, &both) } else { (&both, &one) };
            let after = guest::next(before, |machine| machine.devices = after.devices.clone());
            scene.cloud.want(&scene.id, before);
            let node = scene.start();
            scene.cloud.rooms.state_when(&one.server_id, MachineState::Running).await;
            booted(&node, &one).await;
            node.stop().await;

            scene.cloud.want(&scene.id, &after);
            scene.die_at(point).await;
            let node = scene.start();
            is_as_wanted(&scene, &after).await;
            node.stop().await;

            // And the other way round, if it is not wanted like that any more by then.
            let again = guest::next(&after, |machine| machine.devices = before.devices.clone());
            scene.cloud.want(&scene.id, &again);
            let node = scene.start();
            is_as_wanted(&scene, &again).await;
            node.stop().await;
            scene.cloud.want(&scene.id, &guest::next(&again, |machine| machine.devices = after.devices.clone()));
            scene.die_at(point).await;
            let back = guest::next(&again, |machine| machine.generation = machine.generation.next());
            scene.cloud.want(&scene.id, &back);
            let node = scene.start();
            is_as_wanted(&scene, &back).await;
            scene.end(&one).await;
            node.stop().await;
        }
    });
}

/// A node without a switch, and a machine on it.
struct Plain {
    cloud: Cloud,
    config: NodeConfig,
    id: types::NodeId,
    machine: MachineDesired,
}

impl Plain {
    async fn set() -> Self {
        let cloud = Cloud::start().await;
        let config = NodeConfig { stop_seconds: 1, ..cloud.config("one", Some(cloud.token().await)) };
        let node = Node::start(config);
        let id = cloud.up("one").await.id;
        let config = node.stop().await;
        let machine = guest::machine(&cloud, &guest::obedient());
        Self { cloud, config, id, machine }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.config.state_dir.join("machines").join(self.machine.server_id.as_str()).join(name)
    }

    /// From one wish to the next, with an agent that comes there and one that dies on the way.
    async fn change(&mut self, point: &str, state: MachineState, change: impl FnOnce(&mut MachineDesired)) {
        self.machine = guest::next(&self.machine, change);
        self.cloud.want(&self.id, &self.machine);
        die_at(&self.config, point).await;
        self.comes_to(state).await;
    }

    async fn simply(&mut self, state: MachineState, change: impl FnOnce(&mut MachineDesired)) {
        self.machine = guest::next(&self.machine, change);
        self.cloud.want(&self.id, &self.machine);
        self.comes_to(state).await;
    }

    async fn comes_to(&self, state: MachineState) {
        let node = Node::start(self.config.clone());
        let wanted = (self.machine.generation, self.machine.reboots);
        let there = |found: &MachineObserved| found.state == state && (found.generation, found.reboots) == wanted;
        self.cloud.rooms.observed_when(&self.machine.server_id, there).await;
        node.stop().await;
    }
}

/// Makes it restart, too.
fn anew(change: impl FnOnce(&mut MachineDesired)) -> impl FnOnce(&mut MachineDesired) {
    |machine| {
        let restarted = restarted(machine, change);
        *machine = MachineDesired { generation: machine.generation, ..restarted };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_while_it_holds_a_guest_still_or_changes_its_disks_gets_there_later() {
    use MachineState::{Paused, Running};
    let mut place = Plain::set().await;
    place.simply(Running, |_| ()).await;
    for point in ["node.machine.pausing", "node.machine.paused"] {
        place.change(point, Paused, |machine| machine.power = Power::Paused).await;
        place.change("node.machine.unpaused", Running, |machine| machine.power = Power::Running).await;
    }

    let image = guest::machine(&place.cloud, &guest::stubborn()).root().unwrap().clone();
    place.change("node.rescue.made", Running, anew(|machine| machine.devices.insert(0, Device::Rescue(image)))).await;
    assert!(place.file("rescue.qcow2").exists());
    let plain = |machine: &mut MachineDesired| machine.devices.retain(|device| !matches!(device, Device::Rescue(_)));
    place.change("node.rescue.dropped", Running, anew(plain)).await;
    assert!(!place.file("rescue.qcow2").exists());

    let (root, kept) = (place.file("root.qcow2"), place.file("root.kept.qcow2"));
    for (mark, point) in [(1, "node.kept.copied"), (2, "node.disk.growing")] {
        let copy = KeptDisk { mark, back: false };
        let larger = |machine: &mut MachineDesired| {
            machine.kept = Some(copy);
            machine.root_mut().unwrap().size = 16 << 20;
        };
        place.change(point, Running, anew(larger)).await;
        assert_eq!((size_of(&root), size_of(&kept)), (16 << 20, 8 << 20));
        let back = |machine: &mut MachineDesired| {
            machine.kept = Some(KeptDisk { back: true, ..copy });
            machine.root_mut().unwrap().size = 8 << 20;
        };
        place.change("node.kept.back", Running, anew(back)).await;
        assert_eq!(size_of(&root), 8 << 20);
    }
    place.simply(Running, anew(|machine| machine.kept = Some(KeptDisk { mark: 3, back: false }))).await;
    assert!(kept.exists());
    place.change("node.kept.dropped", Running, |machine| machine.kept = None).await;
    until("the copy is gone", || !kept.exists()).await;
}
