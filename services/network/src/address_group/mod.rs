// SPDX-License-Identifier: Apache-2.0
//! Address groups: prefixes under one name. A rule of a security group that names one holds for what is in it at any time, so that
//! a list of customers or of hosts to be kept out is kept in one place.

pub mod api;
pub mod table;

use ::store::Row as Stored;
use ipnet::IpNet;
use serde::Serialize;
use types::{AddressGroupId, ProjectId, Timestamp};

use crate::{
    Error,
    extension::Extension,
    keys::{Kind, Read},
    northbound,
    quota::{self, Quota},
    resource::{Kept, common_columns},
};

const KIND: Kind = Kind {
    name: "ag",
    table: "address_groups",
    rows: Read::One(|tx, _, id| northbound::address_group::rows(&Row::get(tx, id)?)),
};

/// Neutron knows no bound of these.
pub(crate) const QUOTA: Quota =
    Quota { name: "address_group", default: 50, used: |tx, project| quota::count(tx, "address_groups", project) };

/// How many prefixes one may hold: each host that has a rule with it has as many flows.
pub(crate) const MOST: usize = 1000;

const EXTENSIONS: &[Extension] = &[
    ("address-group", "Address groups", "Addresses under one name, for rules of security groups."),
    ("security-groups-remote-address-group", "Remote address groups", "A rule can name a group of addresses."),
];

pub(crate) const DRAWER: crate::Drawer = ::api::Drawer::new("address_group", api::routes)
    .with(crate::Own { keys: &[KIND], quotas: &[QUOTA], extensions: EXTENSIONS })
    .tables(&[crate::Step { number: 7, name: "address groups", sql: include_str!("../../migrations/0007_address_groups.sql") }]);

#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub id: AddressGroupId,
    pub project_id: ProjectId,
    pub name: String,
    pub description: String,
    /// Without host bits, in order, each once.
    pub addresses: Vec<IpNet>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub generation: i64,
}

impl Kept for Row {
    const TABLE: &'static str = "address_groups";
    const COLUMNS: &'static str = "id, project_id, name, description, addresses, created_at, updated_at, generation";
    const KIND: &'static str = "address_group";

    fn read(row: &Stored) -> ::store::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            project_id: row.get(1)?,
            name: row.get(2)?,
            description: row.get(3)?,
            addresses: row.json(4)?,
            created_at: row.get(5)?,
            updated_at: row.get(6)?,
            generation: row.get(7)?,
        })
    }

    common_columns!();

    fn missing(id: &str) -> Error {
        Error::AddressGroupNotFound { id: id.to_owned() }
    }
}

/// A group as Neutron shows it.
#[derive(Debug, Serialize)]
pub struct View {
    id: AddressGroupId,
    name: String,
    description: String,
    project_id: ProjectId,
    tenant_id: ProjectId,
    addresses: Vec<IpNet>,
}

impl View {
    pub fn new(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            tenant_id: row.project_id.clone(),
            project_id: row.project_id,
            addresses: row.addresses,
        }
    }
}
