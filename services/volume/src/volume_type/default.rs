// SPDX-License-Identifier: Apache-2.0
//! `/default-types`: which type a project's volumes get if none is said.

use std::sync::Arc;

use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};
use store::{Change, Event, params};
use types::ProjectId;

use super::table;
use crate::{
    BlockStorage,
    error::{Error, Result},
    input::document,
    versions::v,
    volume_type::policy,
};

const ALL: &str = "/v3/default-types";
const ONE: &str = "/v3/default-types/{project}";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(ALL, &policy::DEFAULT_TYPE_INDEX, list)
        .since(v(62))
        .get(ONE, &policy::DEFAULT_TYPE_SHOW, show)
        .since(v(62))
        .put(ONE, &policy::DEFAULT_TYPE_SET, set)
        .since(v(62))
        .delete(ONE, &policy::DEFAULT_TYPE_UNSET, unset)
        .since(v(62))
}

fn view(project: &str, kind: &str) -> Value {
    json!({"project_id": project, "volume_type_id": kind})
}

async fn list(room: Arc<BlockStorage>, _cx: Cx) -> Reply {
    let rows = room
        .store
        .list(|tx| -> Result<_> {
            let rows = tx.query("SELECT project_id, type_id FROM volume_default_types ORDER BY project_id", &[])?;
            Ok(rows.iter().map(|row| Ok(view(row.get(0)?, row.get(1)?))).collect::<store::Result<Vec<_>>>()?)
        })
        .await?;
    api::json(StatusCode::OK, &json!({"default_types": rows}))
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let project = cx.param("project").to_owned();
    let wanted = project.clone();
    let found = room
        .store
        .read(move |tx| -> Result<Option<String>> {
            let row = tx.query_opt("SELECT type_id FROM volume_default_types WHERE project_id = $1", &params![&wanted])?;
            Ok(row.map(|row| row.get(0)).transpose()?)
        })
        .await?;
    let kind = found.ok_or_else(|| Fault::not_found(format!("Default type for project {project} not found.")))?;
    api::json(StatusCode::OK, &json!({"default_type": view(&project, &kind)}))
}

async fn set(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "default_type").await?;
    let word = ask.name("volume_type")?;
    ask.finish()?;
    let (allowed, project, actor) = (cx.allowed()?.clone(), ProjectId::new(cx.param("project")), cx.actor());
    let of = project.clone();
    let kind = room
        .store
        .write(move |tx| -> Result<String> {
            let kind = table::chosen(tx, &of, &allowed, Some(&word))?;
            tx.execute(
                "INSERT INTO volume_default_types (project_id, type_id) VALUES ($1, $2) \
                 ON CONFLICT (project_id) DO UPDATE SET type_id = excluded.type_id",
                &params![&of, &kind.id],
            )?;
            let event = Event::of(&actor, "volume_default_type.set", ("volume_default_type", of.as_str()), &Change::made(&kind))?;
            tx.record(event.of_project(of.to_string()))?;
            Ok(kind.id)
        })
        .await?;
    api::json(StatusCode::OK, &json!({"default_type": view(project.as_str(), &kind)}))
}

async fn unset(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (project, actor) = (ProjectId::new(cx.param("project")), cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            let gone = tx.execute("DELETE FROM volume_default_types WHERE project_id = $1", &params![&project])?;
            if gone == 0 {
                return Err(Error::not_found(format!("Default type for project {project} not found.")));
            }
            let change = Change::removed(json!({"project_id": project}));
            let event = Event::of(&actor, "volume_default_type.unset", ("volume_default_type", project.as_str()), &change)?;
            Ok(tx.record(event.of_project(project.to_string()))?)
        })
        .await?;
    Ok(api::empty(StatusCode::NO_CONTENT))
}
