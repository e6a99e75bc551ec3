// SPDX-License-Identifier: Apache-2.0
//! `/os-quota-class-sets`: the class `default` holds the limits of every project that has none of its own.

use std::sync::Arc;

use api::{Cx, Reply, Routes};
use http::StatusCode;
use serde_json::{Map, Value, json};
use store::{Change, Event};

use super::{api::read, table};
use crate::{BlockStorage, error::Result, input::document, quota::policy};

const CLASS: &str = "/v3/os-quota-class-sets/{class}";

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new().get(CLASS, &policy::CLASS_SHOW, show).put(CLASS, &policy::CLASS_UPDATE, update)
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let class = cx.param("class").to_owned();
    let of = class.clone();
    let limits = room.store.read(move |tx| table::defaults(tx, &of)).await?;
    render(Some(&class), limits)
}

async fn update(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "quota_class_set").await?;
    ask.take("class_name");
    ask.take("id");
    let class = cx.param("class").to_owned();
    let of = class.clone();
    let known = room.store.read(move |tx| table::defaults(tx, &of)).await?;
    let changes = read(&mut ask, &known)?;
    ask.finish()?;
    let actor = cx.actor();
    let limits = room
        .store
        .write(move |tx| -> Result<_> {
            let before = table::defaults(tx, &class)?;
            table::set_class(tx, &class, &changes)?;
            let after = table::defaults(tx, &class)?;
            let event = Event::of(
                &actor,
                "volume_quota_class.update",
                ("volume_quota_class", &class),
                &Change::changed(&before, &after),
            )?;
            tx.record(event)?;
            Ok(after)
        })
        .await?;
    render(None, limits)
}

fn render(id: Option<&str>, limits: table::Limits) -> Reply {
    let mut set: Map<String, Value> = limits.into_iter().map(|(name, limit)| (name, json!(limit))).collect();
    if let Some(id) = id {
        set.insert("id".to_owned(), json!(id));
    }
    api::json(StatusCode::OK, &json!({"quota_class_set": set}))
}
