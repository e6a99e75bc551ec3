// SPDX-License-Identifier: Apache-2.0
//! One import, from its source into each of its stores. What an earlier attempt has done already is not done again.

use std::collections::BTreeSet;

use access::{Allowed, Scope};
use futures_util::TryStreamExt;
use types::{ImageId, ProjectId};

use super::{
    Method, Order,
    prepare::{Prepared, prepare},
};
use crate::{
    Error, Image, StoreSettings,
    data::{
        self, Judge, Meter,
        released::{self, Named, Where},
    },
    image::{self, DataFacts, Row, Status},
    location::{Expected, Hashing, Said},
    quota,
    stores::place::{Chunks, open_file},
    task,
};

/// Properties that follow an image which another one is made from, by their first letters.
const FOLLOW: [&str; 3] = ["hw_", "trait:", "os_"];

pub async fn run(room: &Image, task: &task::Row, order: &Order) -> Result<(), Error> {
    let id = task.image.clone().ok_or(Error::Gone)?;
    let mut image = find(room, &id).await?;
    if let Method::GlanceDownload { glance_image_id, glance_region } = &order.method
        && image.status == Status::Importing
        && image.data.is_none()
    {
        image = follow(room, task, image, glance_image_id, glance_region).await?;
    }
    let mut failure = None;
    for store in &order.stores {
        if image.place.stores.contains(store) {
            continue;
        }
        let outcome = match room.settings.store(store) {
            Some(to) => fill(room, task, order, &image, to).await,
            None => Err(Error::Invalid(format!("The store {store} is not there any longer."))),
        };
        match outcome {
            Ok(()) => {}
            Err(error @ (Error::Store(_) | Error::Gone)) => return Err(error),
            Err(error) if order.all_must_succeed => return Err(error),
            Err(error) => {
                let store = store.clone();
                change(room, task, &id, move |image| {
                    image.place.importing.get_or_insert_default().remove(&store);
                    image.place.failed.get_or_insert_default().insert(store.clone());
                    image.place.holds.remove(&store);
                })
                .await?;
                failure = Some(error);
            }
        }
        image = find(room, &id).await?;
    }
    if image.place.stores.is_empty() {
        return Err(failure.unwrap_or(Error::Gone));
    }
    change(room, task, &id, |image| {
        if image.status == Status::Importing {
            image.status = Status::Active;
        }
        image.place.declared = None;
        image.place.staged = None;
        image.place.importing = Some(BTreeSet::new());
    })
    .await?;
    work::crash::point("image.import.active");
    discard(room, &image.id).await;
    Ok(())
}

/// Brings the data into one store.
async fn fill(room: &Image, task: &task::Row, order: &Order, image: &Row, to: &StoreSettings) -> Result<(), Error> {
    let (chunks, length) = source(room, task, order, image).await?;
    let hashing = Hashing::of(order.expected.as_ref());
    let source = (hashing.watch(chunks), length);
    let Prepared { received, formats } = match &image.data {
        Some(known) => copy(room, task, image, known, to, source).await?,
        None => prepare(room, task, order, image, to, source).await?,
    };
    let facts = received.facts.clone();
    if order.expected.as_ref().is_some_and(|expected| !hashing.fits(expected, &facts)) {
        return Err(Error::Invalid("The data does not have the hash that it should have.".into()));
    }
    let said = order.expected.as_ref().and_then(|expected| said(expected, &facts));
    work::crash::point("image.import.received");
    data::keep(room, &task.actor(), &image.id, to, received).await?;
    let (id, store, must_all) = (image.id.to_string(), to.id.clone(), order.all_must_succeed);
    let limits = room.settings.quota;
    let actor = task.actor();
    let write = room.store.write(move |tx| {
        let before = image::table::find(tx, &id)?.ok_or(Error::Gone)?;
        let mut after = Row { data: Some(facts.clone()), ..before.clone() }.in_formats(formats.clone());
        after.place.declared = before.place.declared.clone().or_else(|| Some(before.formats()).filter(|said| *said != formats));
        if let Some(said) = &said {
            after.said = Some(said.clone());
        }
        after.place.stores.insert(store.clone());
        after.place.importing.get_or_insert_default().remove(&store);
        if !must_all && after.status == Status::Importing {
            after.status = Status::Active;
            after.place.declared = None;
        }
        quota::check_bytes(tx, &limits, &before.owner, &before.id, after.bytes_kept())?;
        image::table::reserve(tx, &before.id, 0)?;
        image::table::update(tx, &actor, &before, &after).map(drop)
    });
    write.await?;
    work::crash::point("image.import.kept");
    Ok(())
}

/// What is shown where the hash was verified by another algorithm than this cloud's own.
fn said(expected: &Expected, facts: &DataFacts) -> Option<Said> {
    (expected.algorithm() != "sha512").then(|| Said {
        checksum: Some(facts.md5.clone()),
        algorithm: Some(expected.algorithm().to_owned()),
        value: Some(expected.value().to_owned()),
    })
}

/// Data that another store has was judged when it came; its hash says that it is the same.
async fn copy(
    room: &Image,
    task: &task::Row,
    image: &Row,
    known: &DataFacts,
    to: &StoreSettings,
    (chunks, length): (Chunks, Option<u64>),
) -> Result<Prepared, Error> {
    let mut meter = Meter::new(room, &image.id, image.status, length).told_by(&task.id);
    let mut received = data::receive(image.owner.as_str(), to.place.partial(), Judge::Later, Some(&mut meter), chunks).await?;
    if received.facts.sha512 != known.sha512 {
        return Err(Error::Invalid("The data does not have the hash that it should have.".into()));
    }
    received.facts = known.clone();
    Ok(Prepared { received, formats: image.formats() })
}

/// Where the data comes from: once one store has it, from there.
async fn source(room: &Image, task: &task::Row, order: &Order, image: &Row) -> Result<(Chunks, Option<u64>), Error> {
    if let Some(found) = from_image(room, image).await? {
        return Ok(found);
    }
    match &order.method {
        Method::GlanceDirect => {
            let size = image.place.staged.ok_or(Error::Gone)?.unsigned_abs();
            Ok((open_file(image.owner.as_str(), room.staged_path(&image.id), 0, size).await?, Some(size)))
        }
        Method::WebDownload { uri } => {
            let response = room.settings.web.get(uri).await?;
            let length = response.body.announced();
            Ok((Box::pin(response.body.into_stream().map_err(Error::Fetch)), length))
        }
        Method::GlanceDownload { glance_image_id, .. } => {
            let source = of_owner(room, task, glance_image_id).await?;
            from_image(room, &source).await?.ok_or_else(|| no_data(glance_image_id))
        }
        Method::CopyImage => Err(Error::Invalid("The image has no data that could be copied.".into())),
    }
}

/// The data that an image has already.
async fn from_image(room: &Image, image: &Row) -> Result<Option<(Chunks, Option<u64>)>, Error> {
    let Some(size) = image.data.as_ref().map(|data| data.size.unsigned_abs()) else { return Ok(None) };
    Ok(room.read_data(image.owner.as_str(), image, 0, size).await?.map(|chunks| (chunks, Some(size))))
}

/// Takes formats and properties over from the image that the data will come from.
async fn follow(room: &Image, task: &task::Row, image: Row, source: &str, region: &str) -> Result<Row, Error> {
    if region != room.settings.region {
        return Err(Error::Invalid(format!("No image service of the region '{region}' is known here.")));
    }
    let found = of_owner(room, task, source).await?;
    if found.status != Status::Active {
        return Err(no_data(source));
    }
    let id = image.id.to_string();
    change(room, task, &id, move |image| {
        image.disk_format.clone_from(&found.disk_format);
        image.container_format.clone_from(&found.container_format);
        let following = found.properties.iter().filter(|(name, _)| FOLLOW.iter().any(|first| name.starts_with(first)));
        image.properties.extend(following.map(|(name, value)| (name.clone(), value.clone())));
    })
    .await?;
    find(room, &id).await
}

/// An image as the project that ordered the import sees it; no token of anybody is kept for that.
async fn of_owner(room: &Image, task: &task::Row, id: &str) -> Result<Row, Error> {
    let owner = ProjectId::new(task.owner.as_str());
    let allowed = Allowed::<Scope>::for_work("image.import").in_project(&owner).ok_or(Error::Gone)?;
    let (id, reach) = (id.to_owned(), image::Reach::of_work(allowed));
    room.store.read(move |tx| image::table::get(tx, &reach, &id)).await
}

fn no_data(id: &str) -> Error {
    Error::Invalid(format!("The image {id} has no data that could be taken."))
}

async fn find(room: &Image, id: &str) -> Result<Row, Error> {
    let id = id.to_owned();
    room.store.read(move |tx| image::table::find(tx, &id)?.ok_or(Error::Gone)).await
}

async fn change(
    room: &Image,
    task: &task::Row,
    id: &str,
    change: impl Fn(&mut Row) + Send + Sync + 'static,
) -> Result<(), Error> {
    let (id, actor) = (id.to_owned(), task.actor());
    let write = room.store.write(move |tx| {
        let before = image::table::find(tx, &id)?.ok_or(Error::Gone)?;
        let mut after = before.clone();
        change(&mut after);
        image::table::update(tx, &actor, &before, &after).map(drop)
    });
    write.await
}

async fn discard(room: &Image, image: &ImageId) {
    let named = Named { place: Where::Staging, name: image.to_string() };
    if let Err(error) = released::remove(room, &named).await {
        tracing::warn!(%image, error = error.chain(), "staged data that was imported is removed later");
    }
}
