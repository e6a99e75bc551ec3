// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/lbaas/quotas`.

use std::{collections::BTreeMap, sync::Arc};

use access::{Policy, Target};
use api::{Access, Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};
use store::{Select, params};
use types::ProjectId;

use super::{ALL, Quota, defaults, limits, policy};
use crate::{
    Balancers,
    error::{Result, denied},
    input::document,
};

pub(super) fn routes() -> Routes<Balancers> {
    Routes::new()
        .get("/v2.0/lbaas/quotas", &policy::LIST, list)
        .asking(&[&policy::LIST_ALL])
        .get("/v2.0/lbaas/quotas/defaults", &policy::DEFAULTS, standing)
        .get("/v2.0/lbaas/quotas/{project}", Access::Asks(&policy::SHOW), show)
        .put("/v2.0/lbaas/quotas/{project}", Access::Asks(&policy::UPDATE), update)
        .delete("/v2.0/lbaas/quotas/{project}", Access::Asks(&policy::DELETE), delete)
}

/// The project of the path, with the yes to this policy.
fn project(cx: &Cx, policy: &'static Policy) -> Result<ProjectId, Fault> {
    let project = ProjectId::new(cx.param("project"));
    cx.check(policy, &Target::in_project(&project)).map_err(|_| denied())?;
    Ok(project)
}

/// Both words for the same: clients of either age read their own.
fn view(limits: &BTreeMap<&'static str, i64>) -> Value {
    let mut view = json!({"l7policy": 0, "l7rule": 0});
    for quota in ALL {
        for name in [quota.name, quota.also] {
            view[name] = json!(limits.get(quota.name));
        }
    }
    view
}

async fn list(room: Arc<Balancers>, cx: Cx) -> Reply {
    // Those of whom something is said.
    let select = Select::new("balancer_quotas", "DISTINCT project_id").condition("resource <> 'counted'");
    let select = match cx.scope(&policy::LIST_ALL) {
        Ok(_) => select,
        Err(_) => select.filter("project_id = ", cx.project()?),
    };
    let found = room.store.list(move |tx| -> Result<Vec<Value>> {
        let mut all = Vec::new();
        for row in select.clone().sort(&[], "project_id").rows(tx)? {
            let project: ProjectId = row.get(0)?;
            let mut quota = view(&limits(tx, &project)?);
            quota["project_id"] = json!(project);
            all.push(quota);
        }
        Ok(all)
    });
    api::json(StatusCode::OK, &json!({"quotas": found.await?, "quotas_links": []}))
}

async fn standing(_room: Arc<Balancers>, _cx: Cx) -> Reply {
    api::json(StatusCode::OK, &json!({"quota": view(&defaults())}))
}

async fn show(room: Arc<Balancers>, cx: Cx) -> Reply {
    let project = project(&cx, &policy::SHOW)?;
    let limits = room.store.read(move |tx| limits(tx, &project)).await?;
    api::json(StatusCode::OK, &json!({"quota": view(&limits)}))
}

async fn update(room: Arc<Balancers>, mut cx: Cx) -> Reply {
    let project = project(&cx, &policy::UPDATE)?;
    let mut input = document(&mut cx, "quota").await?;
    // `null` sets one back.
    let mut wanted: Vec<(&'static Quota, Option<i64>)> = Vec::new();
    for quota in ALL {
        for name in [quota.name, quota.also] {
            if let Some(most) = input.whole_or_null(name, -1..=i64::from(i32::MAX))? {
                wanted.push((quota, most));
            }
        }
    }
    for none in ["l7policy", "l7rule"] {
        // There are none, so that any number of them is kept to.
        input.whole_or_null(none, -1..=i64::from(i32::MAX))?;
    }
    input.finish()?;
    let changed = room.store.write(move |tx| -> Result<_> {
        for (quota, most) in &wanted {
            tx.execute("DELETE FROM balancer_quotas WHERE project_id = $1 AND resource = $2", &params![&project, quota.name])?;
            if let Some(most) = most {
                let sql = "INSERT INTO balancer_quotas (project_id, resource, most) VALUES ($1, $2, $3)";
                tx.execute(sql, &params![&project, quota.name, *most])?;
            }
        }
        limits(tx, &project)
    });
    api::json(StatusCode::ACCEPTED, &json!({"quota": view(&changed.await?)}))
}

async fn delete(room: Arc<Balancers>, cx: Cx) -> Reply {
    let project = project(&cx, &policy::DELETE)?;
    let gone = room.store.write(move |tx| -> Result<u64> {
        Ok(tx.execute("DELETE FROM balancer_quotas WHERE project_id = $1", &params![&project])?)
    });
    gone.await?;
    api::no_content()
}
