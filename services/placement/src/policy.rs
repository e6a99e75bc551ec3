// SPDX-License-Identifier: Apache-2.0
//! Placement's policies, with the defaults of the original: for administrators and the cloud's own services, but for
//! usages, which a project's reader may see of his own.

pub(crate) const ADMIN: &str = "rule:admin_or_service_api";

/// The named rule that the defaults lean on.
pub const RULES: &[(&str, &str)] = &[("admin_or_service_api", "role:admin or role:service")];
