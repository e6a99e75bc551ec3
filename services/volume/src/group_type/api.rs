// SPDX-License-Identifier: Apache-2.0
//! `/group_types`, from 3.11 on.

use std::sync::Arc;

use access::Target;
use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};
use types::Timestamp;

use super::{GroupType, policy, table};
use crate::{
    BlockStorage,
    error::Result,
    filter,
    input::{Read, document},
    links,
    query::Page,
    versions::v,
};

const ALL: &str = "/v3/group_types";
const ONE: &str = "/v3/group_types/{id}";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(ALL, &policy::SHOW, list)
        .since(v(11))
        .post(ALL, &policy::CREATE, create)
        .since(v(11))
        .get(ONE, &policy::SHOW, show)
        .since(v(11))
        .put(ONE, &policy::UPDATE, update)
        .since(v(11))
        .delete(ONE, &policy::DELETE, delete)
        .since(v(11))
        .each_asking(&[&policy::SEE_SPECS])
}

/// Whether the caller is one who sees all of them.
fn sees_all(cx: &Cx) -> bool {
    cx.may(&policy::SEE_SPECS, &Target::new())
}

fn view(cx: &Cx, kind: &GroupType) -> Value {
    let mut view = json!({"id": kind.id, "name": kind.name, "description": kind.description, "is_public": kind.is_public});
    if sees_all(cx) {
        view["group_specs"] = json!(kind.specs);
    }
    view
}

async fn list(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let page = Page::read(&cx)?;
    let mut select = table::select();
    let shown = cx.query().get("is_public").unwrap_or_default();
    if !sees_all(&cx) {
        select = select.filter("is_public = ", true);
    } else if !shown.eq_ignore_ascii_case("none") {
        select = select.filter("is_public = ", words::flag::oslo(shown).unwrap_or(true));
    }
    for (name, value) in cx.query().pairs() {
        select = match name {
            "name" => select.filter("name = ", value),
            "group_specs" if sees_all(&cx) => filter::items(select, "specs", value)?,
            _ => select,
        };
    }
    let column = |key: &str| match key {
        "id" => Some("id"),
        "name" => Some("name"),
        "created_at" => Some("created_at"),
        _ => None,
    };
    let select = page.of(select, column, &[])?;
    let kinds = page.cut(room.store.list(move |tx| table::rows(tx, &select)).await?);
    let mut document = json!({"group_types": kinds.iter().map(|kind| view(&cx, kind)).collect::<Vec<_>>()});
    if let Some(next) = links::next(&cx, &page.paging, kinds.len(), kinds.last().map(|kind| kind.id.as_str())) {
        document["group_type_links"] = json!(next);
    }
    api::json(StatusCode::OK, &document)
}

/// One that is not public is not there for others. `default` names none: no group gets a type that nobody chose.
async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    if id == "default" {
        return Err(Fault::not_found("Default group type can not be found."));
    }
    let kind = room.store.read(move |tx| table::get(tx, &id)).await?;
    if !kind.is_public && !sees_all(&cx) {
        return Err(table::missing(&kind.id).into());
    }
    api::json(StatusCode::OK, &json!({"group_type": view(&cx, &kind)}))
}

async fn create(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "group_type").await?;
    let kind = GroupType {
        id: uuid::Uuid::new_v4().to_string(),
        name: ask.name("name")?,
        description: ask.label("description")?.flatten(),
        is_public: ask.flag("is_public")?.unwrap_or(true),
        specs: ask.texts("group_specs")?.unwrap_or_default(),
        created_at: Timestamp::now(),
    };
    ask.finish()?;
    let (made, actor) = (kind.clone(), cx.actor());
    room.store.write(move |tx| table::insert(tx, &actor, &made)).await?;
    api::json(StatusCode::ACCEPTED, &json!({"group_type": view(&cx, &kind)}))
}

/// Changes the type that the path names, as it is now.
pub(super) async fn change(
    room: &BlockStorage,
    cx: &Cx,
    edit: impl Fn(GroupType) -> Result<GroupType> + Send + Sync + 'static,
) -> Read<GroupType> {
    let (id, actor) = (cx.param("id").to_owned(), cx.actor());
    let write = room.store.write(move |tx| -> Result<GroupType> {
        let before = table::get(tx, &id)?;
        let after = edit(before.clone())?;
        table::update(tx, &actor, &before, &after)?;
        Ok(after)
    });
    Ok(write.await?)
}

async fn update(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "group_type").await?;
    let (name, description) = (ask.label("name")?.flatten(), ask.label("description")?);
    let is_public = ask.flag("is_public")?;
    ask.finish()?;
    if name.is_none() && description.is_none() && is_public.is_none() {
        return Err(Fault::bad_request("Specify group type name, description or a combination thereof."));
    }
    if name.as_ref().is_some_and(String::is_empty) {
        return Err(Fault::bad_request("Group type name can not be empty."));
    }
    let changed = change(&room, &cx, move |mut kind| {
        if let Some(name) = &name {
            kind.name.clone_from(name);
        }
        if let Some(description) = &description {
            kind.description.clone_from(description);
        }
        kind.is_public = is_public.unwrap_or(kind.is_public);
        Ok(kind)
    });
    let kind = changed.await?;
    api::json(StatusCode::OK, &json!({"group_type": view(&cx, &kind)}))
}

async fn delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (id, actor) = (cx.param("id").to_owned(), cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            let kind = table::get(tx, &id)?;
            table::remove(tx, &actor, &kind)
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}
