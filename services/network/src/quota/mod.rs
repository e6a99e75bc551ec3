// SPDX-License-Identifier: Apache-2.0
//! How many of each thing a project may have. Usage is counted in the transaction that makes the thing, so two requests
//! at once cannot both take the last place.

pub mod api;

use std::collections::BTreeMap;

use store::{Tx, params};
use types::{PortId, ProjectId};

use crate::{Error, Result, settings::Settings};

pub(crate) const DRAWER: crate::Drawer = ::api::Drawer::new("quota", api::routes).with(crate::Own::NOTHING);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    Network,
    Subnet,
    Port,
    Router,
    FloatingIp,
    SecurityGroup,
    SecurityGroupRule,
}

/// Neutron's own defaults. -1 is no limit.
pub const DEFAULTS: [(&str, i64); 7] = [
    ("network", 100),
    ("subnet", 100),
    ("port", 500),
    ("router", 10),
    ("floatingip", 50),
    ("security_group", 10),
    ("security_group_rule", 100),
];

impl Resource {
    pub const ALL: [Self; 7] =
        [Self::Network, Self::Subnet, Self::Port, Self::Router, Self::FloatingIp, Self::SecurityGroup, Self::SecurityGroupRule];

    pub fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Subnet => "subnet",
            Self::Port => "port",
            Self::Router => "router",
            Self::FloatingIp => "floatingip",
            Self::SecurityGroup => "security_group",
            Self::SecurityGroupRule => "security_group_rule",
        }
    }

    fn table(self) -> &'static str {
        match self {
            Self::Network => "networks",
            Self::Subnet => "subnets",
            Self::Port => "ports",
            Self::Router => "routers",
            Self::FloatingIp => "floating_ips",
            Self::SecurityGroup => "security_groups",
            Self::SecurityGroupRule => "security_group_rules",
        }
    }
}

/// Refuses if the project would have more than it may.
pub fn take(tx: &mut Tx, project: &ProjectId, resource: Resource, more: i64, settings: &Settings) -> Result<()> {
    let sql = "SELECT most FROM network_quotas WHERE project_id = $1 AND resource = $2";
    let most = match tx.query_opt(sql, &params![project, resource.name()])? {
        Some(row) => row.get(0)?,
        None => settings.quotas.get(resource.name()).copied().unwrap_or(-1),
    };
    if most >= 0 && used(tx, project, resource)? + more > most {
        return Err(Error::OverQuota { overs: format!("'{}'", resource.name()) });
    }
    Ok(())
}

/// Ports are counted as they come and go, since a project may have tens of thousands; of all else there are few.
pub fn used(tx: &mut Tx, project: &ProjectId, resource: Resource) -> Result<i64> {
    if resource == Resource::Port {
        let rows = tx.query("SELECT ports FROM port_counts WHERE project_id = $1", &params![project])?;
        return Ok(rows.iter().map(|row| row.get::<i64>(0)).sum::<store::Result<i64>>()?);
    }
    let sql = format!("SELECT count(*) FROM {} WHERE project_id = $1", resource.table());
    Ok(tx.query_one(&sql, &params![project])?.get(0)?)
}

/// A port came (1) or went (-1). Those of the cloud itself are nobody's.
pub fn count_port(tx: &mut Tx, project: &ProjectId, id: &PortId, change: i64) -> Result<()> {
    if project.as_str().is_empty() {
        return Ok(());
    }
    let digit: String = id.as_str().chars().take(1).collect();
    let sql = "INSERT INTO port_counts (project_id, digit, ports) VALUES ($1, $2, $3) \
               ON CONFLICT (project_id, digit) DO UPDATE SET ports = port_counts.ports + $3";
    tx.execute(sql, &params![project, digit, change])?;
    Ok(())
}

/// The limits of a project: the defaults with the operator's changes over them.
pub fn limits(tx: &mut Tx, project: &str, settings: &Settings) -> Result<BTreeMap<&'static str, i64>> {
    let mut limits = settings.quotas.clone();
    for row in tx.query("SELECT resource, most FROM network_quotas WHERE project_id = $1", &params![project])? {
        let name: &str = row.get(0)?;
        if let Some((_, limit)) = limits.iter_mut().find(|(known, _)| **known == name) {
            *limit = row.get(1)?;
        }
    }
    Ok(limits)
}
