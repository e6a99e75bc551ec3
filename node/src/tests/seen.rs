// SPDX-License-Identifier: Apache-2.0
//! A whole system as a guest, the small one of this house: what it makes of what happens to it.

use std::{fs, net::Ipv4Addr, time::Duration};

use contracts::node::{DeviceId, DeviceState, MachineObserved, NicDesired};

use super::{
    cloud::{Cloud, Node},
    disks::folder,
    guest,
    machine::pid_of,
    network::{Central, in_private_network, with_switch},
    port::{nic, nothing_is_left},
};

/// It boots in ten seconds; emulated, on a machine that does much else, in a few minutes.
const BOOT: Duration = Duration::from_secs(200);

async fn until(what: &str, done: impl Fn() -> bool) {
    let look = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(BOOT, look).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// Frames that the guest has sent by this card. It asks for an address by every card that its system finds.
fn frames(card: &NicDesired) -> u64 {
    let tap = qemu::tap::name_of(card.port_id.as_str().parse().unwrap());
    fs::read_to_string(format!("/sys/class/net/{tap}/statistics/rx_packets")).map_or(0, |count| count.trim().parse().unwrap())
}

#[test]
fn a_guest_sees_a_nic_come_and_go_while_it_runs() {
    in_private_network(async || {
        let central = Central::start().await;
        let cloud = Cloud::start_with(&central.southbound()).await;
        let node = Node::start(with_switch(cloud.config("one", Some(cloud.token().await))));
        let id = cloud.up("one").await.id;
        let network = central.network(1);
        let image = fs::read(lab::guest_image().unwrap()).unwrap();
        let mut machine = guest::machine(&cloud, &image);
        let root = machine.root_mut().unwrap();
        (root.format, root.size) = ("qcow2".into(), 256 << 20);
        machine.memory_mb = 192;
        let server = &machine.server_id;
        cloud.run(&id, &machine).await;
        let pid = pid_of(node.dir(), server);
        let console = folder(&node, &machine).join("console.log");
        let says = |text: &str| String::from_utf8_lossy(&fs::read(&console).unwrap_or_default()).contains(text);
        until("the system is up", || says("=== guest booted")).await;

        let card = nic(&central, &network, Ipv4Addr::new(10, 0, 1, 11));
        let device = DeviceId::nic(&card.port_id);
        let with = guest::next(&machine, |machine| machine.set_nics([card.clone()]));
        cloud.want(&id, &with);
        let plugged = |found: &MachineObserved| found.device(&device) == Some(&DeviceState::Plugged);
        cloud.rooms.observed_when(server, plugged).await;
        until("the guest uses the card", || frames(&card) > 0).await;

        let without = guest::next(&with, |machine| machine.set_nics([]));
        cloud.want(&id, &without);
        // Nobody but its system can have let it go.
        let gone = |found: &MachineObserved| found.generation == without.generation && found.device(&device).is_none();
        cloud.rooms.observed_when(server, gone).await;
        assert_eq!(pid_of(node.dir(), server), pid, "it ran all the while");
        cloud.unwant(&id, server);
        nothing_is_left(&cloud, &id).await;
        node.stop().await;
    });
}
