// SPDX-License-Identifier: Apache-2.0
//! OVN as a provider: what it can do, and what it is told.

use contracts::vips::{Backend, Check, Spread, SpreadService, Transport};

use super::{OVN, transport};
use crate::{
    error::{Error, Result},
    health_monitor::HealthMonitor,
    listener::{Listener, TIMEOUT_CONNECT, TIMEOUT_DATA},
    pool::Pool,
    tree::Tree,
};

/// Octavia's, in seconds.
const AFFINITY: u32 = 360;

pub(super) fn check(tree: &Tree) -> Result<()> {
    tree.listeners.iter().try_for_each(of_listener)?;
    tree.pools.iter().try_for_each(of_pool)?;
    for member in &tree.members {
        if member.weight > 1 {
            return refuse("weights other than 0 and 1: each member gets as much as another, and none with weight 0");
        }
        if member.backup {
            return refuse("backup members");
        }
        if member.monitor_address.is_some() || member.monitor_port.is_some() {
            return refuse("another address or port for health checks than the member's own");
        }
        let vip = tree.balancer.vip_address;
        if vip.is_some_and(|vip| vip.is_ipv4() != member.address.is_ipv4()) {
            return refuse("members of another IP version than the address of the load balancer");
        }
    }
    tree.monitors.iter().try_for_each(|monitor| of_monitor(tree, monitor))
}

fn refuse(what: &str) -> Result<()> {
    Err(Error::Unsupported { provider: OVN.to_owned(), what: what.to_owned() })
}

fn of_listener(listener: &Listener) -> Result<()> {
    if !["TCP", "UDP", "SCTP"].contains(&listener.protocol.as_str()) {
        return refuse(&format!("the protocol {} of a listener: it spreads TCP, UDP and SCTP", listener.protocol));
    }
    if listener.connection_limit != -1 {
        return refuse("a connection limit");
    }
    if !listener.allowed_cidrs.is_empty() {
        return refuse("allowed_cidrs; security groups of the members say who may connect");
    }
    if listener.insert_headers.values().any(|is_on| is_on == "true") {
        return refuse("headers that are inserted");
    }
    let timeouts = (listener.timeout_client_data, listener.timeout_member_connect, listener.timeout_member_data);
    if timeouts != (TIMEOUT_DATA, TIMEOUT_CONNECT, TIMEOUT_DATA) {
        return refuse("timeouts of connections");
    }
    Ok(())
}

fn of_pool(pool: &Pool) -> Result<()> {
    if !["TCP", "UDP", "SCTP"].contains(&pool.protocol.as_str()) {
        return refuse(&format!("the protocol {} of a pool: it spreads TCP, UDP and SCTP", pool.protocol));
    }
    if !["SOURCE_IP_PORT", "SOURCE_IP"].contains(&pool.lb_algorithm.as_str()) {
        return refuse(&format!("the algorithm {}: it knows SOURCE_IP_PORT and SOURCE_IP", pool.lb_algorithm));
    }
    match &pool.session_persistence {
        Some(persistence) if persistence.r#type != "SOURCE_IP" => {
            refuse(&format!("session persistence by {}: it knows SOURCE_IP", persistence.r#type))
        }
        Some(persistence) if persistence.persistence_granularity.is_some() => refuse("persistence_granularity"),
        _ => Ok(()),
    }
}

fn of_monitor(tree: &Tree, monitor: &HealthMonitor) -> Result<()> {
    let pool = tree.pools.iter().find(|pool| pool.id == monitor.pool_id);
    let fitting = match pool.map(|pool| transport(&pool.protocol)) {
        Some(Transport::Udp) => "UDP-CONNECT",
        Some(Transport::Sctp) => return refuse("health monitors of SCTP pools"),
        _ => "TCP",
    };
    match monitor.r#type == fitting {
        true => Ok(()),
        false => refuse(&format!("health monitors of type {} there: the one that fits is {fitting}", monitor.r#type)),
    }
}

/// What OVN shall do for this load balancer. One that is switched off answers nowhere.
pub(crate) fn spread(tree: &Tree) -> Spread {
    let open = tree.listeners.iter().filter(|listener| tree.balancer.admin_state_up && listener.admin_state_up);
    Spread { services: open.map(|listener| service(tree, listener)).collect() }
}

fn service(tree: &Tree, listener: &Listener) -> SpreadService {
    let pool = tree.pools.iter().find(|pool| listener.default_pool_id.as_ref() == Some(&pool.id));
    let pool = pool.filter(|pool| pool.admin_state_up);
    // One with weight 0 gets no connection any more; those that it has go on.
    let members = tree
        .members
        .iter()
        .filter(|member| pool.is_some_and(|pool| member.pool_id == pool.id) && member.admin_state_up && member.weight > 0);
    let backends = members.map(|member| Backend {
        address: member.address,
        port: u16::try_from(member.protocol_port).unwrap_or_default(),
        subnet_id: member.subnet_id.clone(),
    });
    let monitor = tree.monitors.iter().find(|monitor| pool.is_some_and(|pool| monitor.pool_id == pool.id));
    let persistence = pool.and_then(|pool| pool.session_persistence.as_ref());
    let seconds = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    SpreadService {
        id: listener.id.to_string(),
        transport: transport(&listener.protocol),
        port: u16::try_from(listener.protocol_port).unwrap_or_default(),
        affinity: persistence.map(|persistence| persistence.persistence_timeout.map_or(AFFINITY, seconds)),
        by_client: pool.is_some_and(|pool| pool.lb_algorithm == "SOURCE_IP"),
        backends: backends.collect(),
        check: monitor.filter(|monitor| monitor.admin_state_up).map(|monitor| Check {
            delay: seconds(monitor.delay),
            timeout: seconds(monitor.timeout),
            rise: seconds(monitor.max_retries),
            fall: seconds(monitor.max_retries_down),
        }),
    }
}
