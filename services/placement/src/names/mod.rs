// SPDX-License-Identifier: Apache-2.0
//! Resource classes and traits: words. The standard ones are those that our hosts use; others begin with `CUSTOM_`.

mod api;
pub(crate) mod policy;
pub mod table;

pub use api::routes;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("names", routes);

/// Of the classes in `os-resource-classes`, those that a machine's flavor or a host's inventory can name.
pub const STANDARD_CLASSES: &[&str] =
    &["VCPU", "MEMORY_MB", "DISK_GB", "PCPU", "PCI_DEVICE", "SRIOV_NET_VF", "IPV4_ADDRESS", "VGPU"];

/// Of the traits in `os-traits`, those that our hosts report.
pub const STANDARD_TRAITS: &[&str] =
    &["COMPUTE_NODE", "COMPUTE_IMAGE_TYPE_QCOW2", "COMPUTE_IMAGE_TYPE_RAW", "COMPUTE_STATUS_DISABLED", "HW_ARCH_X86_64"];

/// What may be coined: `CUSTOM_` and then capitals, digits and underscores.
pub fn is_custom(name: &str) -> bool {
    let tail = name.strip_prefix("CUSTOM_").unwrap_or_default();
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !tail.is_empty() && name.len() <= 255 && tail.bytes().all(fits)
}
