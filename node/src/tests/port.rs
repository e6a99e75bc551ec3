// SPDX-License-Identifier: Apache-2.0
//! Machines with ports, on a real switch under a real OVN.

use std::{net::Ipv4Addr, time::Duration};

use contracts::{
    node::{Answer, Ask, MachineDesired, MachineState, NicDesired, Power},
    nodes::Nodes,
    ports::FixedIp,
};
use ovn::daemons::{Layout, Supervisor};
use types::{Mac, NodeId, SubnetId};

use super::{
    cloud::{Cloud, Node, PATIENCE},
    guest,
    network::{Central, Network, SOUTHBOUND_BY_TLS, in_private_network, run, with_switch},
    scratch::Scratch,
};
use crate::Switch;

pub(super) fn nic(central: &Central, network: &Network, address: Ipv4Addr) -> NicDesired {
    let mac = Mac::generate();
    NicDesired {
        port_id: central.port(network, mac, address),
        network_id: network.id.clone(),
        mac,
        mtu: 1442,
        fixed_ips: vec![FixedIp {
            subnet_id: SubnetId::generate(),
            address: address.into(),
            prefix: 24,
            gateway: None,
            dns: vec![],
            routes: vec![],
            dhcp: true,
            ipv6_address_mode: None,
        }],
        metadata: Some(network.door.clone()),
        tag: None,
    }
}

pub(super) async fn inventory(cloud: &Cloud, node: &NodeId) -> Answer {
    cloud.fleet.ask(node, Ask::Inventory).await.unwrap()
}

/// Waits until the node has nothing of any machine.
pub(super) async fn nothing_is_left(cloud: &Cloud, node: &NodeId) {
    let look = async {
        loop {
            // The node may just have been started.
            if let Ok(Answer::Inventory { processes, taps, machines, switch_ports, namespaces }) =
                cloud.fleet.ask(node, Ask::Inventory).await
                && machines.is_empty()
                && [&processes, &taps, &switch_ports, &namespaces].iter().all(|list| list.is_empty())
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, look).await;
    if waited.is_err() {
        panic!("this is left: {:?}", inventory(cloud, node).await);
    }
}

/// Waits until the guest said hello: a power button pressed before it listens is pressed in vain for a while.
pub(super) async fn booted(node: &Node, machine: &MachineDesired) {
    let console = node.dir().join("machines").join(machine.server_id.as_str()).join("console.log");
    let said = async {
        while !std::fs::read_to_string(&console).is_ok_and(|text| text.contains("hello")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, said).await.expect("the guest said nothing");
}

#[test]
fn a_port_is_wired_before_the_guest_runs_and_gone_with_the_machine() {
    in_private_network(async || {
        let cloud = Cloud::start_with(SOUTHBOUND_BY_TLS).await;
        // The node's certificate and the controller's are what OVN's own daemons accept.
        let central = Central::start_for(&cloud.fleet).await;
        let node = Node::start(with_switch(cloud.config("one", Some(cloud.token().await))));
        let id = cloud.up("one").await.id;
        let network = central.network(1);
        let mut machine = guest::machine(&cloud, &guest::obedient());
        machine.set_nics([nic(&central, &network, Ipv4Addr::new(10, 0, 1, 11))]);
        let port = machine.nics().next().unwrap().port_id.clone();
        let tap = qemu::tap::name_of(port.as_str().parse().unwrap());

        cloud.want(&id, &machine);
        cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
        assert!(central.is_up(&port));
        assert!(run("ip", &["-o", "link", "show", &tap]).contains("mtu 1442"));
        let Answer::Inventory { processes, taps, machines, switch_ports, namespaces } = inventory(&cloud, &id).await else {
            panic!("no inventory")
        };
        assert_eq!(processes, [machine.server_id.to_string()]);
        assert_eq!(machines, [(machine.server_id.to_string(), vec![tap.clone()])].into());
        assert_eq!(taps, std::slice::from_ref(&tap));
        assert!(switch_ports.contains(&tap) && switch_ports.len() == 2, "{switch_ports:?}");
        assert_eq!(namespaces.len(), 1);

        booted(&node, &machine).await;
        // A stopped machine's port is down, as in Neutron.
        let stopped = guest::next(&machine, |machine| machine.power = Power::Stopped);
        cloud.want(&id, &stopped);
        cloud.rooms.state_when(&machine.server_id, MachineState::Stopped).await;
        assert!(!run("ip", &["-o", "link"]).contains(&tap));
        cloud.want(&id, &guest::next(&stopped, |machine| machine.power = Power::Running));
        cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;

        cloud.unwant(&id, &machine.server_id);
        cloud.rooms.state_when(&machine.server_id, MachineState::Gone).await;
        nothing_is_left(&cloud, &id).await;
        node.stop().await;
    });
}

#[test]
fn a_physical_network_is_a_bridge_with_its_card() {
    in_private_network(async || {
        let central = Central::start().await;
        let cloud = Cloud::start_with(&central.southbound()).await;
        run("ip", &["link", "add", "card0", "type", "veth", "peer", "name", "lan0"]);
        run("ip", &["addr", "add", "192.0.2.1/24", "dev", "card0"]);
        let mut config = with_switch(cloud.config("one", Some(cloud.token().await)));
        let physical = crate::PhysicalNetwork { bridge: "br-office".into(), nic: Some("card0".into()) };
        config.physical_networks.insert("office".into(), physical);

        // A card by which the host itself is reached is not taken away from it.
        let error = Node::start(config.clone()).running.await.unwrap().unwrap_err();
        assert!(error.chain().contains("has addresses of this host"), "{}", error.chain());

        run("ip", &["addr", "flush", "dev", "card0"]);
        let node = Node::start(config);
        let facts = cloud.up("one").await;
        assert_eq!(facts.hello.unwrap().physical_networks, ["office"]);
        assert!(cloud.offer(&facts.id).await.1.contains("CUSTOM_PHYSNET_OFFICE"));
        let db = format!("--db=unix:{}", node.dir().join("ovs/run/db.sock").display());
        assert_eq!(run("ovs-vsctl", &[&db, "port-to-br", "card0"]).trim(), "br-office");
        let mapped = async {
            loop {
                let chassis = run("ovn-sbctl", &[&format!("--db={}", central.southbound()), "list", "chassis"]);
                if chassis.contains("ovn-bridge-mappings=\"office:br-office\"") && chassis.contains(facts.id.as_str()) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, mapped).await.expect("the chassis does not say its mapping");
        assert!(run("ip", &["-o", "link", "show", "card0"]).contains("UP"));
        node.stop().await;
    });
}

#[test]
fn the_hosts_own_switch_serves_as_well() {
    in_private_network(async || {
        let cloud = Cloud::start_with(SOUTHBOUND_BY_TLS).await;
        let central = Central::start_for(&cloud.fleet).await;
        // Daemons that somebody else started, and that know nothing of the cloud.
        let dir = Scratch::new();
        let layout = Layout::under(dir.path());
        let daemons = Supervisor::start(layout.host(None)).await;
        daemons.ready(tokio::time::Instant::now() + PATIENCE).await.unwrap();

        let mut config = cloud.config("one", Some(cloud.token().await));
        config.switch = Switch::Host { run_dir: dir.path().join("run") };
        let node = Node::start(config);
        let id = cloud.up("one").await.id;
        let network = central.network(1);
        let mut machine = guest::machine(&cloud, &guest::obedient());
        machine.set_nics([nic(&central, &network, Ipv4Addr::new(10, 0, 1, 11))]);
        cloud.want(&id, &machine);
        cloud.rooms.state_when(&machine.server_id, MachineState::Running).await;
        assert!(central.is_up(&machine.nics().next().unwrap().port_id));
        cloud.unwant(&id, &machine.server_id);
        nothing_is_left(&cloud, &id).await;
        node.stop().await;
    });
}
