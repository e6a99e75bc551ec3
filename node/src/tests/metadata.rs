// SPDX-License-Identifier: Apache-2.0
//! What guests learn of themselves over the network, and what they do not.

use std::net::Ipv4Addr;

use contracts::{node::Power, nodes::Nodes};
use sha2::{Digest, Sha256};
use types::Mac;

use super::{
    cloud::{Cloud, Node},
    guest,
    network::{Central, Guest, in_private_network, run, with_switch},
    port::nic,
};

#[test]
fn metadata_answers_by_source_address_only() {
    in_private_network(async || {
        let central = Central::start().await;
        let cloud = Cloud::start_with(&central.southbound()).await;
        let node = Node::start(with_switch(cloud.config("one", Some(cloud.token().await))));
        let id = cloud.up("one").await.id;
        // The same addresses in two networks; a third address that is no machine's.
        let networks = [central.network(1), central.network(1)];
        let address = Ipv4Addr::new(10, 0, 1, 11);
        let mut guests = Vec::new();
        for (number, network) in networks.iter().enumerate() {
            let mut machine = guest::machine(&cloud, &guest::obedient());
            machine.power = Power::Stopped;
            machine.metadata.name = format!("machine-{number}");
            machine.set_nics([nic(&central, network, address)]);
            cloud.want(&id, &machine);
            let (port, mac) = machine.nics().next().map(|nic| (&nic.port_id, nic.mac)).unwrap();
            guests.push((Guest::plug(node.dir(), &format!("g{number}"), port, mac, address), machine));
        }
        let (mac, stray) = (Mac::generate(), Ipv4Addr::new(10, 0, 1, 12));
        let stray = Guest::plug(node.dir(), "stray", &central.port(&networks[0], mac, stray), mac, stray);

        for (number, (guest, machine)) in guests.iter().enumerate() {
            let (status, body) = guest.get("/openstack/latest/meta_data.json", "");
            assert_eq!(status, 200, "{body}");
            let data: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(data["name"], format!("machine-{number}"));
            assert_eq!(data["uuid"], machine.server_id.as_str());
            assert_eq!(data["public_keys"]["mine"], "ssh-ed25519 AAAA");
            assert_eq!(guest.get("/openstack/latest/user_data", ""), (200, "hello guest".into()));
            assert_eq!(guest.get("/latest/meta-data/local-ipv4", ""), (200, "10.0.1.11".into()));
            let keys = guest.get("/2009-04-04/meta-data/public-keys/0/openssh-key", "");
            assert_eq!(keys, (200, "ssh-ed25519 AAAA".into()));
            assert_eq!(guest.get("/openstack/latest/nothing", "").0, 404);
        }
        // Nobody becomes another by saying so.
        let victim = guests[0].1.server_id.as_str();
        let lies = format!("X-Forwarded-For: {address}\r\nX-Instance-ID: {victim}\r\nX-Instance-ID-Signature: 0\r\n");
        assert_eq!(stray.get("/openstack/latest/meta_data.json", &lies).0, 404);

        // A guest says its own password, once, and reads it again.
        let password = |version: &str| format!("/openstack/{version}/password");
        let (first, second) = (&guests[0].0, &guests[1].0);
        assert_eq!(first.get(&password("latest"), ""), (200, String::new()));
        assert_eq!(first.ask("POST", &password("latest"), "", &"x".repeat(1021)).0, 400);
        assert_eq!(first.ask("POST", &password("latest"), "", "a\0b").0, 400);
        assert_eq!(first.ask("PUT", &password("latest"), "", "x").0, 400);
        assert_eq!(stray.ask("POST", &password("latest"), &lies, "stolen").0, 404);
        assert_eq!(first.ask("POST", &password("2013-04-04"), "", &"s".repeat(1020)), (200, String::new()));
        assert_eq!(first.ask("POST", &password("latest"), "", "another").0, 409);
        assert_eq!(first.ask("POST", &password("2012-08-10"), "", "another").0, 405, "that version has none");
        let said = cloud.rooms.passwords.lock().unwrap().clone();
        assert_eq!(said, [(guests[0].1.server_id.clone(), "s".repeat(1020))].into());
        cloud.fleet.wake(&id);
        let told = async {
            while first.get(&password("latest"), "").1.is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(super::cloud::PATIENCE, told).await.unwrap();
        assert_eq!(first.ask("POST", &password("latest"), "", "another").0, 409);
        assert_eq!(second.get(&password("latest"), ""), (200, String::new()));

        // A machine that is gone has no metadata any more.
        cloud.unwant(&id, &guests[1].1.server_id);
        cloud.rooms.state_when(&guests[1].1.server_id, contracts::node::MachineState::Gone).await;
        assert_eq!(guests[0].0.get("/latest/meta-data/hostname", ""), (200, "web".into()));
        let doors = || {
            std::fs::read_dir("/run/netns")
                .unwrap()
                .flatten()
                .filter(|entry| entry.file_name().to_string_lossy().starts_with("ferro-"))
        };
        let one_left = async {
            while doors().count() != 1 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(super::cloud::PATIENCE, one_left).await.unwrap();
        node.stop().await;
    });
}

#[test]
fn networks_whose_ids_begin_alike_have_doors_of_their_own() {
    in_private_network(async || {
        let central = Central::start().await;
        let cloud = Cloud::start_with(&central.southbound()).await;
        let node = Node::start(with_switch(cloud.config("one", Some(cloud.token().await))));
        let id = cloud.up("one").await.id;
        let networks = ["12345678-9abc-4def-8000-000000000001", "12345678-9abc-4def-8000-000000000002"];
        // Somebody else has a device of the name that the first door would have.
        let root = node.dir().canonicalize().unwrap();
        let mark = hex::encode(&Sha256::digest(root.as_os_str().as_encoded_bytes())[..8]);
        let namespace = format!("ferro-{mark}-{}", networks[0]);
        let theirs = format!("fm{}", &hex::encode(Sha256::digest(namespace.as_bytes()))[..13]);
        run("ip", &["link", "add", &theirs, "type", "veth", "peer", "name", "theirs"]);

        let address = Ipv4Addr::new(10, 0, 1, 11);
        let mut guests = Vec::new();
        for (number, network) in networks.into_iter().enumerate() {
            let network = central.network_called(network.into(), 1);
            let mut machine = guest::machine(&cloud, &guest::obedient());
            machine.power = Power::Stopped;
            machine.metadata.name = format!("machine-{number}");
            machine.set_nics([nic(&central, &network, address)]);
            cloud.want(&id, &machine);
            let (port, mac) = machine.nics().next().map(|nic| (&nic.port_id, nic.mac)).unwrap();
            guests.push(Guest::plug(node.dir(), &format!("g{number}"), port, mac, address));
        }
        let check = || {
            for (number, guest) in guests.iter().enumerate() {
                let (status, body) = guest.get("/openstack/latest/meta_data.json", "");
                assert!(status == 200 && body.contains(&format!("machine-{number}")), "{body}");
            }
        };
        check();
        assert!(run("ip", &["-o", "link", "show", &theirs]).contains("@theirs"), "their device is left alone");
        // Another agent finds the doors, under the names that they have, and opens them anew.
        let node = Node::start(node.stop().await);
        cloud.up("one").await;
        check();
        let doors: Vec<String> = std::fs::read_dir("/run/netns")
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("ferro-"))
            .collect();
        assert_eq!(doors.len(), 2, "{doors:?}");
        assert!(doors.contains(&format!("{namespace}.1")), "{doors:?}");
        node.stop().await;
    });
}
