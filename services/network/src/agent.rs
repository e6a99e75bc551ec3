// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/agents` and `/v2.0/availability_zones`: the hosts as OVN's southbound database knows them.

use std::sync::Arc;

use access::{Policy, Target};
use api::{Access, Cx, Reply, Routes};
use http::StatusCode;
use ovn::southbound::Chassis;
use serde_json::{Value, json};
use types::Timestamp;

use crate::{
    Error, Room,
    extension::Extension,
    listing, northbound,
    pick::{self, Pick},
};

pub(crate) const DRAWER: crate::Drawer =
    api::Drawer::new("agent", routes).with(crate::Own { extensions: EXTENSIONS, ..crate::Own::NOTHING });

const EXTENSIONS: &[Extension] = &[("agent", "agent", "The hosts that OVN works on can be listed.")];

pub static GET: Policy = Policy::new("get_agent", "rule:admin_only", "See the hosts that OVN works on");
pub static ZONES: Policy = Policy::new("get_availability_zone", "role:reader", "See the availability zones of networks");

pub fn routes() -> Routes<Room> {
    Routes::new().get("/v2.0/agents", Access::Asks(&GET), list).get("/v2.0/agents/{id}", Access::Asks(&GET), show).get(
        "/v2.0/availability_zones",
        Access::Asks(&ZONES),
        zones,
    )
}

const FILTERS: [Pick; 9] = [
    Pick::text("id"),
    Pick::text("host"),
    Pick::text("agent_type"),
    Pick::text("binary"),
    Pick::text("topic"),
    Pick::text("availability_zone"),
    Pick::text("description"),
    Pick::flag("alive"),
    Pick::flag("admin_state_up"),
];

async fn list(room: Arc<Room>, cx: Cx) -> Reply {
    let seen = |_: &Value| cx.may(&GET, &Target::new());
    let picked = pick::all(&cx, &FILTERS, agents(&room))?;
    let agents: Vec<Value> = picked.into_iter().filter(seen).collect();
    listing::one(&cx, StatusCode::OK, "agents", &agents)
}

async fn show(room: Arc<Room>, cx: Cx) -> Reply {
    let id = cx.param("id");
    let found = agents(&room).into_iter().find(|agent| agent["id"] == id && cx.may(&GET, &Target::new()));
    let agent = found.ok_or_else(|| Error::AgentNotFound { id: id.to_owned() })?;
    listing::one(&cx, StatusCode::OK, "agent", &agent)
}

async fn zones(room: Arc<Room>, cx: Cx) -> Reply {
    let zone = |resource: &str| json!({"name": room.settings.availability_zone, "resource": resource, "state": "available"});
    let zones = if cx.may(&ZONES, &Target::new()) { vec![zone("network"), zone("router")] } else { Vec::new() };
    let filters = [Pick::text("name"), Pick::text("resource"), Pick::text("state")];
    listing::one(&cx, StatusCode::OK, "availability_zones", &pick::all(&cx, &filters, zones)?)
}

fn agents(room: &Room) -> Vec<Value> {
    room.southbound.chassis().unwrap_or_default().iter().map(|chassis| agent(chassis, &room.settings.availability_zone)).collect()
}

fn agent(chassis: &Chassis, zone: &str) -> Value {
    let is_gateway = !chassis.bridge_mappings.is_empty();
    let confirmed = chassis.confirmed_at_ms.map(|at| Timestamp(at.saturating_mul(1000)));
    let seen = confirmed.map(|at| at.naive_micros().replace('T', " ").split('.').next().unwrap_or_default().to_owned());
    json!({
        "id": chassis.name,
        "agent_type": if is_gateway { "OVN Controller Gateway agent" } else { "OVN Controller agent" },
        "binary": "ovn-controller",
        "topic": "n/a",
        "host": chassis.hostname,
        "availability_zone": zone,
        "admin_state_up": true,
        "alive": northbound::is_alive(chassis.behind),
        "description": "",
        "resources_synced": null,
        "created_at": seen,
        "started_at": seen,
        "heartbeat_timestamp": seen,
        "configurations": {
            "bridge-mappings": chassis.bridge_mappings.iter().map(|(physical, bridge)| format!("{physical}:{bridge}")).collect::<Vec<_>>().join(","),
            "tunneling_ip": chassis.encaps.first().map(|encap| encap.ip.clone()),
        },
    })
}
