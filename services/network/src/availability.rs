// SPDX-License-Identifier: Apache-2.0
//! How full the networks are, where floating IPs come from, and who serves routers: small read-only resources.

use std::{collections::HashMap, sync::Arc};

use access::{Policy, Target};
use api::{Access, Cx, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};
use store::{Select, Tx, params};
use types::{NetworkId, SubnetId};

use crate::{
    Error, Result, Room,
    extension::Extension,
    listing, network,
    pick::{self, Pick},
    resource::Kept,
    subnet,
};

pub(crate) const DRAWER: crate::Drawer =
    api::Drawer::new("availability", routes).with(crate::Own { extensions: EXTENSIONS, ..crate::Own::NOTHING });

const EXTENSIONS: &[Extension] = &[
    ("network-ip-availability", "Address usage", "How many addresses of a network are used can be asked."),
    ("floatingip-pools", "Floating IP pools", "The subnets that floating IPs come from can be listed."),
    ("service-type", "Service types", "Who serves a kind of resource can be asked."),
];

pub static GET: Policy = Policy::new(
    "get_network_ip_availability",
    "rule:admin_only or rule:service_api",
    "See how many addresses of networks are used",
);

pub static GET_POOL: Policy =
    Policy::new("get_floatingip_pool", "rule:project_reader_or_admin", "See where floating IPs come from");
pub static GET_PROVIDER: Policy = Policy::new("get_service_provider", "role:reader", "See who serves a kind of resource");

pub fn routes() -> Routes<Room> {
    Routes::new()
        .get("/v2.0/network-ip-availabilities", Access::Asks(&GET), list)
        .get("/v2.0/network-ip-availabilities/{id}", Access::Asks(&GET), show)
        .get("/v2.0/floatingip_pools", Access::Asks(&GET_POOL), pools)
        .get("/v2.0/service-providers", Access::Asks(&GET_PROVIDER), providers)
}

const FILTERS: [Pick; 5] = [
    Pick::text("network_id"),
    Pick::text("network_name"),
    Pick::text("project_id"),
    Pick::text("tenant_id"),
    Pick::text("ip_version").within("subnet_ip_availability"),
];

async fn list(room: Arc<Room>, cx: Cx) -> Reply {
    let seen = cx.may(&GET, &Target::new());
    let all = if seen { room.list(|tx| availabilities(tx, network::Row::select())).await? } else { Vec::new() };
    listing::one(&cx, StatusCode::OK, "network_ip_availabilities", &pick::all(&cx, &FILTERS, all)?)
}

async fn show(room: Arc<Room>, cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    if !cx.may(&GET, &Target::new()) {
        return Err(Error::NetworkNotFound { net_id: id }.into());
    }
    let found = room
        .list(move |tx| {
            let found = availabilities(tx, network::Row::select().filter("id = ", &id))?;
            found.into_iter().next().ok_or_else(|| Error::NetworkNotFound { net_id: id.clone() })
        })
        .await?;
    listing::one(&cx, StatusCode::OK, "network_ip_availability", &found)
}

/// The networks of a query with what their subnets hold; three statements however many there are.
fn availabilities(tx: &mut Tx, select: Select) -> Result<Vec<Value>> {
    let networks = network::Row::rows(tx, select)?;
    let mut subnets: HashMap<NetworkId, Vec<subnet::Row>> = HashMap::new();
    for row in subnet::of_networks(tx, networks.iter().map(|network| &network.id))? {
        subnets.entry(row.network_id.clone()).or_default().push(row);
    }
    let mut used: HashMap<SubnetId, i64> = HashMap::new();
    for row in tx.query("SELECT subnet_id, count(*) FROM port_addresses GROUP BY subnet_id", &params![])? {
        used.insert(row.get(0)?, row.get(1)?);
    }
    let view = |network: network::Row| {
        let subnets = subnets.remove(&network.id).unwrap_or_default();
        let details: Vec<(i64, u128, Value)> = subnets.iter().map(|subnet| detail(subnet, &used)).collect();
        json!({
            "network_id": network.id,
            "network_name": network.name,
            "project_id": network.project_id,
            "tenant_id": network.project_id,
            "total_ips": number(details.iter().map(|(_, total, _)| *total).fold(0, u128::saturating_add)),
            "used_ips": details.iter().map(|(used, ..)| used).sum::<i64>(),
            "subnet_ip_availability": details.into_iter().map(|(.., view)| view).collect::<Vec<_>>(),
        })
    };
    Ok(networks.into_iter().map(view).collect())
}

fn detail(subnet: &subnet::Row, used: &HashMap<SubnetId, i64>) -> (i64, u128, Value) {
    let used = used.get(&subnet.id).copied().unwrap_or_default();
    let total = subnet.allocation_pools.iter().fold(0_u128, |all, pool| all.saturating_add(pool.size()));
    let view = json!({
        "subnet_id": subnet.id,
        "subnet_name": subnet.name,
        "cidr": subnet.cidr.to_string(),
        "ip_version": if subnet.is_v4() { 4 } else { 6 },
        "total_ips": number(total),
        "used_ips": used,
    });
    (used, total, view)
}

/// JSON's numbers end where an IPv6 subnet begins.
fn number(count: u128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

async fn pools(room: Arc<Room>, cx: Cx) -> Reply {
    // They are shown as the caller's own.
    let project = cx.project().ok().filter(|project| cx.may(&GET_POOL, &Target::in_project(project))).cloned();
    let views = room
        .list(move |tx| {
            let Some(project) = &project else { return Ok(Vec::new()) };
            let sql = "SELECT n.id, s.id, s.name, s.cidr FROM networks n JOIN subnets s ON s.network_id = n.id \
                       WHERE n.external = 1 AND s.ip_version = 4 ORDER BY n.id, s.id";
            let rows = tx.query(sql, &[])?;
            let pool = |row: &store::Row| {
                Ok(json!({
                    "network_id": row.get::<&str>(0)?,
                    "subnet_id": row.get::<&str>(1)?,
                    "subnet_name": row.get::<&str>(2)?,
                    "cidr": row.get::<&str>(3)?,
                    "tenant_id": project,
                    "project_id": project,
                }))
            };
            Ok(rows.iter().map(pool).collect::<Result<Vec<Value>, store::Error>>()?)
        })
        .await?;
    let filters = ["network_id", "subnet_id", "subnet_name", "cidr", "project_id", "tenant_id"].map(Pick::text);
    listing::one(&cx, StatusCode::OK, "floatingip_pools", &pick::all(&cx, &filters, views)?)
}

async fn providers(_room: Arc<Room>, cx: Cx) -> Reply {
    let router = json!({"service_type": "L3_ROUTER_NAT", "name": "ovn", "default": true});
    let providers = if cx.may(&GET_PROVIDER, &Target::new()) { vec![router] } else { Vec::new() };
    let filters = [Pick::text("service_type"), Pick::text("name"), Pick::flag("default")];
    listing::one(&cx, StatusCode::OK, "service_providers", &pick::all(&cx, &filters, providers)?)
}
