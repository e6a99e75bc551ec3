// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, MEMBER};

access::policies! {
    UPLOAD = "upload_image", MEMBER, "Upload the data of an image";
    DOWNLOAD = "download_image", MEMBER, "Download the data of an image";
    STAGE = "stage_image", MEMBER, "Stage the data of an image for its import";
    DOWNLOAD_DEACTIVATED = "download_deactivated_image", ADMIN, "Download the data of a deactivated image";
}
