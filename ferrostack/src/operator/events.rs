// SPDX-License-Identifier: Apache-2.0
//! `GET /operator/v1/events`: what changed, by whom, from what to what.
//!
//! `after` is the id of the last event already known; `follow=true` keeps the answer open and sends one JSON document
//! a line as events are committed. If events after `after` are deleted already, `gap` says up to which one, in the page
//! and as a line of the stream. Filters: `resource_type`, `resource_id`, `project_id`, `request_id`, `user_id`.

use std::sync::Arc;

use access::Policy;
use api::{Cx, Fault, Reply, Routes, json, stream};
use bytes::Bytes;
use futures_util::stream::try_unfold;
use http::StatusCode;
use serde_json::json;
use store::{EventFilter, Heard, StoredEvent};

use super::{ADMIN, Drawer, Operator};

pub const DRAWER: Drawer = Drawer::new("events", routes);

pub static POLICY: Policy = Policy::new("operator:events", ADMIN, "Read and follow the events of the whole cloud");

fn routes() -> Routes<Operator> {
    Routes::new().get("/v1/events", &POLICY, list)
}

const PAGE: u32 = 1_000;

async fn list(operator: Arc<Operator>, cx: Cx) -> Reply {
    let query = cx.query();
    let text = |name: &str| query.get(name).map(str::to_owned);
    let filter = EventFilter {
        resource_type: text("resource_type"),
        resource_id: text("resource_id"),
        project_id: text("project_id"),
        request_id: text("request_id"),
        user_id: text("user_id"),
        personal: None,
    };
    let after = match query.get("after") {
        None => 0,
        Some("now") => operator.store.last_event_id().await?,
        Some(text) => text.parse().map_err(|_| Fault::bad_request("'after' is the id of an event, or 'now'."))?,
    };
    if query.flag("follow")? == Some(true) {
        let following = operator.store.subscribe(after, filter);
        let lines = try_unfold(following, |mut following| async move {
            let heard = following.next().await.map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(Some((lines(&heard), following)))
        });
        return Ok(stream(StatusCode::OK, "application/x-ndjson", lines));
    }
    let limit = match query.get("limit") {
        None => PAGE,
        Some(text) => text.parse::<u32>().map_err(|_| Fault::bad_request("'limit' is a whole number."))?.min(PAGE),
    };
    let page = operator.store.page_of_events(after, limit, filter).await?;
    let mut answer = json!({"events": page.events.iter().map(view).collect::<Vec<_>>()});
    if let Some(through) = page.gap {
        answer["gap"] = json!({"after": after, "through": through});
    }
    json(StatusCode::OK, &answer)
}

/// A document a line. That events are missing is a line of its own.
fn lines(heard: &Heard) -> Bytes {
    let lines: String = match heard {
        Heard::Events(events) => events.iter().map(|event| format!("{}\n", view(event))).collect(),
        Heard::Gap { after, through } => format!("{}\n", json!({"gap": {"after": after, "through": through}})),
    };
    Bytes::from(lines)
}

fn view(event: &StoredEvent) -> serde_json::Value {
    json!({
        "id": event.id, "at": event.at.zulu_micros(), "action": event.action, "request_id": event.request_id,
        "resource_type": event.resource_type, "resource_id": event.resource_id, "project_id": event.project_id,
        "actor": {"name": event.actor, "user_id": event.user_id, "project_id": event.actor_project_id},
        "before": event.before, "after": event.after,
    })
}
