// SPDX-License-Identifier: Apache-2.0
//! Routers: between the networks of a tenant, and by a gateway to an external network, with or without translating
//! senders' addresses.

pub mod api;
pub mod connected;
mod gateway;
pub mod interface;
pub mod table;

use ::store::Row as Stored;
use serde::Serialize;
use serde_json::{Value, json};
use types::{NetworkId, PortId, ProjectId, RouterId, Timestamp};

use crate::{
    Error,
    extension::Extension,
    keys::{Kind, Read},
    northbound,
    port::FixedIp,
    quota::{self, Quota},
    resource::{Kept, common_columns},
    settings::Settings,
    subnet::Route,
};

const KIND: Kind =
    Kind { name: "router", table: "routers", rows: Read::One(|tx, around, id| northbound::router::rows(tx, around, &id.into())) };

pub(crate) const QUOTA: Quota = Quota { name: "router", default: 10, used: |tx, project| quota::count(tx, "routers", project) };

const EXTENSIONS: &[Extension] = &[
    ("ext-gw-mode", "External gateway modes", "A router's gateway may leave senders' addresses as they are."),
    ("extraroute", "Extra routes", "Routers have routes of their own."),
    ("extraroute-atomic", "Atomic extra routes", "Routes can be added and removed one by one."),
    ("router", "Routers", "Routers between networks, with gateways and floating IPs."),
    ("router_availability_zone", "Router availability zone", "Routers take hints of availability zones."),
];

pub(crate) const DRAWER: crate::Drawer =
    ::api::Drawer::new("router", api::routes).with(crate::Own { keys: &[KIND], quotas: &[QUOTA], extensions: EXTENSIONS });

#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub id: RouterId,
    pub project_id: ProjectId,
    pub name: String,
    pub description: String,
    pub admin_state_up: bool,
    pub gateway_port_id: Option<PortId>,
    pub enable_snat: bool,
    pub routes: Vec<Route>,
    pub availability_zone_hints: Vec<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub generation: i64,
}

impl Kept for Row {
    const TABLE: &'static str = "routers";
    const COLUMNS: &'static str = "id, project_id, name, description, admin_state_up, gateway_port_id, enable_snat, routes, \
    availability_zone_hints, created_at, updated_at, generation";
    const KIND: &'static str = "router";

    fn read(row: &Stored) -> ::store::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            project_id: row.get(1)?,
            name: row.get(2)?,
            description: row.get(3)?,
            admin_state_up: row.get(4)?,
            gateway_port_id: row.get::<Option<&str>>(5)?.map(PortId::from),
            enable_snat: row.get(6)?,
            routes: row.json(7)?,
            availability_zone_hints: row.json(8)?,
            created_at: row.get(9)?,
            updated_at: row.get(10)?,
            generation: row.get(11)?,
        })
    }

    common_columns!();

    fn missing(id: &str) -> Error {
        Error::RouterNotFound { router_id: id.to_owned() }
    }
}

/// Where a router's gateway is.
#[derive(Debug, Clone)]
pub struct Gateway {
    pub network_id: NetworkId,
    pub fixed_ips: Vec<FixedIp>,
}

/// A router as Neutron shows it.
#[derive(Debug, Serialize)]
pub struct View {
    pub id: RouterId,
    name: String,
    tenant_id: ProjectId,
    project_id: ProjectId,
    description: String,
    admin_state_up: bool,
    status: &'static str,
    external_gateway_info: Option<Value>,
    routes: Vec<Route>,
    availability_zone_hints: Vec<String>,
    availability_zones: Vec<String>,
    flavor_id: Option<String>,
    service_type_id: Option<String>,
    tags: Vec<String>,
    created_at: String,
    updated_at: String,
    revision_number: i64,
}

impl View {
    pub fn new(found: table::Found, settings: &Settings) -> Self {
        let table::Found { row, gateway, tags } = found;
        let enable_snat = row.enable_snat;
        let gateway = gateway.map(|gateway| {
            json!({
                "network_id": gateway.network_id,
                "enable_snat": enable_snat,
                "external_fixed_ips": gateway.fixed_ips,
            })
        });
        Self {
            id: row.id,
            name: row.name,
            tenant_id: row.project_id.clone(),
            project_id: row.project_id,
            description: row.description,
            admin_state_up: row.admin_state_up,
            status: "ACTIVE",
            external_gateway_info: gateway,
            routes: row.routes,
            availability_zone_hints: row.availability_zone_hints,
            availability_zones: vec![settings.availability_zone.clone()],
            flavor_id: None,
            service_type_id: None,
            tags,
            created_at: row.created_at.zulu(),
            updated_at: row.updated_at.zulu(),
            revision_number: row.generation,
        }
    }
}
