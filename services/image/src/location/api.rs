// SPDX-License-Identifier: Apache-2.0
//! `/v2/images/{id}/locations`: gives a queued image its data, whose hash is verified; and shows other services of the cloud
//! where an image's data lies.

use std::sync::Arc;

use api::{Access, Cx, Fault, Reply, Routes, accepted, json};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Expected,
    edit::check_url,
    set::{Gift, begin},
};
use crate::{
    Image,
    image::{self, Reach},
    location::policy,
};

pub fn routes() -> Routes<Image> {
    Routes::new()
        .post("/v2/images/{id}/locations", Access::Asks(&policy::ADD_LOCATION), add)
        .get("/v2/images/{id}/locations", Access::Asks(&policy::GET_LOCATION), list)
        .each_asking(&[&crate::image::policy::SHOW])
}

#[derive(Deserialize)]
struct New {
    url: String,
    validation_data: Option<ValidationData>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidationData {
    os_hash_algo: Option<String>,
    os_hash_value: Option<String>,
}

async fn add(room: Arc<Image>, mut cx: Cx) -> Reply {
    let New { url, validation_data } = cx.json().await?;
    let (id, reach, actor) = (cx.param("id").to_owned(), Reach::of(&cx, &policy::ADD_LOCATION)?, cx.actor());
    let (wanted, asked) = (id.clone(), reach.clone());
    room.store.read(move |tx| image::table::get_own(tx, &asked, &wanted)).await?;
    // Where locations are not for tenants, they are still for the operator and for services: those see all images.
    if !room.settings.show_multiple_locations && !reach.allowed()?.scope().is_all() {
        return Err(Fault::forbidden("It's not allowed to add locations if locations are invisible."));
    }
    check_url(&room, &url)?;
    let expected = validation_data.map(read_validation).transpose()?.flatten();
    let gift = Gift { url: url.clone(), metadata: Map::new(), said: None, expected, label_stays: true };
    begin(&room, reach, actor, id, gift).await?;
    accepted(&json!([{"url": url, "metadata": {}}]))
}

fn read_validation(data: ValidationData) -> Result<Option<Expected>, Fault> {
    match (data.os_hash_algo, data.os_hash_value) {
        (Some(algorithm), Some(value)) => Expected::new(&algorithm, &value).map(Some),
        (None, None) => Ok(None),
        _ => Err(Fault::bad_request("validation_data holds os_hash_algo and os_hash_value, both.")),
    }
}

async fn list(room: Arc<Image>, cx: Cx) -> Reply {
    let (id, reach) = (cx.param("id").to_owned(), Reach::of(&cx, &policy::GET_LOCATION)?);
    let image = room.store.read(move |tx| image::table::get(tx, &reach, &id)).await?;
    let blob = image.place.blob.clone().unwrap_or_default();
    let location = |store: String| -> Option<Value> {
        let url = room.settings.store(&store)?.place.url(&blob);
        Some(json!({"url": url, "metadata": {"store": store}}))
    };
    json(StatusCode::OK, &room.stores_of(&image).into_iter().filter_map(location).collect::<Vec<_>>())
}
