// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, ANY, READER};

access::policies! {
    SHOW = "os_compute_api:os-quota-sets:show", READER, "Show quotas.";
    DETAIL = "os_compute_api:os-quota-sets:detail", READER, "Show quotas with what is used of them.";
    DEFAULTS = "os_compute_api:os-quota-sets:defaults", ANY, "Show the default quotas.";
    UPDATE = "os_compute_api:os-quota-sets:update", ADMIN, "Set quotas.";
    DELETE = "os_compute_api:os-quota-sets:delete", ADMIN, "Set quotas back to the defaults.";
}
