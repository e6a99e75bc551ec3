// SPDX-License-Identifier: Apache-2.0
//! What a guest may read about itself: the documents, in OpenStack's and in EC2's shape, apart from how they reach it
//! (a configuration drive, or the metadata service).

mod ec2;
mod network_data;
mod openstack;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use base64::{Engine, engine::general_purpose::STANDARD};
use contracts::node::MachineDesired;
use disks::config_drive::Files;

pub(crate) use ec2::{Ec2, VERSIONS as EC2_VERSIONS};
pub(crate) use openstack::{PASSWORD, VERSIONS, document, has_password};

/// Everything on a configuration drive.
pub(crate) fn config_drive(machine: &MachineDesired) -> Files {
    let mut files = Files::new();
    for version in VERSIONS.iter().copied().chain(["latest"]) {
        for name in openstack::NAMES {
            if let Some(content) = document(machine, version, name) {
                files.insert(format!("openstack/{version}/{name}"), content);
            }
        }
    }
    let ec2 = Ec2::of(machine);
    for version in ["2009-04-04", "latest"] {
        files.insert(format!("ec2/{version}/meta-data.json"), ec2.json());
        if let Some(data) = user_data(machine) {
            files.insert(format!("ec2/{version}/user-data"), data);
        }
    }
    files
}

/// The documents that a version has for this machine.
pub(crate) fn names(machine: &MachineDesired, version: &str) -> Option<Vec<&'static str>> {
    let there = openstack::NAMES.into_iter().filter(|name| document(machine, version, name).is_some());
    let mut names: Vec<_> = there.collect();
    if has_password(version) {
        let place = names.iter().position(|name| name.starts_with("vendor_data")).unwrap_or(names.len());
        names.insert(place, PASSWORD);
    }
    Some(names).filter(|names| !names.is_empty())
}

/// User data as the user meant it; what is no base64 is handed on as it came.
pub(crate) fn user_data(machine: &MachineDesired) -> Option<Vec<u8>> {
    let text = machine.metadata.user_data.as_ref()?.reveal();
    // Encoders break lines.
    let compact: String = text.split_ascii_whitespace().collect();
    Some(STANDARD.decode(compact).unwrap_or_else(|_| text.as_bytes().to_vec()))
}
