// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, READER};

access::policies! {
    CREATE = "os_compute_api:os-flavor-manage:create", ADMIN, "Create a flavor.";
    UPDATE = "os_compute_api:os-flavor-manage:update", ADMIN, "Update a flavor.";
    DELETE = "os_compute_api:os-flavor-manage:delete", ADMIN, "Delete a flavor.";
    ACCESS = "os_compute_api:os-flavor-access", ADMIN, "See who may use a flavor that is not public.";
    ACCESS_ADD = "os_compute_api:os-flavor-access:add_tenant_access", ADMIN, "Let a project use a flavor that is not public.";
    ACCESS_REMOVE = "os_compute_api:os-flavor-access:remove_tenant_access", ADMIN, "Take a flavor from a project.";
    EXTRA_SPECS_INDEX = "os_compute_api:os-flavor-extra-specs:index", READER, "List the extra specs of a flavor.";
    EXTRA_SPECS_SHOW = "os_compute_api:os-flavor-extra-specs:show", READER, "Show an extra spec of a flavor.";
    EXTRA_SPECS_CREATE = "os_compute_api:os-flavor-extra-specs:create", ADMIN, "Add extra specs to a flavor.";
    EXTRA_SPECS_UPDATE = "os_compute_api:os-flavor-extra-specs:update", ADMIN, "Set an extra spec of a flavor.";
    EXTRA_SPECS_DELETE = "os_compute_api:os-flavor-extra-specs:delete", ADMIN, "Delete an extra spec of a flavor.";
}
