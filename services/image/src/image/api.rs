// SPDX-License-Identifier: Apache-2.0
//! `/v2/images`

use std::sync::Arc;

use api::{Access, Cx, Fault, Reply, Routes, created, json, no_content};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use super::{Reach, Row, action, attributes::Attributes, list, patch, table, tag};
use crate::{Error, Image, data, image::policy, location, quota};

pub fn routes() -> Routes<Image> {
    Routes::new()
        .get("/v2/images", &policy::LIST, list::list)
        .asking(&[&crate::location::policy::SHOW_LOCATIONS])
        .post("/v2/images", &policy::ADD, create)
        .asking(&[
            &policy::PUBLICIZE,
            &policy::COMMUNITIZE,
            &crate::location::policy::SHOW_LOCATIONS,
            &crate::location::policy::SET_LOCATION,
        ])
        .get("/v2/images/{id}", Access::Asks(&policy::SHOW), show)
        .asking(&[&crate::location::policy::SHOW_LOCATIONS])
        .patch("/v2/images/{id}", Access::Asks(&policy::MODIFY), update)
        .asking(&[
            &policy::PUBLICIZE,
            &policy::COMMUNITIZE,
            &crate::location::policy::SHOW_LOCATIONS,
            &crate::location::policy::SET_LOCATION,
            &crate::stores::policy::DELETE_FROM_STORE,
        ])
        .delete("/v2/images/{id}", Access::Asks(&policy::DELETE), delete)
        .join(tag::routes())
        .join(action::routes())
        .each_asking(&[&policy::SHOW])
}

async fn create(room: Arc<Image>, mut cx: Cx) -> Reply {
    let ask: Map<String, Value> = cx.json().await?;
    let mut image = Row::new(cx.project()?.clone());
    let attributes = Attributes { cx: &cx, settings: &room.settings, allowed: cx.allowed()? };
    for (name, value) in ask {
        attributes.set_first(&mut image, &name, value)?;
    }
    let (actor, kept, limits) = (cx.actor(), image.clone(), room.settings.quota);
    let write = room.store.write(move |tx| {
        quota::check_count(tx, &limits, &kept.owner)?;
        table::insert(tx, &actor, &kept)
    });
    write.await?;
    let mut response = created(&room.view(&cx, image.clone())?)?;
    if let Ok(location) = HeaderValue::from_str(&cx.url(&format!("/v2/images/{}", image.id))) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    let methods = HeaderValue::from_static(crate::import::METHODS_HEADER);
    response.headers_mut().insert("openstack-image-import-methods", methods);
    let stores = room.settings.stores.iter().map(|store| store.id.as_str()).collect::<Vec<_>>().join(",");
    if let Ok(stores) = HeaderValue::from_str(&stores) {
        response.headers_mut().insert("openstack-image-store-ids", stores);
    }
    Ok(response)
}

async fn show(room: Arc<Image>, cx: Cx) -> Reply {
    let (id, reach) = (cx.param("id").to_owned(), Reach::of(&cx, &policy::SHOW)?);
    let image = room.store.read(move |tx| table::get(tx, &reach, &id)).await?;
    json(StatusCode::OK, &room.view(&cx, image)?)
}

async fn update(room: Arc<Image>, mut cx: Cx) -> Reply {
    let (edits, changes) = patch::read(&mut cx).await?;
    let (id, reach, actor) = (cx.param("id").to_owned(), Reach::of(&cx, &policy::MODIFY)?, cx.actor());
    let asked = reach.clone();
    let before = room.store.read(move |tx| table::get_own(tx, &asked, &id)).await?;
    let mut after = before.clone();
    if !edits.is_empty() {
        location::check_may(&room, &cx, &before, &edits)?;
        let edited = location::edit(&room, &before, edits)?;
        if edited.new.is_some() {
            if !changes.is_empty() {
                return Err(Fault::bad_request(
                    "A location is fetched before it is added; make other changes by another request.",
                ));
            }
            let image = location::set(&room, reach, cx.actor(), before, edited).await?;
            return json(StatusCode::OK, &room.view(&cx, image)?);
        }
        after.locations = edited.labels;
    }
    let attributes = Attributes { cx: &cx, settings: &room.settings, allowed: reach.allowed()? };
    for change in changes {
        change.apply(&attributes, &mut after)?;
    }
    let image = room.store.write(move |tx| table::update(tx, &actor, &before, &after)).await?;
    json(StatusCode::OK, &room.view(&cx, image)?)
}

async fn delete(room: Arc<Image>, cx: Cx) -> Reply {
    let (id, reach, actor) = (cx.param("id").to_owned(), Reach::of(&cx, &policy::DELETE)?, cx.actor());
    let write = room.store.write(move |tx| {
        let image = table::get_own(tx, &reach, &id)?;
        if image.protected {
            return Err(Error::Forbidden(format!("Image {id} is protected and cannot be deleted.")));
        }
        table::delete(tx, &actor, &image)?;
        Ok(image)
    });
    let image = write.await?;
    work::crash::point("image.deleted");
    data::forget(&room, &image).await;
    no_content()
}
