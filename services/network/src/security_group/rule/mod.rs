// SPDX-License-Identifier: Apache-2.0
//! Rules of security groups.

pub mod api;
pub mod check;
pub mod table;

use ::store::Row as Stored;
use ipnet::IpNet;
use serde::Serialize;
use types::{AddressGroupId, ProjectId, SecurityGroupId, SecurityGroupRuleId, Timestamp};

use crate::{
    Error,
    extension::Extension,
    quota::{self, Quota},
    resource::{Kept, common_columns},
};

pub(crate) const QUOTA: Quota =
    Quota { name: "security_group_rule", default: 100, used: |tx, project| quota::count(tx, "security_group_rules", project) };

const EXTENSIONS: &[Extension] = &[
    ("security-groups-normalized-cidr", "Normalized prefixes", "A rule shows its prefix without host bits."),
    ("security-groups-rules-belongs-to-default-sg", "Rules of default groups", "A rule says whether its group is a default one."),
];

pub(crate) const DRAWER: crate::Drawer = ::api::Drawer::new("security_group_rule", api::routes)
    .with(crate::Own { quotas: &[QUOTA], extensions: EXTENSIONS, ..crate::Own::NOTHING })
    .tables(&[crate::Step {
        number: 3,
        name: "normalized prefixes",
        sql: include_str!("../../../migrations/0003_normalized_prefixes.sql"),
    }]);

#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub id: SecurityGroupRuleId,
    pub security_group_id: SecurityGroupId,
    pub project_id: ProjectId,
    pub description: String,
    pub says: Says,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub generation: i64,
    /// Whether its group is a project's default one.
    pub belongs_to_default: bool,
}

/// What a rule allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Says {
    /// `ingress` or `egress`.
    pub direction: String,
    /// `IPv4` or `IPv6`.
    pub ethertype: String,
    /// A name or a number, as the user wrote it; `None` is any.
    pub protocol: Option<String>,
    /// A port, or the type of ICMP.
    pub port_range_min: Option<i64>,
    /// A port, or the code of ICMP.
    pub port_range_max: Option<i64>,
    pub remote_group_id: Option<SecurityGroupId>,
    pub remote_ip_prefix: Option<String>,
    pub remote_address_group_id: Option<AddressGroupId>,
}

impl Kept for Row {
    const TABLE: &'static str = "security_group_rules";
    const COLUMNS: &'static str = "id, security_group_id, project_id, description, direction, ethertype, protocol, port_range_min, \
    port_range_max, remote_group_id, remote_ip_prefix, created_at, updated_at, generation, \
    (SELECT g.is_default FROM security_groups g WHERE g.id = security_group_rules.security_group_id), remote_address_group_id";
    const KIND: &'static str = "security_group_rule";

    fn read(row: &Stored) -> ::store::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            security_group_id: row.get(1)?,
            project_id: row.get(2)?,
            description: row.get(3)?,
            says: Says {
                direction: row.get(4)?,
                ethertype: row.get(5)?,
                protocol: row.get(6)?,
                port_range_min: row.get(7)?,
                port_range_max: row.get(8)?,
                remote_group_id: row.get(9)?,
                remote_ip_prefix: row.get(10)?,
                remote_address_group_id: row.get(15)?,
            },
            created_at: row.get(11)?,
            updated_at: row.get(12)?,
            generation: row.get(13)?,
            belongs_to_default: row.get::<Option<bool>>(14)?.unwrap_or(false),
        })
    }

    common_columns!();

    fn missing(id: &str) -> Error {
        Error::SecurityGroupRuleNotFound { id: id.to_owned() }
    }
}

impl Says {
    pub fn is_v4(&self) -> bool {
        self.ethertype == "IPv4"
    }

    /// The prefix without host bits.
    pub fn normalized_cidr(&self) -> Option<String> {
        let prefix: IpNet = self.remote_ip_prefix.as_deref()?.parse().ok()?;
        Some(prefix.trunc().to_string())
    }

    /// Two rules that say the same have the same text, however protocol and prefix are spelled.
    pub fn sameness(&self) -> String {
        // The name `ip` means any protocol, though its number is that of another.
        let named = self.protocol.as_deref().filter(|name| *name != "ip");
        // The prefix of all addresses of a family leaves none out, as the ethertype alone does.
        let prefix = self.normalized_cidr().filter(|prefix| !prefix.ends_with("/0"));
        let protocol = named.map(|name| check::protocol_number(name, self.is_v4()));
        let mut text = format!(
            "{} {} {:?} {:?} {:?} {:?} {:?}",
            self.direction,
            self.ethertype,
            protocol.flatten(),
            self.port_range_min,
            self.port_range_max,
            self.remote_group_id.as_ref().map(SecurityGroupId::as_str),
            prefix,
        );
        // Rules of before there were these have the text without.
        if let Some(group) = &self.remote_address_group_id {
            text.push(' ');
            text.push_str(group.as_str());
        }
        text
    }
}

/// A rule as Neutron shows it.
#[derive(Debug, Serialize)]
pub struct View {
    pub id: SecurityGroupRuleId,
    tenant_id: ProjectId,
    project_id: ProjectId,
    security_group_id: SecurityGroupId,
    ethertype: String,
    direction: String,
    protocol: Option<String>,
    port_range_min: Option<i64>,
    port_range_max: Option<i64>,
    remote_ip_prefix: Option<String>,
    normalized_cidr: Option<String>,
    remote_group_id: Option<SecurityGroupId>,
    remote_address_group_id: Option<AddressGroupId>,
    belongs_to_default_sg: bool,
    description: String,
    created_at: String,
    updated_at: String,
    revision_number: i64,
}

impl View {
    pub fn new(row: Row) -> Self {
        Self {
            normalized_cidr: row.says.normalized_cidr(),
            id: row.id,
            tenant_id: row.project_id.clone(),
            project_id: row.project_id,
            security_group_id: row.security_group_id,
            ethertype: row.says.ethertype,
            direction: row.says.direction,
            protocol: row.says.protocol,
            port_range_min: row.says.port_range_min,
            port_range_max: row.says.port_range_max,
            remote_ip_prefix: row.says.remote_ip_prefix,
            remote_group_id: row.says.remote_group_id,
            remote_address_group_id: row.says.remote_address_group_id,
            belongs_to_default_sg: row.belongs_to_default,
            description: row.description,
            created_at: row.created_at.zulu(),
            updated_at: row.updated_at.zulu(),
            revision_number: row.generation,
        }
    }
}
