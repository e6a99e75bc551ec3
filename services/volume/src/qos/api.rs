// SPDX-License-Identifier: Apache-2.0
//! `/qos-specs`.

use std::sync::Arc;

use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};
use store::{Actor, Tx};
use types::Timestamp;

use super::{Qos, table};
use crate::{
    BlockStorage,
    error::{Error, Result},
    input::{Read, body, document, join, wrong},
    links,
    qos::policy,
    query::Page,
    volume_type,
};

const ALL: &str = "/v3/qos-specs";
const ONE: &str = "/v3/qos-specs/{id}";
const CONSUMERS: [&str; 3] = ["front-end", "back-end", "both"];

pub(super) fn routes() -> Routes<BlockStorage> {
    Routes::new()
        .get(ALL, &policy::INDEX, list)
        .post(ALL, &policy::CREATE, create)
        .get(ONE, &policy::SHOW, show)
        .put(ONE, &policy::UPDATE, update)
        .delete(ONE, &policy::DELETE, delete)
        .put("/v3/qos-specs/{id}/delete_keys", &policy::UPDATE, delete_keys)
        .get("/v3/qos-specs/{id}/associations", &policy::INDEX, associations)
        .get("/v3/qos-specs/{id}/associate", &policy::UPDATE, associate)
        .get("/v3/qos-specs/{id}/disassociate", &policy::UPDATE, disassociate)
        .get("/v3/qos-specs/{id}/disassociate_all", &policy::UPDATE, disassociate_all)
}

fn view(qos: &Qos) -> Value {
    json!({"id": qos.id, "name": qos.name, "consumer": qos.consumer, "specs": qos.specs})
}

fn document_of(cx: &Cx, qos: &Qos) -> Value {
    json!({"qos_specs": view(qos), "links": links::links(cx, "qos-specs", &qos.id)})
}

async fn list(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let page = Page::read(&cx)?;
    let column = |key: &str| match key {
        "id" => Some("id"),
        "name" => Some("name"),
        "created_at" => Some("created_at"),
        "consumer" => Some("consumer"),
        _ => None,
    };
    let select = page.of(table::select(), column, &[])?;
    let all = page.cut(room.store.list(move |tx| table::rows(tx, &select)).await?);
    api::json(StatusCode::OK, &json!({"qos_specs": all.iter().map(view).collect::<Vec<_>>()}))
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let qos = find(&room, &cx).await?;
    api::json(StatusCode::OK, &document_of(&cx, &qos))
}

async fn find(room: &BlockStorage, cx: &Cx) -> Read<Qos> {
    let id = cx.param("id").to_owned();
    Ok(room.store.read(move |tx| table::get(tx, &id)).await?)
}

async fn create(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "qos_specs").await?;
    let name = ask.name("name")?;
    let consumer = read_consumer(ask.text("consumer", 1..=255)?)?.unwrap_or_else(|| "back-end".to_owned());
    let specs = ask.into_texts()?;
    let qos = Qos { id: uuid::Uuid::new_v4().to_string(), name, consumer, specs, created_at: Timestamp::now() };
    let (made, actor) = (qos.clone(), cx.actor());
    room.store.write(move |tx| table::insert(tx, &actor, &made)).await?;
    api::json(StatusCode::OK, &document_of(&cx, &qos))
}

fn read_consumer(word: Option<String>) -> Read<Option<String>> {
    match word {
        Some(word) if !CONSUMERS.contains(&word.as_str()) => {
            Err(wrong("consumer", &json!(word), &format!("It is not one of {CONSUMERS:?}.")))
        }
        word => Ok(word),
    }
}

async fn change(room: &BlockStorage, cx: &Cx, edit: impl Fn(Qos) -> Result<Qos> + Send + Sync + 'static) -> Read<()> {
    let (id, actor) = (cx.param("id").to_owned(), cx.actor());
    let write = room.store.write(move |tx| -> Result<()> {
        let before = table::get(tx, &id)?;
        let after = edit(before.clone())?;
        table::update(tx, &actor, &before, &after)
    });
    Ok(write.await?)
}

async fn update(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "qos_specs").await?;
    let consumer = read_consumer(ask.text("consumer", 1..=255)?)?;
    let more = ask.into_texts()?;
    let mut said = json!(more);
    if let Some(consumer) = &consumer {
        said["consumer"] = json!(consumer);
    }
    change(&room, &cx, move |mut qos| {
        join("qos_specs", &mut qos.specs, &more)?;
        qos.consumer = consumer.clone().unwrap_or(qos.consumer);
        Ok(qos)
    })
    .await?;
    api::json(StatusCode::OK, &json!({"qos_specs": said}))
}

async fn delete_keys(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = body(&mut cx).await?;
    let keys = ask.list("keys")?;
    let keys = ask.required("keys", keys)?;
    ask.finish()?;
    change(&room, &cx, move |mut qos| {
        for key in &keys {
            let known = key.as_str().and_then(|key| qos.specs.remove(key));
            known.ok_or_else(|| Error::invalid(format!("QoS specs {} have no spec with key {key}.", qos.id)))?;
        }
        Ok(qos)
    })
    .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

async fn delete(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let is_forced = cx.query().flag("force")?.unwrap_or(false);
    let (id, actor) = (cx.param("id").to_owned(), cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            let qos = table::get(tx, &id)?;
            table::remove(tx, &actor, &qos, is_forced)
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

async fn associations(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let qos = find(&room, &cx).await?;
    let kinds = room.store.list(move |tx| volume_type::table::with_qos(tx, &qos.id)).await?;
    let views: Vec<Value> =
        kinds.iter().map(|kind| json!({"association_type": "volume_type", "name": kind.name, "id": kind.id})).collect();
    api::json(StatusCode::OK, &json!({"qos_associations": views}))
}

async fn change_types(room: &BlockStorage, cx: &Cx, kind: String, edit: fn(&mut Tx, &Actor, &Qos, &str) -> Result<()>) -> Reply {
    let (id, actor) = (cx.param("id").to_owned(), cx.actor());
    room.store
        .write(move |tx| -> Result<()> {
            let qos = table::get(tx, &id)?;
            edit(tx, &actor, &qos, &kind)
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

fn named_type(cx: &Cx) -> Read<String> {
    let named = cx.query().get("vol_type_id").map(str::to_owned);
    named.ok_or_else(|| Fault::bad_request("Volume Type id must not be None: say vol_type_id."))
}

async fn associate(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let kind = named_type(&cx)?;
    change_types(&room, &cx, kind, |tx, actor, qos, kind| volume_type::table::set_qos(tx, actor, kind, Some(&qos.id))).await
}

async fn disassociate(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let kind = named_type(&cx)?;
    change_types(&room, &cx, kind, |tx, actor, _, kind| volume_type::table::set_qos(tx, actor, kind, None)).await
}

async fn disassociate_all(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    change_types(&room, &cx, String::new(), |tx, actor, qos, _| {
        for kind in volume_type::table::with_qos(tx, &qos.id)? {
            volume_type::table::set_qos(tx, actor, &kind.id, None)?;
        }
        Ok(())
    })
    .await
}
