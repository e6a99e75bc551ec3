// SPDX-License-Identifier: Apache-2.0
//! Who may do what by default: Octavia's names. Its own roles are asked for, and the roles that all services know: readers see
//! what their project has and members change it, as Octavia's policy for those roles says.

pub(crate) const RULES: &[api::Rule] = &[
    ("load-balancer:admin", "role:load-balancer_admin or rule:context_is_admin"),
    ("load-balancer:global_observer", "role:load-balancer_global_observer"),
    ("load-balancer:observer", "role:load-balancer_observer and project_id:%(project_id)s"),
    ("load-balancer:member", "role:load-balancer_member and project_id:%(project_id)s"),
    (
        "load-balancer:read",
        "rule:load-balancer:observer or rule:load-balancer:global_observer or rule:load-balancer:member or \
         rule:load-balancer:admin or rule:project_reader_api",
    ),
    ("load-balancer:read-global", "rule:load-balancer:global_observer or rule:load-balancer:admin"),
    ("load-balancer:write", "rule:load-balancer:member or rule:load-balancer:admin or rule:project_member_api"),
    (
        "load-balancer:read-quota",
        "rule:load-balancer:observer or rule:load-balancer:global_observer or rule:load-balancer:member or \
         role:load-balancer_quota_admin or rule:load-balancer:admin or rule:project_reader_api",
    ),
    (
        "load-balancer:read-quota-global",
        "rule:load-balancer:global_observer or role:load-balancer_quota_admin or rule:load-balancer:admin",
    ),
    ("load-balancer:write-quota", "role:load-balancer_quota_admin or rule:load-balancer:admin"),
];

pub(crate) const READ: &str = "rule:load-balancer:read";
pub(crate) const WRITE: &str = "rule:load-balancer:write";
pub(crate) const ADMIN: &str = "rule:load-balancer:admin";
