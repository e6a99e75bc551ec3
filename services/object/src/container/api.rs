// SPDX-License-Identifier: Apache-2.0
//! `/v1/AUTH_{project}/{container}`

use std::sync::Arc;

use ::api::{Access, Cx, Reply, Routes};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use store::Tx;

use super::{Container, remove, table};
use crate::{
    Error, Objects, bulk, cors, form,
    grant::{Acl, Granted, Listing, Who},
    history::History,
    limits,
    listing::{self, Asked, Entry, render},
    metadata::{Of, text},
    object,
    place::Place,
    policy,
    reply::done,
    site::Site,
    stamp,
};

const PATH: &str = "/v1/{account}/{container}";

pub fn routes() -> Routes<Objects> {
    Routes::new()
        .get(PATH, Access::Open(&policy::READ), show)
        .put(PATH, Access::Open(&policy::WRITE), put)
        .streams_body()
        .post(PATH, Access::Open(&policy::WRITE), post)
        .streams_body()
        .delete(PATH, Access::Open(&policy::WRITE), delete)
        .each_asking(&[&policy::READ, &policy::WRITE])
        .on(Method::OPTIONS, PATH, Access::Public, cors::preflight)
}

/// GET lists the objects; HEAD tells what they count up to.
async fn show(room: Arc<Objects>, cx: Cx) -> Reply {
    let (place, who) = (Place::of(&cx)?, Who::of(&cx));
    if let Some(site) = Site::asked_for(&room, &cx, &place, &who).await?
        && let Some(page) = site.front().await?
    {
        return Ok(page);
    }
    let asked = Asked::read(&cx)?;
    let only_headers = cx.method == Method::HEAD;
    let format = asked.format;
    let looked = {
        let place = place.clone();
        room.store.list(move |tx| look(tx, &who, &place, (!only_headers).then_some(&asked))).await?
    };
    let (container, granted, entries) = looked;
    let mut headers = facts(&container, &granted);
    cors::allow(&cx, &container, &mut headers);
    if only_headers {
        let mut response = done(StatusCode::NO_CONTENT);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        response.headers_mut().extend(headers);
        return Ok(response);
    }
    Ok(render::list(&entries, format, ("container", &container.name), headers)?)
}

type Looked = (Container, Granted<Listing>, Vec<Entry<object::Shown>>);

fn look(tx: &mut Tx, who: &Who, place: &Place, asked: Option<&Asked>) -> Result<Looked, Error> {
    let container = table::find(tx, place)?;
    let granted = who.listing(place, container.as_ref())?;
    let container = container.ok_or(Error::NotFound)?;
    let entries = match asked {
        None => Vec::new(),
        Some(asked) => listing::page(asked, |span| object::table::list(tx, &granted, &container, span))?,
    };
    Ok((container, granted, entries))
}

/// What the headers of a container say.
fn facts(container: &Container, granted: &Granted<Listing>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-container-object-count", HeaderValue::from(container.objects));
    headers.insert("x-container-bytes-used", HeaderValue::from(container.bytes));
    for (name, value) in
        [("x-timestamp", stamp::seconds(container.created_at)), ("last-modified", stamp::date(container.changed_at))]
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert("x-storage-policy", HeaderValue::from_static(limits::POLICY));
    if let Some((name, value)) = container.history.as_ref().map(History::header)
        && let Ok(value) = HeaderValue::from_str(&value)
    {
        headers.insert(name, value);
    }
    container.metadata.write(Of::Container, &mut headers, granted.is_owner());
    if granted.is_owner() {
        for (name, acl) in [("x-container-read", &container.read_acl), ("x-container-write", &container.write_acl)] {
            if let Ok(value) = HeaderValue::from_bytes(acl.as_str().as_bytes())
                && !acl.as_str().is_empty()
            {
                headers.insert(name, value);
            }
        }
    }
    headers
}

async fn put(room: Arc<Objects>, cx: Cx) -> Reply {
    if bulk::is_asked_for(&cx) {
        return bulk::extract(&room, cx).await;
    }
    let (place, who) = (Place::of(&cx)?, Who::of(&cx));
    let granted = who.owning(&place)?;
    place.check_lengths()?;
    let (actor, headers) = (cx.actor(), cx.headers.clone());
    let made = room.store.write(move |tx| table::put(tx, &granted, &actor, |container| change(container, &headers))).await?;
    work::crash::point("object.container.made");
    Ok(done(if made { StatusCode::CREATED } else { StatusCode::ACCEPTED }))
}

async fn post(room: Arc<Objects>, cx: Cx) -> Reply {
    if form::is_one(&cx) {
        return form::take(&room, cx).await;
    }
    let (place, who) = (Place::of(&cx)?, Who::of(&cx));
    let granted = who.owning(&place)?;
    let (actor, headers) = (cx.actor(), cx.headers.clone());
    room.store.write(move |tx| table::update(tx, &granted, &actor, |container| change(container, &headers))).await?;
    Ok(done(StatusCode::NO_CONTENT))
}

fn change(container: &mut Container, headers: &HeaderMap) -> Result<(), Error> {
    container.metadata.change(Of::Container, headers)?;
    container.check_quota()?;
    for (name, acl) in [("x-container-read", &mut container.read_acl), ("x-container-write", &mut container.write_acl)] {
        if let Some(text) = text(headers, name)? {
            *acl = Acl::parse(name, text)?;
        } else if headers.contains_key(name.replacen("x-", "x-remove-", 1)) {
            *acl = Acl::default();
        }
    }
    History::change(&mut container.history, headers)
}

async fn delete(room: Arc<Objects>, cx: Cx) -> Reply {
    let (place, who) = (Place::of(&cx)?, Who::of(&cx));
    let granted = who.owning(&place)?;
    let actor = cx.actor();
    room.store.write(move |tx| remove::delete(tx, &granted, &actor)).await?;
    Ok(done(StatusCode::NO_CONTENT))
}
