// SPDX-License-Identifier: Apache-2.0
//! `/v2/images/{id}/file` and `/v2/images/{id}/stage`

use std::sync::Arc;

use ::store::Actor;
use api::{Access, Cx, Fault, Reply, Routes, empty, no_content, stream};
use bounds::{Overdue, Threads, Turn};
use bytes::Bytes;
use disks::{Format, inspect::Container};
use futures_util::{Stream, TryStreamExt};
use http::{HeaderValue, StatusCode, header};

use super::{Judge, Meter, give_up, keep, range, receive};
use crate::{
    Error, Image, StoreSettings,
    data::policy,
    image::{Reach, Row, Status, table},
    quota,
    settings::Transfers,
};

pub fn routes() -> Routes<Image> {
    Routes::new()
        .put("/v2/images/{id}/file", Access::Asks(&policy::UPLOAD), upload)
        .streams_body()
        .get("/v2/images/{id}/file", Access::Asks(&policy::DOWNLOAD), download)
        .asking(&[&policy::DOWNLOAD_DEACTIVATED])
        .put("/v2/images/{id}/stage", Access::Asks(&policy::STAGE), stage)
        .streams_body()
        .each_asking(&[&crate::image::policy::SHOW])
}

async fn upload(room: Arc<Image>, mut cx: Cx) -> Reply {
    check_type(&cx)?;
    let to = match cx.header("x-image-meta-store") {
        None => room.default_store().clone(),
        Some(name) => room
            .settings
            .store(name)
            .cloned()
            .ok_or_else(|| Fault::bad_request(format!("There is no store '{name}' to upload to; see /v2/info/stores.")))?,
    };
    let length = announced(&cx)?;
    let (reach, actor) = (Reach::of(&cx, &policy::UPLOAD)?, cx.actor());
    check_may(&room, &cx, &reach).await?;
    let turn = turn(&room, &cx).await?;
    let image = begin(&room, &cx, reach, Status::Saving).await?;
    // From here on the image says `saving`; however the upload ends, even if the client goes away and this handler is
    // dropped, the task sees to it that the image says what is true.
    let chunks = cx.stream()?.map_err(Error::BrokenOff);
    let task = tokio::spawn(async move {
        let _turn = turn;
        let outcome = take(&room, &actor, &image, &to, length, chunks).await;
        if outcome.is_err() {
            give_up(&room, &actor, &image.id).await;
        }
        outcome
    });
    task.await.map_err(|error| Fault::internal(format_args!("the upload ended abnormally: {error}")))??;
    no_content()
}

async fn stage(room: Arc<Image>, mut cx: Cx) -> Reply {
    check_type(&cx)?;
    let length = announced(&cx)?;
    let (reach, actor) = (Reach::of(&cx, &policy::STAGE)?, cx.actor());
    check_may(&room, &cx, &reach).await?;
    let turn = turn(&room, &cx).await?;
    let image = begin(&room, &cx, reach, Status::Uploading).await?;
    let chunks = cx.stream()?.map_err(Error::BrokenOff);
    let task = tokio::spawn(async move {
        let _turn = turn;
        let outcome = take_staged(&room, &actor, &image, length, chunks).await;
        if outcome.is_err() {
            give_up(&room, &actor, &image.id).await;
        }
        outcome
    });
    task.await.map_err(|error| Fault::internal(format_args!("the upload ended abnormally: {error}")))??;
    no_content()
}

/// Who may not send this image its data does not wait for his turn to be told so.
async fn check_may(room: &Image, cx: &Cx, reach: &Reach) -> Result<(), Error> {
    let (id, reach) = (cx.param("id").to_owned(), reach.clone());
    room.store.read(move |tx| table::get_own(tx, &reach, &id).map(drop)).await
}

/// Waits, before the image is told of anything, until this project's turn has come to send data.
async fn turn(room: &Image, cx: &Cx) -> Result<Turn, Fault> {
    let owner = cx.caller()?.project_id().map_or("", types::ProjectId::as_str);
    let Transfers { patience, .. } = room.settings.transfers;
    room.transfers.turn_within(owner, patience).await.map_err(|overdue| {
        let fault = match overdue {
            Overdue::OfOwner { most } => Fault::new(
                StatusCode::TOO_MANY_REQUESTS,
                format!("{most} images of this project get data now, and that is the most. Try again when one of them is done."),
            ),
            Overdue::OfAll { most } => {
                Fault::unavailable(format!("{most} images of this cloud get data now, and that is the most. Try again later."))
            }
        };
        fault.header(header::RETRY_AFTER, HeaderValue::from_static("30"))
    })
}

fn check_type(cx: &Cx) -> Result<(), Fault> {
    let kind = cx.header("content-type").unwrap_or_default();
    if kind == "application/octet-stream" {
        return Ok(());
    }
    let message = format!("Image data comes as application/octet-stream, not as '{kind}'.");
    Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

/// The size that the client says the data will have.
fn announced(cx: &Cx) -> Result<Option<u64>, Fault> {
    let Some(text) = cx.header("x-openstack-image-size").or_else(|| cx.header("content-length")) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Fault::bad_request(format!("'{text}' is no size of data in bytes.")))
}

async fn begin(room: &Image, cx: &Cx, reach: Reach, status: Status) -> Result<Row, Error> {
    let (id, actor, limits) = (cx.param("id").to_owned(), cx.actor(), room.settings.quota);
    let write = room.store.write(move |tx| {
        let before = table::get_own(tx, &reach, &id)?;
        match before.status {
            Status::Queued => {}
            Status::Saving | Status::Uploading | Status::Importing => {
                let word = before.status.as_str();
                return Err(Error::Conflict(format!("Image {id} is {word}: it gets its data from another request.")));
            }
            Status::Active | Status::Deactivated => {
                return Err(Error::Conflict(format!("Image {id} has its data already; data is never changed.")));
            }
        }
        before.check_formats()?;
        quota::check_uploading(tx, &limits, &before.owner, &before.id)?;
        let mut after = Row { status, ..before.clone() };
        after.forget_locations();
        table::update(tx, &actor, &before, &after)
    });
    let image = write.await?;
    work::crash::point("image.data.begun");
    Ok(image)
}

/// Takes the data of an image that is `saving` into a store, whole or not at all.
pub async fn take(
    room: &Image,
    actor: &Actor,
    image: &Row,
    to: &StoreSettings,
    length: Option<u64>,
    chunks: impl Stream<Item = Result<Bytes, Error>> + Unpin,
) -> Result<(), Error> {
    let judge = declared(room, image);
    let mut meter = Meter::new(room, &image.id, Status::Saving, length);
    let received = receive(image.owner.as_str(), to.place.partial(), judge, Some(&mut meter), chunks).await?;
    work::crash::point("image.data.received");
    let facts = received.facts.clone();
    check_length(length, facts.size)?;
    keep(room, actor, &image.id, to, received).await?;
    let (id, actor, to, limits) = (image.id.clone(), actor.clone(), to.id.clone(), room.settings.quota);
    let write = room.store.write(move |tx| {
        // Its name may have been changed meanwhile; only that it still waits for this data matters.
        let before = table::find(tx, id.as_str())?.filter(|image| image.status == Status::Saving).ok_or(Error::Gone)?;
        quota::check_bytes(tx, &limits, &before.owner, &id, facts.size.unsigned_abs())?;
        let mut after = Row { status: Status::Active, data: Some(facts.clone()), ..before.clone() };
        after.place.stores.insert(to.clone());
        table::reserve(tx, &id, 0)?;
        table::update(tx, &actor, &before, &after).map(drop)
    });
    write.await?;
    work::crash::point("image.data.active");
    Ok(())
}

async fn take_staged(
    room: &Image,
    actor: &Actor,
    image: &Row,
    length: Option<u64>,
    chunks: impl Stream<Item = Result<Bytes, Error>> + Unpin,
) -> Result<(), Error> {
    let mut meter = Meter::new(room, &image.id, Status::Uploading, length);
    let partial = room.settings.staging().join(format!(".{}.partial", image.id));
    let received = receive(image.owner.as_str(), partial, Judge::Later, Some(&mut meter), chunks).await?;
    work::crash::point("image.stage.received");
    let size = received.facts.size;
    check_length(length, size)?;
    let path = room.staged_path(&image.id);
    // The row counts the bytes before the file has its name, and a start without the row's word removes the file.
    let (id, actor) = (image.id.clone(), actor.clone());
    Threads::for_bytes().run(image.owner.as_str(), move || received.publish(&path)).await??;
    work::crash::point("image.stage.kept");
    let write = room.store.write(move |tx| {
        let before = table::find(tx, id.as_str())?.filter(|image| image.status == Status::Uploading).ok_or(Error::Gone)?;
        let mut after = before.clone();
        after.place.staged = Some(size);
        table::reserve(tx, &id, 0)?;
        table::update(tx, &actor, &before, &after).map(drop)
    });
    write.await
}

fn check_length(announced: Option<u64>, size: i64) -> Result<(), Error> {
    match announced {
        Some(announced) if announced != size.unsigned_abs() => {
            Err(Error::Invalid(format!("{announced} bytes of data were announced, but {size} came.")))
        }
        _ => Ok(()),
    }
}

/// What the data has to be.
pub fn declared(room: &Image, image: &Row) -> Judge {
    match image.container_format.as_deref().and_then(Container::of_name) {
        Some(container) => Judge::Container(container),
        None => Judge::Disk(disk(image), room.settings.limits.disk),
    }
}

/// The format of the disk, in a container or not. Kernels and ramdisks are plain files.
pub fn disk(image: &Row) -> Format {
    image.disk_format.as_deref().and_then(|format| format.parse().ok()).unwrap_or(Format::Raw)
}

async fn download(room: Arc<Image>, cx: Cx) -> Reply {
    let (id, reach) = (cx.param("id").to_owned(), Reach::of(&cx, &policy::DOWNLOAD)?);
    let image = room.store.read(move |tx| table::get(tx, &reach, &id)).await?;
    if image.status == Status::Deactivated {
        let target = access::Target::in_project(&image.owner);
        cx.check(&policy::DOWNLOAD_DEACTIVATED, &target)
            .map_err(|_| Fault::forbidden("The requested image has been deactivated. Image data download is forbidden."))?;
    }
    let Some(facts) = &image.data else { return Ok(empty(StatusCode::NO_CONTENT)) };
    let size = facts.size.unsigned_abs();
    let part = range::read(&cx, size)?;
    let reader = cx.caller()?.project_id().map_or("", types::ProjectId::as_str);
    let Some(chunks) = room.read_data(reader, &image, part.first, part.length).await? else {
        return Ok(empty(StatusCode::NO_CONTENT));
    };
    let chunks = chunks.map_err(std::io::Error::other);
    room.cache.hit(image.id.as_str());
    let status = if part.is_range { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = stream(status, "application/octet-stream", chunks);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(part.length));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // The checksum of the whole says nothing about a part.
    if let (false, Ok(md5)) = (part.is_range, HeaderValue::from_str(&facts.md5)) {
        headers.insert("content-md5", md5);
    }
    if part.is_range
        && let Ok(range) = HeaderValue::from_str(&format!("bytes {}-{}/{size}", part.first, part.first + part.length - 1))
    {
        headers.insert(header::CONTENT_RANGE, range);
    }
    Ok(response)
}
