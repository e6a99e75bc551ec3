// SPDX-License-Identifier: Apache-2.0
//! How full the networks are, where floating IPs come from, and who serves routers: small read-only resources.

use std::{collections::HashMap, sync::Arc};

use access::Policy;
use api::{Access, Cx, Reply, Routes, json};
use http::StatusCode;
use serde_json::{Value, json};
use store::{Select, Tx, params};
use types::{NetworkId, SubnetId};

use crate::{Error, Result, Room, listing, network, resource::Kept, subnet};

pub static GET: Policy = Policy::new(
    "get_network_ip_availability",
    "rule:admin_only or rule:service_api",
    "See how many addresses of networks are used",
);

pub fn routes(room: &Arc<Room>) -> Routes<Room> {
    Routes::new(room.clone())
        .get("/v2.0/network-ip-availabilities", &GET, list)
        .get("/v2.0/network-ip-availabilities/{id}", &GET, show)
        .get("/v2.0/floatingip_pools", &network::api::GET, pools)
        .get("/v2.0/service-providers", Access::Authenticated, providers)
}

const FILTERS: [(&str, &str); 4] =
    [("network_id", "network_id"), ("network_name", "network_name"), ("project_id", "project_id"), ("tenant_id", "project_id")];

async fn list(room: Arc<Room>, cx: Cx) -> Reply {
    let all = room.list(|tx| availabilities(tx, network::Row::select())).await?;
    let version = cx.query().get("ip_version").map(|text| text.parse::<u64>().unwrap_or_default());
    let fits = |item: &Value| {
        FILTERS.iter().all(|(name, field)| cx.query().get(name).is_none_or(|wanted| item[*field] == wanted))
            && version.is_none_or(|version| {
                let of_version = |subnet: &Value| subnet["ip_version"] == version;
                item["subnet_ip_availability"].as_array().is_some_and(|subnets| subnets.iter().any(of_version))
            })
    };
    let all: Vec<Value> = all.into_iter().filter(fits).collect();
    listing::one(&cx, StatusCode::OK, "network_ip_availabilities", &all)
}

async fn show(room: Arc<Room>, cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
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
    for row in subnet::store::of_networks(tx, networks.iter().map(|network| &network.id))? {
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
    let project = cx.project()?.clone();
    let views = room
        .list(move |tx| {
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
    json(StatusCode::OK, &json!({ "floatingip_pools": views }))
}

async fn providers(_room: Arc<Room>, _cx: Cx) -> Reply {
    let router = json!({"service_type": "L3_ROUTER_NAT", "name": "ovn", "default": true});
    json(StatusCode::OK, &json!({ "service_providers": [router] }))
}
