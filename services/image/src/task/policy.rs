// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, READER};

access::policies! {
    TASKS_OF_IMAGE = "get_image_tasks", READER, "List the tasks of an image";
    TASKS = "tasks_api_access", ADMIN, "List, show and create tasks";
}
