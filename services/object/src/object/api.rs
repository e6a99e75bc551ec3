// SPDX-License-Identifier: Apache-2.0
//! `/v1/AUTH_{project}/{container}/{object}`

use std::sync::Arc;

use ::api::{Access, Cx, Reply, Routes, respond};
use http::{HeaderValue, Method, StatusCode, header};
use types::Timestamp;

use super::{Content, Kind, Put, Wanted, admit, answer, commit, copy, facts, find, look, table};
use crate::{
    Error, Objects, body, bulk, container::table as containers, cors, data, form, large, limits, listing::Format, metadata::text,
    place::Place, policy, reply::done, site::Site, stamp, temp_url,
};

const PATH: &str = "/v1/{account}/{container}/{*object}";

pub fn routes() -> Routes<Objects> {
    let copies = Method::from_bytes(b"COPY").unwrap_or(Method::PUT);
    Routes::new()
        .get(PATH, Access::Open(&policy::READ), get)
        .put(PATH, Access::Open(&policy::WRITE), put)
        .streams_body()
        .post(PATH, Access::Open(&policy::WRITE), post)
        .streams_body()
        .delete(PATH, Access::Open(&policy::WRITE), delete)
        .on(copies, PATH, Access::Open(&policy::WRITE), copy::copy)
        .each_asking(&[&policy::READ, &policy::WRITE])
        .on(Method::OPTIONS, PATH, Access::Public, cors::preflight)
}

/// What `multipart-manifest` asks for.
fn manifest_wish(cx: &Cx) -> Option<&str> {
    cx.query().get("multipart-manifest")
}

async fn get(room: Arc<Objects>, cx: Cx) -> Reply {
    let place = Place::of(&cx)?;
    let (who, signed) = temp_url::who(&room, &cx, &place).await?;
    let itself = manifest_wish(&cx) == Some("get");
    let site = if signed.is_none() { Site::asked_for(&room, &cx, &place, &who).await? } else { None };
    let found = match (find(&room, &who, &place, itself).await, site) {
        (Ok(found), Some(site)) if site.is_folder(&found.object) => return site.missing(&place.object).await,
        (Ok(found), _) => found,
        (Err(Error::NotFound), Some(site)) => return site.missing(&place.object).await,
        (Err(error), Some(site)) => return site.refused(error).await,
        (Err(error), None) => return Err(error.into()),
    };
    let raw = itself && found.object.kind == Kind::Manifest && cx.query().get("format") == Some("raw");
    let mut reply = if raw { answer::raw_manifest(&room, &found).await? } else { answer::object(&room, &cx, &found, itself)? };
    cors::allow(&cx, &found.container, reply.headers_mut());
    if let Some(signed) = signed {
        signed.mark(&place.object, reply.headers_mut());
    }
    Ok(reply)
}

async fn put(room: Arc<Objects>, mut cx: Cx) -> Reply {
    if bulk::is_asked_for(&cx) {
        return bulk::extract(&room, cx).await;
    }
    if cx.headers.contains_key("x-copy-from") {
        return copy::put(room, cx).await;
    }
    let stamp = Timestamp::now();
    let place = Place::of(&cx)?;
    let (who, signed) = temp_url::who(&room, &cx, &place).await?;
    let if_none = if_none(&cx)?;
    let length = length(&cx)?;
    let admitted = admit(&room, &who, &place, if_none).await?;
    let words = facts::words(&cx.headers)?;
    if signed.is_some() && words.headers.get("x-object-manifest").is_some() {
        return Err(Error::invalid("A signed address puts no manifest.").into());
    }
    let kind = facts::kind(&words);
    let content_type = facts::content_type(&cx.headers, &place.object)?;
    let wanted = Wanted { stamp, content_type, words, kind, delete_at: facts::delete_at(&cx.headers)?, if_none };
    let expected =
        text(&cx.headers, "etag")?.map(|etag| etag.trim().trim_matches('"').to_ascii_lowercase()).filter(|etag| !etag.is_empty());
    if manifest_wish(&cx) == Some("put") {
        if wanted.kind == Kind::Prefix || signed.is_some() {
            return Err(Error::invalid("An object is one kind of large object, and no signed address puts a manifest.").into());
        }
        let body = body::read(&mut cx, limits::MANIFEST).await?;
        let put = large::put(&room, &who, admitted.granted, &place, wanted, body, expected.as_deref()).await?;
        return Ok(made(&put, true));
    }
    let project = admitted.granted.project().as_str().to_owned();
    // Where a quota ends the body, it is the quota that is told of.
    if length.is_some_and(|length| length > admitted.room && length <= limits::OBJECT_SIZE) {
        return Err(Error::TooLarge("Upload exceeds quota.".to_owned()).into());
    }
    let chunks = cx.stream()?;
    let taken = data::take(&room, &project, length, admitted.room, chunks).await?;
    if expected.is_some_and(|expected| expected != taken.md5) {
        return Err(Error::Unprocessable("The ETag that was sent is not the MD5 of the body that came.".to_owned()).into());
    }
    let put = commit(&room, admitted.granted, &place, wanted, Content::Taken(taken)).await?;
    Ok(made(&put, false))
}

/// Whether an object is put only where there is none.
pub fn if_none(cx: &Cx) -> Result<bool, Error> {
    match text(&cx.headers, "if-none-match")?.map(str::trim) {
        None => Ok(false),
        Some("*") => Ok(true),
        Some(_) => Err(Error::invalid("Value must be '*' in If-None-Match.")),
    }
}

/// The length of the body, if it is announced; else it comes in chunks.
fn length(cx: &Cx) -> Result<Option<u64>, Error> {
    match text(&cx.headers, "content-length")? {
        Some(text) => text.parse().map(Some).map_err(|_| Error::invalid("Bad Content-Length")),
        None if cx.headers.contains_key(header::TRANSFER_ENCODING) || cx.is_streamed() => Ok(None),
        None => Err(Error::LengthRequired),
    }
}

pub fn made(put: &Put, is_manifest: bool) -> ::api::Response {
    let status = if put.is_there { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    let mut response = done(status);
    let etag = if is_manifest { format!("\"{}\"", put.etag) } else { put.etag.clone() };
    for (name, value) in [("etag", etag), ("last-modified", stamp::date(put.stamp))] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// All that was said of it before is replaced by what is said now, its type of content aside.
async fn post(room: Arc<Objects>, cx: Cx) -> Reply {
    if form::is_one(&cx) {
        return form::take(&room, cx).await;
    }
    let stamp = Timestamp::now();
    let place = Place::of(&cx)?;
    let (who, signed) = temp_url::who(&room, &cx, &place).await?;
    let (words, headers) = (facts::words(&cx.headers)?, cx.headers.clone());
    if signed.is_some() && words.headers.get("x-object-manifest").is_some() {
        return Err(Error::invalid("A signed address puts no manifest.").into());
    }
    let (delete_at, forever) = (facts::delete_at(&headers)?, headers.contains_key("x-remove-delete-at"));
    let kind_of_content = text(&headers, "content-type")?.filter(|kind| !kind.is_empty()).map(str::to_owned);
    let write = room.store.write(move |tx| {
        let container = containers::find(tx, &place)?;
        let granted = who.writing(&place, container.as_ref())?;
        let container = container.ok_or(Error::NotFound)?;
        let object = table::get_to_change(tx, &granted, &container, &place.object)?;
        let mut object = object.filter(|object| !object.is_due()).ok_or(Error::NotFound)?;
        if object.stamp > stamp {
            return Err(Error::Superseded);
        }
        let mut words = words.clone();
        // One that consists of others goes on to, whatever is said of it; a plain one may be said to from now on.
        let prefix = object.words.headers.get("x-object-manifest");
        match (words.headers.get("x-object-manifest").is_some(), prefix) {
            (false, Some(prefix)) => words.headers.set("x-object-manifest", prefix),
            (true, None) if object.kind == Kind::Plain && object.size == 0 => object.kind = Kind::Prefix,
            (true, None) => words.headers.remove("x-object-manifest"),
            _ => {}
        }
        (object.words, object.stamp) = (words, stamp);
        object.delete_at = delete_at.filter(|_| !forever);
        if let Some(kind) = &kind_of_content {
            object.content_type.clone_from(kind);
        }
        table::update(tx, &granted, &container, &object)
    });
    match write.await {
        Ok(()) | Err(Error::Superseded) => {}
        Err(error) => return Err(error.into()),
    }
    let page = "<html><h1>Accepted</h1><p>The request is accepted for processing.</p></html>";
    Ok(respond(StatusCode::ACCEPTED, "text/html; charset=UTF-8", page))
}

async fn delete(room: Arc<Objects>, cx: Cx) -> Reply {
    let at = Timestamp::now();
    let place = Place::of(&cx)?;
    let (who, _) = temp_url::who(&room, &cx, &place).await?;
    if manifest_wish(&cx) == Some("delete") {
        let format = Format::of(&cx)?;
        let (asking, of) = (who.clone(), place.clone());
        let (_, object, data) = room.store.read(move |tx| look(tx, &asking, &of)).await?;
        let outcome = match object.kind {
            Kind::Manifest => large::delete(&room, &who, &place, &data, at).await?,
            Kind::Plain | Kind::Prefix => return Err(Error::invalid("Not an SLO manifest").into()),
        };
        return outcome.reply(format);
    }
    super::delete(&room, &who, &place, at).await?;
    Ok(done(StatusCode::NO_CONTENT))
}
