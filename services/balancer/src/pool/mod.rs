// SPDX-License-Identifier: Apache-2.0
//! Pools: members among which connections are spread, and how.

mod api;
mod policy;
mod says;

use std::collections::HashMap;

use ::store::{Select, Tx};
use access::Policy;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use types::{LoadBalancerId, PoolId, ProjectId, Timestamp};

use crate::{
    error::Result,
    thing::{
        Shown, ids,
        listing::{Attribute, flagged, text, time},
        thing, time as written, time_or_none,
    },
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("pool", api::routes);

thing! {
    Pool ("pools", "pool", "Pool") {
        id: PoolId,
        project_id: ProjectId,
        load_balancer_id: LoadBalancerId,
        name: String,
        description: String,
        admin_state_up: bool,
        tags: Vec<String>,
        protocol: String,
        lb_algorithm: String,
        session_persistence: Option<Persistence>,
        provisioning_status: String,
        operating_status: String,
        changed_in: i64,
        created_at: Timestamp,
        updated_at: Option<Timestamp>,
    }
}

/// How a client comes back to the member that it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Persistence {
    pub r#type: String,
    pub cookie_name: Option<String>,
    pub persistence_timeout: Option<i64>,
    pub persistence_granularity: Option<String>,
}

pub(crate) const PROTOCOLS: [&str; 7] = ["HTTP", "HTTPS", "PROXY", "PROXYV2", "TCP", "UDP", "SCTP"];
pub(crate) const ALGORITHMS: [&str; 4] = ["ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP", "SOURCE_IP_PORT"];

static ATTRIBUTES: [Attribute; 12] = [
    text("id"),
    text("name"),
    text("description"),
    text("project_id"),
    text("load_balancer_id"),
    flagged("admin_state_up"),
    text("protocol"),
    text("lb_algorithm"),
    text("provisioning_status"),
    text("operating_status"),
    time("created_at"),
    time("updated_at"),
];

impl Shown for Pool {
    const ONE: &'static str = "pool";
    const MANY: &'static str = "pools";
    const SHOW: &'static Policy = &policy::SHOW;
    const ATTRIBUTES: &'static [Attribute] = &ATTRIBUTES;

    fn views(tx: &mut Tx, rows: Vec<Self>) -> Result<Vec<Value>> {
        let mut members = related(tx, "members", "pool_id", &rows)?;
        let mut monitors = related(tx, "health_monitors", "pool_id", &rows)?;
        let mut listeners = related(tx, "listeners", "default_pool_id", &rows)?;
        let view = |row: Self| {
            let of = |all: &mut HashMap<PoolId, Vec<String>>| all.remove(&row.id).unwrap_or_default();
            let (members, monitors, listeners) = (of(&mut members), of(&mut monitors), of(&mut listeners));
            json!({
                "id": row.id,
                "name": row.name,
                "description": row.description,
                "provisioning_status": row.provisioning_status,
                "operating_status": row.operating_status,
                "admin_state_up": row.admin_state_up,
                "protocol": row.protocol,
                "lb_algorithm": row.lb_algorithm,
                "session_persistence": row.session_persistence,
                "project_id": row.project_id,
                "loadbalancers": ids([row.load_balancer_id.as_str()]),
                "listeners": ids(listeners.iter().map(String::as_str)),
                "created_at": written(row.created_at),
                "updated_at": time_or_none(row.updated_at),
                "healthmonitor_id": monitors.first(),
                "members": ids(members.iter().map(String::as_str)),
                "tags": row.tags,
                "tls_container_ref": null,
                "ca_tls_container_ref": null,
                "crl_container_ref": null,
                "tls_enabled": false,
                "tls_ciphers": null,
                "tls_versions": null,
                "alpn_protocols": null,
            })
        };
        Ok(rows.into_iter().map(view).collect())
    }
}

fn related(tx: &mut Tx, table: &'static str, by: &'static str, pools: &[Pool]) -> Result<HashMap<PoolId, Vec<String>>> {
    let columns = if by == "pool_id" { "pool_id, id" } else { "default_pool_id, id" };
    let select = Select::new(table, columns).filter_in(by, pools.iter().map(|pool| &pool.id));
    let mut found: HashMap<PoolId, Vec<String>> = HashMap::new();
    for row in select.sort(&[], "id").rows(tx)? {
        found.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(found)
}
