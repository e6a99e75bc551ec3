// SPDX-License-Identifier: Apache-2.0
//! How many of each thing a project may have. What it has is counted in the transaction that makes the next one.

mod api;
mod policy;

use std::collections::BTreeMap;

use ::store::{Tx, params};
use types::ProjectId;

use crate::error::{Error, Result};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("quota", api::routes);

pub(crate) struct Quota {
    /// In a body.
    pub name: &'static str,
    /// The word of other clients for the same.
    pub also: &'static str,
    table: &'static str,
    /// In sentences.
    word: &'static str,
    /// Of whom nobody said otherwise. A cloud whose operator has said nothing is bounded.
    pub default: i64,
}

pub(crate) const LOAD_BALANCERS: Quota =
    Quota { name: "loadbalancer", also: "load_balancer", table: "load_balancers", word: "Load Balancer", default: 50 };
pub(crate) const LISTENERS: Quota =
    Quota { name: "listener", also: "listener", table: "listeners", word: "Listener", default: 200 };
pub(crate) const POOLS: Quota = Quota { name: "pool", also: "pool", table: "pools", word: "Pool", default: 200 };
pub(crate) const MEMBERS: Quota = Quota { name: "member", also: "member", table: "members", word: "Member", default: 1000 };
pub(crate) const HEALTH_MONITORS: Quota =
    Quota { name: "healthmonitor", also: "health_monitor", table: "health_monitors", word: "Health Monitor", default: 200 };

pub(crate) const ALL: [&Quota; 5] = [&LOAD_BALANCERS, &LISTENERS, &POOLS, &MEMBERS, &HEALTH_MONITORS];

/// Refuses if the project would have more than it may.
pub(crate) fn take(tx: &mut Tx, project: &ProjectId, quota: &Quota, more: i64) -> Result<()> {
    // Whoever counts at the same time for the same project waits here, so that two cannot both take the last place.
    let sql = "INSERT INTO balancer_quotas (project_id, resource, most) VALUES ($1, 'counted', 0) \
               ON CONFLICT (project_id, resource) DO UPDATE SET most = 0";
    tx.execute(sql, &params![project])?;
    let most = limits(tx, project)?.get(quota.name).copied().unwrap_or(quota.default);
    let used: i64 =
        tx.query_one(&format!("SELECT count(*) FROM {} WHERE project_id = $1", quota.table), &params![project])?.get(0)?;
    if most >= 0 && used + more > most { Err(Error::over_quota(quota.word)) } else { Ok(()) }
}

pub(crate) fn defaults() -> BTreeMap<&'static str, i64> {
    ALL.iter().map(|quota| (quota.name, quota.default)).collect()
}

/// The defaults with what the operator said of this project over them.
pub(crate) fn limits(tx: &mut Tx, project: &ProjectId) -> Result<BTreeMap<&'static str, i64>> {
    let mut limits = defaults();
    for row in tx.query("SELECT resource, most FROM balancer_quotas WHERE project_id = $1", &params![project])? {
        let name: &str = row.get(0)?;
        if let Some((_, most)) = limits.iter_mut().find(|(known, _)| **known == name) {
            *most = row.get(1)?;
        }
    }
    Ok(limits)
}
