// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, MEMBER, READER};

access::policies! {
    INDEX = "group:get_all_group_snapshots", READER, "List snapshots of groups.";
    CREATE = "group:create_group_snapshot", MEMBER, "Take snapshots of groups.";
    SHOW = "group:get_group_snapshot", READER, "Show the snapshot of a group.";
    UPDATE = "group:update_group_snapshot", MEMBER, "Update the snapshot of a group.";
    DELETE = "group:delete_group_snapshot", MEMBER, "Delete the snapshot of a group.";
    RESET_STATUS = "group:reset_group_snapshot_status", ADMIN, "Set the status of the snapshot of a group.";
    PROJECT = "group:group_snapshot_project_attribute", ADMIN, "See whose the snapshot of a group is.";
}
