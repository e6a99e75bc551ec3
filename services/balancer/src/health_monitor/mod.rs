// SPDX-License-Identifier: Apache-2.0
//! Health monitors: how it is found out which members of a pool live.

mod api;
mod policy;

use ::store::Tx;
use access::Policy;
use serde_json::{Value, json};
use types::{HealthMonitorId, LoadBalancerId, PoolId, ProjectId, Timestamp};

use crate::{
    error::Result,
    thing::{
        Shown, ids,
        listing::{Attribute, flagged, number, text, time},
        thing, time as written, time_or_none,
    },
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("health_monitor", api::routes);

thing! {
    HealthMonitor ("health_monitors", "health_monitor", "Health Monitor") {
        id: HealthMonitorId,
        project_id: ProjectId,
        load_balancer_id: LoadBalancerId,
        pool_id: PoolId,
        name: String,
        admin_state_up: bool,
        tags: Vec<String>,
        r#type: String,
        delay: i64,
        timeout: i64,
        max_retries: i64,
        max_retries_down: i64,
        http_method: Option<String>,
        url_path: Option<String>,
        expected_codes: Option<String>,
        http_version: Option<String>,
        domain_name: Option<String>,
        provisioning_status: String,
        operating_status: String,
        changed_in: i64,
        created_at: Timestamp,
        updated_at: Option<Timestamp>,
    }
}

pub(crate) const TYPES: [&str; 7] = ["HTTP", "HTTPS", "PING", "TCP", "TLS-HELLO", "UDP-CONNECT", "SCTP"];

impl HealthMonitor {
    pub(crate) fn speaks_http(&self) -> bool {
        matches!(self.r#type.as_str(), "HTTP" | "HTTPS")
    }
}

static ATTRIBUTES: [Attribute; 14] = [
    text("id"),
    text("name"),
    text("project_id"),
    flagged("admin_state_up"),
    text("pool_id"),
    text("type"),
    number("delay"),
    number("timeout"),
    number("max_retries"),
    number("max_retries_down"),
    text("provisioning_status"),
    text("operating_status"),
    time("created_at"),
    time("updated_at"),
];

impl Shown for HealthMonitor {
    const ONE: &'static str = "healthmonitor";
    const MANY: &'static str = "healthmonitors";
    const SHOW: &'static Policy = &policy::SHOW;
    const ATTRIBUTES: &'static [Attribute] = &ATTRIBUTES;

    fn views(_: &mut Tx, rows: Vec<Self>) -> Result<Vec<Value>> {
        let view = |row: Self| {
            json!({
                "id": row.id,
                "name": row.name,
                "type": row.r#type,
                "delay": row.delay,
                "timeout": row.timeout,
                "max_retries": row.max_retries,
                "max_retries_down": row.max_retries_down,
                "http_method": row.http_method,
                "url_path": row.url_path,
                "expected_codes": row.expected_codes,
                "admin_state_up": row.admin_state_up,
                "project_id": row.project_id,
                "pools": ids([row.pool_id.as_str()]),
                "provisioning_status": row.provisioning_status,
                "operating_status": row.operating_status,
                "created_at": written(row.created_at),
                "updated_at": time_or_none(row.updated_at),
                "tags": row.tags,
                "http_version": row.http_version.and_then(|version| version.parse::<f64>().ok()),
                "domain_name": row.domain_name,
            })
        };
        Ok(rows.into_iter().map(view).collect())
    }
}
