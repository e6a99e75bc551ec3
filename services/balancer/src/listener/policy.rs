// SPDX-License-Identifier: Apache-2.0
//! Who may do what with listeners by default.

use crate::policy::{READ, WRITE};

access::policies! {
    LIST = "os_load-balancer_api:listener:get_all", READ, "List listeners.";
    CREATE = "os_load-balancer_api:listener:post", WRITE, "Make a listener.";
    SHOW = "os_load-balancer_api:listener:get_one", READ, "See a listener.";
    UPDATE = "os_load-balancer_api:listener:put", WRITE, "Change a listener.";
    DELETE = "os_load-balancer_api:listener:delete", WRITE, "Delete a listener.";
    STATS = "os_load-balancer_api:listener:get_stats", READ, "See what passed through a listener.";
}
