// SPDX-License-Identifier: Apache-2.0
//! The documents, as cloud-init reads them.

use std::collections::BTreeMap;

use contracts::{
    node::{Device, InstanceMetadata, MachineDesired, NicDesired, Power, RebootKind, Role, RootDisk},
    ports::FixedIp,
};
use serde_json::{Value, json};
use types::{Generation, Secret};

use super::{Ec2, config_drive, document, names};

fn machine() -> MachineDesired {
    let fixed = |address: &str, prefix, gateway: &str, dhcp| FixedIp {
        subnet_id: "subnet".into(),
        address: address.parse().unwrap(),
        prefix,
        gateway: Some(gateway.parse().unwrap()),
        dns: vec!["9.9.9.9".parse().unwrap()],
        routes: vec![("192.168.0.0/16".into(), "10.0.1.254".parse().unwrap())],
        dhcp,
        ipv6_address_mode: None,
    };
    let nic = |port: &str, fixed_ips| NicDesired {
        port_id: port.into(),
        network_id: "network".into(),
        mac: "fa:16:3e:00:00:01".parse().unwrap(),
        mtu: 1442,
        fixed_ips,
        metadata: None,
        tag: None,
    };
    let nics = [
        nic("aaaaaaaa-bbbb-4ccc", vec![fixed("10.0.1.5", 24, "10.0.1.1", true)]),
        nic("dddddddd-eeee-4fff", vec![fixed("10.0.2.5", 24, "10.0.2.1", false), fixed("2001:db8::5", 64, "2001:db8::1", true)]),
    ];
    let root = RootDisk {
        image_id: "9c1f-image".into(),
        sha512: String::new(),
        format: "raw".into(),
        image_size: 0,
        size: 0,
        tag: None,
        made: false,
        edition: 0,
        ticket: None,
    };
    let devices = [Device::Root(root), Device::Config].into_iter().chain(nics.map(Device::Nic)).collect();
    MachineDesired {
        server_id: "0f3b7a52-1111-4222-8333-444455556666".into(),
        generation: Generation(1),
        project_id: "project".into(),
        role: Role::Run,
        exclusive: false,
        power: Power::Running,
        reboots: 0,
        reboot: RebootKind::Soft,
        vcpus: 1,
        memory_mb: 64,
        devices,
        watchdog: None,
        metadata: InstanceMetadata {
            hostname: "web.example".into(),
            name: "Web".into(),
            availability_zone: "nova".into(),
            launch_index: 2,
            flavor: "m1.small".into(),
            public_keys: BTreeMap::from([("mine".into(), "ssh-ed25519 AAAA me".into())]),
            meta: BTreeMap::from([("role".into(), "front".into())]),
            user_data: Some(Secret::new("IyEvYmluL3NoCg==".into())),
            admin_password: Some(Secret::new("hunter2".into())),
            guest_password: None,
            floating_ips: vec!["203.0.113.7".parse().unwrap()],
            reservation_id: "r-abc".into(),
            security_groups: vec!["default".into(), "web".into()],
        },
        snapshot: None,
        kept: None,
    }
}

fn parsed(version: &str, name: &str) -> Value {
    serde_json::from_slice(&document(&machine(), version, name).unwrap()).unwrap()
}

fn nic_of(machine: &mut MachineDesired, number: usize) -> &mut NicDesired {
    let mut nics = machine.devices.iter_mut().filter_map(|device| if let Device::Nic(nic) = device { Some(nic) } else { None });
    nics.nth(number).unwrap()
}

#[test]
fn meta_data_grows_with_its_versions() {
    let oldest = parsed("2012-08-10", "meta_data.json");
    assert_eq!(oldest["public_keys"]["mine"], "ssh-ed25519 AAAA me");
    assert_eq!((&oldest["random_seed"], &oldest["project_id"]), (&Value::Null, &Value::Null));
    let newest = parsed("latest", "meta_data.json");
    assert_eq!(newest["uuid"], "0f3b7a52-1111-4222-8333-444455556666");
    assert_eq!((&newest["hostname"], &newest["name"]), (&json!("web.example"), &json!("Web")));
    assert_eq!((&newest["launch_index"], &newest["project_id"]), (&json!(2), &json!("project")));
    assert_eq!(newest["meta"], json!({ "role": "front" }));
    assert_eq!(newest["keys"], json!([{ "name": "mine", "type": "ssh", "data": "ssh-ed25519 AAAA me" }]));
    assert_eq!(newest["admin_pass"], "hunter2");
    assert_ne!(newest["random_seed"], parsed("latest", "meta_data.json")["random_seed"]);
}

#[test]
fn versions_have_the_documents_of_their_time() {
    assert_eq!(names(&machine(), "2012-08-10").unwrap(), ["meta_data.json", "user_data"]);
    let all = ["meta_data.json", "user_data", "password", "vendor_data.json", "network_data.json", "vendor_data2.json"];
    assert_eq!(names(&machine(), "latest").unwrap(), all);
    assert_eq!(names(&machine(), "2013-04-04").unwrap(), ["meta_data.json", "user_data", "password"]);
    assert_eq!(names(&machine(), "2012-08-11"), None);
    assert_eq!(document(&machine(), "latest", "../../etc/passwd"), None);
}

#[test]
fn network_data_tells_who_uses_dhcp_and_how_the_others_are_wired() {
    let data = parsed("latest", "network_data.json");
    assert_eq!(data["links"][0]["id"], "tapaaaaaaaa-bb");
    assert_eq!((&data["links"][0]["mtu"], &data["links"][0]["type"]), (&json!(1442), &json!("ovs")));
    let by_dhcp = json!({ "id": "network0", "link": "tapaaaaaaaa-bb", "network_id": "network", "type": "ipv4_dhcp" });
    assert_eq!(data["networks"][0], by_dhcp);
    let fixed = &data["networks"][1];
    assert_eq!((&fixed["type"], &fixed["ip_address"]), (&json!("ipv4"), &json!("10.0.2.5")));
    assert_eq!(fixed["netmask"], "255.255.255.0");
    assert_eq!(fixed["routes"][0], json!({ "network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.2.1" }));
    assert_eq!(fixed["routes"][1], json!({ "network": "192.168.0.0", "netmask": "255.255.0.0", "gateway": "10.0.1.254" }));
    assert_eq!(data["networks"][2]["type"], "ipv6_dhcp");
    assert_eq!(data["services"], json!([{ "type": "dns", "address": "9.9.9.9" }]));
}

#[test]
fn ipv6_subnets_are_told_by_how_their_addresses_come() {
    let types = |mode: Option<&str>, dhcp: bool| {
        let mut machine = machine();
        let fixed = &mut nic_of(&mut machine, 1).fixed_ips[1];
        (fixed.ipv6_address_mode, fixed.dhcp) = (mode.map(str::to_owned), dhcp);
        let data: Value = serde_json::from_slice(&document(&machine, "latest", "network_data.json").unwrap()).unwrap();
        data["networks"][2].clone()
    };
    for mode in ["slaac", "dhcpv6-stateful", "dhcpv6-stateless"] {
        let network = types(Some(mode), true);
        assert_eq!(network["type"], format!("ipv6_{mode}"));
        assert_eq!(network["ip_address"], "2001:db8::5");
        assert_eq!(network["routes"][0], json!({ "network": "::", "netmask": "::", "gateway": "2001:db8::1" }));
    }
    let by_dhcp = types(None, true);
    assert_eq!((&by_dhcp["type"], by_dhcp.get("ip_address")), (&json!("ipv6_dhcp"), None));
    assert_eq!(types(None, false)["type"], "ipv6");
}

#[test]
fn one_network_of_each_family_is_told_and_a_bare_nic_is_left_to_the_guest() {
    let mut machine = machine();
    let second = FixedIp { address: "10.0.1.6".parse().unwrap(), ..nic_of(&mut machine, 0).fixed_ips[0].clone() };
    nic_of(&mut machine, 0).fixed_ips.push(second);
    nic_of(&mut machine, 1).fixed_ips.clear();
    let of = |machine: &MachineDesired| -> Value {
        serde_json::from_slice(&document(machine, "latest", "network_data.json").unwrap()).unwrap()
    };
    let data = of(&machine);
    assert_eq!((data["links"].as_array().unwrap().len(), data["networks"].as_array().unwrap().len()), (1, 1));
    machine.set_nics([]);
    assert_eq!(of(&machine), json!({}));
}

#[test]
fn tagged_devices_are_told_with_their_place() {
    let mut machine = machine();
    assert_eq!(parsed("latest", "meta_data.json")["devices"], json!([]));
    nic_of(&mut machine, 1).tag = Some("mgmt".into());
    machine.root_mut().unwrap().tag = Some("system".into());
    let of = |machine: &MachineDesired, version: &str| -> Value {
        let data: Value = serde_json::from_slice(&document(machine, version, "meta_data.json").unwrap()).unwrap();
        data["devices"].clone()
    };
    // The configuration drive's controller comes first, then the root disk, then the NICs.
    let nic = json!({
        "type": "nic", "bus": "pci", "address": "0000:04:00.0", "mac": "fa:16:3e:00:00:01", "tags": ["mgmt"], "vf_trusted": false,
    });
    let disk = json!({ "type": "disk", "bus": "pci", "address": "0000:02:00.0", "serial": null, "tags": ["system"] });
    assert_eq!(of(&machine, "latest"), json!([nic, disk]));
    assert_eq!(of(&machine, "2016-06-30")[0].get("vf_trusted"), None);
    assert_eq!(of(&machine, "2015-10-15"), Value::Null);
    machine.devices.retain(|device| *device != Device::Config);
    assert_eq!(of(&machine, "latest")[0]["address"], "0000:03:00.0");
}

#[test]
fn user_data_may_have_broken_lines() {
    let mut machine = machine();
    machine.metadata.user_data = Some(Secret::new("IyEvYmlu\nL3NoCg==\n".into()));
    assert_eq!(document(&machine, "latest", "user_data").unwrap(), b"#!/bin/sh\n");
}

#[test]
fn ec2_is_a_tree_of_texts() {
    let ec2 = Ec2::of(&machine());
    let listed = ec2.at(&[]).unwrap();
    for line in ["ami-id", "block-device-mapping/", "local-ipv4", "placement/", "public-keys/", "security-groups"] {
        assert!(listed.lines().any(|listed| listed == line), "{line} is not in {listed}");
    }
    assert_eq!(ec2.at(&["instance-id"]).unwrap(), "i-0f3b7a52");
    assert_eq!(ec2.at(&["local-ipv4"]).unwrap(), "10.0.1.5");
    assert_eq!(ec2.at(&["public-ipv4"]).unwrap(), "203.0.113.7");
    assert_eq!(ec2.at(&["placement", "availability-zone"]).unwrap(), "nova");
    assert_eq!(ec2.at(&["public-keys"]).unwrap(), "0=mine");
    assert_eq!(ec2.at(&["public-keys", "0"]).unwrap(), "openssh-key");
    assert_eq!(ec2.at(&["public-keys", "0", "openssh-key"]).unwrap(), "ssh-ed25519 AAAA me");
    assert_eq!(ec2.at(&["public-keys", "0", "_name"]), None);
    assert_eq!(ec2.at(&["nothing"]), None);
}

#[test]
fn the_configuration_drive_has_what_cloud_init_looks_for() {
    let files = config_drive(&machine());
    for path in [
        "openstack/latest/meta_data.json",
        "openstack/latest/user_data",
        "openstack/latest/network_data.json",
        "openstack/2012-08-10/meta_data.json",
        "ec2/latest/meta-data.json",
        "ec2/latest/user-data",
    ] {
        assert!(files.contains_key(path), "{path}");
    }
    assert_eq!(files["openstack/latest/user_data"], b"#!/bin/sh\n");
}
