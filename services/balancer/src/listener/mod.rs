// SPDX-License-Identifier: Apache-2.0
//! Listeners: a port of the address, and where what comes to it goes.

mod api;
mod policy;

use std::collections::BTreeMap;

use ::store::Tx;
use access::Policy;
use serde_json::{Value, json};
use types::{ListenerId, LoadBalancerId, PoolId, ProjectId, Timestamp};

use crate::{
    error::Result,
    thing::{
        Shown, ids,
        listing::{Attribute, flagged, number, text, time},
        thing, time as written, time_or_none,
    },
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("listener", api::routes);

thing! {
    Listener ("listeners", "listener", "Listener") {
        id: ListenerId,
        project_id: ProjectId,
        load_balancer_id: LoadBalancerId,
        name: String,
        description: String,
        admin_state_up: bool,
        tags: Vec<String>,
        protocol: String,
        protocol_port: i64,
        connection_limit: i64,
        default_pool_id: Option<PoolId>,
        timeout_client_data: i64,
        timeout_member_connect: i64,
        timeout_member_data: i64,
        insert_headers: BTreeMap<String, String>,
        allowed_cidrs: Vec<String>,
        provisioning_status: String,
        operating_status: String,
        changed_in: i64,
        created_at: Timestamp,
        updated_at: Option<Timestamp>,
    }
}

/// The protocols that Octavia knows.
pub(crate) const PROTOCOLS: [&str; 7] = ["HTTP", "HTTPS", "PROMETHEUS", "TCP", "TERMINATED_HTTPS", "UDP", "SCTP"];
/// Octavia's, in milliseconds.
pub(crate) const TIMEOUT_DATA: i64 = 50_000;
pub(crate) const TIMEOUT_CONNECT: i64 = 5_000;

/// Which protocols a pool may have under a listener of this one.
pub(crate) fn fitting_pools(protocol: &str) -> &'static [&'static str] {
    match protocol {
        "TCP" => &["HTTP", "HTTPS", "PROXY", "PROXYV2", "TCP"],
        "HTTP" => &["HTTP", "PROXY", "PROXYV2"],
        "HTTPS" => &["HTTPS", "PROXY", "PROXYV2", "TCP"],
        "TERMINATED_HTTPS" => &["HTTP", "HTTPS", "PROXY", "PROXYV2"],
        "UDP" => &["UDP"],
        "SCTP" => &["SCTP"],
        _ => &[],
    }
}

static ATTRIBUTES: [Attribute; 13] = [
    text("id"),
    text("name"),
    text("description"),
    text("project_id"),
    text("load_balancer_id"),
    flagged("admin_state_up"),
    text("protocol"),
    number("protocol_port"),
    text("default_pool_id"),
    text("provisioning_status"),
    text("operating_status"),
    time("created_at"),
    time("updated_at"),
];

impl Shown for Listener {
    const ONE: &'static str = "listener";
    const MANY: &'static str = "listeners";
    const SHOW: &'static Policy = &policy::SHOW;
    const ATTRIBUTES: &'static [Attribute] = &ATTRIBUTES;

    fn views(_: &mut Tx, rows: Vec<Self>) -> Result<Vec<Value>> {
        let view = |row: Self| {
            json!({
                "id": row.id,
                "name": row.name,
                "description": row.description,
                "provisioning_status": row.provisioning_status,
                "operating_status": row.operating_status,
                "admin_state_up": row.admin_state_up,
                "protocol": row.protocol,
                "protocol_port": row.protocol_port,
                "connection_limit": row.connection_limit,
                "default_tls_container_ref": null,
                "sni_container_refs": [],
                "project_id": row.project_id,
                "default_pool_id": row.default_pool_id,
                "l7policies": [],
                "insert_headers": row.insert_headers,
                "created_at": written(row.created_at),
                "updated_at": time_or_none(row.updated_at),
                "loadbalancers": ids([row.load_balancer_id.as_str()]),
                "timeout_client_data": row.timeout_client_data,
                "timeout_member_connect": row.timeout_member_connect,
                "timeout_member_data": row.timeout_member_data,
                "timeout_tcp_inspect": 0,
                "tags": row.tags,
                "client_ca_tls_container_ref": null,
                "client_authentication": "NONE",
                "client_crl_container_ref": null,
                "allowed_cidrs": Some(row.allowed_cidrs).filter(|all| !all.is_empty()),
                "tls_ciphers": null,
                "tls_versions": null,
                "alpn_protocols": null,
                "hsts_max_age": null,
                "hsts_include_subdomains": null,
                "hsts_preload": null,
            })
        };
        Ok(rows.into_iter().map(view).collect())
    }
}
