// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, MEMBER, READER};

access::policies! {
    INDEX = "group:get_all", READER, "List groups of volumes.";
    CREATE = "group:create", MEMBER, "Create groups of volumes.";
    SHOW = "group:get", READER, "Show a group of volumes.";
    UPDATE = "group:update", MEMBER, "Change a group of volumes, and which are in it.";
    DELETE = "group:delete", MEMBER, "Delete a group of volumes.";
    RESET_STATUS = "group:reset_status", ADMIN, "Set the status of a group of volumes.";
    PROJECT = "group:group_project_attribute", ADMIN, "See whose a group of volumes is.";
}
