// SPDX-License-Identifier: Apache-2.0
//! Who may do what with pools by default.

use crate::policy::{READ, WRITE};

access::policies! {
    LIST = "os_load-balancer_api:pool:get_all", READ, "List pools.";
    CREATE = "os_load-balancer_api:pool:post", WRITE, "Make a pool.";
    SHOW = "os_load-balancer_api:pool:get_one", READ, "See a pool.";
    UPDATE = "os_load-balancer_api:pool:put", WRITE, "Change a pool.";
    DELETE = "os_load-balancer_api:pool:delete", WRITE, "Delete a pool.";
}
