// SPDX-License-Identifier: Apache-2.0
//! `/servers/{id}/metadata`: the user's own notes on a server, which its guest can read.

use std::{collections::BTreeMap, sync::Arc};

use api::{Cx, Fault, Reply};
use http::StatusCode;
use serde_json::json;

use super::{action, guard::Guard, operation::admission::Act};
use crate::{
    Compute,
    error::{Error, Result},
    input::{Read, document},
    quota::{self, Limits, Resource},
};

type Items = BTreeMap<String, String>;

pub(super) async fn list(room: Arc<Compute>, cx: Cx) -> Reply {
    let items = read(&room, &cx).await?;
    api::json(StatusCode::OK, &json!({"metadata": items}))
}

pub(super) async fn show(room: Arc<Compute>, cx: Cx) -> Reply {
    let key = cx.param("key").to_owned();
    let value = read(&room, &cx).await?.remove(&key).ok_or_else(|| Fault::from(missing()))?;
    api::json(StatusCode::OK, &json!({"meta": {key: value}}))
}

pub(super) async fn add(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let added = document(&mut cx, "metadata").await?.into_texts()?;
    let items = change(&room, &cx, Act::UpdateMetadata, move |items| {
        items.extend(added.clone());
        Ok(())
    })
    .await?;
    api::json(StatusCode::OK, &json!({"metadata": items}))
}

pub(super) async fn replace(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let new = document(&mut cx, "metadata").await?.into_texts()?;
    let items = change(&room, &cx, Act::UpdateMetadata, move |items| {
        items.clone_from(&new);
        Ok(())
    })
    .await?;
    api::json(StatusCode::OK, &json!({"metadata": items}))
}

pub(super) async fn set(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let set = document(&mut cx, "meta").await?.into_texts()?;
    if set.len() != 1 || !set.contains_key(cx.param("key")) {
        return Err(Fault::bad_request("Request body and URI mismatch: the body holds the key of the path, and only it."));
    }
    change(&room, &cx, Act::UpdateMetadata, {
        let set = set.clone();
        move |items| {
            items.extend(set.clone());
            Ok(())
        }
    })
    .await?;
    api::json(StatusCode::OK, &json!({"meta": set}))
}

pub(super) async fn delete(room: Arc<Compute>, cx: Cx) -> Reply {
    let key = cx.param("key").to_owned();
    change(&room, &cx, Act::DeleteMetadata, move |items| items.remove(&key).map(drop).ok_or_else(missing)).await?;
    api::no_content()
}

/// Refuses more items than the project's quota for one server.
pub(super) fn check_count(limits: &Limits, count: usize) -> Result<()> {
    let most = limits.get(Resource::MetadataItems.name()).copied().unwrap_or(-1);
    if most >= 0 && i64::try_from(count).unwrap_or(i64::MAX) > most {
        return Err(Error::over_quota(format!("Maximum number of metadata items exceeds {most}")));
    }
    Ok(())
}

async fn read(room: &Compute, cx: &Cx) -> Read<Items> {
    let guard = Guard::of(cx)?;
    Ok(room.store.read(move |tx| guard.find(tx)).await?.metadata)
}

fn missing() -> Error {
    Error::not_found("Metadata item was not found")
}

async fn change(
    room: &Compute,
    cx: &Cx,
    act: Act,
    edit: impl Fn(&mut Items) -> Result<()> + Send + Sync + 'static,
) -> Read<Items> {
    let server = action::edit(room, cx, act, "server.update", move |tx, server| {
        edit(&mut server.metadata)?;
        check_count(&quota::limits(tx, &server.project_id)?, server.metadata.len())
    });
    Ok(server.await?.metadata)
}
