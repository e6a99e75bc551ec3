// SPDX-License-Identifier: Apache-2.0
//! Who may do what with load balancers by default.

use crate::policy::{ADMIN, READ, WRITE};

access::policies! {
    LIST = "os_load-balancer_api:loadbalancer:get_all", READ, "List load balancers.";
    CREATE = "os_load-balancer_api:loadbalancer:post", WRITE, "Make a load balancer.";
    SHOW = "os_load-balancer_api:loadbalancer:get_one", READ, "See a load balancer.";
    UPDATE = "os_load-balancer_api:loadbalancer:put", WRITE, "Change a load balancer.";
    DELETE = "os_load-balancer_api:loadbalancer:delete", WRITE, "Delete a load balancer.";
    STATS = "os_load-balancer_api:loadbalancer:get_stats", READ, "See what passed through a load balancer.";
    STATUS = "os_load-balancer_api:loadbalancer:get_status", READ, "See how a load balancer and all of it is.";
    FAILOVER = "os_load-balancer_api:loadbalancer:put_failover", ADMIN, "Have a load balancer move elsewhere.";
}
