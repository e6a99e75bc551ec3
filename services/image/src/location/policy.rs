// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{MEMBER, READER, SERVICE_OR_MEMBER};

access::policies! {
    SHOW_LOCATIONS = "get_image_location", READER, "See the locations of an image";
    SET_LOCATION = "set_image_location", MEMBER, "Set the locations of an image";
    ADD_LOCATION = "add_image_location", SERVICE_OR_MEMBER, "Give an image its data by a URL";
    GET_LOCATION = "fetch_image_location", "rule:context_is_admin or rule:service_role", "Show where an image's data lies";
}
