// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::ADMIN;

access::policies! {
    LIST = "placement:resource_providers:list", ADMIN, "List resource providers";
    CREATE = "placement:resource_providers:create", ADMIN, "Create a resource provider";
    SHOW = "placement:resource_providers:show", ADMIN, "Show a resource provider";
    UPDATE = "placement:resource_providers:update", ADMIN, "Rename a resource provider";
    DELETE = "placement:resource_providers:delete", ADMIN, "Delete a resource provider";
}
