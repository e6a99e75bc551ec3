// SPDX-License-Identifier: Apache-2.0
//! Networks: switches. Tenants' own run over Geneve; provider networks lead to a physical network, untagged or as one
//! of its VLANs; an external one is where routers have their gateways and floating addresses come from.

pub mod api;
mod segment;
pub mod table;

use ::store::Row as Stored;
use serde::Serialize;
use types::{NetworkId, ProjectId, SubnetId, Timestamp};

use crate::{
    Error,
    extension::Extension,
    keys::{Kind, Read},
    northbound,
    quota::{self, Quota},
    resource::{Kept, common_columns},
    settings::Settings,
};

const KIND: Kind =
    Kind { name: "network", table: "networks", rows: Read::One(|tx, _, id| northbound::network::rows(tx, &id.into())) };

pub(crate) const QUOTA: Quota =
    Quota { name: "network", default: 100, used: |tx, project| quota::count(tx, "networks", project) };

const EXTENSIONS: &[Extension] = &[
    ("external-net", "External networks", "Networks that routers have gateways and floating IPs on."),
    ("net-mtu", "Network MTU", "A network shows the greatest packet it carries."),
    ("net-mtu-writable", "Writable MTU", "A network's MTU can be chosen."),
    ("network_availability_zone", "Network availability zone", "Networks take hints of availability zones."),
    ("provider", "Provider networks", "Operators choose what carries a network."),
    ("availability_zone", "Availability Zone", "Networks and routers name their availability zone."),
];

pub(crate) const DRAWER: crate::Drawer =
    ::api::Drawer::new("network", api::routes).with(crate::Own { keys: &[KIND], quotas: &[QUOTA], extensions: EXTENSIONS });

#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub id: NetworkId,
    pub project_id: ProjectId,
    pub name: String,
    pub description: String,
    pub admin_state_up: bool,
    pub shared: bool,
    pub external: bool,
    pub is_default: bool,
    pub port_security_enabled: bool,
    pub mtu: u32,
    pub segment: Segment,
    pub availability_zone_hints: Vec<String>,
    pub dns_domain: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub generation: i64,
}

/// What carries a network's packets between hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// `geneve`, `flat` or `vlan`.
    pub network_type: String,
    pub physical_network: Option<String>,
    pub segmentation_id: Option<i64>,
}

impl Kept for Row {
    const TABLE: &'static str = "networks";
    const COLUMNS: &'static str = "id, project_id, name, description, admin_state_up, shared, external, is_default, \
    port_security_enabled, mtu, network_type, physical_network, segmentation_id, availability_zone_hints, dns_domain, \
    created_at, updated_at, generation";
    const KIND: &'static str = "network";
    const VISIBLE: &'static str = "shared = 1 OR external = 1 OR project_id = ";

    fn read(row: &Stored) -> ::store::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            project_id: row.get(1)?,
            name: row.get(2)?,
            description: row.get(3)?,
            admin_state_up: row.get(4)?,
            shared: row.get(5)?,
            external: row.get(6)?,
            is_default: row.get(7)?,
            port_security_enabled: row.get(8)?,
            mtu: row.get(9)?,
            segment: Segment { network_type: row.get(10)?, physical_network: row.get(11)?, segmentation_id: row.get(12)? },
            availability_zone_hints: row.json(13)?,
            dns_domain: row.get(14)?,
            created_at: row.get(15)?,
            updated_at: row.get(16)?,
            generation: row.get(17)?,
        })
    }

    common_columns!();

    fn missing(id: &str) -> Error {
        Error::NetworkNotFound { net_id: id.to_owned() }
    }
}

/// A network as Neutron shows it.
#[derive(Debug, Serialize)]
pub struct View {
    pub id: NetworkId,
    name: String,
    tenant_id: ProjectId,
    project_id: ProjectId,
    admin_state_up: bool,
    mtu: u32,
    status: &'static str,
    subnets: Vec<SubnetId>,
    shared: bool,
    availability_zone_hints: Vec<String>,
    availability_zones: Vec<String>,
    ipv4_address_scope: Option<String>,
    ipv6_address_scope: Option<String>,
    #[serde(rename = "router:external")]
    external: bool,
    is_default: bool,
    description: String,
    port_security_enabled: bool,
    dns_domain: String,
    l2_adjacency: bool,
    vlan_transparent: bool,
    qos_policy_id: Option<String>,
    #[serde(flatten)]
    provider: Option<ProviderView>,
    tags: Vec<String>,
    created_at: String,
    updated_at: String,
    revision_number: i64,
}

/// What only the operator sees.
#[derive(Debug, Serialize)]
struct ProviderView {
    #[serde(rename = "provider:network_type")]
    network_type: String,
    #[serde(rename = "provider:physical_network")]
    physical_network: Option<String>,
    #[serde(rename = "provider:segmentation_id")]
    segmentation_id: Option<i64>,
}

impl View {
    pub fn new(found: table::Found, settings: &Settings) -> Self {
        let table::Found { row, subnets, tags } = found;
        Self {
            id: row.id,
            name: row.name,
            tenant_id: row.project_id.clone(),
            project_id: row.project_id,
            admin_state_up: row.admin_state_up,
            mtu: row.mtu,
            status: "ACTIVE",
            subnets,
            shared: row.shared,
            availability_zone_hints: row.availability_zone_hints,
            availability_zones: vec![settings.availability_zone.clone()],
            ipv4_address_scope: None,
            ipv6_address_scope: None,
            external: row.external,
            is_default: row.is_default,
            description: row.description,
            port_security_enabled: row.port_security_enabled,
            dns_domain: row.dns_domain,
            l2_adjacency: true,
            vlan_transparent: false,
            qos_policy_id: None,
            provider: Some(ProviderView {
                network_type: row.segment.network_type,
                physical_network: row.segment.physical_network,
                segmentation_id: row.segment.segmentation_id,
            }),
            tags,
            created_at: row.created_at.zulu(),
            updated_at: row.updated_at.zulu(),
            revision_number: row.generation,
        }
    }

    pub fn without_provider(mut self) -> Self {
        self.provider = None;
        self
    }
}
