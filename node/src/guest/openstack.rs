// SPDX-License-Identifier: Apache-2.0
//! OpenStack's documents, each in every version that has it.

use base64::{Engine, engine::general_purpose::STANDARD};
use contracts::node::{DiskDesired, MachineDesired, NicDesired};
use serde_json::{Value, json};

use super::{network_data::network_data, user_data};

/// Oldest first, as Nova lists them; `latest` comes after.
pub(crate) const VERSIONS: [&str; 9] = [
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
];

/// What a guest can say, too; never on a configuration drive.
pub(crate) const PASSWORD: &str = "password";

pub(crate) fn has_password(version: &str) -> bool {
    version == "latest" || (VERSIONS.contains(&version) && version >= "2013-04-04")
}

pub(super) const NAMES: [&str; 5] = ["meta_data.json", "user_data", "vendor_data.json", "network_data.json", "vendor_data2.json"];

/// A document, or none if this version does not have it or this machine has nothing to say in it.
pub(crate) fn document(machine: &MachineDesired, version: &str, name: &str) -> Option<Vec<u8>> {
    if version != "latest" && !VERSIONS.contains(&version) {
        return None;
    }
    let since = |first: &str| version == "latest" || version >= first;
    match name {
        "meta_data.json" => Some(bytes(&meta_data(machine, since))),
        "user_data" => user_data(machine),
        "vendor_data.json" if since("2013-10-17") => Some(bytes(&json!({}))),
        "network_data.json" if since("2015-10-15") => Some(bytes(&network_data(machine.nics()))),
        "vendor_data2.json" if since("2016-10-06") => Some(bytes(&json!({ "static": {} }))),
        _ => None,
    }
}

fn meta_data(machine: &MachineDesired, since: impl Fn(&str) -> bool + Copy) -> Value {
    let facts = &machine.metadata;
    let mut data = json!({
        "uuid": machine.server_id,
        "name": facts.name,
        "hostname": facts.hostname,
        "launch_index": facts.launch_index,
        "availability_zone": facts.availability_zone,
    });
    if !facts.meta.is_empty() {
        data["meta"] = json!(facts.meta);
    }
    if !facts.public_keys.is_empty() {
        data["public_keys"] = json!(facts.public_keys);
        let key = |(name, key): (&String, &String)| json!({ "name": name, "type": "ssh", "data": key });
        data["keys"] = facts.public_keys.iter().map(key).collect();
    }
    if since("2013-04-04") {
        data["random_seed"] = json!(random_seed());
    }
    if let Some(password) = &facts.admin_password {
        data["admin_pass"] = json!(password.reveal());
    }
    if since("2015-10-15") {
        data["project_id"] = json!(machine.project_id);
    }
    if since("2016-06-30") {
        data["devices"] = devices(machine, since);
    }
    if since("2020-10-14") {
        data["dedicated_cpus"] = json!([]);
    }
    data
}

/// The devices that their owner gave a tag, and where the guest finds them.
fn devices(machine: &MachineDesired, since: impl Fn(&str) -> bool + Copy) -> Value {
    // A machine that is rescued has its own disk behind the other one.
    let before = usize::from(machine.rescue().is_some());
    let own = before + usize::from(machine.root().is_some());
    let layout = qemu::Layout::new(machine.has_config_drive(), own + machine.disks().count(), machine.nics().count());
    let nic = |(number, nic): (usize, &NicDesired)| {
        let tag = nic.tag.as_ref()?;
        let address = layout.address_of_nic(number);
        let mut device = json!({ "type": "nic", "mac": nic.mac, "bus": "pci", "address": address, "tags": [tag] });
        // Of a network card that is shared out by hardware. Here is none.
        if since("2018-08-27") {
            device["vf_trusted"] = json!(false);
        }
        Some(device)
    };
    let disk = machine.root().and_then(|root| root.tag.as_ref()).map(|tag| {
        let address = layout.address_of_disk(before);
        json!({ "type": "disk", "serial": null, "bus": "pci", "address": address, "tags": [tag] })
    });
    let volume = |(number, disk): (usize, &DiskDesired)| {
        let (tag, address) = (disk.tag.as_ref()?, layout.address_of_disk(own + number));
        Some(json!({ "type": "disk", "serial": disk.serial(), "bus": "pci", "address": address, "tags": [tag] }))
    };
    let volumes = machine.disks().enumerate().filter_map(volume);
    machine.nics().enumerate().filter_map(nic).chain(disk).chain(volumes).collect()
}

/// A guest without a hardware source of randomness begins with this: 512 bytes, as Nova gives.
fn random_seed() -> String {
    let mut seed = Vec::with_capacity(512);
    while seed.len() < 512 {
        seed.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
    }
    STANDARD.encode(seed)
}

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
