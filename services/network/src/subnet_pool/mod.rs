// SPDX-License-Identifier: Apache-2.0
//! Subnet pools: prefixes from which subnets are cut. Those of one pool never overlap, so their networks can be routed
//! together.

pub mod api;
mod cut;
pub mod table;

use ::store::Row as Stored;
use ipnet::IpNet;
use serde::Serialize;
use types::{ProjectId, Timestamp};

use crate::{
    Error,
    extension::Extension,
    resource::{Kept, common_columns},
};

const EXTENSIONS: &[Extension] = &[
    ("default-subnetpools", "Default subnet pools", "A subnet can be cut from the default pool."),
    ("subnet_allocation", "Subnet pools", "Subnets can be cut from pools."),
    ("subnetpool-prefix-ops", "Prefixes of subnet pools", "Prefixes can be added to a pool and taken away."),
];

pub(crate) const DRAWER: crate::Drawer = ::api::Drawer::new("subnet_pool", api::routes)
    .with(crate::Own { extensions: EXTENSIONS, ..crate::Own::NOTHING })
    .tables(&[crate::Step { number: 2, name: "subnet pools", sql: include_str!("../../migrations/0002_subnet_pools.sql") }]);

#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub id: String,
    pub project_id: ProjectId,
    pub name: String,
    pub description: String,
    pub ip_version: u16,
    pub prefixes: Vec<IpNet>,
    pub default_prefixlen: u16,
    pub min_prefixlen: u16,
    pub max_prefixlen: u16,
    pub default_quota: Option<i64>,
    pub shared: bool,
    pub is_default: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub generation: i64,
}

impl Kept for Row {
    const TABLE: &'static str = "subnet_pools";
    const COLUMNS: &'static str = "id, project_id, name, description, ip_version, prefixes, default_prefixlen, min_prefixlen, \
    max_prefixlen, default_quota, shared, is_default, created_at, updated_at, generation";
    const KIND: &'static str = "subnetpool";
    const VISIBLE: &'static str = "shared = 1 OR project_id = ";

    fn read(row: &Stored) -> ::store::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            project_id: row.get(1)?,
            name: row.get(2)?,
            description: row.get(3)?,
            ip_version: row.get(4)?,
            prefixes: row.json(5)?,
            default_prefixlen: row.get(6)?,
            min_prefixlen: row.get(7)?,
            max_prefixlen: row.get(8)?,
            default_quota: row.get(9)?,
            shared: row.get(10)?,
            is_default: row.get(11)?,
            created_at: row.get(12)?,
            updated_at: row.get(13)?,
            generation: row.get(14)?,
        })
    }

    common_columns!();

    fn missing(id: &str) -> Error {
        Error::SubnetPoolNotFound { subnetpool_id: id.to_owned() }
    }
}

/// A pool as Neutron shows it.
#[derive(Debug, Serialize)]
pub struct View {
    pub id: String,
    name: String,
    tenant_id: ProjectId,
    project_id: ProjectId,
    description: String,
    ip_version: u16,
    prefixes: Vec<IpNet>,
    default_prefixlen: u16,
    min_prefixlen: u16,
    max_prefixlen: u16,
    default_quota: Option<i64>,
    shared: bool,
    is_default: bool,
    address_scope_id: Option<String>,
    tags: Vec<String>,
    created_at: String,
    updated_at: String,
    revision_number: i64,
}

impl View {
    pub fn new(row: Row, tags: Vec<String>) -> Self {
        Self {
            id: row.id,
            name: row.name,
            tenant_id: row.project_id.clone(),
            project_id: row.project_id,
            description: row.description,
            ip_version: row.ip_version,
            prefixes: row.prefixes,
            default_prefixlen: row.default_prefixlen,
            min_prefixlen: row.min_prefixlen,
            max_prefixlen: row.max_prefixlen,
            default_quota: row.default_quota,
            shared: row.shared,
            is_default: row.is_default,
            address_scope_id: None,
            tags,
            created_at: row.created_at.zulu(),
            updated_at: row.updated_at.zulu(),
            revision_number: row.generation,
        }
    }
}
