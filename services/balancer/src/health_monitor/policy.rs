// SPDX-License-Identifier: Apache-2.0
//! Who may do what with health monitors by default.

use crate::policy::{READ, WRITE};

access::policies! {
    LIST = "os_load-balancer_api:healthmonitor:get_all", READ, "List health monitors.";
    CREATE = "os_load-balancer_api:healthmonitor:post", WRITE, "Make a health monitor.";
    SHOW = "os_load-balancer_api:healthmonitor:get_one", READ, "See a health monitor.";
    UPDATE = "os_load-balancer_api:healthmonitor:put", WRITE, "Change a health monitor.";
    DELETE = "os_load-balancer_api:healthmonitor:delete", WRITE, "Delete a health monitor.";
}
