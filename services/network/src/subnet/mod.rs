// SPDX-License-Identifier: Apache-2.0
//! Subnets: the ranges of addresses of a network, and what DHCP and router advertisements tell guests about them.

pub mod api;
pub mod check;
pub mod table;

use std::net::IpAddr;

use ::store::{Direction, Row as Stored, Tx};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use types::{NetworkId, ProjectId, SubnetId, Timestamp};

use crate::{
    Error, Result,
    extension::Extension,
    quota::{self, Quota},
    range::Pool,
    resource::{Kept, common_columns},
};

pub(crate) const QUOTA: Quota = Quota { name: "subnet", default: 100, used: |tx, project| quota::count(tx, "subnets", project) };

const EXTENSIONS: &[Extension] = &[
    ("subnet-external-network", "Subnets of external networks", "A subnet says whether its network is external."),
    ("subnet-service-types", "Service types of subnets", "A subnet can be kept for ports of certain owners."),
];

pub(crate) const DRAWER: crate::Drawer = ::api::Drawer::new("subnet", api::routes).with(crate::Own {
    quotas: &[QUOTA],
    extensions: EXTENSIONS,
    ..crate::Own::NOTHING
});

#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub id: SubnetId,
    pub network_id: NetworkId,
    pub project_id: ProjectId,
    pub name: String,
    pub description: String,
    pub cidr: IpNet,
    pub gateway_ip: Option<IpAddr>,
    pub enable_dhcp: bool,
    /// `slaac`, `dhcpv6-stateful` or `dhcpv6-stateless`.
    pub ipv6_ra_mode: Option<String>,
    pub ipv6_address_mode: Option<String>,
    pub allocation_pools: Vec<Pool>,
    pub dns_nameservers: Vec<IpAddr>,
    pub host_routes: Vec<Route>,
    pub service_types: Vec<String>,
    pub subnetpool_id: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub generation: i64,
}

/// A route that guests are told, or that a router has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub destination: IpNet,
    pub nexthop: IpAddr,
}

impl Kept for Row {
    const TABLE: &'static str = "subnets";
    const COLUMNS: &'static str = "id, network_id, project_id, name, description, cidr, gateway_ip, enable_dhcp, ipv6_ra_mode, \
    ipv6_address_mode, allocation_pools, dns_nameservers, host_routes, service_types, created_at, updated_at, generation, \
    subnetpool_id";
    const KIND: &'static str = "subnet";
    const VISIBLE: &'static str = "EXISTS (SELECT 1 FROM networks n WHERE n.id = subnets.network_id AND (n.shared = 1 OR n.external = 1)) \
        OR project_id = ";

    fn read(row: &Stored) -> ::store::Result<Self> {
        let unreadable = |index| ::store::Error::Column { index, wanted: "address", found: "text" };
        let gateway: Option<&str> = row.get(6)?;
        Ok(Self {
            id: row.get(0)?,
            network_id: row.get(1)?,
            project_id: row.get(2)?,
            name: row.get(3)?,
            description: row.get(4)?,
            cidr: row.get::<&str>(5)?.parse().map_err(|_| unreadable(5))?,
            gateway_ip: gateway.map(|text| text.parse().map_err(|_| unreadable(6))).transpose()?,
            enable_dhcp: row.get(7)?,
            ipv6_ra_mode: row.get(8)?,
            ipv6_address_mode: row.get(9)?,
            allocation_pools: row.json(10)?,
            dns_nameservers: row.json(11)?,
            host_routes: row.json(12)?,
            service_types: row.json(13)?,
            created_at: row.get(14)?,
            updated_at: row.get(15)?,
            generation: row.get(16)?,
            subnetpool_id: row.get(17)?,
        })
    }

    common_columns!();

    fn missing(id: &str) -> Error {
        Error::SubnetNotFound { subnet_id: id.to_owned() }
    }
}

impl Row {
    pub fn is_v4(&self) -> bool {
        matches!(self.cidr, IpNet::V4(_))
    }

    /// Whether guests derive their addresses from their MACs instead of being given one.
    pub fn is_auto_address(&self) -> bool {
        matches!(self.ipv6_address_mode.as_deref(), Some("slaac" | "dhcpv6-stateless"))
    }

    /// Whether DHCP of this subnet hands out addresses.
    pub fn has_dhcp_v4(&self) -> bool {
        self.is_v4() && self.enable_dhcp
    }
}

/// A subnet as Neutron shows it.
#[derive(Debug, Serialize)]
pub struct View {
    pub id: SubnetId,
    name: String,
    tenant_id: ProjectId,
    project_id: ProjectId,
    network_id: NetworkId,
    ip_version: u8,
    subnetpool_id: Option<String>,
    enable_dhcp: bool,
    ipv6_ra_mode: Option<String>,
    ipv6_address_mode: Option<String>,
    gateway_ip: Option<IpAddr>,
    cidr: String,
    allocation_pools: Vec<Pool>,
    host_routes: Vec<Route>,
    dns_nameservers: Vec<IpAddr>,
    dns_publish_fixed_ip: bool,
    description: String,
    service_types: Vec<String>,
    segment_id: Option<String>,
    #[serde(rename = "router:external")]
    external: bool,
    tags: Vec<String>,
    created_at: String,
    updated_at: String,
    revision_number: i64,
}

impl View {
    pub fn new(found: table::Found) -> Self {
        let table::Found { row, external, tags } = found;
        Self {
            id: row.id,
            name: row.name,
            tenant_id: row.project_id.clone(),
            project_id: row.project_id,
            network_id: row.network_id,
            ip_version: if matches!(row.cidr, IpNet::V4(_)) { 4 } else { 6 },
            subnetpool_id: row.subnetpool_id,
            enable_dhcp: row.enable_dhcp,
            ipv6_ra_mode: row.ipv6_ra_mode,
            ipv6_address_mode: row.ipv6_address_mode,
            gateway_ip: row.gateway_ip,
            cidr: row.cidr.to_string(),
            allocation_pools: row.allocation_pools,
            host_routes: row.host_routes,
            dns_nameservers: row.dns_nameservers,
            dns_publish_fixed_ip: false,
            description: row.description,
            service_types: row.service_types,
            segment_id: None,
            external,
            tags,
            created_at: row.created_at.zulu(),
            updated_at: row.updated_at.zulu(),
            revision_number: row.generation,
        }
    }
}

pub fn of_network(tx: &mut Tx, network: &NetworkId) -> Result<Vec<Row>> {
    of_networks(tx, [network])
}

/// The subnets of many networks, oldest first, in one statement.
pub fn of_networks<'a>(tx: &mut Tx, networks: impl IntoIterator<Item = &'a NetworkId>) -> Result<Vec<Row>> {
    let select = Row::select().filter_in("network_id", networks);
    Row::rows(tx, select.sort(&[("created_at", Direction::Asc)], "id"))
}
