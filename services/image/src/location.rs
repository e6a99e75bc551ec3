// SPDX-License-Identifier: Apache-2.0
//! `/v2/images/{id}/locations`: for the operator and for other services of the cloud, never for tenants.
//!
//! A location is fetched into the default store, by the same rules as any web download: no image ever points at a URL, so
//! that nothing can be read later with the cloud's own rights. Schemes other than http and https name nothing here.

use std::sync::Arc;

use access::{Allowed, Scope};
use api::{Cx, Fault, Reply, Routes, accepted, json};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Error, Image,
    image::{self, Status},
    import::{self, Expected, Method, Order},
    policy, quota, task,
};

pub fn routes(room: Arc<Image>) -> Routes<Image> {
    Routes::new(room).post("/v2/images/{id}/locations", &policy::ADD_LOCATION, add).get(
        "/v2/images/{id}/locations",
        &policy::GET_LOCATION,
        list,
    )
}

#[derive(Deserialize)]
struct New {
    url: String,
    validation_data: Option<Validation>,
}

#[derive(Deserialize)]
struct Validation {
    os_hash_algo: Option<String>,
    os_hash_value: Option<String>,
}

async fn add(room: Arc<Image>, mut cx: Cx) -> Reply {
    let New { url, validation_data } = cx.json().await?;
    room.settings.web.check(&url).map_err(|error| Fault::bad_request(format!("Invalid location: {error}.")))?;
    let expected = validation_data.map(read_validation).transpose()?;
    let (id, allowed, actor, limits) = (cx.param("id").to_owned(), cx.allowed()?.clone(), cx.actor(), room.settings.quota);
    let stores = vec![room.default_store().id.clone()];
    let order = Order { method: Method::WebDownload { uri: url.clone() }, stores, all_must_succeed: true, expected };
    let input = json!({"image_id": id, "loc_url": url, "order": order});
    let shown = json!([{"url": url, "metadata": {}}]);
    let write = room.store.write(move |tx| {
        let before = image::store::get(tx, &allowed, &id)?;
        if before.status != Status::Queued {
            return Err(Error::Conflict(format!(
                "Only a queued image is given a location; this one is {}.",
                before.status.as_str()
            )));
        }
        before.check_formats()?;
        quota::check_uploading(tx, &limits, &before.owner, &before.id)?;
        image::store::update(tx, &actor, &before, &import::begun(&before, &order))?;
        task::store::insert(tx, &actor, &task::Row::new(task::Kind::Location, &before, &actor, input.clone()))
    });
    write.await?;
    accepted(&shown)
}

fn read_validation(data: Validation) -> Result<Expected, Fault> {
    let (Some(algorithm), Some(value)) = (data.os_hash_algo, data.os_hash_value) else {
        return Err(Fault::bad_request("validation_data holds os_hash_algo and os_hash_value, both."));
    };
    if algorithm != "sha512" {
        return Err(Fault::bad_request(format!("'{algorithm}' is not the hash algorithm of this cloud, which is sha512.")));
    }
    if value.len() != 128 || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Fault::bad_request("os_hash_value is not the size of a sha512 hash: it has 128 hex digits."));
    }
    Ok(Expected { sha512: value.to_ascii_lowercase() })
}

async fn list(room: Arc<Image>, cx: Cx) -> Reply {
    let (id, allowed): (String, Allowed<Scope>) = (cx.param("id").to_owned(), cx.allowed()?.clone());
    let image = room.store.read(move |tx| image::store::get(tx, &allowed, &id)).await?;
    let blob = image.place.blob.clone().unwrap_or_default();
    let location = |store: String| -> Option<Value> {
        let url = room.settings.store(&store)?.place.url(&blob);
        Some(json!({"url": url, "metadata": {"store": store}}))
    };
    json(StatusCode::OK, &room.stores_of(&image).into_iter().filter_map(location).collect::<Vec<_>>())
}
