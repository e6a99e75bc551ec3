// SPDX-License-Identifier: Apache-2.0
//! Floating IPs: addresses of an external network that a tenant holds, and leads to one of his ports and to another later.

pub mod api;
pub mod leading;
mod reached;
pub mod table;

pub(crate) use reached::lost;

use std::net::IpAddr;

use ::store::Row as Stored;
use serde::Serialize;
use serde_json::{Value, json};
use types::{FloatingIpId, NetworkId, PortId, ProjectId, RouterId, Timestamp};

use crate::{
    Error,
    extension::Extension,
    keys::{Kind, Read},
    northbound, port,
    quota::{self, Quota},
    resource::{Kept, common_columns},
};

const KIND: Kind = Kind {
    name: "fip",
    table: "floating_ips",
    rows: Read::One(|tx, around, id| northbound::router::floating_ip(tx, around, &id.into())),
};

pub(crate) const QUOTA: Quota =
    Quota { name: "floatingip", default: 50, used: |tx, project| quota::count(tx, "floating_ips", project) };

const EXTENSIONS: &[Extension] =
    &[("fip-port-details", "Port details of floating IPs", "A floating IP shows the port it leads to.")];

pub(crate) const DRAWER: crate::Drawer =
    ::api::Drawer::new("floating_ip", api::routes).with(crate::Own { keys: &[KIND], quotas: &[QUOTA], extensions: EXTENSIONS });

#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub id: FloatingIpId,
    pub project_id: ProjectId,
    pub description: String,
    pub floating_port_id: PortId,
    pub floating_network_id: NetworkId,
    pub floating_ip_address: IpAddr,
    pub port_id: Option<PortId>,
    pub fixed_ip_address: Option<IpAddr>,
    pub router_id: Option<RouterId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub generation: i64,
}

/// The status word in SQL, so that lists can be filtered by it; the same as [`Row::status`].
pub const STATUS: &str = "CASE WHEN port_id IS NULL THEN 'DOWN' ELSE 'ACTIVE' END";

impl Kept for Row {
    const TABLE: &'static str = "floating_ips";
    const COLUMNS: &'static str = "id, project_id, description, floating_port_id, floating_network_id, floating_ip_address, port_id, \
    fixed_ip_address, router_id, created_at, updated_at, generation";
    const KIND: &'static str = "floatingip";

    fn read(row: &Stored) -> ::store::Result<Self> {
        let unreadable = |index| ::store::Error::Column { index, wanted: "address", found: "text" };
        let fixed: Option<&str> = row.get(7)?;
        Ok(Self {
            id: row.get(0)?,
            project_id: row.get(1)?,
            description: row.get(2)?,
            floating_port_id: row.get(3)?,
            floating_network_id: row.get(4)?,
            floating_ip_address: row.get::<&str>(5)?.parse().map_err(|_| unreadable(5))?,
            port_id: row.get(6)?,
            fixed_ip_address: fixed.map(|text| text.parse().map_err(|_| unreadable(7))).transpose()?,
            router_id: row.get(8)?,
            created_at: row.get(9)?,
            updated_at: row.get(10)?,
            generation: row.get(11)?,
        })
    }

    common_columns!();

    fn missing(id: &str) -> Error {
        Error::FloatingIPNotFound { floatingip_id: id.to_owned() }
    }
}

impl Row {
    pub fn status(&self) -> &'static str {
        if self.port_id.is_none() { "DOWN" } else { "ACTIVE" }
    }
}

/// A floating IP as Neutron shows it.
#[derive(Debug, Serialize)]
pub struct View {
    pub id: FloatingIpId,
    tenant_id: ProjectId,
    project_id: ProjectId,
    floating_ip_address: IpAddr,
    floating_network_id: NetworkId,
    router_id: Option<RouterId>,
    port_id: Option<PortId>,
    fixed_ip_address: Option<IpAddr>,
    status: &'static str,
    description: String,
    port_details: Option<Value>,
    port_forwardings: Vec<Value>,
    dns_domain: String,
    dns_name: String,
    qos_policy_id: Option<String>,
    qos_network_policy_id: Option<String>,
    tags: Vec<String>,
    created_at: String,
    updated_at: String,
    revision_number: i64,
}

impl View {
    pub fn new(found: table::Found) -> Self {
        let table::Found { row, port, tags } = found;
        Self {
            status: row.status(),
            id: row.id,
            tenant_id: row.project_id.clone(),
            project_id: row.project_id,
            floating_ip_address: row.floating_ip_address,
            floating_network_id: row.floating_network_id,
            router_id: row.router_id,
            port_id: row.port_id,
            fixed_ip_address: row.fixed_ip_address,
            description: row.description,
            port_details: port.map(|port| details(&port)),
            port_forwardings: Vec::new(),
            dns_domain: String::new(),
            dns_name: String::new(),
            qos_policy_id: None,
            qos_network_policy_id: None,
            tags,
            created_at: row.created_at.zulu(),
            updated_at: row.updated_at.zulu(),
            revision_number: row.generation,
        }
    }
}

fn details(port: &port::Row) -> Value {
    json!({
        "name": port.name,
        "network_id": port.network_id,
        "mac_address": port.mac_address,
        "admin_state_up": port.admin_state_up,
        "status": port.status(),
        "device_id": port.device_id,
        "device_owner": port.device_owner,
    })
}
