// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::ADMIN;

access::policies! {
    LIST = "placement:resource_providers:inventories:list", ADMIN, "List the inventories of a provider";
    SHOW = "placement:resource_providers:inventories:show", ADMIN, "Show one inventory of a provider";
    UPDATE = "placement:resource_providers:inventories:update", ADMIN, "Replace the inventories of a provider";
    DELETE = "placement:resource_providers:inventories:delete", ADMIN, "Delete inventories of a provider";
}
