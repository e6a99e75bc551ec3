// SPDX-License-Identifier: Apache-2.0
//! Glance's policies with its current defaults.

use access::Policy;

/// Glance has no named rules of its own beyond those that all services share.
pub const RULES: &[(&str, &str)] = &[];

const READER: &str = "rule:context_is_admin or (role:reader and project_id:%(project_id)s)";
const MEMBER: &str = "rule:context_is_admin or (role:member and project_id:%(project_id)s)";
const ADMIN: &str = "rule:context_is_admin";

macro_rules! policies {
    ($($name:ident = $policy:literal, $check:expr, $about:literal;)+) => {
        $(pub static $name: Policy = Policy::new($policy, $check, $about);)+
        pub const POLICIES: &[&Policy] = &[$(&$name),+];
    };
}

policies! {
    LIST = "get_images", READER, "List images";
    SHOW = "get_image", READER, "Show an image";
    ADD = "add_image", MEMBER, "Create an image";
    MODIFY = "modify_image", MEMBER, "Change an image";
    DELETE = "delete_image", MEMBER, "Delete an image";
    PUBLICIZE = "publicize_image", ADMIN, "Make an image public";
    COMMUNITIZE = "communitize_image", MEMBER, "Make an image a community image";
    UPLOAD = "upload_image", MEMBER, "Upload the data of an image";
    DOWNLOAD = "download_image", MEMBER, "Download the data of an image";
}
