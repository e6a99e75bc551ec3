// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{MEMBER, READER};

access::policies! {
    INDEX = "volume:attachment_list", READER, "List attachments.";
    CREATE = "volume:attachment_create", MEMBER, "Create an attachment.";
    UPDATE = "volume:attachment_update", MEMBER, "Say how an attachment is connected.";
    COMPLETE = "volume:attachment_complete", MEMBER, "Say that an attachment is connected.";
    DELETE = "volume:attachment_delete", MEMBER, "Delete an attachment.";
}
