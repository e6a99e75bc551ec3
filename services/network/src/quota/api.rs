// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/quotas`.

use std::{collections::BTreeMap, sync::Arc};

use access::{Policy, Target};
use api::{Access, Cx, Reply, Routes, json, no_content};
use http::StatusCode;
use serde_json::{Map, Value, json};
use store::params;
use types::ProjectId;

use super::{Quota, all, defaults as standing, limits};
use crate::{Room, input};

pub static GET: Policy = Policy::new("get_quota", "rule:project_reader_or_admin", "See a project's network quotas");
pub static UPDATE: Policy = Policy::new("update_quota", "rule:admin_only", "Change a project's network quotas");
pub static DELETE: Policy = Policy::new("delete_quota", "rule:admin_only", "Set a project's network quotas back");

pub fn routes() -> Routes<Room> {
    Routes::new()
        .get("/v2.0/quotas", &UPDATE, list)
        .get("/v2.0/quotas/{project}", Access::Asks(&GET), show)
        .put("/v2.0/quotas/{project}", Access::Asks(&UPDATE), update)
        .delete("/v2.0/quotas/{project}", Access::Asks(&DELETE), delete)
        .get("/v2.0/quotas/{project}/default", Access::Asks(&GET), defaults)
        .get("/v2.0/quotas/{project}/details", Access::Asks(&GET), details)
        .each_asking(&[&GET])
}

async fn list(room: Arc<Room>, _cx: Cx) -> Reply {
    let settings = room.settings.clone();
    let quotas = room
        .read(move |tx| {
            let mut projects: BTreeMap<String, BTreeMap<&'static str, i64>> = BTreeMap::new();
            for row in tx.query("SELECT project_id, resource, most FROM network_quotas", &[])? {
                let (resource, most): (String, i64) = (row.get(1)?, row.get(2)?);
                let limits = projects.entry(row.get(0)?).or_insert_with(|| standing(&settings));
                if let Some((_, limit)) = limits.iter_mut().find(|(name, _)| **name == resource) {
                    *limit = most;
                }
            }
            Ok(projects)
        })
        .await?;
    let quotas: Vec<Value> = quotas
        .into_iter()
        .map(|(project, limits)| {
            let mut view = json!(limits);
            view["project_id"] = json!(project);
            view["tenant_id"] = json!(project);
            view
        })
        .collect();
    json(StatusCode::OK, &json!({ "quotas": quotas }))
}

async fn show(room: Arc<Room>, cx: Cx) -> Reply {
    let project = project(&cx, &GET)?;
    let settings = room.settings.clone();
    let limits = room.read(move |tx| limits(tx, project.as_str(), &settings)).await?;
    json(StatusCode::OK, &json!({ "quota": limits }))
}

async fn defaults(room: Arc<Room>, cx: Cx) -> Reply {
    project(&cx, &GET)?;
    json(StatusCode::OK, &json!({ "quota": standing(&room.settings) }))
}

async fn details(room: Arc<Room>, cx: Cx) -> Reply {
    let project = project(&cx, &GET)?;
    let settings = room.settings.clone();
    let quota = room
        .read(move |tx| {
            let limits = limits(tx, project.as_str(), &settings)?;
            let mut quota = Map::new();
            for kind in all() {
                let limit = limits.get(kind.name).copied().unwrap_or(-1);
                let detail = json!({"limit": limit, "used": (kind.used)(tx, &project)?, "reserved": 0});
                quota.insert(kind.name.to_owned(), detail);
            }
            Ok(quota)
        })
        .await?;
    json(StatusCode::OK, &json!({ "quota": quota }))
}

async fn update(room: Arc<Room>, mut cx: Cx) -> Reply {
    let project = project(&cx, &UPDATE)?;
    let mut input = input::document(&mut cx, "quota").await?;
    // A request may say whether usage is to be checked; a limit below the usage only forbids more.
    let checked = input.flag("check_limit")?.unwrap_or(false);
    input.flag("force")?;
    let mut wanted: Vec<(&'static Quota, i64)> = Vec::new();
    for quota in all() {
        if let Some(most) = input.number(quota.name, -1..=i64::from(i32::MAX))? {
            wanted.push((quota, most));
        }
    }
    input.finish()?;
    let settings = room.settings.clone();
    let limits = room
        .write(move |tx| {
            for (quota, most) in &wanted {
                if checked && *most >= 0 && (quota.used)(tx, &project)? > *most {
                    return Err(crate::Error::bad(format!("Quota limit {most} for {} is below what is in use", quota.name)));
                }
                let sql = "INSERT INTO network_quotas (project_id, resource, most) VALUES ($1, $2, $3) \
                           ON CONFLICT (project_id, resource) DO UPDATE SET most = excluded.most";
                tx.execute(sql, &params![&project, quota.name, *most])?;
            }
            limits(tx, project.as_str(), &settings)
        })
        .await?;
    json(StatusCode::OK, &json!({ "quota": limits }))
}

async fn delete(room: Arc<Room>, cx: Cx) -> Reply {
    let project = project(&cx, &DELETE)?;
    room.write(move |tx| Ok(tx.execute("DELETE FROM network_quotas WHERE project_id = $1", &params![&project])?)).await?;
    no_content()
}

/// The project of the path. Whose quotas the caller may not even see, of that he does not learn that others may.
fn project(cx: &Cx, policy: &'static Policy) -> Result<ProjectId, api::Fault> {
    let project = ProjectId::new(cx.param("project"));
    let target = Target::in_project(&project);
    if !cx.may(&GET, &target) {
        return Err(api::Fault::not_found("The resource could not be found."));
    }
    cx.check(policy, &target)?;
    Ok(project)
}
