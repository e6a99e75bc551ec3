// SPDX-License-Identifier: Apache-2.0
//! Members of pools: addresses that serve.

mod api;
mod batch;
mod policy;
mod says;
mod table;

use std::net::IpAddr;

use ::store::Tx;
use access::Policy;
use serde_json::{Value, json};
use types::{LoadBalancerId, MemberId, PoolId, ProjectId, SubnetId, Timestamp};

use crate::{
    error::Result,
    thing::{
        Shown,
        listing::{Attribute, flagged, number, text, time},
        thing, time as written, time_or_none,
    },
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("member", api::routes);

thing! {
    Member ("members", "pool_member", "Member") {
        id: MemberId,
        project_id: ProjectId,
        load_balancer_id: LoadBalancerId,
        pool_id: PoolId,
        name: String,
        admin_state_up: bool,
        tags: Vec<String>,
        address: IpAddr,
        protocol_port: i64,
        subnet_id: Option<SubnetId>,
        weight: i64,
        backup: bool,
        monitor_address: Option<IpAddr>,
        monitor_port: Option<i64>,
        /// `up`, `down`, or empty before the first look.
        health: String,
        provisioning_status: String,
        operating_status: String,
        changed_in: i64,
        created_at: Timestamp,
        updated_at: Option<Timestamp>,
    }
}

static ATTRIBUTES: [Attribute; 15] = [
    text("id"),
    text("name"),
    text("project_id"),
    flagged("admin_state_up"),
    text("address"),
    number("protocol_port"),
    text("subnet_id"),
    number("weight"),
    flagged("backup"),
    text("monitor_address"),
    number("monitor_port"),
    text("provisioning_status"),
    text("operating_status"),
    time("created_at"),
    time("updated_at"),
];

impl Shown for Member {
    const ONE: &'static str = "member";
    const MANY: &'static str = "members";
    const SHOW: &'static Policy = &policy::SHOW;
    const ATTRIBUTES: &'static [Attribute] = &ATTRIBUTES;

    fn views(_: &mut Tx, rows: Vec<Self>) -> Result<Vec<Value>> {
        let view = |row: Self| {
            json!({
                "id": row.id,
                "name": row.name,
                "operating_status": row.operating_status,
                "provisioning_status": row.provisioning_status,
                "admin_state_up": row.admin_state_up,
                "address": row.address,
                "protocol_port": row.protocol_port,
                "weight": row.weight,
                "backup": row.backup,
                "subnet_id": row.subnet_id,
                "project_id": row.project_id,
                "created_at": written(row.created_at),
                "updated_at": time_or_none(row.updated_at),
                "monitor_address": row.monitor_address,
                "monitor_port": row.monitor_port,
                "tags": row.tags,
                "vnic_type": "normal",
            })
        };
        Ok(rows.into_iter().map(view).collect())
    }
}
