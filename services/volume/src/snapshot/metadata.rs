// SPDX-License-Identifier: Apache-2.0
//! `/snapshots/{id}/metadata`: what its owner notes of a snapshot.

use std::sync::Arc;

use api::{Cx, Fault, Reply};
use http::StatusCode;
use serde_json::json;

use crate::{
    BlockStorage,
    error::Error,
    input::{document, join},
};

pub(super) async fn list(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    api::json(StatusCode::OK, &json!({"metadata": room.snapshot(&cx).await?.metadata}))
}

pub(super) async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (snapshot, key) = (room.snapshot(&cx).await?, cx.param("key"));
    let missing = || Fault::not_found(format!("Snapshot has no metadata with key {key}."));
    let value = snapshot.metadata.get(key).ok_or_else(missing)?;
    api::json(StatusCode::OK, &json!({"meta": {key: value}}))
}

pub(super) async fn add(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let more = document(&mut cx, "metadata").await?.into_texts()?;
    let snapshot = room
        .change_snapshot(&cx, "snapshot.metadata", move |mut snapshot| {
            join("metadata", &mut snapshot.metadata, &more)?;
            Ok(snapshot)
        })
        .await?;
    api::json(StatusCode::OK, &json!({"metadata": snapshot.metadata}))
}

pub(super) async fn replace(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let all = document(&mut cx, "metadata").await?.into_texts()?;
    let written = all.clone();
    room.change_snapshot(&cx, "snapshot.metadata", move |mut snapshot| {
        snapshot.metadata.clone_from(&written);
        Ok(snapshot)
    })
    .await?;
    api::json(StatusCode::OK, &json!({"metadata": all}))
}

pub(super) async fn set(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let item = document(&mut cx, "meta").await?.into_texts()?;
    if item.len() != 1 || !item.contains_key(cx.param("key")) {
        return Err(Fault::bad_request("Request body and URI mismatch: the body holds the one item that the path names."));
    }
    let more = item.clone();
    room.change_snapshot(&cx, "snapshot.metadata", move |mut snapshot| {
        join("meta", &mut snapshot.metadata, &more)?;
        Ok(snapshot)
    })
    .await?;
    api::json(StatusCode::OK, &json!({"meta": item}))
}

pub(super) async fn delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let key = cx.param("key").to_owned();
    room.change_snapshot(&cx, "snapshot.metadata", move |mut snapshot| match snapshot.metadata.remove(&key) {
        Some(_) => Ok(snapshot),
        None => Err(Error::not_found(format!("Snapshot has no metadata with key {key}."))),
    })
    .await?;
    Ok(api::empty(StatusCode::OK))
}
