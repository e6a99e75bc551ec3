// SPDX-License-Identifier: Apache-2.0
//! Who may do what with members of pools by default.

use crate::policy::{READ, WRITE};

access::policies! {
    LIST = "os_load-balancer_api:member:get_all", READ, "List the members of a pool.";
    CREATE = "os_load-balancer_api:member:post", WRITE, "Add a member to a pool.";
    SHOW = "os_load-balancer_api:member:get_one", READ, "See a member of a pool.";
    UPDATE = "os_load-balancer_api:member:put", WRITE, "Change a member of a pool.";
    DELETE = "os_load-balancer_api:member:delete", WRITE, "Take a member from a pool.";
}
