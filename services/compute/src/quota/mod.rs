// SPDX-License-Identifier: Apache-2.0
//! Quotas: how much of what a project may have. What is used is counted from the servers themselves, in the
//! transaction that adds to it, so that no counter can be wrong.
//!
//! Invariant: the servers of a project never exceed its quota, however many requests race (test: `racing_creates_stay_within_the_quota`).

mod api;
pub(crate) mod policy;
mod table;

pub(crate) use api::routes;
pub(crate) use table::{Limits, Usage, check_growth, fitting, limit, limits, usage};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("quota", routes);

/// What is limited, under Nova's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Instances,
    Cores,
    Ram,
    KeyPairs,
    MetadataItems,
    ServerGroups,
    ServerGroupMembers,
    InjectedFiles,
    InjectedFileContentBytes,
    InjectedFilePathBytes,
    FloatingIps,
    FixedIps,
    SecurityGroups,
    SecurityGroupRules,
}

/// Everything that a quota set shows, with the default; -1 is no limit. What other services limit is shown to the
/// clients of older versions only, as Nova does, and says what Nova says.
pub(crate) const RESOURCES: &[(Resource, &str, i64)] = &[
    (Resource::Instances, "instances", 10),
    (Resource::Cores, "cores", 20),
    (Resource::Ram, "ram", 51200),
    (Resource::KeyPairs, "key_pairs", 100),
    (Resource::MetadataItems, "metadata_items", 128),
    (Resource::ServerGroups, "server_groups", 10),
    (Resource::ServerGroupMembers, "server_group_members", 10),
    (Resource::InjectedFiles, "injected_files", 0),
    (Resource::InjectedFileContentBytes, "injected_file_content_bytes", 0),
    (Resource::InjectedFilePathBytes, "injected_file_path_bytes", 0),
    (Resource::FloatingIps, "floating_ips", -1),
    (Resource::FixedIps, "fixed_ips", -1),
    (Resource::SecurityGroups, "security_groups", -1),
    (Resource::SecurityGroupRules, "security_group_rules", -1),
];

impl Resource {
    pub(crate) fn name(self) -> &'static str {
        RESOURCES.iter().find(|(resource, ..)| *resource == self).map_or("", |(_, name, _)| name)
    }

    /// The version from which on it is no longer a part of quota sets.
    pub(crate) fn gone_since(self) -> Option<u16> {
        match self {
            Self::FloatingIps | Self::FixedIps | Self::SecurityGroups | Self::SecurityGroupRules => Some(36),
            Self::InjectedFiles | Self::InjectedFileContentBytes | Self::InjectedFilePathBytes => Some(57),
            _ => None,
        }
    }
}
