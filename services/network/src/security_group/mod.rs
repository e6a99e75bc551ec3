// SPDX-License-Identifier: Apache-2.0
//! Security groups: what may reach the ports of a group and what they may send. Everything else is dropped.

pub mod api;
pub mod rule;
pub mod table;

use ::store::Row as Stored;
use serde::Serialize;
use types::{ProjectId, SecurityGroupId, Timestamp};

use crate::{
    Error,
    extension::Extension,
    keys::{Kind, Read},
    northbound,
    quota::{self, Quota},
    resource::{Kept, common_columns},
};

const KIND: Kind =
    Kind { name: "sg", table: "security_groups", rows: Read::One(|tx, _, id| northbound::acl::group(tx, &id.into())) };

pub(crate) const QUOTA: Quota =
    Quota { name: "security_group", default: 10, used: |tx, project| quota::count(tx, "security_groups", project) };

const EXTENSIONS: &[Extension] = &[
    ("security-group", "Security groups", "What may reach a port and what it may send."),
    ("stateful-security-group", "Stateless security groups", "A group may do without tracking connections."),
];

pub(crate) const DRAWER: crate::Drawer = ::api::Drawer::new("security_group", api::routes).with(crate::Own {
    keys: &[KIND],
    quotas: &[QUOTA],
    extensions: EXTENSIONS,
});

#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub id: SecurityGroupId,
    pub project_id: ProjectId,
    pub name: String,
    pub description: String,
    pub stateful: bool,
    pub is_default: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub generation: i64,
}

/// The name of the group that every project has.
pub const DEFAULT: &str = "default";

impl Kept for Row {
    const TABLE: &'static str = "security_groups";
    const COLUMNS: &'static str = "id, project_id, name, description, stateful, is_default, created_at, updated_at, generation";
    const KIND: &'static str = "security_group";

    fn read(row: &Stored) -> ::store::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            project_id: row.get(1)?,
            name: row.get(2)?,
            description: row.get(3)?,
            stateful: row.get(4)?,
            is_default: row.get(5)?,
            created_at: row.get(6)?,
            updated_at: row.get(7)?,
            generation: row.get(8)?,
        })
    }

    common_columns!();

    fn missing(id: &str) -> Error {
        Error::SecurityGroupNotFound { id: id.to_owned() }
    }
}

/// A group as Neutron shows it.
#[derive(Debug, Serialize)]
pub struct View {
    pub id: SecurityGroupId,
    name: String,
    stateful: bool,
    tenant_id: ProjectId,
    project_id: ProjectId,
    description: String,
    shared: bool,
    security_group_rules: Vec<rule::View>,
    tags: Vec<String>,
    created_at: String,
    updated_at: String,
    revision_number: i64,
}

impl View {
    pub fn new(found: table::Found) -> Self {
        let table::Found { row, rules, tags } = found;
        Self {
            id: row.id,
            name: row.name,
            stateful: row.stateful,
            tenant_id: row.project_id.clone(),
            project_id: row.project_id,
            description: row.description,
            shared: false,
            security_group_rules: rules.into_iter().map(rule::View::new).collect(),
            tags,
            created_at: row.created_at.zulu(),
            updated_at: row.updated_at.zulu(),
            revision_number: row.generation,
        }
    }
}
