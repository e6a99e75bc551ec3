// SPDX-License-Identifier: Apache-2.0
//! Who may do what here by default.

use crate::policy::{ADMIN, READER};

access::policies! {
    LIST = "os_compute_api:os-instance-actions:list", READER, "List what was done to a server.";
    SHOW = "os_compute_api:os-instance-actions:show", READER, "Show one thing that was done to a server.";
    EVENTS = "os_compute_api:os-instance-actions:events", ADMIN, "See the events of an action with traceback and host.";
    EVENTS_DETAILS = "os_compute_api:os-instance-actions:events:details", ADMIN, "See the details of the events of an action.";
}
