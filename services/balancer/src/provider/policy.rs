// SPDX-License-Identifier: Apache-2.0
//! Who may do what with providers by default.

use crate::policy::{ADMIN, READ};

access::policies! {
    LIST = "os_load-balancer_api:provider:get_all", READ, "List what can carry load balancers.";
    FLAVORS = "os_load-balancer_api:provider-flavor:get_all", ADMIN, "See what flavors of a provider can say.";
    ZONES = "os_load-balancer_api:provider-availability-zone:get_all", ADMIN, "See what availability zones of a provider can say.";
}
