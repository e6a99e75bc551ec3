// SPDX-License-Identifier: Apache-2.0
//! Who may do what by default: Nova's names, and its defaults of the "secure RBAC" releases.

pub(crate) const ADMIN: &str = "rule:context_is_admin";
pub(crate) const READER: &str = "rule:project_reader_or_admin";
pub(crate) const MEMBER: &str = "rule:project_member_or_admin";
pub(crate) const ANY: &str = "@";
pub(crate) const OWN_USER: &str = "rule:context_is_admin or user_id:%(user_id)s";
