// SPDX-License-Identifier: Apache-2.0
//! Nova's microversions, a line each: what changed, and what that means here. The list is the history.
//!
//! The implementation knows the newest shape only; views and readers ask [`at_least`] where an older one differs.
//! "Not served" says that the version changes an operation that this room does not have, so that nothing is to be
//! honoured.

use api::Microversions;
use types::Microversion;

pub(crate) const MICROVERSIONS: Microversions =
    Microversions { name: "compute", legacy_header: Some("x-openstack-nova-api-version"), min: v(1), max: v(96) };

/// 2.`minor`.
pub(crate) const fn v(minor: u16) -> Microversion {
    Microversion::new(2, minor)
}

/// Whether a client of this version gets what 2.`minor` brought.
pub(crate) fn at_least(version: Microversion, minor: u16) -> bool {
    version >= v(minor)
}

/// Every version with what it changed.
pub const HISTORY: &[(u16, &str)] = &[
    (1, "the first: what v2.0 was, with strict input"),
    (2, "keypairs have a type; their create answers 201 and their delete 204"),
    (3, "more extended server attributes for the operator; delete_on_termination of volumes"),
    (4, "fixed IPs: not served"),
    (5, "everybody may filter servers by ip6"),
    (6, "one call for remote consoles"),
    (7, "access to a public flavor cannot be granted"),
    (8, "mks consoles: not available"),
    (9, "servers show whether they are locked"),
    (10, "keypairs of other users, for the operator"),
    (11, "services show and take forced_down"),
    (12, "virtual interfaces: not served"),
    (13, "server groups: not served"),
    (14, "evacuate: not served"),
    (15, "server groups: not served"),
    (16, "servers show the status of their host to the operator"),
    (17, "crash dumps: not served"),
    (18, "the project is no longer a part of the path; it never was here"),
    (19, "servers have a description"),
    (20, "volumes of shelved servers: not served"),
    (21, "the actions of deleted servers can be read"),
    (22, "live migration: not served"),
    (23, "live migration: not served"),
    (24, "live migration: not served"),
    (25, "live migration: not served"),
    (26, "servers have tags"),
    (27, "OpenStack-API-Version is heard; it is heard in every version here"),
    (28, "cpu_info of hypervisors is an object"),
    (29, "evacuate: not served"),
    (30, "live migration: not served"),
    (31, "console tokens of every type, for the operator"),
    (32, "networks of a new server may carry a tag"),
    (33, "hypervisors are listed in pages"),
    (34, "live migration: not served"),
    (35, "keypairs are listed in pages"),
    (36, "proxies to image, network and volume are gone; they never were here"),
    (37, "networks must be said: a list, `auto` or `none`"),
    (38, "an unknown status in a list of servers is refused"),
    (39, "image metadata proxy is gone, and maxImageMeta with it"),
    (40, "tenant usage: not served"),
    (41, "aggregates: not served"),
    (42, "tags of networks again"),
    (43, "hosts: not served"),
    (44, "proxies to floating IPs are gone; they never were here"),
    (45, "createImage answers the id of the image, not its location"),
    (46, "the request id is in X-OpenStack-Request-ID; it is in every version here"),
    (47, "servers embed their flavor"),
    (48, "diagnostics: not served"),
    (49, "an interface is attached with a tag; attaching of volumes: not served"),
    (50, "quota classes: not served"),
    (51, "owners see the events of actions"),
    (52, "tags in the create request"),
    (53, "services and hypervisors are known by UUID"),
    (54, "rebuild: not served"),
    (55, "flavors have a description"),
    (56, "a migration may name its host"),
    (57, "personality and its limits are gone"),
    (58, "actions are listed in pages, with changes-since"),
    (59, "migrations: not served"),
    (60, "volumes of many servers: not served"),
    (61, "flavors embed their extra specs"),
    (62, "events of actions name their host"),
    (63, "trusted certificates: shown as null, refused when given"),
    (64, "server groups: not served"),
    (65, "live migration: not served"),
    (66, "changes-before"),
    (67, "volume types in block_device_mapping_v2: refused with it"),
    (68, "forced evacuation: not served"),
    (69, "partial answers of cells that are down: there are no cells"),
    (70, "interfaces show the tag of their device"),
    (71, "servers show server_groups"),
    (72, "ports with resource requests: not served"),
    (73, "a lock may have a reason; servers can be listed by lock"),
    (74, "a new server may name its host"),
    (75, "unknown query parameters are refused; PUT answers the whole server; swap is a number"),
    (76, "power-update events: not served"),
    (77, "unshelve: not served"),
    (78, "topology: not served"),
    (79, "attaching of volumes: not served"),
    (80, "migrations: not served"),
    (81, "aggregates: not served"),
    (82, "accelerator events: not served"),
    (83, "more filters for everybody in lists of servers"),
    (84, "events of actions have details"),
    (85, "volume attachments: none to update"),
    (86, "extra specs that the cloud knows are checked"),
    (87, "rescue of servers on volumes: there are none"),
    (88, "hypervisors lose their statistics and gain an uptime"),
    (89, "volume attachments: none to show"),
    (90, "the hostname of a server can be chosen, and is shown to everybody"),
    (91, "unshelve: not served"),
    (92, "keypairs are imported only, and their names may hold @ and ."),
    (93, "rebuild: not served"),
    (94, "the hostname may be a full domain name"),
    (95, "evacuate: not served"),
    (96, "servers show the zone to which they are pinned"),
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
