// SPDX-License-Identifier: Apache-2.0
//! `/types/{id}/extra_specs`: what the operator asks for, or notes, with a type. One without a scope names an ability that
//! the host of such a volume must have (`get_pools` shows them); others are kept and shown.

use std::{collections::BTreeMap, sync::Arc};

use access::Target;
use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::json;

use crate::{
    BlockStorage,
    error::Error,
    input::{Read, body, document, join},
    volume_type::policy,
};

const SPECS: &str = "/v3/types/{id}/extra_specs";
const SPEC: &str = "/v3/types/{id}/extra_specs/{key}";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(SPECS, &policy::SPECS_INDEX, list)
        .asking(&[&policy::ALL_SPECS])
        .post(SPECS, &policy::SPECS_CREATE, create)
        .get(SPEC, &policy::SPECS_SHOW, show)
        .asking(&[&policy::ALL_SPECS])
        .put(SPEC, &policy::SPECS_UPDATE, update)
        .delete(SPEC, &policy::SPECS_DELETE, delete)
}

/// Keys that Cinder can write into a path.
pub(super) fn check(specs: &BTreeMap<String, String>) -> Read<()> {
    let is_plain = |key: &str| key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.: ".contains(&byte));
    match specs.keys().find(|key| !is_plain(key)) {
        None => Ok(()),
        Some(key) => Err(Fault::bad_request(format!(
            "Key names can only contain alphanumeric characters, underscores, periods, colons and hyphens; '{key}' does not."
        ))),
    }
}

/// What of them this caller may know.
fn seen(cx: &Cx, specs: BTreeMap<String, String>) -> BTreeMap<String, String> {
    if cx.may(&policy::ALL_SPECS, &Target::new()) {
        return specs;
    }
    specs.into_iter().filter(|(key, _)| super::api::is_for_everybody(key)).collect()
}

async fn list(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let specs = room.kind(&cx).await?.extra_specs;
    api::json(StatusCode::OK, &json!({"extra_specs": seen(&cx, specs)}))
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (kind, key) = (room.kind(&cx).await?, cx.param("key"));
    let specs = seen(&cx, kind.extra_specs);
    let missing = || Fault::not_found(format!("Volume Type {} has no extra specs with key {key}.", kind.id));
    let value = specs.get(key).ok_or_else(missing)?;
    api::json(StatusCode::OK, &json!({key: value}))
}

async fn create(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let more = document(&mut cx, "extra_specs").await?.into_texts()?;
    check(&more)?;
    let said = more.clone();
    room.change_kind(&cx, move |mut kind| {
        join("extra_specs", &mut kind.extra_specs, &more)?;
        Ok(kind)
    })
    .await?;
    api::json(StatusCode::OK, &json!({"extra_specs": said}))
}

async fn update(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let item = body(&mut cx).await?.into_texts()?;
    if item.len() != 1 || !item.contains_key(cx.param("key")) {
        return Err(Fault::bad_request("Request body and URI mismatch: the body holds the one item that the path names."));
    }
    check(&item)?;
    let more = item.clone();
    room.change_kind(&cx, move |mut kind| {
        join("extra_specs", &mut kind.extra_specs, &more)?;
        Ok(kind)
    })
    .await?;
    api::json(StatusCode::OK, &item)
}

async fn delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let key = cx.param("key").to_owned();
    room.change_kind(&cx, move |mut kind| match kind.extra_specs.remove(&key) {
        Some(_) => Ok(kind),
        None => Err(Error::not_found(format!("Volume Type {} has no extra specs with key {key}.", kind.id))),
    })
    .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}
