// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::ADMIN;

access::policies! {
    PROVIDER_TRAITS = "placement:resource_providers:traits:list", ADMIN, "List the traits of a provider";
    PROVIDER_TRAITS_UPDATE = "placement:resource_providers:traits:update", ADMIN, "Replace the traits of a provider";
    CLASSES_LIST = "placement:resource_classes:list", ADMIN, "List resource classes";
    TRAITS_LIST = "placement:traits:list", ADMIN, "List traits";
    TRAITS_UPDATE = "placement:traits:update", ADMIN, "Create a custom trait";
    CLASSES_UPDATE = "placement:resource_classes:update", ADMIN, "Create a custom resource class";
}
