// SPDX-License-Identifier: Apache-2.0
//! `/v1/AUTH_{project}`

use std::sync::Arc;

use ::api::{Access, Cx, Reply, Routes};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use store::{Tx, params};

use super::{Account, table};
use crate::{
    Error, Objects, bulk,
    container::{Container, table as containers},
    grant::{Granted, Listing, Who},
    limits,
    listing::{self, Asked, Entry, Span, render},
    metadata::{Metadata, Of, text},
    place::Place,
    policy,
    reply::done,
    stamp,
};

/// An account is neither made nor removed.
const METHODS: &str = "GET, HEAD, POST";

pub fn routes() -> Routes<Objects> {
    Routes::new()
        .get("/v1/{account}", Access::Open(&policy::READ), show)
        .asking(&[&policy::WRITE])
        .post("/v1/{account}", Access::Open(&policy::WRITE), post)
        .streams_body()
        .asking(&[&policy::RESELL, &policy::READ])
        .put("/v1/{account}", Access::Open(&policy::WRITE), put)
        .streams_body()
        .delete("/v1/{account}", Access::Open(&policy::WRITE), delete)
        .streams_body()
        .asking(&[&policy::READ])
}

/// GET lists the containers; HEAD tells what they count up to.
async fn show(room: Arc<Objects>, cx: Cx) -> Reply {
    let place = Place::of(&cx)?;
    let granted = Who::of(&cx).listing_account(&place)?;
    let asked = Asked::read(&cx)?;
    let only_headers = cx.method == http::Method::HEAD;
    let format = asked.format;
    let (account, entries) = room.store.list(move |tx| look(tx, &granted, (!only_headers).then_some(&asked))).await?;
    let mut headers = facts(&account.0, account.1);
    if only_headers {
        let mut response = done(StatusCode::NO_CONTENT);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        response.headers_mut().extend(headers);
        return Ok(response);
    }
    Ok(render::list(&entries, format, ("account", &place.account), headers)?)
}

type Looked = ((Account, bool), Vec<Entry<Shown>>);

fn look(tx: &mut Tx, granted: &Granted<Listing>, asked: Option<&Asked>) -> Result<Looked, Error> {
    let project = granted.project();
    // Whose project it is may look at it before there is anything in it.
    let account = table::find(tx, project)?.unwrap_or_else(|| Account::new(project));
    let entries = match asked {
        None => Vec::new(),
        Some(asked) => listing::page(asked, |span| rows(tx, granted, span))?,
    };
    Ok(((account, granted.is_owner()), entries))
}

fn rows(tx: &mut Tx, granted: &Granted<Listing>, span: &Span) -> Result<Vec<(String, Shown)>, Error> {
    let sql =
        format!("SELECT {} FROM object_containers WHERE project_id = $1{}", containers::COLUMNS, span.conditions("name", 2));
    let mut values = params![granted.project()].to_vec();
    values.extend(span.values());
    let rows = tx.query(&sql, &values)?;
    let shown = |row| containers::read(row).map(|container| (container.name.clone(), Shown::of(container)));
    Ok(rows.iter().map(shown).collect::<Result<_, _>>()?)
}

#[derive(Serialize)]
struct Shown {
    name: String,
    count: u64,
    bytes: u64,
    last_modified: String,
}

impl Shown {
    fn of(container: Container) -> Self {
        let last_modified = container.changed_at.naive_micros();
        Self { name: container.name, count: container.objects, bytes: container.bytes, last_modified }
    }
}

impl render::Line for Shown {
    const TAG: &'static str = "container";

    fn name(&self) -> &str {
        &self.name
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![("count", self.count.to_string()), ("bytes", self.bytes.to_string()), ("last_modified", self.last_modified.clone())]
    }
}

/// What the headers of an account say.
fn facts(account: &Account, for_owner: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-account-container-count", HeaderValue::from(account.containers));
    headers.insert("x-account-object-count", HeaderValue::from(account.objects));
    headers.insert("x-account-bytes-used", HeaderValue::from(account.bytes));
    // There is one kind of storage, and all is in it.
    for (name, count) in
        [("bytes-used", account.bytes), ("object-count", account.objects), ("container-count", account.containers)]
    {
        if let Ok(name) = HeaderName::try_from(format!("x-account-storage-policy-{}-{name}", limits::POLICY)) {
            headers.insert(name, HeaderValue::from(count));
        }
    }
    if let Some(quota) = account.quota_bytes {
        headers.insert("x-account-meta-quota-bytes", HeaderValue::from(quota));
    }
    if let Ok(stamp) = HeaderValue::from_str(&stamp::seconds(account.created_at)) {
        headers.insert("x-timestamp", stamp);
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    account.metadata.write(Of::Account, &mut headers, for_owner);
    headers
}

/// Sets metadata, or deletes many objects at once.
async fn post(room: Arc<Objects>, cx: Cx) -> Reply {
    if cx.query().get("bulk-delete").is_some() {
        return bulk::delete(&room, cx).await;
    }
    let place = Place::of(&cx)?;
    place.check_lengths()?;
    let who = Who::of(&cx);
    let granted = who.owning(&place.in_account(&place.account))?;
    let (actor, headers) = (cx.actor(), cx.headers.clone());
    let quota = quota(&who, &place, &headers)?;
    let write = room.store.write(move |tx| {
        table::update(tx, &granted, &actor, |account| {
            account.metadata.change(Of::Account, &headers)?;
            account.metadata.remove("quota-bytes");
            if let Some(quota) = quota {
                account.quota_bytes = quota;
            }
            Ok(())
        })
    });
    write.await?;
    Ok(done(StatusCode::NO_CONTENT))
}

/// Accounts are there by themselves; what can be put is an archive.
async fn put(room: Arc<Objects>, cx: Cx) -> Reply {
    if bulk::is_asked_for(&cx) {
        return bulk::extract(&room, cx).await;
    }
    Who::of(&cx).owning(&Place::of(&cx)?)?;
    Err(Error::NoSuchMethod(METHODS).into())
}

/// As clients of old ask for many deletes.
async fn delete(room: Arc<Objects>, cx: Cx) -> Reply {
    if cx.query().get("bulk-delete").is_some() {
        return bulk::delete(&room, cx).await;
    }
    Who::of(&cx).owning(&Place::of(&cx)?)?;
    Err(Error::NoSuchMethod(METHODS).into())
}

/// What a reseller says that the account may hold. To anybody else it is forbidden to say so.
#[allow(clippy::option_option)]
fn quota(who: &Who, place: &Place, headers: &HeaderMap) -> Result<Option<Option<u64>>, Error> {
    let removed = headers.contains_key("x-remove-account-meta-quota-bytes");
    let said = text(headers, "x-account-meta-quota-bytes")?;
    if !removed && said.is_none() {
        return Ok(None);
    }
    if !who.resells(place)? {
        return Err(Error::ForbiddenBecause("Only a reseller says how much an account may hold.".to_owned()));
    }
    match said.filter(|text| !text.is_empty()) {
        None => Ok(Some(None)),
        Some(text) => text.parse().map(|bytes| Some(Some(bytes))).map_err(|_| Error::invalid("Invalid bytes quota.")),
    }
}

/// What of the metadata of an account is about its objects' addresses: the keys that sign them.
pub fn keys(metadata: &Metadata) -> impl Iterator<Item = &str> {
    ["temp-url-key", "temp-url-key-2"].into_iter().filter_map(|name| metadata.get(name))
}
