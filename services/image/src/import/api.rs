// SPDX-License-Identifier: Apache-2.0
//! `POST /v2/images/{id}/import`

use std::{collections::BTreeSet, sync::Arc};

use access::Target;
use api::{Access, Cx, Fault, Reply, Routes, empty};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{METHODS, Method, Order, begun};
use crate::{
    Error, Image,
    image::{self, Reach, Row, Status},
    r#import::policy,
    quota, task,
};

pub fn routes() -> Routes<Image> {
    Routes::new()
        .post("/v2/images/{id}/import", Access::Asks(&policy::IMPORT), import)
        .asking(&[&policy::COPY])
        .each_asking(&[&crate::image::policy::SHOW])
}

#[derive(Deserialize)]
struct Ask {
    method: AskMethod,
    stores: Option<Vec<String>>,
    #[serde(default)]
    all_stores: bool,
    #[serde(default = "yes")]
    all_stores_must_succeed: bool,
}

#[derive(Deserialize)]
struct AskMethod {
    name: String,
    uri: Option<String>,
    glance_image_id: Option<String>,
    glance_region: Option<String>,
}

fn yes() -> bool {
    true
}

async fn import(room: Arc<Image>, mut cx: Cx) -> Reply {
    let ask: Ask = cx.json().await?;
    let (id, actor, limits) = (cx.param("id").to_owned(), cx.actor(), room.settings.quota);
    let reach = Reach::of(&cx, &policy::IMPORT)?;
    let before = {
        let (id, reach) = (id.clone(), reach.clone());
        // Copies are made by the operator's policy, of any image; all else is for the owner.
        let is_copy = ask.method.name == METHODS[2];
        let read = room
            .store
            .read(move |tx| if is_copy { image::table::get(tx, &reach, &id) } else { image::table::get_own(tx, &reach, &id) });
        read.await?
    };
    let method = read_method(&room, ask.method)?;
    if method == Method::CopyImage {
        cx.check(&policy::COPY, &Target::in_project(&before.owner))?;
    }
    before.check_formats()?;
    let named = match (ask.stores, ask.all_stores, cx.header("x-image-meta-store")) {
        (Some(_), true, _) => return Err(Fault::bad_request("Name stores or ask for all_stores, not both.")),
        (Some(_), _, Some(_)) => {
            return Err(Fault::bad_request("Name stores in the body or in X-Image-Meta-Store, not in both."));
        }
        (stores, _, header) => stores.or_else(|| header.map(|name| vec![name.to_owned()])),
    };
    let stores = targets(&room, &before, &method, named, ask.all_stores)?;
    let order = Order { method, stores, all_must_succeed: ask.all_stores_must_succeed, expected: None, label_stays: false };
    let name = order.method.name();
    let roles = &cx.caller()?.roles;
    let injected = room.settings.import.injection.given_to(roles.iter().map(|role| role.name.as_str()));
    let input = json!({
        "image_id": before.id, "backend": order.stores, "order": order,
        "import_req": {"method": {"name": name}, "all_stores": ask.all_stores, "all_stores_must_succeed": order.all_must_succeed},
    });
    let write = room.store.write(move |tx| {
        let before = image::table::get(tx, &reach, &id)?;
        check_state(&before, &order.method)?;
        if task::table::is_busy(tx, &id)? {
            return Err(Error::Conflict(format!("Image {id} has an import under way already; wait for it to end.")));
        }
        quota::check_uploading(tx, &limits, &before.owner, &before.id)?;
        let mut after = begun(&before, &order);
        if order.method == Method::CopyImage {
            after.status = before.status;
        } else {
            after.properties.extend(injected.iter().map(|(name, value)| (name.clone(), Some(value.clone()))));
        }
        image::table::update(tx, &actor, &before, &after)?;
        task::table::insert(tx, &actor, &task::Row::new(task::Kind::Import, &before, &actor, input.clone()))
    });
    write.await?;
    Ok(empty(StatusCode::ACCEPTED))
}

fn read_method(room: &Image, ask: AskMethod) -> Result<Method, Fault> {
    let needed = |name: &str| Fault::bad_request(format!("The import method '{}' needs '{name}'.", ask.name));
    match ask.name.as_str() {
        "glance-direct" => Ok(Method::GlanceDirect),
        "copy-image" => Ok(Method::CopyImage),
        "web-download" => {
            let uri = ask.uri.clone().ok_or_else(|| needed("uri"))?;
            room.settings
                .web
                .check(&uri)
                .map_err(|error| Fault::bad_request(format!("URI '{uri}' does not pass filtering: {error}.")))?;
            Ok(Method::WebDownload { uri })
        }
        "glance-download" => {
            let glance_image_id = ask.glance_image_id.clone().ok_or_else(|| needed("glance_image_id"))?;
            if Uuid::try_parse(&glance_image_id).is_err() {
                return Err(Fault::bad_request("Remote image id does not look like a UUID."));
            }
            let glance_region = ask.glance_region.clone().ok_or_else(|| needed("glance_region"))?;
            Ok(Method::GlanceDownload { glance_image_id, glance_region })
        }
        other => Err(Fault::bad_request(format!("Unknown import method name '{other}'. There are: {}.", METHODS.join(", ")))),
    }
}

fn check_state(image: &Row, method: &Method) -> Result<(), Error> {
    let is_ready = image.status == method.begins_in() && (image.status != Status::Uploading || image.place.staged.is_some());
    if is_ready {
        return Ok(());
    }
    let (name, is, needed) = (method.name(), image.status.as_str(), method.begins_in().as_str());
    Err(Error::Conflict(format!("The import method '{name}' needs an image that is {needed}; this one is {is}.")))
}

/// The stores that the import fills.
fn targets(room: &Image, image: &Row, method: &Method, named: Option<Vec<String>>, all: bool) -> Result<Vec<String>, Fault> {
    let known = || room.settings.stores.iter().map(|store| store.id.clone());
    let has = |store: &String| image.place.stores.contains(store);
    if all {
        return Ok(known().filter(|store| !has(store)).collect());
    }
    let Some(named) = named else {
        if *method == Method::CopyImage {
            return Err(Fault::bad_request("The import method 'copy-image' needs 'stores' or 'all_stores'."));
        }
        return Ok(vec![room.default_store().id.clone()]);
    };
    let mut wanted = BTreeSet::new();
    for store in named {
        if !known().any(|id| id == store) {
            return Err(Fault::conflict(format!("There is no store '{store}'; see /v2/info/stores.")));
        }
        if has(&store) {
            return Err(Fault::conflict(format!("The image is in the store '{store}' already.")));
        }
        wanted.insert(store);
    }
    if wanted.is_empty() {
        return Err(Fault::bad_request("'stores' names no store."));
    }
    Ok(wanted.into_iter().collect())
}
