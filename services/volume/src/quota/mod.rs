// SPDX-License-Identifier: Apache-2.0
//! Quotas: how much a project may have, in all and of each type. What is used is counted from the volumes and snapshots
//! themselves, in the transaction that adds to it, so that no counter can be wrong.
//!
//! Invariant: the volumes of a project never exceed its quota, however many requests race (test: `racing_creates_of_volumes_stay_within_the_quota`).

mod api;
mod class;
pub(crate) mod policy;
mod table;

pub(crate) use table::{Growth, check, check_group, check_type, limits, usage};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("quota", routes);

fn routes() -> ::api::Routes<crate::BlockStorage> {
    api::routes().join(class::routes())
}

/// What is limited, with the default; -1 is no limit. Of backups there are none.
pub(crate) const RESOURCES: &[(&str, i64)] = &[
    ("volumes", 10),
    ("snapshots", 10),
    ("gigabytes", 1000),
    ("per_volume_gigabytes", -1),
    ("backups", 10),
    ("backup_gigabytes", 1000),
    ("groups", 10),
];

/// What is limited for each type apart, beside the sum over all: `volumes___DEFAULT__`.
pub(crate) const OF_TYPES: &[&str] = &["volumes", "snapshots", "gigabytes"];
