// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, MEMBER, READER};

access::policies! {
    LIST = "get_images", READER, "List images";
    SHOW = "get_image", READER, "Show an image";
    ADD = "add_image", MEMBER, "Create an image";
    MODIFY = "modify_image", MEMBER, "Change an image";
    DELETE = "delete_image", MEMBER, "Delete an image";
    PUBLICIZE = "publicize_image", ADMIN, "Make an image public";
    COMMUNITIZE = "communitize_image", MEMBER, "Make an image a community image";
    DEACTIVATE = "deactivate", MEMBER, "Take an image out of use";
    REACTIVATE = "reactivate", MEMBER, "Put an image in use again";
}
