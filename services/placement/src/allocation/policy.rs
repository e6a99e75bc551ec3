// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::ADMIN;

access::policies! {
    PROVIDER_ALLOCATIONS = "placement:resource_providers:allocations:list", ADMIN, "List the allocations against a provider";
    LIST = "placement:allocations:list", ADMIN, "Show the allocations of a consumer";
    UPDATE = "placement:allocations:update", ADMIN, "Replace the allocations of a consumer";
    DELETE = "placement:allocations:delete", ADMIN, "Delete the allocations of a consumer";
}
