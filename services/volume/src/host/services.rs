// SPDX-License-Identifier: Apache-2.0
//! `/os-services`: the store of each host, and whether new volumes come to it.

use std::sync::Arc;

use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    BlockStorage,
    host::policy,
    input::{Object, Read, body, wrong},
    life::Place,
    versions::at_least,
    zone::ZONE,
};

const SERVICES: &str = "/v3/os-services";
const VOLUME: &str = "cinder-volume";
/// The controller itself: it chooses hosts.
pub(super) const SCHEDULER: &str = "cinder-scheduler";
pub(super) const CONTROLLER: &str = "controller";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(SERVICES, &policy::SERVICE_INDEX, list)
        .put("/v3/os-services/enable", &policy::SERVICE_UPDATE, enable)
        .put("/v3/os-services/disable", &policy::SERVICE_UPDATE, disable)
        .put("/v3/os-services/disable-log-reason", &policy::SERVICE_UPDATE, disable_for_reason)
}

/// Cinder's name of the service: the host and its store, without the pool.
pub(super) fn name(place: &Place) -> String {
    place.name().split('#').next().unwrap_or_default().to_owned()
}

async fn list(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (host, binary) = (cx.query().get("host"), cx.query().get("binary"));
    let is_host = |known: &str| host.is_none_or(|host| known == host || known.split('@').next() == Some(host));
    let mut views: Vec<Value> = Vec::new();
    if binary.is_none_or(|binary| binary == SCHEDULER) && is_host(CONTROLLER) {
        views.push(json!({
            "binary": SCHEDULER,
            "host": CONTROLLER,
            "zone": ZONE,
            "status": "enabled",
            "state": "up",
            "updated_at": types::Timestamp::now().naive_micros(),
            "disabled_reason": Value::Null,
        }));
    }
    if binary.is_none_or(|binary| binary == VOLUME) {
        views.extend(room.places().await?.iter().filter(|place| is_host(&name(place))).map(|place| view(&cx, place)));
    }
    if at_least(cx.version, 7) {
        for view in &mut views {
            view["cluster"] = Value::Null;
        }
    }
    api::json(StatusCode::OK, &json!({"services": views}))
}

fn view(cx: &Cx, place: &Place) -> Value {
    let mut view = json!({
        "binary": VOLUME,
        "host": name(place),
        "zone": ZONE,
        "status": if place.is_disabled { "disabled" } else { "enabled" },
        "state": if place.is_up { "up" } else { "down" },
        "updated_at": place.seen_at.naive_micros(),
        "disabled_reason": place.disabled_reason,
        "replication_status": "disabled",
        "active_backend_id": Value::Null,
        "frozen": place.is_frozen,
    });
    if at_least(cx.version, 49) {
        view["backend_state"] = json!(if place.is_up { "up" } else { "down" });
    }
    view
}

async fn enable(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = body(&mut cx).await?;
    let (host, binary) = target(&mut ask)?;
    ask.finish()?;
    set(&room, host, binary, None, false).await
}

async fn disable(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = body(&mut cx).await?;
    let (host, binary) = target(&mut ask)?;
    ask.finish()?;
    set(&room, host, binary, None, true).await
}

async fn disable_for_reason(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = body(&mut cx).await?;
    let (host, binary) = target(&mut ask)?;
    let reason = ask.text("disabled_reason", 1..=255)?;
    let reason = ask.required("disabled_reason", reason)?;
    ask.finish()?;
    if reason.trim().is_empty() {
        return Err(wrong("disabled_reason", &json!(reason), "It is empty but for blanks."));
    }
    set(&room, host, binary, Some(reason), true).await
}

fn target(ask: &mut Object) -> Read<(String, String)> {
    let (host, service, binary) = (ask.text("host", 1..=255)?, ask.text("service", 1..=255)?, ask.text("binary", 1..=255)?);
    let binary = ask.required("binary", binary.or(service))?;
    Ok((ask.required("host", host)?, binary))
}

async fn set(room: &BlockStorage, host: String, binary: String, reason: Option<String>, is_disabled: bool) -> Reply {
    let places = room.places().await?;
    let place = places.iter().find(|place| binary == VOLUME && (name(place) == host || place.hostname == host));
    let place = place.ok_or_else(|| Fault::not_found(format!("Service {binary} could not be found on host {host}.")))?;
    room.set_disabled(&place.node, reason.clone(), is_disabled).await?;
    let mut view = json!({
        "host": name(place),
        "service": binary,
        "binary": binary,
        "disabled": is_disabled,
        "status": if is_disabled { "disabled" } else { "enabled" },
    });
    if let Some(reason) = reason {
        view["disabled_reason"] = json!(reason);
    }
    api::json(StatusCode::OK, &view)
}
