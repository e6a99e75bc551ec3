// SPDX-License-Identifier: Apache-2.0
//! How a load balancer and its parts are, in Octavia's words, which follow from what is wanted and what members' checks say.

use crate::{health_monitor::HealthMonitor, listener::Listener, load_balancer::LoadBalancer, member::Member, pool::Pool};

pub(super) const ONLINE: &str = "ONLINE";
pub(super) const OFFLINE: &str = "OFFLINE";
const ERROR: &str = "ERROR";
const DEGRADED: &str = "DEGRADED";

pub(super) fn of_member(member: &Member, monitor: Option<&HealthMonitor>) -> &'static str {
    let is_checked = monitor.is_some_and(|monitor| monitor.admin_state_up);
    match (member.admin_state_up, member.weight, is_checked, member.health.as_str()) {
        (false, ..) => OFFLINE,
        (_, 0, ..) => "DRAINING",
        (_, _, false, _) => "NO_MONITOR",
        (.., "up") => ONLINE,
        (.., "down") => ERROR,
        // Nobody has looked yet.
        _ => OFFLINE,
    }
}

/// A pool is as its members are that serve, or would.
pub(super) fn of_pool<'a>(pool: &Pool, members: impl Iterator<Item = &'a str>) -> &'static str {
    let serving: Vec<&str> = members.filter(|status| *status != "DRAINING").collect();
    if !pool.admin_state_up || serving.iter().all(|status| *status == OFFLINE) {
        return OFFLINE;
    }
    of_parts(serving.into_iter().filter(|status| *status != OFFLINE))
}

pub(super) fn of_listener(listener: &Listener, pool: Option<&str>) -> &'static str {
    match (listener.admin_state_up, pool) {
        (false, _) => OFFLINE,
        (true, Some(ERROR)) => ERROR,
        (true, Some(DEGRADED)) => DEGRADED,
        (true, _) => ONLINE,
    }
}

pub(super) fn of_monitor(monitor: &HealthMonitor) -> &'static str {
    if monitor.admin_state_up { ONLINE } else { OFFLINE }
}

pub(super) fn of_balancer<'a>(balancer: &LoadBalancer, listeners: impl Iterator<Item = &'a str>) -> &'static str {
    match balancer.admin_state_up && balancer.reached > 0 {
        true => of_parts(listeners.filter(|status| *status != OFFLINE)),
        false => OFFLINE,
    }
}

/// All well, none, or some.
fn of_parts<'a>(parts: impl Iterator<Item = &'a str>) -> &'static str {
    let parts: Vec<&str> = parts.collect();
    let ill = parts.iter().filter(|status| [ERROR, DEGRADED].contains(status)).count();
    match ill {
        0 => ONLINE,
        _ if parts.iter().all(|status| *status == ERROR) => ERROR,
        _ => DEGRADED,
    }
}
