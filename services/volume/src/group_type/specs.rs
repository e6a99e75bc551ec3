// SPDX-License-Identifier: Apache-2.0
//! `/group_types/{id}/group_specs`.

use std::sync::Arc;

use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::json;

use super::{GroupType, api::change, policy, table};
use crate::{
    BlockStorage,
    error::Error,
    input::{Read, body, document, join},
    versions::v,
};

const SPECS: &str = "/v3/group_types/{id}/group_specs";
const SPEC: &str = "/v3/group_types/{id}/group_specs/{key}";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(SPECS, &policy::SPECS_INDEX, list)
        .since(v(11))
        .post(SPECS, &policy::SPECS_CREATE, create)
        .since(v(11))
        .get(SPEC, &policy::SPECS_SHOW, show)
        .since(v(11))
        .put(SPEC, &policy::SPECS_UPDATE, update)
        .since(v(11))
        .delete(SPEC, &policy::SPECS_DELETE, delete)
        .since(v(11))
}

async fn kind(room: &BlockStorage, cx: &Cx) -> Read<GroupType> {
    let id = cx.param("id").to_owned();
    Ok(room.store.read(move |tx| table::get(tx, &id)).await?)
}

fn missing(kind: &GroupType, key: &str) -> String {
    format!("Group Type {} has no specs with key {key}.", kind.id)
}

async fn list(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    api::json(StatusCode::OK, &json!({"group_specs": kind(&room, &cx).await?.specs}))
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (kind, key) = (kind(&room, &cx).await?, cx.param("key"));
    let value = kind.specs.get(key).ok_or_else(|| Fault::not_found(missing(&kind, key)))?;
    api::json(StatusCode::OK, &json!({key: value}))
}

async fn create(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let more = document(&mut cx, "group_specs").await?.into_texts()?;
    let said = more.clone();
    change(&room, &cx, move |mut kind| {
        join("group_specs", &mut kind.specs, &more)?;
        Ok(kind)
    })
    .await?;
    api::json(StatusCode::ACCEPTED, &json!({"group_specs": said}))
}

async fn update(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let item = body(&mut cx).await?.into_texts()?;
    if item.len() != 1 || !item.contains_key(cx.param("key")) {
        return Err(Fault::bad_request("Request body and URI mismatch: the body holds the one item that the path names."));
    }
    let more = item.clone();
    change(&room, &cx, move |mut kind| {
        join("group_specs", &mut kind.specs, &more)?;
        Ok(kind)
    })
    .await?;
    api::json(StatusCode::OK, &item)
}

async fn delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let key = cx.param("key").to_owned();
    change(&room, &cx, move |mut kind| match kind.specs.remove(&key) {
        Some(_) => Ok(kind),
        None => Err(Error::not_found(missing(&kind, &key))),
    })
    .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}
