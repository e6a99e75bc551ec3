// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::ADMIN;

access::policies! {
    DELETE_FROM_STORE = "delete_image_location", ADMIN, "Delete an image's data from one store, or a location";
    STORES_DETAIL = "stores_info_detail", ADMIN, "Show the stores in detail";
}
