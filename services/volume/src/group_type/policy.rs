// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, ANY};

access::policies! {
    SHOW = "group:group_types:get", ANY, "See group types that are public.";
    CREATE = "group:group_types:create", ADMIN, "Create group types.";
    UPDATE = "group:group_types:update", ADMIN, "Update a group type.";
    DELETE = "group:group_types:delete", ADMIN, "Delete a group type.";
    SEE_SPECS = "group:access_group_types_specs", ADMIN, "See the specs of a group type, and types that are not public.";
    SPECS_INDEX = "group:group_types_specs:get_all", ADMIN, "List the specs of a group type.";
    SPECS_SHOW = "group:group_types_specs:get", ADMIN, "Show a spec of a group type.";
    SPECS_CREATE = "group:group_types_specs:create", ADMIN, "Add specs to a group type.";
    SPECS_UPDATE = "group:group_types_specs:update", ADMIN, "Set a spec of a group type.";
    SPECS_DELETE = "group:group_types_specs:delete", ADMIN, "Delete a spec of a group type.";
}
