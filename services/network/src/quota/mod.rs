// SPDX-License-Identifier: Apache-2.0
//! How many of each thing a project may have. Usage is counted in the transaction that makes the thing, so two requests
//! at once cannot both take the last place.

pub mod api;

use std::collections::BTreeMap;

use store::{Tx, params};
use types::ProjectId;

use crate::{Error, Result, extension::Extension, settings::Settings};

pub(crate) const DRAWER: crate::Drawer =
    ::api::Drawer::new("quota", api::routes).with(crate::Own { extensions: EXTENSIONS, ..crate::Own::NOTHING });

const EXTENSIONS: &[Extension] = &[
    ("quota-check-limit", "Quota check", "A new quota can be checked against what is used."),
    ("quota_details", "Quota details", "A quota shows what is used of it."),
    ("quotas", "Quotas", "Projects have limits."),
];

/// A kind of thing of which a project may have a limited number, as its drawer says it.
#[derive(Clone, Copy)]
pub struct Quota {
    pub name: &'static str,
    /// Neutron's own. -1 is no limit.
    pub default: i64,
    pub used: fn(&mut Tx, &ProjectId) -> Result<i64>,
}

impl Quota {
    /// What a project may have for which nobody said otherwise.
    pub fn most(&self, settings: &Settings) -> i64 {
        settings.quotas.get(self.name).copied().unwrap_or(self.default)
    }
}

/// Of all drawers, in the order of the room's list.
pub fn all() -> impl Iterator<Item = &'static Quota> {
    crate::ROOM.drawers.iter().flat_map(|drawer| drawer.more.quotas)
}

pub fn defaults(settings: &Settings) -> BTreeMap<&'static str, i64> {
    all().map(|quota| (quota.name, quota.most(settings))).collect()
}

/// Refuses if the project would have more than it may.
pub fn take(tx: &mut Tx, project: &ProjectId, quota: &Quota, more: i64, settings: &Settings) -> Result<()> {
    let sql = "SELECT most FROM network_quotas WHERE project_id = $1 AND resource = $2";
    let most = match tx.query_opt(sql, &params![project, quota.name])? {
        Some(row) => row.get(0)?,
        None => quota.most(settings),
    };
    if most >= 0 && (quota.used)(tx, project)? + more > most {
        return Err(Error::OverQuota { overs: format!("'{}'", quota.name) });
    }
    Ok(())
}

/// So many rows of a table are the project's.
pub fn count(tx: &mut Tx, table: &str, project: &ProjectId) -> Result<i64> {
    Ok(tx.query_one(&format!("SELECT count(*) FROM {table} WHERE project_id = $1"), &params![project])?.get(0)?)
}

/// The limits of a project: the defaults with the operator's changes over them.
pub fn limits(tx: &mut Tx, project: &str, settings: &Settings) -> Result<BTreeMap<&'static str, i64>> {
    let mut limits = defaults(settings);
    for row in tx.query("SELECT resource, most FROM network_quotas WHERE project_id = $1", &params![project])? {
        let name: &str = row.get(0)?;
        if let Some((_, limit)) = limits.iter_mut().find(|(known, _)| **known == name) {
            *limit = row.get(1)?;
        }
    }
    Ok(limits)
}
