// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, READER};

access::policies! {
    INDEX = "volume_extension:type_get_all", READER, "List volume types.";
    SHOW = "volume_extension:type_get", READER, "Show a volume type.";
    CREATE = "volume_extension:type_create", ADMIN, "Create volume types.";
    UPDATE = "volume_extension:type_update", ADMIN, "Update a volume type.";
    DELETE = "volume_extension:type_delete", ADMIN, "Delete a volume type.";
    ALL_SPECS = "volume_extension:types_extra_specs:read_sensitive", ADMIN, "See all extra specs of a volume type.";
    SPECS = "volume_extension:access_types_extra_specs", READER, "See the extra specs of a volume type that are for everybody.";
    QOS = "volume_extension:access_types_qos_specs_id", ADMIN, "See the QoS specs of a volume type.";
    SPECS_INDEX = "volume_extension:types_extra_specs:index", READER, "List the extra specs of a volume type.";
    SPECS_SHOW = "volume_extension:types_extra_specs:show", READER, "Show an extra spec of a volume type.";
    SPECS_CREATE = "volume_extension:types_extra_specs:create", ADMIN, "Add extra specs to a volume type.";
    SPECS_UPDATE = "volume_extension:types_extra_specs:update", ADMIN, "Set an extra spec of a volume type.";
    SPECS_DELETE = "volume_extension:types_extra_specs:delete", ADMIN, "Delete an extra spec of a volume type.";
    ACCESS_LIST = "volume_extension:volume_type_access:get_all_for_type", ADMIN, "See who may use a volume type that is not public.";
    ACCESS_ADD = "volume_extension:volume_type_access:addProjectAccess", ADMIN, "Let a project use a volume type that is not public.";
    ACCESS_REMOVE = "volume_extension:volume_type_access:removeProjectAccess", ADMIN, "Take a volume type from a project.";
    ENCRYPTION = "volume_extension:volume_type_encryption:get", ADMIN, "See the encryption of a volume type.";
    ENCRYPTION_CREATE = "volume_extension:volume_type_encryption:create", ADMIN, "Say how volumes of a type are encrypted.";
    ENCRYPTION_UPDATE = "volume_extension:volume_type_encryption:update", ADMIN, "Change how volumes of a type are encrypted.";
    ENCRYPTION_DELETE = "volume_extension:volume_type_encryption:delete", ADMIN, "Let volumes of a type be encrypted no more.";
    DEFAULT_TYPE_SET = "volume_extension:default_set_or_update", ADMIN, "Set the default type of a project.";
    DEFAULT_TYPE_SHOW = "volume_extension:default_get", ADMIN, "Show the default type of a project.";
    DEFAULT_TYPE_INDEX = "volume_extension:default_get_all", ADMIN, "List the default types of projects.";
    DEFAULT_TYPE_UNSET = "volume_extension:default_unset", ADMIN, "Unset the default type of a project.";
}
