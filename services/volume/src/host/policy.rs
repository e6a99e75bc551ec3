// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::ADMIN;

access::policies! {
    SERVICE_INDEX = "volume_extension:services:index", ADMIN, "List the services.";
    SERVICE_UPDATE = "volume_extension:services:update", ADMIN, "Enable or disable a service.";
    POOLS = "scheduler_extension:scheduler_stats:get_pools", ADMIN, "List where volumes lie, with how much room there is.";
    HOSTS = "volume_extension:hosts", ADMIN, "See the hosts of volumes.";
    CAPABILITIES = "volume_extension:capabilities", ADMIN, "Show what a host of volumes can do.";
}
