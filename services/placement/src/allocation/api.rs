// SPDX-License-Identifier: Apache-2.0
//! `/allocations/{consumer}` and `/resource_providers/{uuid}/allocations`

use std::{collections::BTreeMap, sync::Arc};

use api::{Cx, Fault, Reply, Routes, json, no_content};
use contracts::placement::Resources;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use types::Microversion;
use uuid::Uuid;

use super::table::{self, Allocations, Consumer};
use crate::{Placement, allocation::policy, error::Error, provider};

pub fn routes() -> Routes<Placement> {
    Routes::new()
        .get("/allocations/{consumer}", &policy::LIST, show)
        .put("/allocations/{consumer}", &policy::UPDATE, replace)
        .since(Microversion::new(1, 12))
        .delete("/allocations/{consumer}", &policy::DELETE, delete)
        .get("/resource_providers/{uuid}/allocations", &policy::PROVIDER_ALLOCATIONS, of_provider)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    allocations: BTreeMap<Uuid, AskOne>,
    project_id: String,
    user_id: String,
    #[serde(default, deserialize_with = "given")]
    consumer_generation: Option<Option<i64>>,
    consumer_type: Option<String>,
}

#[derive(Deserialize)]
struct AskOne {
    resources: Resources,
}

/// Tells a `null` from a key that is not there.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

async fn show(room: Arc<Placement>, cx: Cx) -> Reply {
    let id = cx.param("consumer").to_owned();
    let read = room.store.read(move |tx| {
        let mut generations = BTreeMap::new();
        let allocations = table::of_consumer(tx, &id)?;
        for provider in allocations.keys() {
            generations.insert(provider.clone(), provider::table::get(tx, provider)?.generation);
        }
        Ok::<_, Error>((table::consumer(tx, &id)?, allocations, generations))
    });
    let (consumer, allocations, generations) = read.await?;
    let of_one = |(provider, resources): (&String, &Resources)| {
        (provider.clone(), json!({"generation": generations.get(provider), "resources": resources}))
    };
    let views: serde_json::Map<String, Value> = allocations.iter().map(of_one).collect();
    let mut view = json!({"allocations": views});
    if let Some(consumer) = consumer {
        let version = |minor| cx.version >= Microversion::new(1, minor);
        if version(12) {
            view["project_id"] = json!(consumer.project);
            view["user_id"] = json!(consumer.user);
        }
        if version(28) {
            view["consumer_generation"] = json!(consumer.generation);
        }
        if version(38) {
            view["consumer_type"] = json!(consumer.kind.unwrap_or_else(|| "unknown".into()));
        }
    }
    json(StatusCode::OK, &view)
}

async fn replace(room: Arc<Placement>, mut cx: Cx) -> Reply {
    let ask: Ask = cx.json().await?;
    let version = |minor| cx.version >= Microversion::new(1, minor);
    let id = Uuid::try_parse(cx.param("consumer")).map_err(|_| Fault::bad_request("A consumer is named by a UUID."))?.to_string();
    if version(28) && ask.consumer_generation.is_none() {
        return Err(Fault::bad_request("JSON does not validate: 'consumer_generation' is a required property"));
    }
    if version(38) && ask.consumer_type.is_none() {
        return Err(Fault::bad_request("JSON does not validate: 'consumer_type' is a required property"));
    }
    if ask.allocations.is_empty() && !version(28) {
        return Err(Fault::bad_request("JSON does not validate: allocations is empty; delete them instead"));
    }
    let mut allocations = Allocations::new();
    for (provider, one) in ask.allocations {
        if one.resources.is_empty() || one.resources.values().any(|amount| *amount < 1) {
            return Err(Fault::bad_request(
                "JSON does not validate: an allocation names at least one class and at least 1 of it",
            ));
        }
        allocations.insert(provider.to_string(), one.resources);
    }
    let actor = cx.actor();
    let expected = if version(28) { ask.consumer_generation } else { None };
    let write = room.store.write(move |tx| {
        let consumer = table::consumer(tx, &id)?;
        let got = consumer.as_ref().map(|consumer| consumer.generation);
        if let Some(expected) = expected
            && expected != got
        {
            let text = |generation: Option<i64>| generation.map_or_else(|| "null".to_owned(), |number| number.to_string());
            return Err(Error::ConsumerGeneration { expected: text(got), got: text(expected) });
        }
        let wanted = Consumer {
            id: id.clone(),
            project: ask.project_id.clone(),
            user: ask.user_id.clone(),
            kind: ask.consumer_type.clone(),
            generation: 0,
        };
        table::replace(tx, &actor, &wanted, &allocations)
    });
    write.await?;
    no_content()
}

async fn delete(room: Arc<Placement>, cx: Cx) -> Reply {
    let (id, actor) = (cx.param("consumer").to_owned(), cx.actor());
    let write = room.store.write(move |tx| {
        let Some(consumer) = table::consumer(tx, &id)? else { return Ok::<_, Error>(false) };
        table::replace(tx, &actor, &consumer, &Allocations::new())?;
        Ok(true)
    });
    if !write.await? {
        return Err(Fault::not_found(format!("No allocations for consumer '{}'", cx.param("consumer"))));
    }
    no_content()
}

async fn of_provider(room: Arc<Placement>, cx: Cx) -> Reply {
    let id = cx.param("uuid").to_owned();
    let read = room.store.read(move |tx| {
        let provider = provider::table::get(tx, &id)?;
        Ok::<_, Error>((provider.generation, table::of_provider_by_consumer(tx, &id)?))
    });
    let (generation, allocations) = read.await?;
    let views: serde_json::Map<String, Value> =
        allocations.into_iter().map(|(consumer, resources)| (consumer, json!({"resources": resources}))).collect();
    json(StatusCode::OK, &json!({"resource_provider_generation": generation, "allocations": views}))
}
