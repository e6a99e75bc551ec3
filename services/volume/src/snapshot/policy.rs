// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, MEMBER, READER};

access::policies! {
    INDEX = "volume:get_all_snapshots", READER, "List snapshots.";
    CREATE = "volume:create_snapshot", MEMBER, "Create snapshots.";
    SHOW = "volume:get_snapshot", READER, "Show a snapshot.";
    UPDATE = "volume:update_snapshot", MEMBER, "Update a snapshot.";
    DELETE = "volume:delete_snapshot", MEMBER, "Delete a snapshot.";
    EXTENDED = "volume_extension:extended_snapshot_attributes", READER, "See whose a snapshot is, and how far.";
    RESET_STATUS = "volume_extension:snapshot_admin_actions:reset_status", ADMIN, "Set the status of a snapshot.";
    FORCE_DELETE = "volume_extension:snapshot_admin_actions:force_delete", ADMIN, "Delete a snapshot whatever its state.";
    UPDATE_STATUS = "snapshot_extension:snapshot_actions:update_snapshot_status", MEMBER, "Say how a snapshot that is made elsewhere gets on.";
    METADATA_SHOW = "volume:get_snapshot_metadata", READER, "Show the metadata of a snapshot.";
    METADATA_UPDATE = "volume:update_snapshot_metadata", MEMBER, "Change the metadata of a snapshot.";
    METADATA_DELETE = "volume:delete_snapshot_metadata", MEMBER, "Delete metadata of a snapshot.";
}
