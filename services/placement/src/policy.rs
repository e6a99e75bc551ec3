// SPDX-License-Identifier: Apache-2.0
//! Placement's policies, with the defaults of the original: for administrators and the cloud's own services, but for
//! usages, which a project's reader may see of his own.

const ADMIN: &str = "rule:admin_or_service_api";

/// The named rule that the defaults lean on.
pub const RULES: &[(&str, &str)] = &[("admin_or_service_api", "role:admin or role:service")];

access::policies! {
    PROVIDERS_LIST = "placement:resource_providers:list", ADMIN, "List resource providers";
    PROVIDERS_CREATE = "placement:resource_providers:create", ADMIN, "Create a resource provider";
    PROVIDERS_SHOW = "placement:resource_providers:show", ADMIN, "Show a resource provider";
    PROVIDERS_UPDATE = "placement:resource_providers:update", ADMIN, "Rename a resource provider";
    PROVIDERS_DELETE = "placement:resource_providers:delete", ADMIN, "Delete a resource provider";
    INVENTORIES_LIST = "placement:resource_providers:inventories:list", ADMIN, "List the inventories of a provider";
    INVENTORIES_SHOW = "placement:resource_providers:inventories:show", ADMIN, "Show one inventory of a provider";
    INVENTORIES_UPDATE = "placement:resource_providers:inventories:update", ADMIN, "Replace the inventories of a provider";
    INVENTORIES_DELETE = "placement:resource_providers:inventories:delete", ADMIN, "Delete inventories of a provider";
    PROVIDER_USAGES = "placement:resource_providers:usages", ADMIN, "Show how much of a provider is used";
    PROVIDER_ALLOCATIONS = "placement:resource_providers:allocations:list", ADMIN, "List the allocations against a provider";
    PROVIDER_TRAITS = "placement:resource_providers:traits:list", ADMIN, "List the traits of a provider";
    PROVIDER_TRAITS_UPDATE = "placement:resource_providers:traits:update", ADMIN, "Replace the traits of a provider";
    CLASSES_LIST = "placement:resource_classes:list", ADMIN, "List resource classes";
    TRAITS_LIST = "placement:traits:list", ADMIN, "List traits";
    TRAITS_UPDATE = "placement:traits:update", ADMIN, "Create a custom trait";
    CLASSES_UPDATE = "placement:resource_classes:update", ADMIN, "Create a custom resource class";
    ALLOCATIONS_LIST = "placement:allocations:list", ADMIN, "Show the allocations of a consumer";
    ALLOCATIONS_UPDATE = "placement:allocations:update", ADMIN, "Replace the allocations of a consumer";
    ALLOCATIONS_DELETE = "placement:allocations:delete", ADMIN, "Delete the allocations of a consumer";
    USAGES = "placement:usages", "rule:admin_or_service_api or (role:reader and project_id:%(project_id)s)", "Show the usage of a project";
    CANDIDATES = "placement:allocation_candidates:list", ADMIN, "Ask which providers could take a request";
}
