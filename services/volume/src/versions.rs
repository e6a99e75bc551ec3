// SPDX-License-Identifier: Apache-2.0
//! Cinder's microversions, a line each: what changed, and what that means here. The list is the history.
//!
//! "Not served" says that the version changes a part of Cinder that this room does not have, which is answered as where it
//! is not deployed.

use api::Microversions;
use types::Microversion;

pub(crate) const MICROVERSIONS: Microversions = Microversions { name: "volume", legacy_header: None, min: v(0), max: v(71) };

/// 3.`minor`.
pub(crate) const fn v(minor: u16) -> Microversion {
    Microversion::new(3, minor)
}

/// Whether a client of this version gets what 3.`minor` brought.
pub(crate) fn at_least(version: Microversion, minor: u16) -> bool {
    version >= v(minor)
}

/// Every version with what it changed.
pub const HISTORY: &[(u16, &str)] = &[
    (0, "the first: what v2 was"),
    (1, "an uploaded image may be private, shared or protected: private is what it is here, and others are refused"),
    (2, "lists of volumes are filtered by whether they can be booted from"),
    (3, "messages"),
    (4, "lists of volumes are filtered by the metadata of their image"),
    (5, "messages are listed in pages"),
    (6, "consistency groups: not served"),
    (7, "clusters: not served"),
    (8, "taking in what another system made: not served"),
    (9, "backups: not served"),
    (10, "quotas of groups: served"),
    (11, "group types"),
    (12, "the summary of volumes"),
    (13, "groups; volumes say in which they are"),
    (14, "group snapshots, and groups that are made of another"),
    (15, "ETags for consistency groups: not served"),
    (16, "migration to clusters: not served"),
    (17, "clusters: not served"),
    (18, "backups: not served"),
    (19, "the operator sets the status of a group snapshot"),
    (20, "the operator sets the status of a group"),
    (21, "the operator sees a volume's provider_id: there is none"),
    (22, "snapshots are listed by metadata"),
    (23, "volumes may be deleted by force by their policy"),
    (24, "work that is handed to other workers: not served"),
    (25, "groups tell of their volumes"),
    (26, "clusters: not served"),
    (27, "attachments"),
    (28, "pools show allocated_capacity_gb when filtered: they always do here"),
    (29, "groups are listed in pages: they are in every version"),
    (30, "snapshots are sorted by name"),
    (31, "filters may be restricted by the operator: they are not"),
    (32, "log levels of services: not served"),
    (33, "which filters lists know, told at /resource_filters"),
    (34, "filters that end with ~ are parts of texts"),
    (35, "pools are listed by type"),
    (36, "the summary shows metadata"),
    (37, "backups: not served"),
    (38, "groups say that they are not replicated; to replicate one is not served"),
    (39, "a project's limits for the operator"),
    (40, "going back to a snapshot: not served"),
    (41, "snapshots show their user"),
    (42, "volumes grow while they are in use"),
    (43, "backups: not served"),
    (44, "attachments are completed"),
    (45, "lists say how many there are in all"),
    (46, "volumes that are made from an image on the storage itself: nothing changes"),
    (47, "volumes from backups: not served"),
    (48, "volumes show their service, and whether its targets are shared"),
    (49, "services say whether their store is up"),
    (50, "several servers on one volume: refused with a type that asks for it"),
    (51, "backups: not served"),
    (52, "types are listed by extra specs"),
    (53, "unknown fields are refused; they are refused in every version here"),
    (54, "attachments have a mode"),
    (55, "transfers with snapshots"),
    (56, "backups: not served"),
    (57, "transfers show from whom and to whom"),
    (58, "groups show their project"),
    (59, "transfers are listed in pages"),
    (60, "lists are filtered by time"),
    (61, "the operator sees a volume's cluster: there is none"),
    (62, "projects have default types"),
    (63, "volumes show the id of their type"),
    (64, "volumes show their encryption key: there is none"),
    (65, "volumes and snapshots show that they count against quotas"),
    (66, "snapshots of volumes in use need no force"),
    (67, "the project is no longer a part of the path; in every version it may be left out here"),
    (68, "volumes are written over with an image: not served"),
    (69, "shared_targets may be unknown; it is known"),
    (70, "transfers of encrypted volumes: there are none"),
    (71, "whoever grows a file for a volume tells so: not needed"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_its_line() {
        let numbers: Vec<u16> = HISTORY.iter().map(|(minor, _)| *minor).collect();
        let all: Vec<u16> = (MICROVERSIONS.min.minor..=MICROVERSIONS.max.minor).collect();
        assert_eq!(numbers, all);
    }
}
