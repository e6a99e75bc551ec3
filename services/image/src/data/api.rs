// SPDX-License-Identifier: Apache-2.0
//! `/v2/images/{id}/file`

use std::sync::Arc;

use ::store::Actor;
use access::{Allowed, Scope};
use api::{Cx, Fault, Reply, Routes, empty, no_content, stream};
use bytes::Bytes;
use disks::Format;
use futures_util::stream::try_unfold;
use http::{HeaderValue, StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::receive::receive;
use crate::{
    Error, Image,
    image::{DataFacts, Row, Status, store},
    policy,
};

pub fn routes(room: Arc<Image>) -> Routes<Image> {
    Routes::new(room).put("/v2/images/{id}/file", &policy::UPLOAD, upload).streams_body().get(
        "/v2/images/{id}/file",
        &policy::DOWNLOAD,
        download,
    )
}

async fn upload(room: Arc<Image>, mut cx: Cx) -> Reply {
    let kind = cx.header("content-type").unwrap_or_default();
    if kind != "application/octet-stream" {
        let message = format!("Image data comes as application/octet-stream, not as '{kind}'.");
        return Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let image = begin(&room, &allowed, &actor, cx.param("id").to_owned()).await?;
    // From here on the image says `saving`; however the upload ends, even if the client goes away and this handler is
    // dropped, the task sees to it that the image says what is true.
    let chunks = cx.stream()?;
    let task = tokio::spawn(async move {
        let outcome = take(&room, &actor, &image, chunks).await;
        if outcome.is_err() {
            give_up(&room, &actor, &image).await;
        }
        outcome
    });
    task.await.map_err(|error| Fault::internal(format_args!("the upload ended abnormally: {error}")))??;
    no_content()
}

async fn begin(room: &Image, allowed: &Allowed<Scope>, actor: &Actor, id: String) -> Result<Row, Error> {
    let (allowed, actor) = (allowed.clone(), actor.clone());
    let write = room.store.write(move |tx| {
        let before = store::get_own(tx, &allowed, &id)?;
        match before.status {
            Status::Queued => {}
            Status::Saving => return Err(Error::Conflict(format!("Image {id} is receiving its data from another request."))),
            Status::Active => return Err(Error::Conflict(format!("Image {id} has its data already; data is never changed."))),
        }
        if before.disk_format.is_none() || before.container_format.is_none() {
            return Err(Error::Invalid("Properties disk_format and container_format must be set prior to saving data.".into()));
        }
        let after = Row { status: Status::Saving, ..before.clone() };
        store::update(tx, &actor, &before, &after)
    });
    write.await
}

async fn take(
    room: &Image,
    actor: &Actor,
    image: &Row,
    chunks: impl futures_util::Stream<Item = std::io::Result<Bytes>> + Unpin,
) -> Result<(), Error> {
    let format: Format = image.disk_format.as_deref().unwrap_or("raw").parse().unwrap_or(Format::Raw);
    let received = receive(room.partial_path(&image.id), format, room.limits, chunks).await?;
    work::crash::point("image.data.received");
    let facts = received.keep(&room.data_path(&image.id))?;
    work::crash::point("image.data.kept");
    let (before, actor) = (image.clone(), actor.clone());
    let write = room.store.write(move |tx| activate(tx, &actor, &before, &facts));
    write.await
}

fn activate(tx: &mut ::store::Tx, actor: &Actor, image: &Row, facts: &DataFacts) -> Result<(), Error> {
    // Its name may have been changed meanwhile; only that it still waits for this data matters.
    let allowed = Allowed::<Scope>::for_work("image.upload");
    let before = store::get(tx, &allowed, image.id.as_str())?;
    if before.status != Status::Saving {
        return Err(Error::Conflict(format!("Image {} no longer waits for this data.", image.id)));
    }
    let after = Row { status: Status::Active, data: Some(facts.clone()), ..before.clone() };
    store::update(tx, actor, &before, &after).map(drop)
}

/// After a broken or refused upload the image waits for its data again, and no file is left.
async fn give_up(room: &Image, actor: &Actor, image: &Row) {
    let (id, actor) = (image.id.clone(), actor.clone());
    let write = room.store.write(move |tx| {
        let allowed = Allowed::<Scope>::for_work("image.upload");
        let before = match store::get(tx, &allowed, id.as_str()) {
            Err(Error::NotFound(_)) => return Ok(true),
            other => other?,
        };
        if before.status == Status::Saving {
            let after = Row { status: Status::Queued, ..before.clone() };
            store::update(tx, &actor, &before, &after)?;
        }
        Ok::<_, Error>(before.status != Status::Active)
    });
    match write.await {
        Ok(true) => super::forget(room, &image.id).await,
        Ok(false) => {}
        Err(error) => tracing::error!(image = %image.id, %error, "a broken upload is tidied at the next start"),
    }
}

async fn download(room: Arc<Image>, cx: Cx) -> Reply {
    let (id, allowed) = (cx.param("id").to_owned(), cx.allowed()?.clone());
    let image = room.store.read(move |tx| store::get(tx, &allowed, &id)).await?;
    let Some(facts) = image.data.filter(|_| image.status == Status::Active) else {
        return Ok(empty(StatusCode::NO_CONTENT));
    };
    let path = room.data_path(&image.id);
    let size = u64::try_from(facts.size).unwrap_or_default();
    let (first, length) = range(cx.header("range"), size)?;
    let mut file = tokio::fs::File::open(&path).await.map_err(|cause| Error::file(&path, cause))?;
    file.seek(std::io::SeekFrom::Start(first)).await.map_err(|cause| Error::file(&path, cause))?;
    let chunks = try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let mut buffer = vec![0; usize::try_from(left.min(256 * 1024)).unwrap_or(0)];
        let count = file.read(&mut buffer).await?;
        if count == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        }
        buffer.truncate(count);
        Ok(Some((Bytes::from(buffer), (file, left - count as u64))))
    });
    let status = if length == size { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT };
    let mut response = stream(status, "application/octet-stream", chunks);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Ok(md5) = HeaderValue::from_str(&facts.md5) {
        headers.insert("content-md5", md5);
    }
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(range) = HeaderValue::from_str(&format!("bytes {first}-{}/{size}", first + length - 1))
    {
        headers.insert(header::CONTENT_RANGE, range);
    }
    Ok(response)
}

/// First byte and length of what `Range` asks for; all of it without the header.
fn range(header: Option<&str>, size: u64) -> Result<(u64, u64), Fault> {
    let Some(text) = header else { return Ok((0, size)) };
    let bad = || Fault::new(StatusCode::RANGE_NOT_SATISFIABLE, format!("Invalid range '{text}' for {size} bytes of data."));
    let (first, last) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or_else(bad)?;
    let (first, last) = match (first, last) {
        ("", suffix) => (size.saturating_sub(suffix.parse().map_err(|_| bad())?), size),
        (first, "") => (first.parse().map_err(|_| bad())?, size),
        (first, last) => {
            let last: u64 = last.parse().map_err(|_| bad())?;
            (first.parse().map_err(|_| bad())?, size.min(last.saturating_add(1)))
        }
    };
    if first >= last { Err(bad()) } else { Ok((first, last - first)) }
}
