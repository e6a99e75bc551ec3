// SPDX-License-Identifier: Apache-2.0
//! The named rules that the services' defaults are made of: OpenStack's "secure RBAC" personas.
//!
//! That admin implies manager, manager member, and member reader is for the identity room, which lists all of them
//! in the token. Here a role is a name.

pub const BASE_RULES: &[(&str, &str)] = &[
    // Who is an administrator of the whole cloud.
    ("context_is_admin", "role:admin"),
    ("admin_required", "role:admin or is_admin:1"),
    ("admin_api", "is_admin:True"),
    ("admin_only", "rule:context_is_admin"),
    // Personas within a project.
    ("project_reader_api", "role:reader and project_id:%(project_id)s"),
    ("project_member_api", "role:member and project_id:%(project_id)s"),
    ("project_manager_api", "role:manager and project_id:%(project_id)s"),
    ("project_reader_or_admin", "rule:project_reader_api or rule:context_is_admin"),
    ("project_member_or_admin", "rule:project_member_api or rule:context_is_admin"),
    ("project_manager_or_admin", "rule:project_manager_api or rule:context_is_admin"),
    // Kept for policy files written for older releases.
    ("admin_or_owner", "is_admin:True or project_id:%(project_id)s"),
    // Other services of the cloud, and who owns what carries a user.
    ("service_role", "role:service"),
    ("service_api", "role:service"),
    ("service_or_admin", "rule:admin_required or rule:service_role"),
    ("owner", "user_id:%(user_id)s"),
    ("token_subject", "user_id:%(target.token.user_id)s"),
];
