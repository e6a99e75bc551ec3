// SPDX-License-Identifier: Apache-2.0
//! Who may use a type that is not public.

use std::sync::Arc;

use api::{Cx, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};
use store::{Actor, Change, Event, Tx, params};

use super::{VolumeType, table};
use crate::{
    BlockStorage,
    error::{Error, Result},
    input::{Read, argument},
    volume_type::policy,
};

const LIST: &str = "/v3/types/{id}/os-volume-type-access";
const ACTION: &str = "/v3/types/{id}/action";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new().get(LIST, &policy::ACCESS_LIST, list).action(ACTION, "addProjectAccess", &policy::ACCESS_ADD, add).action(
        ACTION,
        "removeProjectAccess",
        &policy::ACCESS_REMOVE,
        remove,
    )
}

async fn list(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let kind = room.kind(&cx).await?;
    if kind.is_public {
        return Err(Error::not_found("Access list not available for public volume types.").into());
    }
    let id = kind.id.clone();
    let projects = room
        .store
        .read(move |tx| -> Result<_> {
            let sql = "SELECT project_id FROM volume_type_access WHERE type_id = $1 ORDER BY project_id";
            Ok(tx.query(sql, &params![&id])?.iter().map(|row| row.get::<String>(0)).collect::<store::Result<Vec<_>>>()?)
        })
        .await?;
    let views: Vec<Value> = projects.iter().map(|project| json!({"volume_type_id": kind.id, "project_id": project})).collect();
    api::json(StatusCode::OK, &json!({"volume_type_access": views}))
}

async fn add(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    change(&room, cx, "addProjectAccess", |tx, actor, kind, project| {
        let sql = "INSERT INTO volume_type_access (type_id, project_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        if tx.execute(sql, &params![&kind.id, project])? == 0 {
            return Err(Error::conflict(format!("Volume type access for {} / {project} combination already exists.", kind.id)));
        }
        record(tx, actor, kind, &Change::made(project))
    })
    .await
}

async fn remove(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    change(&room, cx, "removeProjectAccess", |tx, actor, kind, project| {
        let sql = "DELETE FROM volume_type_access WHERE type_id = $1 AND project_id = $2";
        if tx.execute(sql, &params![&kind.id, project])? == 0 {
            let sentence = format!("Volume type access not found for {} / {project} combination.", kind.id);
            return Err(Error::not_found(sentence));
        }
        record(tx, actor, kind, &Change::removed(project))
    })
    .await
}

async fn change(
    room: &BlockStorage,
    mut cx: Cx,
    action: &str,
    write: fn(&mut Tx, &Actor, &VolumeType, &str) -> Result<()>,
) -> Reply {
    let mut ask = argument(&mut cx, action).await?;
    let project = read_project(&mut ask)?;
    ask.finish()?;
    let (allowed, id, actor) = (cx.allowed()?.clone(), cx.param("id").to_owned(), cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            let kind = table::get(tx, &allowed, &id)?;
            if kind.is_public {
                return Err(Error::conflict("Type access modification is not applicable to public volume type."));
            }
            write(tx, &actor, &kind, &project)
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

fn read_project(ask: &mut crate::input::Object) -> Read<String> {
    let project = ask.text("project", 1..=255)?;
    ask.required("project", project)
}

fn record(tx: &mut Tx, actor: &Actor, kind: &VolumeType, change: &Change<&str>) -> Result<()> {
    Ok(tx.record(Event::of(actor, format!("volume_type.access.{}", change.verb()), ("volume_type", &kind.id), change)?)?)
}
