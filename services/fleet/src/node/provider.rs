// SPDX-License-Identifier: Apache-2.0
//! What a node offers, in placement's words.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{node::Hello, placement::Inventory};

/// The trait by which OpenStack's scheduler passes over a host that takes no new machines.
const DISABLED: &str = "COMPUTE_STATUS_DISABLED";

pub(crate) fn inventories(hello: &Hello, vcpu_ratio: f64) -> BTreeMap<String, Inventory> {
    let inventory = |total, allocation_ratio| Inventory { total, reserved: 0, allocation_ratio };
    BTreeMap::from([
        ("VCPU".to_owned(), inventory(hello.vcpus, vcpu_ratio)),
        ("MEMORY_MB".to_owned(), inventory(hello.memory_mb, 1.0)),
        ("DISK_GB".to_owned(), inventory(hello.disk_gb, 1.0)),
    ])
}

pub(crate) fn traits(hello: &Hello, disabled: bool) -> BTreeSet<String> {
    let known = ["COMPUTE_NODE", "COMPUTE_IMAGE_TYPE_QCOW2", "COMPUTE_IMAGE_TYPE_RAW"].map(str::to_owned);
    let arch = (hello.cpu_arch == "x86_64").then(|| "HW_ARCH_X86_64".to_owned());
    let disabled = disabled.then(|| DISABLED.to_owned());
    let networks = hello.physical_networks.iter().map(|name| format!("CUSTOM_PHYSNET_{}", custom(name)));
    known.into_iter().chain(arch).chain(disabled).chain(networks).collect()
}

/// Placement's custom traits know capital letters, digits and underscores only.
fn custom(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}
