// SPDX-License-Identifier: Apache-2.0
//! Glance's policies with its current defaults.

pub(crate) const READER: &str = "rule:context_is_admin or (role:reader and project_id:%(project_id)s)";
pub(crate) const MEMBER: &str = "rule:context_is_admin or (role:member and project_id:%(project_id)s)";
pub(crate) const SERVICE_OR_MEMBER: &str =
    "rule:context_is_admin or rule:service_role or (role:member and project_id:%(project_id)s)";
pub(crate) const ADMIN: &str = "rule:context_is_admin";
pub(crate) const METADEF_READER: &str = "rule:context_is_admin or role:reader";
