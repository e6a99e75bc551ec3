// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{MEMBER, READER};

access::policies! {
    MEMBERS = "get_members", READER, "List the members of an image";
    SHOW = "get_member", READER, "Show a member of an image";
    ADD = "add_member", MEMBER, "Share an image with a project";
    MODIFY = "modify_member", MEMBER, "Accept or reject an image";
    DELETE = "delete_member", MEMBER, "Share an image with a project no longer";
}
