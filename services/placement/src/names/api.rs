// SPDX-License-Identifier: Apache-2.0
//! `/resource_classes`, `/traits`, `/resource_providers/{uuid}/traits`

use std::{collections::BTreeSet, sync::Arc};

use ::store::{Change, Event};
use api::{Cx, Fault, Reply, Routes, empty, json, no_content};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use types::Microversion;

use super::{is_custom, table};
use crate::{Placement, error::Error, names::policy, provider};

pub fn routes() -> Routes<Placement> {
    let traits = Microversion::new(1, 6);
    Routes::new()
        .get("/resource_classes", &policy::CLASSES_LIST, list_classes)
        .since(Microversion::new(1, 2))
        .put("/resource_classes/{name}", &policy::CLASSES_UPDATE, ensure_class)
        .since(Microversion::new(1, 7))
        .get("/traits", &policy::TRAITS_LIST, list_traits)
        .since(traits)
        .put("/traits/{name}", &policy::TRAITS_UPDATE, ensure_trait)
        .since(traits)
        .get("/resource_providers/{uuid}/traits", &policy::PROVIDER_TRAITS, list_of_provider)
        .since(traits)
        .put("/resource_providers/{uuid}/traits", &policy::PROVIDER_TRAITS_UPDATE, replace_of_provider)
        .since(traits)
}

async fn list_classes(room: Arc<Placement>, _: Cx) -> Reply {
    let names = room.store.read(|tx| table::list(tx, table::CLASS)).await?;
    let view =
        |name: String| json!({"name": name, "links": [{"rel": "self", "href": format!("/placement/resource_classes/{name}")}]});
    json(StatusCode::OK, &json!({"resource_classes": names.into_iter().map(view).collect::<Vec<Value>>()}))
}

async fn list_traits(room: Arc<Placement>, cx: Cx) -> Reply {
    let mut names = room.store.read(|tx| table::list(tx, table::TRAIT)).await?;
    match cx.query().get("name").map(|filter| filter.split_once(':')) {
        None => {}
        Some(Some(("startswith", prefix))) => names.retain(|name| name.starts_with(prefix)),
        Some(Some(("in", list))) => names.retain(|name| list.split(',').any(|wanted| wanted == name)),
        Some(_) => {
            return Err(Fault::bad_request("Badly formatted name parameter: it is 'startswith:prefix' or 'in:name,name'."));
        }
    }
    json(StatusCode::OK, &json!({"traits": names}))
}

async fn ensure_class(room: Arc<Placement>, cx: Cx) -> Reply {
    ensure(room, cx, table::CLASS).await
}

async fn ensure_trait(room: Arc<Placement>, cx: Cx) -> Reply {
    ensure(room, cx, table::TRAIT).await
}

async fn ensure(room: Arc<Placement>, cx: Cx, kind: &'static str) -> Reply {
    let name = cx.param("name").to_owned();
    if !is_custom(&name) {
        return Err(Fault::bad_request(format!(
            "'{name}' cannot be made: a name of your own is CUSTOM_ and then A-Z, 0-9 and _."
        )));
    }
    let actor = cx.actor();
    let made = room.store.write(move |tx| {
        let made = table::ensure(tx, kind, &name)?;
        if made {
            let change = Change::made(json!({"name": name}));
            tx.record(Event::of(&actor, format!("placement_{kind}.create"), ("placement_name", &name), &change)?)?;
        }
        Ok::<_, Error>(made)
    });
    let made = made.await?;
    if made { Ok(empty(StatusCode::CREATED)) } else { no_content() }
}

async fn list_of_provider(room: Arc<Placement>, cx: Cx) -> Reply {
    let id = cx.param("uuid").to_owned();
    let read = room.store.read(move |tx| {
        let provider = provider::table::get(tx, &id)?;
        Ok::<_, Error>((provider.generation, table::traits_of(tx, &id)?))
    });
    let (generation, traits) = read.await?;
    json(StatusCode::OK, &json!({"resource_provider_generation": generation, "traits": traits}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    resource_provider_generation: i64,
    traits: BTreeSet<String>,
}

async fn replace_of_provider(room: Arc<Placement>, mut cx: Cx) -> Reply {
    let ask: Ask = cx.json().await?;
    let (id, actor) = (cx.param("uuid").to_owned(), cx.actor());
    let write = room.store.write(move |tx| {
        provider::table::get(tx, &id)?;
        let generation = provider::table::raise_generation(tx, &id, ask.resource_provider_generation)?;
        for name in &ask.traits {
            table::check_trait(tx, name)?;
        }
        let action = "resource_provider.traits";
        provider::table::changing(tx, &actor, action, &id, |tx| table::replace_traits(tx, &id, &ask.traits))?;
        Ok::<_, Error>((generation, ask.traits.clone()))
    });
    let (generation, traits) = write.await?;
    json(StatusCode::OK, &json!({"resource_provider_generation": generation, "traits": traits}))
}
