// SPDX-License-Identifier: Apache-2.0
//! `/v2/cache`: images that the operator wants at hand.
//!
//! Glance's cache is a copy on the API host of what lies in a remote store. Here that is done for whatever a host asks for
//! from a bucket; to cache an image is to do so before, and to read its data once, so that the kernel has it in memory when
//! the hosts come for it. The list lives as long as the process, as the kernel's memory does not outlive the machine.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use api::{Access, Cx, Fault, Reply, Routes, empty, json, no_content};
use http::StatusCode;
use serde_json::json;
use types::Timestamp;

use crate::{
    Error, Image,
    image::{Reach, Row, Status, table},
    policy::ADMIN,
};

access::policies! {
    LIST = "cache_list", ADMIN, "List cached images";
    IMAGE = "cache_image", ADMIN, "Cache an image";
    DELETE = "cache_delete", ADMIN, "Delete images from the cache";
}

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("cache", routes);

pub fn routes() -> Routes<Image> {
    Routes::new()
        .get("/v2/cache", &LIST, list)
        .delete("/v2/cache", &DELETE, clear)
        .put("/v2/cache/{id}", Access::Asks(&IMAGE), queue)
        .delete("/v2/cache/{id}", Access::Asks(&DELETE), delete)
        .post("/v2/cache/clean", &DELETE, nothing_to_do)
        .post("/v2/cache/prune", &DELETE, nothing_to_do)
        .each_asking(&[&crate::image::policy::SHOW])
}

/// What was asked to be at hand, and whether it is.
#[derive(Clone, Default)]
pub struct Cache(Arc<Mutex<BTreeMap<String, Entry>>>);

#[derive(Clone, Default)]
struct Entry {
    is_read: bool,
    size: u64,
    since: i64,
    last_hit: i64,
    hits: u64,
}

impl Cache {
    /// Counts a download of an image that is at hand.
    pub fn hit(&self, id: &str) {
        if let Some(entry) = self.lock().get_mut(id) {
            entry.hits += 1;
            entry.last_hit = Timestamp::now().seconds();
        }
    }

    pub fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn list(room: Arc<Image>, _: Cx) -> Reply {
    let entries = room.cache.lock().clone();
    let cached = |(id, entry): (&String, &Entry)| json!({"image_id": id, "hits": entry.hits, "size": entry.size, "last_accessed": entry.last_hit, "last_modified": entry.since});
    let (read, queued): (Vec<_>, Vec<_>) = entries.iter().partition(|(_, entry)| entry.is_read);
    let document = json!({
        "cached_images": read.into_iter().map(cached).collect::<Vec<_>>(),
        "queued_images": queued.into_iter().map(|(id, _)| id).collect::<Vec<_>>(),
    });
    json(StatusCode::OK, &document)
}

async fn queue(room: Arc<Image>, cx: Cx) -> Reply {
    let (id, reach) = (cx.param("id").to_owned(), Reach::of(&cx, &IMAGE)?);
    let image = room.store.read(move |tx| table::get(tx, &reach, &id)).await?;
    if image.status != Status::Active {
        return Err(Fault::bad_request(format!("Image {} has no data that could be cached.", image.id)));
    }
    let (cache, id) = (room.cache.clone(), image.id.to_string());
    cache.lock().entry(id.clone()).or_default();
    tokio::spawn(async move {
        match read(&room, &image).await {
            Ok(size) => {
                // It may have been taken from the list meanwhile.
                if let Some(entry) = cache.lock().get_mut(&id) {
                    let now = Timestamp::now().seconds();
                    *entry = Entry { is_read: true, size, since: now, last_hit: now, hits: 0 };
                }
            }
            Err(error) => {
                tracing::warn!(image = id, %error, "an image could not be read into memory");
                cache.forget(&id);
            }
        }
    });
    Ok(empty(StatusCode::ACCEPTED))
}

/// Answers how many bytes there were.
async fn read(room: &Image, image: &Row) -> Result<u64, Error> {
    let path = room.near(image).await?.ok_or(Error::Gone)?;
    let reading = move || {
        let copied = std::fs::File::open(&path).and_then(|mut file| std::io::copy(&mut file, &mut std::io::sink()));
        copied.map_err(|cause| Error::file(&path, cause))
    };
    bounds::Threads::for_bytes().run("cache", reading).await?
}

async fn delete(room: Arc<Image>, cx: Cx) -> Reply {
    let (id, reach) = (cx.param("id"), Reach::of(&cx, &DELETE)?);
    // Of an image that was deleted meanwhile an entry may be left, which nobody but the operator hears of.
    if reach.allowed().is_err() {
        let wanted = id.to_owned();
        room.store.read(move |tx| table::get(tx, &reach, &wanted)).await?;
    }
    match room.cache.lock().remove(id) {
        Some(_) => no_content(),
        None => Err(Fault::not_found(format!("Image {id} is neither cached nor waiting for it."))),
    }
}

async fn clear(room: Arc<Image>, cx: Cx) -> Reply {
    let (cached, queued) = match cx.header("x-image-cache-clear-target").unwrap_or_default() {
        "" => (true, true),
        "cache" => (true, false),
        "queue" => (false, true),
        other => {
            let message = format!("x-image-cache-clear-target is 'cache' or 'queue', not '{other}'.");
            return Err(Fault::bad_request(message));
        }
    };
    room.cache.lock().retain(|_, entry| !(if entry.is_read { cached } else { queued }));
    no_content()
}

/// The kernel cleans and prunes its memory by itself.
async fn nothing_to_do(_: Arc<Image>, _: Cx) -> Reply {
    json(StatusCode::OK, &json!({}))
}
