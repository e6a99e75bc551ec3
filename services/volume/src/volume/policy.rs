// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, MEMBER, READER};

access::policies! {
    CREATE = "volume:create", MEMBER, "Create volumes.";
    CREATE_FROM_IMAGE = "volume:create_from_image", MEMBER, "Create volumes from images.";
    SHOW = "volume:get", READER, "Show a volume.";
    INDEX = "volume:get_all", READER, "List volumes.";
    UPDATE = "volume:update", MEMBER, "Update a volume.";
    DELETE = "volume:delete", MEMBER, "Delete a volume.";
    FORCE_DELETE = "volume:force_delete", ADMIN, "Delete a volume whatever its state, by the query of its deletion.";
    HOST = "volume_extension:volume_host_attribute", ADMIN, "See on which host a volume lies.";
    TENANT = "volume_extension:volume_tenant_attribute", READER, "See whose a volume is.";
    MIG_STATUS = "volume_extension:volume_mig_status_attribute", ADMIN, "See whether a volume is moving.";
    METADATA_SHOW = "volume:get_volume_metadata", READER, "Show the metadata of a volume.";
    METADATA_CREATE = "volume:create_volume_metadata", MEMBER, "Add to the metadata of a volume.";
    METADATA_UPDATE = "volume:update_volume_metadata", MEMBER, "Change the metadata of a volume.";
    METADATA_DELETE = "volume:delete_volume_metadata", MEMBER, "Delete metadata of a volume.";
    IMAGE_METADATA_SHOW = "volume_extension:volume_image_metadata:show", READER, "Show what a volume has of its image.";
    IMAGE_METADATA_SET = "volume_extension:volume_image_metadata:set", MEMBER, "Set what a volume has of its image.";
    IMAGE_METADATA_REMOVE = "volume_extension:volume_image_metadata:remove", MEMBER, "Remove something that a volume has of its image.";
    EXTEND = "volume:extend", MEMBER, "Make a volume larger.";
    EXTEND_ATTACHED = "volume:extend_attached_volume", MEMBER, "Make a volume larger that is in use.";
    RETYPE = "volume:retype", MEMBER, "Make a volume one of another type.";
    READONLY = "volume:update_readonly_flag", MEMBER, "Say that a volume is only read.";
    RESET_STATUS = "volume_extension:volume_admin_actions:reset_status", ADMIN, "Set the status of a volume.";
    ADMIN_FORCE_DELETE = "volume_extension:volume_admin_actions:force_delete", ADMIN, "Delete a volume whatever its state.";
    FORCE_DETACH = "volume_extension:volume_admin_actions:force_detach", ADMIN, "Say that a volume is nobody's, whatever its state.";
    UPLOAD = "volume_extension:volume_actions:upload_image", MEMBER, "Make an image of a volume.";
    ATTACH = "volume_extension:volume_actions:attach", MEMBER, "Note that a volume is attached.";
    DETACH = "volume_extension:volume_actions:detach", MEMBER, "Note that a volume is detached.";
    RESERVE = "volume_extension:volume_actions:reserve", MEMBER, "Take a volume.";
    UNRESERVE = "volume_extension:volume_actions:unreserve", MEMBER, "Give up a volume that was taken.";
    BEGIN_DETACHING = "volume_extension:volume_actions:begin_detaching", MEMBER, "Note that a volume is being detached.";
    ROLL_DETACHING = "volume_extension:volume_actions:roll_detaching", MEMBER, "Note that a volume stays attached.";
    INITIALIZE = "volume_extension:volume_actions:initialize_connection", MEMBER, "Ask how a volume is reached.";
    TERMINATE = "volume_extension:volume_actions:terminate_connection", MEMBER, "Say that a volume is reached no more.";
}
