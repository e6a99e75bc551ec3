// SPDX-License-Identifier: Apache-2.0
//! Who may do what with quotas by default.

access::policies! {
    LIST = "os_load-balancer_api:quota:get_all", "rule:load-balancer:read-quota", "List one's project's quotas.";
    LIST_ALL = "os_load-balancer_api:quota:get_all-global", "rule:load-balancer:read-quota-global", "List all quotas.";
    SHOW = "os_load-balancer_api:quota:get_one", "rule:load-balancer:read-quota", "See a project's quotas.";
    DEFAULTS = "os_load-balancer_api:quota:get_defaults", "rule:load-balancer:read-quota", "See the quotas of all for whom nothing else is said.";
    UPDATE = "os_load-balancer_api:quota:put", "rule:load-balancer:write-quota", "Change a project's quotas.";
    DELETE = "os_load-balancer_api:quota:delete", "rule:load-balancer:write-quota", "Set a project's quotas back.";
}
