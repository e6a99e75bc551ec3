// SPDX-License-Identifier: Apache-2.0
//! Limits from their table, usage from the servers.

use std::collections::BTreeMap;

use store::{Tx, params};
use types::ProjectId;

use super::{RESOURCES, Resource};
use crate::{
    error::{Error, Result},
    flavor::Size,
};

/// What the servers of a project use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub instances: i64,
    pub cores: i64,
    pub ram: i64,
}

pub(crate) fn usage(tx: &mut Tx, project: &ProjectId) -> Result<Usage> {
    let row = tx.query_one(
        "SELECT count(*), CAST(coalesce(sum(vcpus), 0) AS BIGINT), CAST(coalesce(sum(memory_mb), 0) AS BIGINT) \
         FROM servers WHERE project_id = $1 AND deleted_at IS NULL",
        &params![project],
    )?;
    Ok(Usage { instances: row.get(0)?, cores: row.get(1)?, ram: row.get(2)? })
}

/// All limits of a project, by name.
pub(crate) type Limits = BTreeMap<&'static str, i64>;

/// What of what the project may have.
pub(crate) fn limits(tx: &mut Tx, project: &ProjectId) -> Result<Limits> {
    let mut limits: Limits = RESOURCES.iter().map(|(_, name, default)| (*name, *default)).collect();
    for row in tx.query("SELECT resource, hard_limit FROM quota_limits WHERE project_id = $1", &params![project])? {
        if let Some(limit) = limits.get_mut(row.get::<&str>(0)?) {
            *limit = row.get(1)?;
        }
    }
    Ok(limits)
}

pub(crate) fn limit(tx: &mut Tx, project: Option<&ProjectId>, resource: Resource) -> Result<i64> {
    let default = RESOURCES.iter().find(|(known, ..)| *known == resource).map_or(-1, |(.., default)| *default);
    let Some(project) = project else { return Ok(default) };
    let row = tx.query_opt(
        "SELECT hard_limit FROM quota_limits WHERE project_id = $1 AND resource = $2",
        &params![project, resource.name()],
    )?;
    Ok(row.map(|row| row.get(0)).transpose()?.unwrap_or(default))
}

/// Of one request: they are written in one transaction, which others wait for.
const MOST_AT_ONCE: i64 = 500;

/// How many servers of this size may be added: as many as fit, at least `least`, at most `most`. Called in the
/// transaction that adds them.
pub(crate) fn fitting(tx: &mut Tx, project: &ProjectId, limits: &Limits, each: Usage, least: i64, most: i64) -> Result<i64> {
    let is_limited = |resource: &Resource| limits.get(resource.name()).is_some_and(|limit| *limit >= 0);
    // Where nothing is limited nobody counts, for that reads as much as there is.
    let counts = [Resource::Instances, Resource::Cores, Resource::Ram].iter().any(is_limited);
    let used = if counts { usage(tx, project)? } else { Usage::default() };
    let asked = [
        (Resource::Instances, each.instances, used.instances),
        (Resource::Cores, each.cores, used.cores),
        (Resource::Ram, each.ram, used.ram),
    ];
    let mut fits = most.min(MOST_AT_ONCE);
    let mut over = Vec::new();
    for (resource, each, used) in asked {
        let limit = limits.get(resource.name()).copied().unwrap_or(-1);
        if limit < 0 {
            continue;
        }
        let room = (limit - used).max(0) / each.max(1);
        if room < least {
            over.push((resource.name(), each * least, used, limit));
        }
        fits = fits.min(room);
    }
    if over.is_empty() && least <= MOST_AT_ONCE {
        return Ok(fits);
    }
    if over.is_empty() {
        return Err(Error::over_quota(format!(
            "Quota exceeded for instances: Requested {least}, but one request makes at most {MOST_AT_ONCE} instances"
        )));
    }
    let list = |part: fn(&(&str, i64, i64, i64)) -> String| over.iter().map(part).collect::<Vec<_>>().join(", ");
    Err(Error::over_quota(format!(
        "Quota exceeded for {}: Requested {}, but already used {} of {} {}",
        list(|o| o.0.to_owned()),
        list(|o| o.1.to_string()),
        list(|o| o.2.to_string()),
        list(|o| o.3.to_string()),
        list(|o| o.0.to_owned()),
    )))
}

/// Refuses a server that would outgrow the project. Called in the transaction in which it begins to.
pub(crate) fn check_growth(tx: &mut Tx, project: &ProjectId, from: &Size, to: &Size) -> Result<()> {
    let (limits, used) = (limits(tx, project)?, usage(tx, project)?);
    let memory = |size: &Size| i64::try_from(size.memory_mb).unwrap_or(i64::MAX);
    for (resource, more, used) in [
        (Resource::Cores, i64::from(to.vcpus) - i64::from(from.vcpus), used.cores),
        (Resource::Ram, memory(to) - memory(from), used.ram),
    ] {
        let (name, limit) = (resource.name(), limits.get(resource.name()).copied().unwrap_or(-1));
        if more > 0 && limit >= 0 && used + more > limit {
            return Err(Error::over_quota(format!(
                "Quota exceeded for {name}: Requested {more}, but already used {used} of {limit} {name}"
            )));
        }
    }
    Ok(())
}

pub(super) fn set(tx: &mut Tx, project: &ProjectId, changes: &[(&'static str, i64)]) -> Result<()> {
    for (resource, limit) in changes {
        tx.execute(
            "INSERT INTO quota_limits (project_id, resource, hard_limit) VALUES ($1, $2, $3) \
             ON CONFLICT (project_id, resource) DO UPDATE SET hard_limit = excluded.hard_limit",
            &params![project, *resource, *limit],
        )?;
    }
    Ok(())
}

pub(super) fn clear(tx: &mut Tx, project: &ProjectId) -> Result<()> {
    tx.execute("DELETE FROM quota_limits WHERE project_id = $1", &params![project])?;
    Ok(())
}
