// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/subnetpools`.

use std::sync::Arc;

use access::{Policy, Target};
use api::{Cx, Fault, Reply, Routes, json, no_content};
use http::StatusCode;
use ipnet::IpNet;
use serde_json::json;
use types::Timestamp;

use super::{
    Row, View,
    store::{self, Update},
};
use crate::{
    Error, Room,
    input::{self, Input, LONGEST, READ_ONLY},
    listing::{self, Attribute, Listing, flag, number, text},
    subnet::check::read_cidr,
    who::Doer,
};

pub static GET: Policy =
    Policy::new("get_subnetpool", "rule:project_reader_or_admin", "See subnet pools: one's own and shared ones");
pub static CREATE: Policy = Policy::new("create_subnetpool", "rule:project_member_or_admin", "Make a subnet pool");
pub static CREATE_SHARED: Policy =
    Policy::new("create_subnetpool:shared", "rule:admin_only", "Make a subnet pool that is shared, or the default");
pub static UPDATE: Policy = Policy::new("update_subnetpool", "rule:project_member_or_admin", "Change a subnet pool");
pub static DELETE: Policy = Policy::new("delete_subnetpool", "rule:project_member_or_admin", "Delete a subnet pool");

pub fn routes(room: &Arc<Room>) -> Routes<Room> {
    Routes::new(room.clone())
        .get("/v2.0/subnetpools", &GET, list)
        .post("/v2.0/subnetpools", &CREATE, create)
        .get("/v2.0/subnetpools/{id}", &GET, show)
        .put("/v2.0/subnetpools/{id}", &UPDATE, update)
        .delete("/v2.0/subnetpools/{id}", &DELETE, delete)
        .put("/v2.0/subnetpools/{id}/add_prefixes", &UPDATE, add_prefixes)
        .put("/v2.0/subnetpools/{id}/remove_prefixes", &UPDATE, remove_prefixes)
}

static ATTRIBUTES: [Attribute; 13] = [
    text("id", "id"),
    text("name", "name"),
    text("project_id", "project_id"),
    text("description", "description"),
    number("ip_version", "ip_version"),
    number("default_prefixlen", "default_prefixlen"),
    number("min_prefixlen", "min_prefixlen"),
    number("max_prefixlen", "max_prefixlen"),
    flag("shared", "shared"),
    flag("is_default", "is_default"),
    number("created_at", "created_at"),
    number("updated_at", "updated_at"),
    number("revision_number", "generation"),
];

async fn list(room: Arc<Room>, cx: Cx) -> Reply {
    let scope = cx.allowed()?.clone();
    let listing = Listing::read(&cx, &ATTRIBUTES, &[])?;
    let (listing, found) = room.list(move |tx| store::page(tx, &scope, &listing).map(|found| (listing.clone(), found))).await?;
    let views: Vec<View> = found.into_iter().map(|(row, tags)| View::new(row, tags)).collect();
    listing.answer(&cx, "subnetpools", &views, |view| view.id.as_str())
}

async fn create(room: Arc<Room>, mut cx: Cx) -> Reply {
    let input = input::document(&mut cx, "subnetpool").await?;
    let row = read_create(&cx, input)?;
    let proof = cx.check(&CREATE, &Target::in_project(&row.project_id))?;
    let doer = Doer::of(&cx)?;
    let (row, tags) = room.write(move |tx| store::create(tx, &doer, &proof, &row)).await?;
    listing::one(&cx, StatusCode::CREATED, "subnetpool", &View::new(row, tags))
}

async fn show(room: Arc<Room>, cx: Cx) -> Reply {
    let row = visible(&room, &cx, cx.param("id")).await?;
    let id = row.id.clone();
    let tags = room.read(move |tx| crate::tag::of_one(tx, &id)).await?;
    listing::one(&cx, StatusCode::OK, "subnetpool", &View::new(row, tags))
}

async fn update(room: Arc<Room>, mut cx: Cx) -> Reply {
    let row = visible(&room, &cx, cx.param("id")).await?;
    cx.check(&UPDATE, &Target::in_project(&row.project_id))?;
    let input = input::document(&mut cx, "subnetpool").await?;
    let ask = read_update(&cx, input, &row)?;
    let (scope, doer, revision) = (cx.allowed()?.clone(), Doer::of(&cx)?, listing::demanded_revision(&cx)?);
    let (row, tags) = room.write(move |tx| store::update(tx, &doer, &scope, &row.id, revision, &ask)).await?;
    listing::one(&cx, StatusCode::OK, "subnetpool", &View::new(row, tags))
}

async fn delete(room: Arc<Room>, cx: Cx) -> Reply {
    let row = visible(&room, &cx, cx.param("id")).await?;
    cx.check(&DELETE, &Target::in_project(&row.project_id))?;
    let (scope, doer, revision) = (cx.allowed()?.clone(), Doer::of(&cx)?, listing::demanded_revision(&cx)?);
    room.write(move |tx| store::delete(tx, &doer, &scope, &row.id, revision)).await?;
    no_content()
}

async fn add_prefixes(room: Arc<Room>, cx: Cx) -> Reply {
    change_prefixes(room, cx, |mut prefixes, named| {
        prefixes.extend(named);
        prefixes
    })
    .await
}

async fn remove_prefixes(room: Arc<Room>, cx: Cx) -> Reply {
    change_prefixes(room, cx, |mut prefixes, named| {
        prefixes.retain(|prefix| !named.contains(prefix));
        prefixes
    })
    .await
}

async fn change_prefixes(room: Arc<Room>, mut cx: Cx, change: fn(Vec<IpNet>, Vec<IpNet>) -> Vec<IpNet>) -> Reply {
    let row = visible(&room, &cx, cx.param("id")).await?;
    cx.check(&UPDATE, &Target::in_project(&row.project_id))?;
    let mut input = Input::new(cx.json().await?);
    let named = read_prefixes(&mut input)?.unwrap_or_default();
    input.finish()?;
    check_versions(&named, row.ip_version)?;
    let (scope, doer) = (cx.allowed()?.clone(), Doer::of(&cx)?);
    let row = room
        .write(move |tx| {
            let current = store::find(tx, &scope, &row.id)?.prefixes;
            let ask = Update { prefixes: Some(change(current, named.clone())), ..nothing() };
            store::update(tx, &doer, &scope, &row.id, None, &ask).map(|(row, _)| row)
        })
        .await?;
    json(StatusCode::OK, &json!({ "prefixes": row.prefixes }))
}

/// The pool, if the caller may see it at all; else it does not exist for him.
pub async fn visible(room: &Arc<Room>, cx: &Cx, id: &str) -> Result<Row, Fault> {
    let (scope, id) = (cx.scope(&GET)?, id.to_owned());
    room.read(move |tx| store::find(tx, &scope, &id)).await
}

fn nothing() -> Update {
    Update {
        name: None,
        description: None,
        prefixes: None,
        default_prefixlen: None,
        min_prefixlen: None,
        max_prefixlen: None,
        default_quota: None,
        is_default: None,
    }
}

fn read_create(cx: &Cx, mut input: Input) -> Result<Row, Fault> {
    input.fixed(&READ_ONLY)?;
    let project_id = input.owner(cx)?;
    let name = input.required_text("name")?;
    let description = input.text("description", LONGEST)?.unwrap_or_default();
    let (shared, is_default) = (input.flag("shared")?.unwrap_or(false), input.flag("is_default")?.unwrap_or(false));
    if shared || is_default {
        cx.check(&CREATE_SHARED, &Target::in_project(&project_id))?;
    }
    let prefixes = read_prefixes(&mut input)?.unwrap_or_default();
    let Some(first) = prefixes.first() else {
        return Err(Error::bad("Failed to parse request. Required attribute 'prefixes' not specified").into());
    };
    let ip_version = version(first);
    check_versions(&prefixes, ip_version)?;
    let [default, min, max] = read_lengths(&mut input)?;
    let min_prefixlen = min.unwrap_or(if ip_version == 4 { 8 } else { 64 });
    refuse_scope(&mut input)?;
    let now = Timestamp::now();
    let row = Row {
        id: uuid::Uuid::new_v4().to_string(),
        project_id,
        name,
        description,
        ip_version,
        prefixes: store::merged(&prefixes),
        default_prefixlen: default.unwrap_or(min_prefixlen),
        min_prefixlen,
        max_prefixlen: max.unwrap_or(if ip_version == 4 { 32 } else { 128 }),
        default_quota: input.number("default_quota", 0..=i64::MAX)?.flatten(),
        shared,
        is_default,
        created_at: now,
        updated_at: now,
        generation: 1,
    };
    input.finish()?;
    Ok(row)
}

fn read_update(cx: &Cx, mut input: Input, row: &Row) -> Result<Update, Fault> {
    input.fixed(&READ_ONLY)?;
    input.fixed(&["project_id", "tenant_id", "ip_version", "shared"])?;
    let (name, description) = input.labels()?;
    let is_default = input.flag("is_default")?;
    if is_default.is_some_and(|is_default| is_default != row.is_default) {
        cx.check(&CREATE_SHARED, &Target::in_project(&row.project_id))?;
    }
    let prefixes = read_prefixes(&mut input)?;
    check_versions(prefixes.as_deref().unwrap_or_default(), row.ip_version)?;
    if prefixes.as_ref().is_some_and(|new| !row.prefixes.iter().all(|old| new.iter().any(|new| new.contains(old)))) {
        let msg = "a pool's prefixes can be added to here, and taken away by remove_prefixes".to_owned();
        return Err(Error::IllegalSubnetPoolPrefixUpdate { msg }.into());
    }
    let [default_prefixlen, min_prefixlen, max_prefixlen] = read_lengths(&mut input)?;
    refuse_scope(&mut input)?;
    let default_quota = input.number("default_quota", 0..=i64::MAX)?;
    input.finish()?;
    Ok(Update { name, description, prefixes, default_prefixlen, min_prefixlen, max_prefixlen, default_quota, is_default })
}

fn read_prefixes(input: &mut Input) -> crate::Result<Option<Vec<IpNet>>> {
    let Some(texts) = input.texts("prefixes")? else { return Ok(None) };
    texts.iter().map(|text| read_cidr("prefixes", text)).collect::<Result<_, _>>().map(Some)
}

/// `default_prefixlen`, `min_prefixlen`, `max_prefixlen`.
fn read_lengths(input: &mut Input) -> crate::Result<[Option<u16>; 3]> {
    let mut read = |name: &str| {
        let length = input.number(name, 0..=128)?.flatten();
        Ok::<_, Error>(length.and_then(|length| u16::try_from(length).ok()))
    };
    Ok([read("default_prefixlen")?, read("min_prefixlen")?, read("max_prefixlen")?])
}

fn refuse_scope(input: &mut Input) -> crate::Result<()> {
    match input.optional_text("address_scope_id", LONGEST)?.flatten() {
        Some(_) => Err(Error::invalid("there are no address scopes in this cloud")),
        None => Ok(()),
    }
}

fn version(prefix: &IpNet) -> u16 {
    if matches!(prefix, IpNet::V4(_)) { 4 } else { 6 }
}

fn check_versions(prefixes: &[IpNet], wanted: u16) -> crate::Result<()> {
    if prefixes.iter().all(|prefix| version(prefix) == wanted) {
        return Ok(());
    }
    Err(Error::bad(format!("Cannot mix IPv4 and IPv6 prefixes in a subnet pool; this one is of IPv{wanted}.")))
}
