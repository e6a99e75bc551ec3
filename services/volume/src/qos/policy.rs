// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::ADMIN;

access::policies! {
    INDEX = "volume_extension:qos_specs_manage:get_all", ADMIN, "List QoS specs.";
    SHOW = "volume_extension:qos_specs_manage:get", ADMIN, "Show QoS specs.";
    CREATE = "volume_extension:qos_specs_manage:create", ADMIN, "Create QoS specs.";
    UPDATE = "volume_extension:qos_specs_manage:update", ADMIN, "Change QoS specs.";
    DELETE = "volume_extension:qos_specs_manage:delete", ADMIN, "Delete QoS specs.";
}
