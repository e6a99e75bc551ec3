// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/subnetpools`.

use std::sync::Arc;

use access::{Policy, Target};
use api::{Access, Cx, Fault, Reply, Routes, json};
use http::StatusCode;
use ipnet::IpNet;
use serde_json::json;
use types::Timestamp;

use super::{
    Row, View,
    table::{self, Found, Update},
};
use crate::{
    Error, Room,
    input::{Input, LONGEST, READ_ONLY, bad, missing, read_cidr},
    listing::{Attribute, flag, number, text},
    resource::{self, By, Kept, Managed, Served, Shown},
    tag,
    who::Doer,
};

pub static GET: Policy =
    Policy::new("get_subnetpool", "rule:project_reader_or_admin", "See subnet pools: one's own and shared ones");
pub static CREATE: Policy = Policy::new("create_subnetpool", "rule:project_member_or_admin", "Make a subnet pool");
pub static CREATE_SHARED: Policy =
    Policy::new("create_subnetpool:shared", "rule:admin_only", "Make a subnet pool that is shared, or the default");
pub static UPDATE: Policy = Policy::new("update_subnetpool", "rule:project_member_or_admin", "Change a subnet pool");
pub static DELETE: Policy = Policy::new("delete_subnetpool", "rule:project_member_or_admin", "Delete a subnet pool");

pub fn routes() -> Routes<Room> {
    Routes::new()
        .get("/v2.0/subnetpools", Access::Asks(&GET), resource::list::<Row>)
        .post("/v2.0/subnetpools", &CREATE, resource::create::<Row>)
        .asking(&[&CREATE_SHARED])
        .get("/v2.0/subnetpools/{id}", Access::Asks(&GET), resource::show::<Row>)
        .put("/v2.0/subnetpools/{id}", Access::Asks(&UPDATE), resource::update::<Row>)
        .asking(&[&CREATE_SHARED])
        .delete("/v2.0/subnetpools/{id}", Access::Asks(&DELETE), resource::delete::<Row>)
        .put("/v2.0/subnetpools/{id}/add_prefixes", Access::Asks(&UPDATE), add_prefixes)
        .put("/v2.0/subnetpools/{id}/remove_prefixes", Access::Asks(&UPDATE), remove_prefixes)
        .join(tag::api::routes::<Row>("/v2.0/subnetpools/{id}/tags", "/v2.0/subnetpools/{id}/tags/{tag}"))
        .each_asking(&resource::asked::<Row>())
}

static ATTRIBUTES: [Attribute; 14] = [
    text("id", "id"),
    text("name", "name"),
    text("project_id", "project_id"),
    text("description", "description"),
    number("ip_version", "ip_version"),
    number("default_prefixlen", "default_prefixlen"),
    number("min_prefixlen", "min_prefixlen"),
    number("max_prefixlen", "max_prefixlen"),
    number("default_quota", "default_quota"),
    flag("shared", "shared"),
    flag("is_default", "is_default"),
    number("created_at", "created_at").sorts_only(),
    number("updated_at", "updated_at").sorts_only(),
    number("revision_number", "generation"),
];

impl Shown for Row {
    const ONE: &'static str = "subnetpool";
    const MANY: &'static str = "subnetpools";
    const GET: &'static Policy = &GET;
    const ATTRIBUTES: &'static [Attribute] = &ATTRIBUTES;

    type View = View;

    fn view(_room: &Room, _cx: &Cx, found: Found) -> View {
        View::new(found.0, found.1)
    }
}

impl Served for Row {
    const CREATE: &'static Policy = &CREATE;
    const UPDATE: &'static Policy = &UPDATE;
    const DELETE: &'static Policy = &DELETE;

    async fn read_create(_room: &Arc<Room>, cx: &Cx, mut input: Input) -> Result<(Row, Target), Fault> {
        input.fixed(&READ_ONLY)?;
        let project_id = input.owner(cx)?;
        let name = read_name(&mut input)?.ok_or_else(|| missing("name"))?;
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
            prefixes: table::merged(&prefixes),
            default_prefixlen: default.unwrap_or(min_prefixlen),
            min_prefixlen,
            max_prefixlen: max.unwrap_or(if ip_version == 4 { 32 } else { 128 }),
            default_quota: input.number("default_quota", 0..=i64::MAX)?,
            shared,
            is_default,
            created_at: now,
            updated_at: now,
            generation: 1,
        };
        input.finish()?;
        let target = Target::in_project(&row.project_id);
        Ok((row, target))
    }

    async fn read_update(&self, _room: &Arc<Room>, cx: &Cx, mut input: Input, _target: &Target) -> Result<Update, Fault> {
        input.fixed(&READ_ONLY)?;
        input.fixed(&["project_id", "tenant_id", "ip_version", "shared"])?;
        let (name, description) = (read_name(&mut input)?, input.text("description", LONGEST)?);
        let is_default = input.flag("is_default")?;
        if is_default.is_some_and(|is_default| is_default != self.is_default) {
            cx.check(&CREATE_SHARED, &Target::in_project(&self.project_id))?;
        }
        let prefixes = read_prefixes(&mut input)?;
        check_versions(prefixes.as_deref().unwrap_or_default(), self.ip_version)?;
        if prefixes.as_ref().is_some_and(|new| !self.prefixes.iter().all(|old| new.iter().any(|new| new.contains(old)))) {
            let msg = "a pool's prefixes can be added to here, and taken away by remove_prefixes".to_owned();
            return Err(Error::IllegalSubnetPoolPrefixUpdate { msg }.into());
        }
        let [default_prefixlen, min_prefixlen, max_prefixlen] = read_lengths(&mut input)?;
        refuse_scope(&mut input)?;
        let default_quota = input.number("default_quota", 0..=i64::MAX)?.map(Some);
        input.finish()?;
        Ok(Update { name, description, prefixes, default_prefixlen, min_prefixlen, max_prefixlen, default_quota, is_default })
    }
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
    let (row, target) = resource::visible::<Row>(&room, &cx, cx.param("id")).await?;
    let by = By::new(&room, Doer::of(&cx)?);
    let allowed = cx.allow(&UPDATE, &target, row.id)?;
    let mut input = Input::new(cx.json().await?);
    let named = read_prefixes(&mut input)?.unwrap_or_default();
    input.finish()?;
    check_versions(&named, row.ip_version)?;
    let changed = room.write(move |tx| {
        let row = allowed.try_of(|id| Row::get(tx, id))?;
        let ask = Update { prefixes: Some(change(row.thing().prefixes.clone(), named.clone())), ..Update::default() };
        Row::update(tx, &by, &row, &ask)
    });
    let (row, _) = changed.await?;
    json(StatusCode::OK, &json!({ "prefixes": row.prefixes }))
}

/// Alone among names this one cannot be empty.
fn read_name(input: &mut Input) -> crate::Result<Option<String>> {
    match input.text("name", LONGEST)? {
        Some(name) if name.trim().is_empty() => Err(bad("name", format!("'{name}' Blank strings are not permitted"))),
        name => Ok(name),
    }
}

fn read_prefixes(input: &mut Input) -> crate::Result<Option<Vec<IpNet>>> {
    let Some(texts) = input.texts("prefixes")? else { return Ok(None) };
    texts.iter().map(|text| read_cidr("prefixes", text)).collect::<Result<_, _>>().map(Some)
}

/// `default_prefixlen`, `min_prefixlen`, `max_prefixlen`.
fn read_lengths(input: &mut Input) -> crate::Result<[Option<u16>; 3]> {
    let mut read = |name: &str| {
        let length = input.number(name, 0..=128)?;
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
