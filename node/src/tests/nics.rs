// SPDX-License-Identifier: Apache-2.0
//! NICs that come to running machines and go from them.

use std::net::Ipv4Addr;

use contracts::node::{Answer, DeviceId, DeviceState, MachineDesired, MachineObserved, MachineState, Power, RebootKind};
use types::PortId;

use super::{
    cloud::{Cloud, Node},
    guest,
    machine::pid_of,
    network::{Central, in_private_network, with_switch},
    port::{booted, inventory, nic, nothing_is_left},
};

fn state_of(port: &PortId, wanted: fn(&DeviceState) -> bool) -> impl Fn(&MachineObserved) -> bool {
    let id = DeviceId::nic(port);
    move |found| found.device(&id).is_some_and(wanted)
}

fn tap_of(port: &PortId) -> String {
    qemu::tap::name_of(port.as_str().parse().unwrap())
}

/// The taps and ports of the switch that there are, doors apart.
async fn wired(cloud: &Cloud, node: &types::NodeId) -> Vec<String> {
    let Answer::Inventory { mut taps, switch_ports, .. } = inventory(cloud, node).await else { panic!("no inventory") };
    assert!(taps.iter().all(|tap| switch_ports.contains(tap)), "{taps:?} {switch_ports:?}");
    taps.sort();
    taps
}

fn sorted(ports: &[&PortId]) -> Vec<String> {
    let mut taps: Vec<String> = ports.iter().map(|port| tap_of(port)).collect();
    taps.sort();
    taps
}

#[test]
fn a_nic_that_its_guest_does_not_let_go_is_said_to_be_there_and_goes_with_the_next_start() {
    in_private_network(async || {
        let central = Central::start().await;
        let cloud = Cloud::start_with(&central.southbound()).await;
        let node = Node::start(with_switch(cloud.config("one", Some(cloud.token().await))));
        let id = cloud.up("one").await.id;
        let network = central.network(1);
        let mut machine = guest::machine(&cloud, &guest::obedient());
        let nics = [11, 12].map(|last| nic(&central, &network, Ipv4Addr::new(10, 0, 1, last)));
        let (first, second) = (nics[0].port_id.clone(), nics[1].port_id.clone());
        machine.set_nics([nics[0].clone()]);
        let server = &machine.server_id;
        cloud.run(&id, &machine).await;
        booted(&node, &machine).await;
        let pid = pid_of(node.dir(), server);

        // One comes: same process, and OVN sees the port.
        let both = guest::next(&machine, |machine| machine.set_nics(nics.clone()));
        cloud.want(&id, &both);
        cloud.rooms.observed_when(server, state_of(&second, |state| *state == DeviceState::Plugged)).await;
        assert_eq!(wired(&cloud, &id).await, sorted(&[&first, &second]));
        super::machine::until("OVN sees it", || central.is_up(&second)).await;

        // The first is to go. A guest that does not know how keeps it, and it is not said to be gone.
        let one = guest::next(&both, |machine| machine.set_nics([nics[1].clone()]));
        cloud.want(&id, &one);
        cloud.rooms.observed_when(server, state_of(&first, |state| *state == DeviceState::Unplugging)).await;
        assert_eq!(wired(&cloud, &id).await, sorted(&[&first, &second]));
        let refused =
            state_of(&first, |state| matches!(state, DeviceState::Failed { cause } if cause.contains("let go of the NIC")));
        cloud.rooms.observed_when(server, refused).await;
        assert_eq!(pid_of(node.dir(), server), pid);

        // Who comes after a restart of the agent knows what there is.
        let node = Node::start(node.stop().await);
        cloud.rooms.forget(server);
        cloud.rooms.observed_when(server, state_of(&first, |state| *state == DeviceState::Unplugging)).await;
        let found = cloud.rooms.last(server).unwrap();
        assert_eq!(found.device(&DeviceId::nic(&second)), Some(&DeviceState::Plugged));

        let rebooted = guest::next(&one, |machine| (machine.reboots, machine.reboot) = (1, RebootKind::Hard));
        cloud.want(&id, &rebooted);
        let gone = DeviceId::nic(&first);
        let as_wanted =
            |found: &MachineObserved| found.reboots == 1 && found.state == MachineState::Running && found.device(&gone).is_none();
        cloud.rooms.observed_when(server, as_wanted).await;
        assert_eq!(wired(&cloud, &id).await, sorted(&[&second]));
        cloud.unwant(&id, server);
        nothing_is_left(&cloud, &id).await;
        node.stop().await;
    });
}

#[test]
fn a_nic_comes_to_a_machine_without_any_and_is_there_at_its_next_start() {
    in_private_network(async || {
        let central = Central::start().await;
        let cloud = Cloud::start_with(&central.southbound()).await;
        let node = Node::start(with_switch(cloud.config("one", Some(cloud.token().await))));
        let id = cloud.up("one").await.id;
        let network = central.network(1);
        let machine: MachineDesired = guest::machine(&cloud, &guest::obedient());
        let server = &machine.server_id;
        cloud.run(&id, &machine).await;
        booted(&node, &machine).await;
        let card = nic(&central, &network, Ipv4Addr::new(10, 0, 1, 11));
        let with = guest::next(&machine, |machine| machine.set_nics([card.clone()]));
        cloud.want(&id, &with);
        cloud.rooms.observed_when(server, state_of(&card.port_id, |state| *state == DeviceState::Plugged)).await;
        let stopped = guest::next(&with, |machine| machine.power = Power::Stopped);
        cloud.want(&id, &stopped);
        cloud.rooms.state_when(server, MachineState::Stopped).await;
        assert!(wired(&cloud, &id).await.is_empty());
        let started = guest::next(&stopped, |machine| machine.power = Power::Running);
        cloud.want(&id, &started);
        let found = cloud.rooms.observed_when(server, |found| found.state == MachineState::Running).await;
        assert_eq!(found.device(&DeviceId::nic(&card.port_id)), Some(&DeviceState::Plugged));
        node.stop().await;
    });
}

#[test]
fn a_nic_that_its_guest_lets_go_is_gone_with_its_tap_and_its_port() {
    in_private_network(async || {
        let central = Central::start().await;
        let cloud = Cloud::start_with(&central.southbound()).await;
        let node = Node::start(with_switch(cloud.config("one", Some(cloud.token().await))));
        let id = cloud.up("one").await.id;
        let network = central.network(1);
        let mut machine = guest::machine(&cloud, &guest::courteous());
        let nics = [11, 12].map(|last| nic(&central, &network, Ipv4Addr::new(10, 0, 1, last)));
        let (first, second) = (nics[0].port_id.clone(), nics[1].port_id.clone());
        machine.set_nics(nics.clone());
        let server = &machine.server_id;
        cloud.run(&id, &machine).await;
        booted(&node, &machine).await;
        let pid = pid_of(node.dir(), server);
        // It goes, comes again, and goes.
        let mut wanted = machine.clone();
        for _ in 0..2 {
            wanted = guest::next(&wanted, |machine| machine.set_nics([nics[1].clone()]));
            cloud.want(&id, &wanted);
            let gone = DeviceId::nic(&first);
            cloud
                .rooms
                .observed_when(server, |found| found.generation == wanted.generation && found.device(&gone).is_none())
                .await;
            assert_eq!(wired(&cloud, &id).await, sorted(&[&second]));
            wanted = guest::next(&wanted, |machine| machine.set_nics(nics.clone()));
            cloud.want(&id, &wanted);
            cloud.rooms.observed_when(server, state_of(&first, |state| *state == DeviceState::Plugged)).await;
            assert_eq!(wired(&cloud, &id).await, sorted(&[&first, &second]));
        }
        assert_eq!(pid_of(node.dir(), server), pid);
        cloud.unwant(&id, server);
        nothing_is_left(&cloud, &id).await;
        node.stop().await;
    });
}
