// SPDX-License-Identifier: Apache-2.0
//! Load balancers: an address, and what listens there.

mod api;
mod create;
pub(crate) mod policy;
mod status;
pub(crate) mod table;

use std::{collections::HashMap, net::IpAddr};

use ::store::{Select, Tx};
use access::Policy;
use contracts::vips::Vip;
use serde_json::{Value, json};
use types::{LoadBalancerId, NetworkId, PortId, ProjectId, SubnetId, Timestamp};

use crate::{
    error::Result,
    thing::{
        Shown, ids,
        listing::{Attribute, flagged, text, text_in, time},
        thing, time as written, time_or_none,
    },
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("load_balancer", api::routes).rules(crate::policy::RULES);

thing! {
    LoadBalancer ("load_balancers", "load_balancer", "Load Balancer") {
        id: LoadBalancerId,
        project_id: ProjectId,
        name: String,
        description: String,
        admin_state_up: bool,
        tags: Vec<String>,
        provider: String,
        vip: Vip,
        vip_port_id: PortId,
        vip_network_id: NetworkId,
        vip_subnet_id: Option<SubnetId>,
        vip_address: Option<IpAddr>,
        provisioning_status: String,
        operating_status: String,
        generation: i64,
        reached: i64,
        fault: Option<String>,
        deleting_at: Option<Timestamp>,
        created_at: Timestamp,
        updated_at: Option<Timestamp>,
    }
}

static ATTRIBUTES: [Attribute; 14] = [
    text("id"),
    text("name"),
    text("description"),
    text("project_id"),
    flagged("admin_state_up"),
    text("provider"),
    text("vip_address"),
    text("vip_port_id"),
    text("vip_network_id"),
    text("vip_subnet_id"),
    text_in("provisioning_status", "provisioning_status"),
    text("operating_status"),
    time("created_at"),
    time("updated_at"),
];

impl Shown for LoadBalancer {
    const ONE: &'static str = "loadbalancer";
    const MANY: &'static str = "loadbalancers";
    const SHOW: &'static Policy = &policy::SHOW;
    const ATTRIBUTES: &'static [Attribute] = &ATTRIBUTES;

    fn views(tx: &mut Tx, rows: Vec<Self>) -> Result<Vec<Value>> {
        let listeners = children(tx, "listeners", &rows)?;
        let pools = children(tx, "pools", &rows)?;
        let of = |all: &HashMap<LoadBalancerId, Vec<String>>, id: &LoadBalancerId| {
            ids(all.get(id).into_iter().flatten().map(String::as_str))
        };
        let view = |row: Self| {
            json!({
                "id": row.id,
                "name": row.name,
                "description": row.description,
                "provisioning_status": row.provisioning_status,
                "operating_status": row.operating_status,
                "admin_state_up": row.admin_state_up,
                "project_id": row.project_id,
                "created_at": written(row.created_at),
                "updated_at": time_or_none(row.updated_at),
                "vip_address": row.vip_address,
                "vip_port_id": row.vip_port_id,
                "vip_subnet_id": row.vip_subnet_id,
                "vip_network_id": row.vip_network_id,
                "additional_vips": [],
                "listeners": of(&listeners, &row.id),
                "pools": of(&pools, &row.id),
                "provider": row.provider,
                "flavor_id": null,
                "vip_qos_policy_id": null,
                "tags": row.tags,
                "availability_zone": null,
                "vip_vnic_type": "normal",
                "vip_sg_ids": [],
            })
        };
        Ok(rows.into_iter().map(view).collect())
    }
}

fn children(tx: &mut Tx, table: &'static str, rows: &[LoadBalancer]) -> Result<HashMap<LoadBalancerId, Vec<String>>> {
    let select = Select::new(table, "load_balancer_id, id").filter_in("load_balancer_id", rows.iter().map(|row| &row.id));
    let mut found: HashMap<LoadBalancerId, Vec<String>> = HashMap::new();
    for row in select.sort(&[], "id").rows(tx)? {
        found.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(found)
}
