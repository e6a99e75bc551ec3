// SPDX-License-Identifier: Apache-2.0
//! `/volumes/{id}/metadata`: what its owner notes of a volume.

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
    let volume = room.volume(&cx).await?;
    api::json(StatusCode::OK, &json!({"metadata": volume.metadata}))
}

pub(super) async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (volume, key) = (room.volume(&cx).await?, cx.param("key"));
    let value = volume.metadata.get(key).ok_or_else(|| missing(key))?;
    api::json(StatusCode::OK, &json!({"meta": {key: value}}))
}

pub(super) async fn add(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let more = document(&mut cx, "metadata").await?.into_texts()?;
    let volume = room
        .change(&cx, "volume.metadata", move |_, mut volume| {
            join("metadata", &mut volume.metadata, &more)?;
            Ok(volume)
        })
        .await?;
    api::json(StatusCode::OK, &json!({"metadata": volume.metadata}))
}

pub(super) async fn replace(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let all = document(&mut cx, "metadata").await?.into_texts()?;
    let written = all.clone();
    room.change(&cx, "volume.metadata", move |_, mut volume| {
        volume.metadata.clone_from(&written);
        Ok(volume)
    })
    .await?;
    api::json(StatusCode::OK, &json!({"metadata": all}))
}

pub(super) async fn set(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let item = document(&mut cx, "meta").await?.into_texts()?;
    let key = cx.param("key");
    if item.len() != 1 || !item.contains_key(key) {
        return Err(Fault::bad_request("Request body and URI mismatch: the body holds the one item that the path names."));
    }
    let more = item.clone();
    room.change(&cx, "volume.metadata", move |_, mut volume| {
        join("meta", &mut volume.metadata, &more)?;
        Ok(volume)
    })
    .await?;
    api::json(StatusCode::OK, &json!({"meta": item}))
}

pub(super) async fn delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let key = cx.param("key").to_owned();
    room.change(&cx, "volume.metadata", move |_, mut volume| match volume.metadata.remove(&key) {
        Some(_) => Ok(volume),
        None => Err(Error::not_found(format!("Volume has no metadata with key {key}."))),
    })
    .await?;
    Ok(api::empty(StatusCode::OK))
}

fn missing(key: &str) -> Fault {
    Fault::not_found(format!("Volume has no metadata with key {key}."))
}
