// SPDX-License-Identifier: Apache-2.0
//! `/os-services`: the agent of each host, which the operator can close for new servers.

use std::sync::Arc;

use access::Policy;
use api::{Cx, Fault, Reply, Routes, Shown, attributes};
use contracts::nodes::NodeFacts;
use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use types::{Microversion, NodeId};

use crate::{
    Compute,
    availability_zone::ZONE,
    hypervisor::number,
    input::{Read, body, wrong},
    policy::ADMIN,
    query,
    versions::{at_least, v},
};

access::policies! {
    LIST = "os_compute_api:os-services:list", ADMIN, "List compute services.";
    UPDATE = "os_compute_api:os-services:update", ADMIN, "Enable or disable a compute service.";
}

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("service", routes).shows(&[("service", &[TOLD])]);

const SERVICES: &str = "/v2.1/os-services";
const SERVICE: &str = "/v2.1/os-services/{id}";
const BINARY: &str = "nova-compute";

pub(crate) fn routes() -> Routes<Compute> {
    Routes::new()
        .get(SERVICES, &LIST, list)
        .put(SERVICE, &UPDATE, update)
        .since(v(53))
        .put("/v2.1/os-services/enable", &UPDATE, enable)
        .until(v(52))
        .put("/v2.1/os-services/disable", &UPDATE, disable)
        .until(v(52))
        .put("/v2.1/os-services/disable-log-reason", &UPDATE, disable)
        .until(v(52))
}

async fn list(room: Arc<Compute>, cx: Cx) -> Reply {
    if at_least(cx.version, 75) {
        query::only(&cx, &["host", "binary"])?;
    }
    let nodes = room.nodes.list().await?;
    let of_host = |node: &&NodeFacts| cx.query().get("host").is_none_or(|host| host == node.hostname);
    let of_binary = cx.query().get("binary").is_none_or(|binary| binary == BINARY);
    let views: Vec<Value> = nodes.iter().filter(of_host).filter(|_| of_binary).map(|node| view(&cx, node)).collect();
    api::json(StatusCode::OK, &json!({"services": views}))
}

async fn update(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    if uuid::Uuid::try_parse(&id).is_err() {
        return Err(Fault::bad_request(format!("Invalid uuid {id}")));
    }
    let mut ask = body(&mut cx).await?;
    let status = ask.text("status", 1..=16)?;
    let reason = ask.text("disabled_reason", 1..=255)?;
    let forced_down = ask.flag("forced_down")?;
    ask.finish()?;
    if forced_down == Some(true) {
        return Err(Fault::bad_request(
            "forced_down cannot be used: whether a host is up is known by its connection. Disable it to keep new servers away.",
        ));
    }
    let node = find(&room, |node| node.id.as_str() == id).await?;
    let node = node.ok_or_else(|| Fault::not_found(format!("Service {id} could not be found.")))?;
    match status.as_deref() {
        Some("disabled") => set(&room, &node.id, reason, Change::Disable).await?,
        Some("enabled") if reason.is_some() => {
            return Err(Fault::bad_request("Specifying 'disabled_reason' when status is 'enabled' is invalid."));
        }
        Some("enabled") => set(&room, &node.id, None, Change::Enable).await?,
        Some(other) => return Err(wrong("status", &json!(other), "It is not one of ['enabled', 'disabled'].")),
        None if forced_down.is_some() => {}
        None => {
            return Err(Fault::bad_request("No updates were requested. Fields 'status' or 'forced_down' should be specified."));
        }
    }
    let node = find(&room, |node| node.id.as_str() == id).await?.unwrap_or(node);
    api::json(StatusCode::OK, &json!({"service": view(&cx, &node)}))
}

async fn enable(room: Arc<Compute>, cx: Cx) -> Reply {
    by_host(room, cx, Change::Enable).await
}

async fn disable(room: Arc<Compute>, cx: Cx) -> Reply {
    by_host(room, cx, Change::Disable).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Enable,
    Disable,
}

/// The form before 2.53: host and binary in the body.
async fn by_host(room: Arc<Compute>, mut cx: Cx, change: Change) -> Reply {
    let mut ask = body(&mut cx).await?;
    let (host, binary) = (ask.text("host", 1..=255)?, ask.text("binary", 1..=255)?);
    let (host, binary) = (ask.required("host", host)?, ask.required("binary", binary)?);
    let reason = ask.text("disabled_reason", 1..=255)?;
    ask.finish()?;
    let node = find(&room, |node| node.hostname == host && binary == BINARY).await?;
    let node = node.ok_or_else(|| Fault::not_found(format!("Host '{host}' is not mapped to any cell: it has no {binary}.")))?;
    set(&room, &node.id, reason.clone(), change).await?;
    let mut view = json!({
        "binary": binary,
        "host": host,
        "status": if change == Change::Disable { "disabled" } else { "enabled" },
    });
    if let Some(reason) = reason {
        view["disabled_reason"] = json!(reason);
    }
    api::json(StatusCode::OK, &json!({"service": view}))
}

async fn find(room: &Compute, matches: impl Fn(&NodeFacts) -> bool) -> Read<Option<NodeFacts>> {
    Ok(room.nodes.list().await?.into_iter().find(matches))
}

async fn set(room: &Compute, node: &NodeId, reason: Option<String>, change: Change) -> Read<()> {
    room.nodes.set_disabled(node, reason, change == Change::Disable).await?;
    Ok(())
}

/// A service in the eyes of a request: the agent of a host.
struct View<'a> {
    cx: &'a Cx,
    node: &'a NodeFacts,
}

impl Shown for View<'_> {
    fn version(&self) -> Microversion {
        self.cx.version
    }

    fn may(&self, _: &'static Policy) -> bool {
        true
    }
}

attributes! {
    /// What is told of a service.
    TOLD, fn tell(it: &View<'_>);
    "id" until(v(52)) => number(&it.node.id),
    "id" since(v(53)) => it.node.id,
    "binary" => BINARY,
    "host" => it.node.hostname,
    "zone" => ZONE,
    "status" => if it.node.disabled { "disabled" } else { "enabled" },
    "state" => if it.node.up { "up" } else { "down" },
    "updated_at" => it.node.seen_at.naive_micros(),
    "disabled_reason" => it.node.disabled_reason,
    "forced_down" since(v(11)) => false,
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        tell(self, &mut map)?;
        map.end()
    }
}

fn view(cx: &Cx, node: &NodeFacts) -> Value {
    json!(View { cx, node })
}
