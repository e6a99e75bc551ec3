// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, METADEF_READER};

access::policies! {
    GET = "get_metadef_namespace", METADEF_READER, "Show metadata definitions";
    MODIFY = "modify_metadef_namespace", ADMIN, "Change metadata definitions";
}
