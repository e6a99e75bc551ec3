// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, MEMBER};

access::policies! {
    IMPORT = "import_image", MEMBER, "Import the data of an image";
    COPY = "copy_image", ADMIN, "Copy an image's data to further stores";
}
