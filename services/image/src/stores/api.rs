// SPDX-License-Identifier: Apache-2.0
//! `/v2/info/…` and `/v2/stores/{store}/{image}`

use std::sync::Arc;

use api::{Access, Cx, Fault, Reply, Routes, json, no_content};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    Error, Image,
    data::released::{self, Named, Where},
    image::{Reach, Status, table},
    import, quota,
    settings::StoreSettings,
    stores::place::Place,
    stores::policy,
};

pub fn routes() -> Routes<Image> {
    Routes::new()
        .get("/v2/info/import", Access::Authenticated, import_methods)
        .get("/v2/info/stores", Access::Authenticated, list)
        .get("/v2/info/stores/detail", &policy::STORES_DETAIL, list_in_detail)
        .get("/v2/info/usage", Access::Authenticated, usage)
        .delete("/v2/stores/{store}/{image}", Access::Asks(&policy::DELETE_FROM_STORE), delete)
        .each_asking(&[&crate::image::policy::SHOW])
}

async fn import_methods(_: Arc<Image>, _: Cx) -> Reply {
    let methods = json!({"description": "Import methods available.", "type": "array", "value": import::METHODS});
    json(StatusCode::OK, &json!({"import-methods": methods}))
}

async fn list(room: Arc<Image>, _: Cx) -> Reply {
    json(StatusCode::OK, &json!({"stores": room.settings.stores.iter().map(|store| view(&room, store)).collect::<Vec<_>>()}))
}

async fn list_in_detail(room: Arc<Image>, _: Cx) -> Reply {
    let detail = |store: &StoreSettings| {
        let mut view = view(&room, store);
        view["type"] = json!(store.place.kind());
        view["weight"] = json!(store.weight);
        view["properties"] = match &store.place {
            Place::Folder(folder) => {
                json!({"data_dir": folder.display().to_string(), "chunk_size": 524_288, "thin_provisioning": false})
            }
            Place::Bucket(at) => json!({"s3_store_bucket": at.url, "s3_store_large_object_size": 16}),
        };
        view
    };
    json(StatusCode::OK, &json!({"stores": room.settings.stores.iter().map(detail).collect::<Vec<_>>()}))
}

fn view(room: &Image, store: &StoreSettings) -> Value {
    let mut view = json!({"id": store.id, "description": store.description});
    if store.id == room.default_store().id {
        view["default"] = json!("true");
    }
    view
}

async fn usage(room: Arc<Image>, cx: Cx) -> Reply {
    let owner = cx.project()?.clone();
    let used = room.store.read(move |tx| quota::usage(tx, &owner)).await?;
    let line = |limit: Option<u64>, usage: u64| match limit {
        Some(limit) => json!({"limit": limit, "usage": usage}),
        None => json!({"limit": -1, "usage": usage}),
    };
    let limits = &room.settings.quota;
    let usage = json!({
        "image_size_total": line(limits.size_total, used.bytes.div_ceil(1 << 20)),
        "image_stage_total": line(limits.stage_total, used.staged.div_ceil(1 << 20)),
        "image_count_total": line(limits.count_total, used.count),
        "image_count_uploading": line(limits.count_uploading, used.uploading),
    });
    json(StatusCode::OK, &json!({"usage": usage}))
}

/// Takes an image's data out of one store; the last copy stays until the image goes.
async fn delete(room: Arc<Image>, cx: Cx) -> Reply {
    let (name, id, actor) = (cx.param("store").to_owned(), cx.param("image").to_owned(), cx.actor());
    let reach = Reach::of(&cx, &policy::DELETE_FROM_STORE)?;
    if room.settings.store(&name).is_none() {
        return Err(Fault::conflict(format!("There is no store '{name}'; see /v2/info/stores.")));
    }
    let from = name.clone();
    let write = room.store.write(move |tx| {
        let before = table::get_own(tx, &reach, &id)?;
        if before.protected {
            return Err(Error::Forbidden(format!("Image {id} is protected and cannot be deleted.")));
        }
        if !matches!(before.status, Status::Active | Status::Deactivated) {
            return Err(Error::Conflict(format!(
                "The image is {}; only the data of active images is deleted.",
                before.status.as_str()
            )));
        }
        let mut after = before.clone();
        if !after.place.stores.remove(&from) {
            return Err(Error::NoSuch(format!("Image {id} is not in the store '{from}'.")));
        }
        if after.place.stores.is_empty() {
            return Err(Error::Forbidden("Cannot delete image data from the only store that has it. Delete the image.".into()));
        }
        after.place.holds.remove(&from);
        after.locations.retain(|label| label.store.as_ref() != Some(&from));
        table::update(tx, &actor, &before, &after)?;
        Ok(before.place.blob)
    });
    let blob = write.await?;
    work::crash::point("image.store.released");
    let named = Named { place: Where::Store(name.clone()), name: blob.unwrap_or_default() };
    if let Err(error) = released::remove(&room, &named).await {
        tracing::warn!(store = name, %error, "data that nobody needs stays until the next start");
    }
    no_content()
}
