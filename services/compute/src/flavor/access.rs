// SPDX-License-Identifier: Apache-2.0
//! `/flavors/{id}/os-flavor-access`: which projects may use a flavor that is not public.

use std::sync::Arc;

use api::{Cx, Reply, Routes};
use http::StatusCode;
use serde_json::json;
use store::{Tx, params};
use types::{FlavorId, ProjectId};

use super::{
    Flavor,
    table::{self as table, Viewer},
};
use crate::{
    Compute,
    error::{Error, Result},
    flavor::policy,
    input::{Object, Read, argument},
    versions::at_least,
};

const ACCESS: &str = "/v2.1/flavors/{id}/os-flavor-access";
const ACTION: &str = "/v2.1/flavors/{id}/action";

pub(super) fn routes() -> Routes<Compute> {
    Routes::new().get(ACCESS, &policy::ACCESS, list).action(ACTION, "addTenantAccess", &policy::ACCESS_ADD, add).action(
        ACTION,
        "removeTenantAccess",
        &policy::ACCESS_REMOVE,
        remove,
    )
}

async fn list(room: Arc<Compute>, cx: Cx) -> Reply {
    let id = FlavorId::new(cx.param("id"));
    let projects = room
        .store
        .read(move |tx| -> Result<_> {
            if table::get(tx, &Viewer::Operator, &id)?.is_public {
                return Err(Error::not_found("Access list not available for public flavors."));
            }
            table::projects(tx, &id)
        })
        .await?;
    render(&cx, &projects)
}

async fn add(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let project = read_project(&mut cx, "addTenantAccess").await?;
    let public_is_refused = at_least(cx.version, 7);
    change(&room, &cx, "flavor.add_access", move |tx, flavor| {
        if flavor.is_public && public_is_refused {
            return Err(Error::conflict("Can not add access to a public flavor."));
        }
        let sql = "INSERT INTO flavor_access (flavor_id, project_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        match tx.execute(sql, &params![&flavor.id, &project])? {
            0 => Err(Error::conflict(format!("Flavor access already exists for flavor {} and project {project}.", flavor.id))),
            _ => Ok(()),
        }
    })
    .await
}

async fn remove(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let project = read_project(&mut cx, "removeTenantAccess").await?;
    change(&room, &cx, "flavor.remove_access", move |tx, flavor| {
        let sql = "DELETE FROM flavor_access WHERE flavor_id = $1 AND project_id = $2";
        match tx.execute(sql, &params![&flavor.id, &project])? {
            0 => Err(Error::not_found(format!("Flavor access not found for flavor {} and project {project}.", flavor.id))),
            _ => Ok(()),
        }
    })
    .await
}

async fn read_project(cx: &mut Cx, action: &str) -> Read<ProjectId> {
    let mut ask = Object::from_value(action, argument(cx, action).await?)?;
    let project = ask.text("tenant", 1..=255)?;
    let project = ask.required("tenant", project)?;
    ask.finish()?;
    Ok(ProjectId::new(project))
}

async fn change(
    room: &Compute,
    cx: &Cx,
    action: &'static str,
    edit: impl Fn(&mut Tx, &Flavor) -> Result<()> + Send + Sync + 'static,
) -> Reply {
    let (id, actor) = (FlavorId::new(cx.param("id")), cx.actor());
    let after = room
        .store
        .write(move |tx| -> Result<_> {
            let flavor = table::get(tx, &Viewer::Operator, &id)?;
            table::changing(tx, &actor, action, &id, |tx| edit(tx, &flavor))?;
            table::projects(tx, &id)
        })
        .await?;
    render(cx, &after)
}

fn render(cx: &Cx, projects: &[ProjectId]) -> Reply {
    let flavor = cx.param("id");
    let list: Vec<_> = projects.iter().map(|project| json!({"flavor_id": flavor, "tenant_id": project})).collect();
    api::json(StatusCode::OK, &json!({"flavor_access": list}))
}
