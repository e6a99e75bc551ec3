// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, READER};

access::policies! {
    SHOW = "volume_extension:quotas:show", READER, "Show quotas.";
    UPDATE = "volume_extension:quotas:update", ADMIN, "Set quotas.";
    DELETE = "volume_extension:quotas:delete", ADMIN, "Set quotas back to the defaults.";
    CLASS_SHOW = "volume_extension:quota_classes:get", ADMIN, "Show the quotas of a class.";
    CLASS_UPDATE = "volume_extension:quota_classes:update", ADMIN, "Set the quotas of a class.";
}
