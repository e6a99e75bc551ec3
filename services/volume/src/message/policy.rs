// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{MEMBER, READER};

access::policies! {
    INDEX = "message:get_all", READER, "List messages.";
    SHOW = "message:get", READER, "Show a message.";
    DELETE = "message:delete", MEMBER, "Delete a message.";
}
