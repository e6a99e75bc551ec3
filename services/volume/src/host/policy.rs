// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::ADMIN;

access::policies! {
    SERVICE_INDEX = "volume_extension:services:index", ADMIN, "List the services.";
    SERVICE_UPDATE = "volume_extension:services:update", ADMIN, "Enable or disable a service.";
    FREEZE = "volume:freeze_host", ADMIN, "Let nothing be made, changed or deleted on a host.";
    THAW = "volume:thaw_host", ADMIN, "Let things be made, changed and deleted on a host again.";
    POOLS = "scheduler_extension:scheduler_stats:get_pools", ADMIN, "List where volumes lie, with how much room there is.";
    HOSTS = "volume_extension:hosts", ADMIN, "See the hosts of volumes.";
    CAPABILITIES = "volume_extension:capabilities", ADMIN, "Show what a host of volumes can do.";
}
