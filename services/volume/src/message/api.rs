// SPDX-License-Identifier: Apache-2.0
//! `/messages`.

use std::sync::Arc;

use api::{Cx, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};
use store::Select;

use super::{Message, table};
use crate::{
    BlockStorage,
    error::Result,
    links,
    message::policy,
    query::{self, Page},
    versions::v,
};

const MESSAGES: &str = "/v3/messages";
const MESSAGE: &str = "/v3/messages/{id}";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(MESSAGES, &policy::INDEX, list)
        .since(v(3))
        .get(MESSAGE, &policy::SHOW, show)
        .since(v(3))
        .delete(MESSAGE, &policy::DELETE, delete)
        .since(v(3))
}

fn view(cx: &Cx, message: &Message) -> Value {
    json!({
        "id": message.id,
        "event_id": message.event_id,
        "user_message": message.message,
        "message_level": "ERROR",
        "created_at": message.created_at.naive_micros(),
        "guaranteed_until": message.kept_until.naive_micros(),
        "request_id": message.request_id,
        "resource_type": message.resource_type,
        "resource_uuid": message.resource_id,
        "links": links::links(cx, "messages", &message.id),
    })
}

async fn list(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let page = Page::read(&cx)?;
    let messages = match query::reach(&cx, cx.allowed()?)? {
        None => Vec::new(),
        Some(allowed) => {
            let mut select = query::within(Select::new("volume_messages", table::COLUMNS), &allowed);
            for (name, value) in cx.query().pairs() {
                select = match name {
                    "resource_uuid" => select.filter("resource_id = ", value),
                    "resource_type" => select.filter("resource_type = ", value),
                    "event_id" => select.filter("event_id = ", value),
                    "request_id" => select.filter("request_id = ", value),
                    "message_level" if value != "ERROR" => select.condition("1 = 0"),
                    _ => select,
                };
            }
            let column = |key: &str| match key {
                "id" => Some("id"),
                "created_at" => Some("created_at"),
                "event_id" => Some("event_id"),
                "resource_type" => Some("resource_type"),
                "resource_uuid" => Some("resource_id"),
                "request_id" => Some("request_id"),
                _ => None,
            };
            let select = page.of(select, column, &[])?;
            room.store.list(move |tx| table::rows(tx, &select)).await?
        }
    };
    let messages = page.cut(messages);
    let views: Vec<Value> = messages.iter().map(|message| view(&cx, message)).collect();
    let mut document = json!({"messages": views});
    if let Some(next) = links::next(&cx, &page.paging, messages.len(), messages.last().map(|message| message.id.as_str())) {
        document["messages_links"] = json!(next);
    }
    api::json(StatusCode::OK, &document)
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), cx.param("id").to_owned());
    let message = room.store.read(move |tx| table::get(tx, &allowed, &id)).await?;
    api::json(StatusCode::OK, &json!({"message": view(&cx, &message)}))
}

async fn delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let (allowed, id, actor) = (cx.allowed()?.clone(), cx.param("id").to_owned(), cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            let message = table::get(tx, &allowed, &id)?;
            table::remove(tx, &actor, &message)
        })
        .await?;
    Ok(api::empty(StatusCode::NO_CONTENT))
}
