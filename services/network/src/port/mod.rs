// SPDX-License-Identifier: Apache-2.0
//! Ports: where a machine, a router or the cloud itself is plugged into a network, with its MAC and its addresses.

pub mod addresses;
pub mod api;
mod check;
pub mod count;
pub mod distributed;
mod filter;
pub mod table;

use std::net::IpAddr;

use ::store::{Row as Stored, Select};
use access::Scope;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use types::{Mac, NetworkId, PortId, ProjectId, SecurityGroupId, SubnetId, Timestamp};

use crate::{
    Error,
    extension::Extension,
    keys::{self, Kind, Read},
    northbound,
    quota::Quota,
    reach::{Reach, reach},
    resource::{Kept, common_columns},
    settings::Settings,
};

const KIND: Kind = Kind { name: "port", table: "ports", rows: Read::Many(northbound::port::rows) };

pub(crate) const QUOTA: Quota = Quota { name: "port", default: 500, used: count::of_project };

const EXTENSIONS: &[Extension] = &[
    ("allowed-address-pairs", "Allowed Address Pairs", "A port may use further sender addresses."),
    ("binding", "Port Binding", "Operators see and choose the host of a port."),
    ("extra_dhcp_opt", "Extra DHCP options", "A port's DHCP may tell further options."),
    ("ip-substring-filtering", "Filtering by part of an address", "Ports can be found by a part of an address."),
    ("port-security", "Port security", "Sender addresses of a port are checked, or not."),
    ("dns-integration", "Names of ports", "A port has a name that the network's own DNS answers."),
];

pub(crate) const DRAWER: crate::Drawer =
    ::api::Drawer::new("port", api::routes).with(crate::Own { keys: &[KIND], quotas: &[QUOTA], extensions: EXTENSIONS });

#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub id: PortId,
    pub network_id: NetworkId,
    pub project_id: ProjectId,
    /// The project of its network, where that is another: it sees the port, too.
    #[serde(skip)]
    pub network_owner: Option<ProjectId>,
    pub name: String,
    pub description: String,
    pub admin_state_up: bool,
    pub mac_address: Mac,
    pub device_id: String,
    pub device_owner: String,
    pub port_security_enabled: bool,
    pub allowed_address_pairs: Vec<AddressPair>,
    pub extra_dhcp_opts: Vec<DhcpOption>,
    pub dns_name: String,
    pub host_id: String,
    pub vnic_type: String,
    pub profile: Map<String, Value>,
    pub up: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub generation: i64,
}

/// A further sender address that the port may use: for VRRP, or a router that is a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressPair {
    /// An address or a prefix.
    pub ip_address: String,
    pub mac_address: Mac,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpOption {
    pub opt_name: String,
    pub opt_value: String,
    pub ip_version: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FixedIp {
    pub subnet_id: SubnetId,
    pub ip_address: IpAddr,
}

/// The status word in SQL, so that lists can be filtered by it; the same as [`Row::status`].
pub const STATUS: &str = "CASE WHEN device_owner = 'network:floatingip' THEN 'N/A' \
    WHEN up = 1 AND admin_state_up = 1 THEN 'ACTIVE' ELSE 'DOWN' END";

pub const ROUTER_INTERFACE: &str = "network:router_interface";
pub const ROUTER_GATEWAY: &str = "network:router_gateway";
pub const FLOATING_IP: &str = "network:floatingip";
pub const DISTRIBUTED: &str = "network:distributed";

impl Kept for Row {
    const TABLE: &'static str = "ports";
    const COLUMNS: &'static str = "id, network_id, project_id, name, description, admin_state_up, mac_address, device_id, \
    device_owner, port_security_enabled, allowed_address_pairs, extra_dhcp_opts, dns_name, host_id, vnic_type, profile, up, \
    created_at, updated_at, generation, network_owner";
    const KIND: &'static str = "port";

    fn read(row: &Stored) -> ::store::Result<Self> {
        let unreadable = ::store::Error::Column { index: 6, wanted: "MAC", found: "text" };
        Ok(Self {
            id: row.get(0)?,
            network_id: row.get(1)?,
            project_id: row.get(2)?,
            name: row.get(3)?,
            description: row.get(4)?,
            admin_state_up: row.get(5)?,
            mac_address: row.get::<&str>(6)?.parse().map_err(|_| unreadable)?,
            device_id: row.get(7)?,
            device_owner: row.get(8)?,
            port_security_enabled: row.get(9)?,
            allowed_address_pairs: row.json(10)?,
            extra_dhcp_opts: row.json(11)?,
            dns_name: row.get(12)?,
            host_id: row.get(13)?,
            vnic_type: row.get(14)?,
            profile: row.json(15)?,
            up: row.get(16)?,
            created_at: row.get(17)?,
            updated_at: row.get(18)?,
            generation: row.get(19)?,
            network_owner: row.get(20)?,
        })
    }

    common_columns!();

    fn missing(id: &str) -> Error {
        Error::PortNotFound { port_id: id.to_owned() }
    }

    /// A network's owner sees who is on it.
    fn within(select: Select, scope: &Scope) -> Select {
        match reach(scope) {
            Reach::All => select,
            Reach::Project(project) => {
                select.condition_with("project_id = ? OR network_owner = ?", vec![project.into(), project.into()])
            }
            Reach::Nothing => select.condition("1 = 0"),
        }
    }

    /// One's own, and those of others on one's networks: each has an index in the order of a page, and both together have none.
    fn sights(select: Select, scope: &Scope) -> Vec<Select> {
        match reach(scope) {
            Reach::Project(project) => {
                vec![select.clone().filter("project_id = ", project), select.filter("network_owner = ", project)]
            }
            _ => vec![Self::within(select, scope)],
        }
    }
}

impl Row {
    pub fn status(&self) -> &'static str {
        match (self.device_owner.as_str(), self.up && self.admin_state_up) {
            (FLOATING_IP, _) => "N/A",
            (_, true) => "ACTIVE",
            (_, false) => "DOWN",
        }
    }

    /// The key under which OVN knows the addresses of this port.
    pub fn key_of_addresses(&self) -> String {
        match self.device_owner.as_str() {
            FLOATING_IP => keys::floating_ip(&self.device_id),
            ROUTER_INTERFACE | ROUTER_GATEWAY => keys::router(&self.device_id),
            _ => keys::port(&self.id),
        }
    }

    /// Whether the cloud itself sits behind the port: no groups and no port security.
    pub fn is_trusted(&self) -> bool {
        is_trusted(&self.device_owner)
    }

    pub fn is_router_interface(&self) -> bool {
        self.device_owner == ROUTER_INTERFACE
    }
}

pub fn is_trusted(device_owner: &str) -> bool {
    device_owner.starts_with("network:")
}

/// A port as Neutron shows it.
#[derive(Debug, Serialize)]
pub struct View {
    pub id: PortId,
    name: String,
    network_id: NetworkId,
    tenant_id: ProjectId,
    project_id: ProjectId,
    mac_address: Mac,
    admin_state_up: bool,
    status: &'static str,
    device_id: String,
    device_owner: String,
    fixed_ips: Vec<FixedIp>,
    allowed_address_pairs: Vec<AddressPair>,
    extra_dhcp_opts: Vec<DhcpOption>,
    security_groups: Vec<SecurityGroupId>,
    description: String,
    #[serde(rename = "binding:vnic_type")]
    vnic_type: String,
    #[serde(flatten)]
    binding: Option<BindingView>,
    port_security_enabled: bool,
    dns_name: String,
    dns_domain: String,
    dns_assignment: Vec<Value>,
    ip_allocation: &'static str,
    propagate_uplink_status: bool,
    data_plane_status: Option<String>,
    qos_policy_id: Option<String>,
    qos_network_policy_id: Option<String>,
    tags: Vec<String>,
    created_at: String,
    updated_at: String,
    revision_number: i64,
}

/// What only the operator sees.
#[derive(Debug, Serialize)]
struct BindingView {
    #[serde(rename = "binding:host_id")]
    host_id: String,
    #[serde(rename = "binding:profile")]
    profile: Map<String, Value>,
    #[serde(rename = "binding:vif_type")]
    vif_type: &'static str,
    #[serde(rename = "binding:vif_details")]
    vif_details: Value,
    resource_request: Option<String>,
}

impl View {
    pub fn new(found: table::Found, settings: &Settings) -> Self {
        let table::Found { row, fixed_ips, security_groups, tags } = found;
        let is_bound = !row.host_id.is_empty();
        let assignment = |fixed: &FixedIp| dns_assignment(&row.dns_name, fixed.ip_address, &settings.dns_domain);
        Self {
            status: row.status(),
            dns_assignment: fixed_ips.iter().map(assignment).collect(),
            id: row.id,
            name: row.name,
            network_id: row.network_id,
            tenant_id: row.project_id.clone(),
            project_id: row.project_id,
            mac_address: row.mac_address,
            admin_state_up: row.admin_state_up,
            device_id: row.device_id,
            device_owner: row.device_owner,
            fixed_ips,
            allowed_address_pairs: row.allowed_address_pairs,
            extra_dhcp_opts: row.extra_dhcp_opts,
            security_groups,
            description: row.description,
            vnic_type: row.vnic_type,
            binding: Some(BindingView {
                host_id: row.host_id,
                profile: row.profile,
                vif_type: if is_bound { "ovs" } else { "unbound" },
                vif_details: if is_bound { json!({"port_filter": true, "connectivity": "l2"}) } else { json!({}) },
                resource_request: None,
            }),
            port_security_enabled: row.port_security_enabled,
            dns_name: row.dns_name,
            dns_domain: String::new(),
            ip_allocation: "immediate",
            propagate_uplink_status: false,
            data_plane_status: None,
            qos_policy_id: None,
            qos_network_policy_id: None,
            tags,
            created_at: row.created_at.zulu(),
            updated_at: row.updated_at.zulu(),
            revision_number: row.generation,
        }
    }

    pub fn without_binding(mut self) -> Self {
        self.binding = None;
        self
    }
}

fn dns_assignment(name: &str, address: IpAddr, domain: &str) -> Value {
    let hostname = match name {
        "" => format!("host-{}", address.to_string().replace(['.', ':'], "-")),
        name => name.to_owned(),
    };
    json!({"ip_address": address, "hostname": hostname, "fqdn": format!("{hostname}.{domain}")})
}
