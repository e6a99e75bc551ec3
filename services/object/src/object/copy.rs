// SPDX-License-Identifier: Apache-2.0
//! Copies. One of a plain object shares its data, and costs a row; one of a large object is read and written, as in Swift.

use std::sync::Arc;

use ::api::{Cx, Fault, Reply};
use http::{HeaderName, HeaderValue};
use types::Timestamp;

use super::{Content, Found, Kind, Wanted, Words, admit, api, commit, facts, find, read};
use crate::{
    Error, Objects, data,
    grant::Who,
    metadata::{Of, text},
    place::{self, Place},
    stamp,
};

/// `COPY`, with where to in `Destination`.
pub async fn copy(room: Arc<Objects>, cx: Cx) -> Reply {
    let from = Place::of(&cx)?;
    let to = text(&cx.headers, "destination")?
        .ok_or_else(|| Error::Precondition("Destination header required in COPY request.".to_owned()))?;
    let to = at(&cx, &from, to, "destination-account")?;
    run(&room, &cx, from, to).await
}

/// `PUT`, with where from in `X-Copy-From`.
pub async fn put(room: Arc<Objects>, cx: Cx) -> Reply {
    let to = Place::of(&cx)?;
    if text(&cx.headers, "content-length")?.is_some_and(|length| length.trim() != "0") {
        return Err(Error::invalid("Copy requests require a zero byte body").into());
    }
    let from = text(&cx.headers, "x-copy-from")?.unwrap_or_default();
    let from = at(&cx, &to, from.split('?').next().unwrap_or_default(), "x-copy-from-account")?;
    run(&room, &cx, from, to).await
}

fn at(cx: &Cx, beside: &Place, path: &str, account: &str) -> Result<Place, Error> {
    let (container, object) = place::container_and_object(path)?;
    match text(&cx.headers, account)? {
        None => beside.in_container(&container, &object),
        Some(account) => beside.in_account(&place::name(account)?).in_container(&container, &object),
    }
}

async fn run(room: &Objects, cx: &Cx, from: Place, to: Place) -> Reply {
    let stamp = Timestamp::now();
    let who = Who::of(cx);
    let itself = cx.query().get("multipart-manifest") == Some("get");
    let source = find(room, &who, &from, itself).await?;
    let if_none = api::if_none(cx)?;
    let admitted = admit(room, &who, &to, if_none).await?;
    let asked = facts::words(&cx.headers)?;
    let wanted = wanted(cx, &source, &asked, stamp, itself, if_none)?;
    let object = &source.object;
    let content = match &source.content {
        read::Content::Itself(_) => {
            let (data, size, etag) = (object.data.clone(), object.size, object.etag.clone());
            let shown_size = if wanted.kind == Kind::Manifest { source.whole_size } else { size };
            Content::Same { data, size, shown_size, etag }
        }
        read::Content::Parts(parts) => {
            let project = admitted.granted.project().as_str().to_owned();
            let size = parts.size();
            Content::Taken(data::take(room, &project, Some(size), admitted.room, parts.read(room, 0..size)).await?)
        }
    };
    let said = wanted.words.metadata.clone();
    let put = commit(room, admitted.granted, &to, wanted, content).await?;
    let mut response = api::made(&put, false);
    let headers = response.headers_mut();
    said.write(Of::Object, headers, true);
    let path = format!("{}/{}", place::percent(&from.container), place::percent(&from.object));
    for (name, value) in [
        ("x-copied-from", path),
        ("x-copied-from-account", from.account.clone()),
        ("x-copied-from-last-modified", stamp::date(source.object.stamp)),
    ] {
        let value = HeaderValue::from_str(&value).map_err(Fault::internal)?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(response)
}

/// What is said of the copy: what was said of its source, unless the request says something else, or that it begins afresh.
fn wanted(cx: &Cx, source: &Found, asked: &Words, stamp: Timestamp, itself: bool, if_none: bool) -> Result<Wanted, Error> {
    let object = &source.object;
    let fresh = cx.header("x-fresh-metadata").and_then(words::flag::oslo) == Some(true);
    let mut words = if fresh {
        asked.clone()
    } else {
        Words { metadata: asked.metadata.over(&object.words.metadata), headers: asked.headers.over(&object.words.headers) }
    };
    let is_large = object.kind != Kind::Plain;
    let kind = if itself && is_large { object.kind } else { facts::kind(asked) };
    if kind != Kind::Prefix {
        words.headers.remove("x-object-manifest");
    }
    let content_type = match text(&cx.headers, "content-type")?.filter(|kind| !kind.is_empty()) {
        Some(kind) => kind.to_owned(),
        None => object.content_type.clone(),
    };
    let delete_at = facts::delete_at(&cx.headers)?.or(object.delete_at.filter(|_| !fresh));
    Ok(Wanted { stamp, content_type, words, kind, delete_at, if_none })
}
