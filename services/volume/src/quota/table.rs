// SPDX-License-Identifier: Apache-2.0
//! Limits from their tables, usage from the volumes and snapshots.

use std::collections::BTreeMap;

use store::{Tx, params};
use types::ProjectId;

use super::{OF_TYPES, RESOURCES};
use crate::{
    error::{Error, Result},
    volume_type::{self, VolumeType},
};

/// By name; those of types end with the type's.
pub(crate) type Limits = BTreeMap<String, i64>;
pub(crate) type Usage = BTreeMap<String, i64>;

/// What is about to be added.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Growth {
    pub volumes: i64,
    pub snapshots: i64,
    pub gigabytes: i64,
    /// GiB of the volume that becomes so large.
    pub largest: i64,
}

/// The limits of every project that has none of its own.
pub(crate) fn defaults(tx: &mut Tx, class: &str) -> Result<Limits> {
    let mut limits: Limits = RESOURCES.iter().map(|(name, limit)| ((*name).to_owned(), *limit)).collect();
    for name in volume_type::table::names(tx)?.values() {
        limits.extend(OF_TYPES.iter().map(|resource| (format!("{resource}_{name}"), -1)));
    }
    let rows = tx.query("SELECT resource, hard_limit FROM volume_quota_classes WHERE class = $1", &params![class])?;
    overlay(limits, &rows)
}

pub(crate) fn limits(tx: &mut Tx, project: &ProjectId) -> Result<Limits> {
    let defaults = defaults(tx, "default")?;
    let rows = tx.query("SELECT resource, hard_limit FROM volume_quota_limits WHERE project_id = $1", &params![project])?;
    overlay(defaults, &rows)
}

fn overlay(mut limits: Limits, rows: &[store::Row]) -> Result<Limits> {
    for row in rows {
        if let Some(limit) = limits.get_mut(row.get::<&str>(0)?) {
            *limit = row.get(1)?;
        }
    }
    Ok(limits)
}

/// Snapshots count with the size of their volume, as Cinder has it.
pub(crate) fn usage(tx: &mut Tx, project: &ProjectId) -> Result<Usage> {
    let names = volume_type::table::names(tx)?;
    let mut usage = Usage::new();
    let mut add = |resource: &str, kind: &str, amount: i64| {
        *usage.entry(resource.to_owned()).or_default() += amount;
        if let Some(name) = names.get(kind) {
            *usage.entry(format!("{resource}_{name}")).or_default() += amount;
        }
    };
    let volumes = "SELECT type_id, count(*), CAST(coalesce(sum(wanted_size), 0) AS BIGINT) FROM volumes WHERE project_id = $1 GROUP BY type_id";
    let snapshots = "SELECT type_id, count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM volume_snapshots WHERE project_id = $1 GROUP BY type_id";
    for (resource, sql) in [("volumes", volumes), ("snapshots", snapshots)] {
        for row in tx.query(sql, &params![project])? {
            let kind: &str = row.get(0)?;
            add(resource, kind, row.get(1)?);
            add("gigabytes", kind, row.get(2)?);
        }
    }
    let groups = tx.query_one("SELECT count(*) FROM volume_groups WHERE project_id = $1", &params![project])?;
    usage.insert("groups".to_owned(), groups.get(0)?);
    Ok(usage)
}

/// Refuses what would outgrow the project. Called in the transaction that adds it.
pub(crate) fn check(tx: &mut Tx, project: &ProjectId, kind: &VolumeType, growth: &Growth) -> Result<()> {
    fits(tx, project, growth, &["", &format!("_{}", kind.name)])
}

/// Refuses what would outgrow what the project may have of this type, where it has it of another one already.
pub(crate) fn check_type(tx: &mut Tx, project: &ProjectId, kind: &VolumeType, growth: &Growth) -> Result<()> {
    fits(tx, project, growth, &[&format!("_{}", kind.name)])
}

/// By the limits whose names end so.
fn fits(tx: &mut Tx, project: &ProjectId, growth: &Growth, ends: &[&str]) -> Result<()> {
    let (limits, used) = (limits(tx, project)?, usage(tx, project)?);
    let limit = |name: &str| limits.get(name).copied().filter(|limit| *limit >= 0);
    if let Some(most) = limit("per_volume_gigabytes").filter(|most| growth.largest > *most) {
        return Err(Error::over_quota(format!(
            "Requested volume size {}G is larger than maximum allowed limit {most}G.",
            growth.largest
        )));
    }
    for name in ends.iter().map(|end| format!("gigabytes{end}")) {
        let has = used.get(&name).copied().unwrap_or_default();
        if let Some(most) = limit(&name).filter(|most| growth.gigabytes > 0 && has + growth.gigabytes > *most) {
            return Err(Error::over_quota(format!(
                "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed {name} quota. Requested {}G, quota is \
                 {most}G and {has}G has been consumed.",
                growth.gigabytes
            )));
        }
    }
    for (resource, what, more) in
        [("volumes", "VolumeLimitExceeded", growth.volumes), ("snapshots", "SnapshotLimitExceeded", growth.snapshots)]
    {
        for name in ends.iter().map(|end| format!("{resource}{end}")) {
            let has = used.get(&name).copied().unwrap_or_default();
            if let Some(most) = limit(&name).filter(|most| more > 0 && has + more > *most) {
                return Err(Error::over_quota(format!(
                    "{what}: Maximum number of {resource} allowed ({most}) exceeded for quota '{name}'."
                )));
            }
        }
    }
    Ok(())
}

/// Refuses one group more than the project may have.
pub(crate) fn check_group(tx: &mut Tx, project: &ProjectId) -> Result<()> {
    let (limits, used) = (limits(tx, project)?, usage(tx, project)?);
    let has = used.get("groups").copied().unwrap_or_default();
    match limits.get("groups") {
        Some(most) if *most >= 0 && has + 1 > *most => Err(Error::over_quota(format!(
            "GroupLimitExceeded: Maximum number of groups allowed ({most}) exceeded for quota 'groups'."
        ))),
        _ => Ok(()),
    }
}

pub(super) fn set(tx: &mut Tx, project: &ProjectId, changes: &[(String, i64)]) -> Result<()> {
    for (resource, limit) in changes {
        tx.execute(
            "INSERT INTO volume_quota_limits (project_id, resource, hard_limit) VALUES ($1, $2, $3) \
             ON CONFLICT (project_id, resource) DO UPDATE SET hard_limit = excluded.hard_limit",
            &params![project, resource, *limit],
        )?;
    }
    Ok(())
}

pub(super) fn set_class(tx: &mut Tx, class: &str, changes: &[(String, i64)]) -> Result<()> {
    for (resource, limit) in changes {
        tx.execute(
            "INSERT INTO volume_quota_classes (class, resource, hard_limit) VALUES ($1, $2, $3) \
             ON CONFLICT (class, resource) DO UPDATE SET hard_limit = excluded.hard_limit",
            &params![class, resource, *limit],
        )?;
    }
    Ok(())
}

pub(super) fn clear(tx: &mut Tx, project: &ProjectId) -> Result<()> {
    tx.execute("DELETE FROM volume_quota_limits WHERE project_id = $1", &params![project])?;
    Ok(())
}
