// SPDX-License-Identifier: Apache-2.0
//! `/flavors`.

use std::sync::Arc;

use access::{Policy, Target};
use api::{Access, Cx, Fault, Paging, PagingHabits, Reply, Routes, Shown, Sort, attributes};
use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use store::{Direction, Select, params};
use types::{FlavorId, Microversion, Timestamp};

use super::{
    Flavor, Size, access as flavor_access, extra_specs,
    table::{self as table, Viewer},
    viewer::viewer,
};
use crate::{
    Compute,
    error::Result,
    flavor::policy,
    input::{Object, Read, document, whole, wrong},
    links, query,
    versions::{at_least, v},
};

const FLAVORS: &str = "/v2.1/flavors";
const DETAIL: &str = "/v2.1/flavors/detail";
const FLAVOR: &str = "/v2.1/flavors/{id}";
const HABITS: PagingHabits = PagingHabits { max: 1000, default: Some(1000), default_sort: &[("flavorid", Sort::Ascending)] };

pub(crate) fn routes() -> Routes<Compute> {
    Routes::new()
        .get(FLAVORS, Access::Authenticated, list)
        .get(DETAIL, Access::Authenticated, list_detail)
        .get(FLAVOR, Access::Authenticated, show)
        .post(FLAVORS, &policy::CREATE, create)
        .put(FLAVOR, &policy::UPDATE, update)
        .since(v(55))
        .delete(FLAVOR, &policy::DELETE, delete)
        .join(extra_specs::routes())
        .join(flavor_access::routes())
        .each_asking(&[&policy::CREATE, &policy::EXTRA_SPECS_INDEX])
}

async fn list(room: Arc<Compute>, cx: Cx) -> Reply {
    let (paging, flavors) = page(&room, &cx).await?;
    let views = flavors.iter().map(|flavor| brief(&cx, flavor)).collect();
    render(&cx, &paging, views, &flavors)
}

async fn list_detail(room: Arc<Compute>, cx: Cx) -> Reply {
    let (paging, flavors) = page(&room, &cx).await?;
    let views = flavors.iter().map(|flavor| view(&cx, flavor)).collect();
    render(&cx, &paging, views, &flavors)
}

async fn show(room: Arc<Compute>, cx: Cx) -> Reply {
    let (viewer, id) = (viewer(&cx), FlavorId::new(cx.param("id")));
    let flavor = room.store.read(move |tx| table::get(tx, &viewer, &id)).await?;
    api::json(StatusCode::OK, &json!({"flavor": view(&cx, &flavor)}))
}

async fn create(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let flavor = read_flavor(&mut cx).await?;
    let (made, actor) = (flavor.clone(), cx.actor());
    room.store
        .write(move |tx| -> Result<()> { table::changing(tx, &actor, "flavor.create", &made.id, |tx| table::insert(tx, &made)) })
        .await?;
    api::json(StatusCode::OK, &json!({"flavor": view(&cx, &flavor)}))
}

async fn update(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let id = FlavorId::new(cx.param("id"));
    let mut ask = document(&mut cx, "flavor").await?;
    let description = ask.text_or_null("description", 0..=65535)?;
    let description = ask.required("description", description)?;
    ask.finish()?;
    let actor = cx.actor();
    let flavor = room
        .store
        .write(move |tx| -> Result<_> {
            table::get(tx, &Viewer::Operator, &id)?;
            table::changing(tx, &actor, "flavor.update", &id, |tx| {
                tx.execute("UPDATE flavors SET description = $1 WHERE id = $2", &params![description.clone(), &id])?;
                Ok(())
            })?;
            table::get(tx, &Viewer::Operator, &id)
        })
        .await?;
    api::json(StatusCode::OK, &json!({"flavor": view(&cx, &flavor)}))
}

async fn delete(room: Arc<Compute>, cx: Cx) -> Reply {
    let (id, actor) = (FlavorId::new(cx.param("id")), cx.actor());
    room.store
        .write(move |tx| -> Result<_> {
            table::get(tx, &Viewer::Operator, &id)?;
            table::changing(tx, &actor, "flavor.delete", &id, |tx| {
                tx.execute("DELETE FROM flavors WHERE id = $1", &params![&id])?;
                Ok(())
            })
        })
        .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

async fn page(room: &Compute, cx: &Cx) -> Result<(Paging, Vec<Flavor>), Fault> {
    if at_least(cx.version, 75) {
        query::only(cx, &["is_public", "minRam", "minDisk"])?;
    }
    let paging = Paging::read(cx.query(), &HABITS)?;
    let viewer = viewer(cx);
    let mut select = Select::new("flavors", table::COLUMNS);
    select = table::visible(select, &viewer);
    // The operator sees public ones unless he asks for others: `is_public=none` means all.
    if matches!(viewer, Viewer::Operator) {
        match cx.query().get("is_public") {
            Some(text) if text.eq_ignore_ascii_case("none") => {}
            Some(_) => select = select.filter("is_public = ", cx.query().flag("is_public")?.unwrap_or(true)),
            None => select = select.condition("is_public = 1"),
        }
    }
    if let Some(least) = least(cx, "minRam")? {
        select = select.filter("memory_mb >= ", least);
    }
    if let Some(least) = least(cx, "minDisk")? {
        select = select.filter("disk_gb >= ", least);
    }
    let keys: Vec<_> = paging.sort.iter().map(|(key, sort)| Ok((column(key)?, direction(*sort)))).collect::<Read<_>>()?;
    select = select.sort(&keys, "id");
    select = query::page(select, &paging);
    // A cloud has dozens of flavors: reading them here costs less than to have another thread do it.
    let flavors = room
        .store
        .read(move |tx| -> Result<_> {
            let rows = select.rows(tx)?;
            Ok::<_, crate::error::Error>(rows.iter().map(table::from_row).collect::<store::Result<Vec<_>>>()?)
        })
        .await?;
    Ok((paging, flavors))
}

fn least(cx: &Cx, name: &str) -> Read<Option<i64>> {
    let Some(text) = cx.query().get(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Fault::bad_request(format!("Invalid {name} filter [{text}].")))
}

fn direction(sort: Sort) -> Direction {
    match sort {
        Sort::Ascending => Direction::Asc,
        Sort::Descending => Direction::Desc,
    }
}

fn column(key: &str) -> Read<&'static str> {
    Ok(match key {
        "flavorid" | "id" => "id",
        "name" => "name",
        "description" => "description",
        "memory_mb" => "memory_mb",
        "root_gb" => "disk_gb",
        "ephemeral_gb" => "ephemeral_gb",
        "swap" => "swap_mb",
        "vcpus" => "vcpus",
        "is_public" => "is_public",
        "rxtx_factor" => "rxtx_milli",
        "created_at" | "updated_at" => "created_at",
        // The same for all flavors.
        "disabled" | "vcpu_weight" => "id",
        other => return Err(wrong("sort_key", &Value::from(other), "It is not a key by which flavors are sorted.")),
    })
}

fn render(cx: &Cx, paging: &Paging, views: Vec<Value>, flavors: &[Flavor]) -> Reply {
    let mut document = json!({"flavors": views});
    let last = flavors.last().map(|flavor| flavor.id.as_str());
    if let Some(next) = links::next(cx, paging, flavors.len(), last) {
        document["flavors_links"] = json!(next);
    }
    api::json(StatusCode::OK, &document)
}

/// A flavor in the eyes of a request.
struct View<'a> {
    cx: &'a Cx,
    flavor: &'a Flavor,
    is_whole: bool,
}

impl Shown for View<'_> {
    fn version(&self) -> Microversion {
        self.cx.version
    }

    fn may(&self, _: &'static Policy) -> bool {
        may_see_extra_specs(self.cx)
    }
}

attributes! {
    /// What a plain list tells of a flavor.
    BRIEF, fn briefly(it: &View<'_>);
    "id" => it.flavor.id,
    "name" => it.flavor.size.name,
    "links" => links::links(it.cx, "flavors", it.flavor.id.as_str()),
    "description" since(v(55)) => it.flavor.description,
}

attributes! {
    /// What is told beside that.
    WHOLE, fn wholly(it: &View<'_>);
    "ram" => it.flavor.size.memory_mb,
    "disk" => it.flavor.size.disk_gb,
    "vcpus" => it.flavor.size.vcpus,
    "OS-FLV-EXT-DATA:ephemeral" => it.flavor.size.ephemeral_gb,
    "OS-FLV-DISABLED:disabled" => false,
    "os-flavor-access:is_public" => it.flavor.is_public,
    "rxtx_factor" => it.flavor.rxtx_milli as f64 / 1000.0,
    // An absent swap was the empty text once.
    "swap" until(v(74)) => if it.flavor.size.swap_mb == 0 { json!("") } else { json!(it.flavor.size.swap_mb) },
    "swap" since(v(75)) => it.flavor.size.swap_mb,
    "extra_specs" since(v(61)) by(policy::EXTRA_SPECS_INDEX) => it.flavor.size.extra_specs,
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        briefly(self, &mut map)?;
        if self.is_whole {
            wholly(self, &mut map)?;
        }
        map.end()
    }
}

fn brief(cx: &Cx, flavor: &Flavor) -> Value {
    json!(View { cx, flavor, is_whole: false })
}

fn view(cx: &Cx, flavor: &Flavor) -> Value {
    json!(View { cx, flavor, is_whole: true })
}

fn may_see_extra_specs(cx: &Cx) -> bool {
    let project = cx.caller().ok().and_then(|caller| caller.project_id().cloned());
    let target = project.map_or_else(Target::new, |project| Target::in_project(&project));
    cx.may(&policy::EXTRA_SPECS_INDEX, &target)
}

async fn read_flavor(cx: &mut Cx) -> Read<Flavor> {
    const MOST: i64 = i32::MAX as i64;
    let mut ask = document(cx, "flavor").await?;
    let name = ask.name("name")?;
    let id = read_id(&mut ask)?;
    let memory = ask.whole("ram", 1..=MOST)?;
    let vcpus = ask.whole("vcpus", 1..=MOST)?;
    let disk = ask.whole("disk", 0..=MOST)?;
    let amount = |value: Option<i64>| value.unwrap_or(0).unsigned_abs();
    let flavor = Flavor {
        id: id.unwrap_or_else(FlavorId::generate),
        is_public: ask.flag("os-flavor-access:is_public")?.unwrap_or(true),
        rxtx_milli: read_factor(&mut ask)?,
        description: if at_least(cx.version, 55) { ask.text_or_null("description", 0..=65535)?.flatten() } else { None },
        created_at: Timestamp::now(),
        size: Size {
            name: ask.required("name", name)?,
            vcpus: u32::try_from(ask.required("vcpus", vcpus)?).unwrap_or(u32::MAX),
            memory_mb: amount(Some(ask.required("ram", memory)?)),
            disk_gb: amount(Some(ask.required("disk", disk)?)),
            ephemeral_gb: amount(ask.whole("OS-FLV-EXT-DATA:ephemeral", 0..=MOST)?),
            swap_mb: amount(ask.whole("swap", 0..=MOST)?),
            extra_specs: Default::default(),
        },
    };
    ask.finish()?;
    Ok(flavor)
}

/// Any short text of plain characters; a number counts as its digits, and `auto` or nothing means: choose one.
fn read_id(ask: &mut Object) -> Read<Option<FlavorId>> {
    let Some(value) = ask.take_some("id") else { return Ok(None) };
    let text = match &value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => return Err(wrong("id", other, "It is not of type 'string'.")),
    };
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b". _-".contains(&byte));
    if text.is_empty() || text.len() > 255 || !plain || text.trim() != text {
        return Err(wrong("id", &value, "An id is 1 to 255 letters, digits, blanks within, and ._- characters."));
    }
    Ok(Some(FlavorId::new(text)).filter(|id| id.as_str() != "auto"))
}

fn read_factor(ask: &mut Object) -> Read<i64> {
    let Some(value) = ask.take("rxtx_factor") else { return Ok(1000) };
    let factor = value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    match factor {
        Some(factor) if factor > 0.0 && factor <= 1e12 => {
            whole("rxtx_factor", &json!((factor * 1000.0).round() as i64), 1..=i64::MAX)
        }
        _ => Err(wrong("rxtx_factor", &value, "It is not a number above 0.")),
    }
}
