// SPDX-License-Identifier: Apache-2.0
//! `/v2/images`

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ::store::{Direction, Select};
use api::{Cx, Fault, Paging, PagingHabits, Reply, Routes, Sort, created, json, no_content};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};
use types::{Generation, ImageId, ProjectId, Timestamp};
use uuid::Uuid;

use super::{
    MOST_PROPERTIES, MOST_TAGS, Row, Status, Visibility, check_container_format, check_disk_format, check_property_name,
    check_text, patch, store, view::view,
};
use crate::{Error, Image, data, policy};

pub fn routes(room: Arc<Image>) -> Routes<Image> {
    Routes::new(room)
        .get("/v2/images", &policy::LIST, list)
        .post("/v2/images", &policy::ADD, create)
        .get("/v2/images/{id}", &policy::SHOW, show)
        .patch("/v2/images/{id}", &policy::MODIFY, update)
        .delete("/v2/images/{id}", &policy::DELETE, delete)
        .put("/v2/images/{id}/tags/{tag}", &policy::MODIFY, add_tag)
        .delete("/v2/images/{id}/tags/{tag}", &policy::MODIFY, remove_tag)
}

const HABITS: PagingHabits =
    PagingHabits { max: 1000, default: Some(25), default_sort: &[("created_at", Sort::Descending), ("id", Sort::Descending)] };

async fn list(room: Arc<Image>, cx: Cx) -> Reply {
    let paging = Paging::read(cx.query(), &HABITS)?;
    let select = page(&cx, &paging)?;
    let rows = room.store.list(move |tx| select.rows(tx)).await.map_err(|error| match error {
        ::store::Error::MarkerNotFound => Fault::bad_request("Invalid marker: no image that you see has this id."),
        other => other.into(),
    })?;
    let images: Vec<Row> = rows.iter().map(store::from_columns).collect::<Result<_, _>>()?;
    let mut document =
        json!({"images": images.iter().map(view).collect::<Vec<_>>(), "first": "/v2/images", "schema": "/v2/schemas/images"});
    if let (Some(last), Some(limit)) = (images.last(), paging.limit)
        && limit > 0
        && images.len() >= limit
    {
        document["next"] = json!(format!("/v2/images?{}", cx.query().with("marker", last.id.as_str())));
    }
    json(StatusCode::OK, &document)
}

/// The query's filters as a page of the table. What is not an attribute is one of the user's properties.
fn page(cx: &Cx, paging: &Paging) -> Result<Select, Fault> {
    let scope = cx.allowed()?.scope();
    let query = cx.query();
    let mut select = Select::new("images", store::COLUMNS);
    let own = cx.caller()?.project_id().map(ProjectId::as_str).unwrap_or_default().to_owned();
    let asked = query.get("visibility").unwrap_or_default();
    select = match asked {
        // Without a word about visibility a list holds one's own images and the public ones; an administrator's holds all.
        "" if scope.is_all() => select.condition_with("(visibility <> 'community' OR owner = ?)", vec![own.into()]),
        "" => select.condition_with("(visibility = 'public' OR owner = ?)", vec![own.into()]),
        "all" if scope.is_all() => select,
        "all" => select.condition_with("(visibility IN ('public', 'community') OR owner = ?)", vec![own.into()]),
        word => {
            let visibility =
                Visibility::parse(word).ok_or_else(|| Fault::bad_request(format!("Invalid visibility value: {word}")))?;
            let select = select.filter("visibility = ", visibility.as_str());
            let open = matches!(visibility, Visibility::Public | Visibility::Community);
            if open || scope.is_all() { select } else { select.filter("owner = ", own) }
        }
    };
    let hidden = query.flag("os_hidden")?.unwrap_or(false);
    select = select.filter("os_hidden = ", hidden);
    for (name, value) in query.pairs() {
        select = match name {
            "limit" | "marker" | "sort" | "sort_key" | "sort_dir" | "visibility" | "os_hidden" | "member_status" => select,
            "name" => select.filter_in("name", several(value)),
            "id" => select.filter_in("id", several(value)),
            "status" => select.filter_in("status", several(value)),
            "disk_format" => select.filter_in("disk_format", several(value)),
            "container_format" => select.filter_in("container_format", several(value)),
            "owner" => select.filter("owner = ", value),
            "checksum" => select.filter("checksum = ", value),
            "os_hash_value" => select.filter("sha512 = ", value),
            "protected" => select.filter("protected = ", query.flag("protected")?.unwrap_or(false)),
            "min_disk" => select.filter("min_disk = ", number(name, value)?),
            "min_ram" => select.filter("min_ram = ", number(name, value)?),
            "size_min" => select.filter("size >= ", number(name, value)?),
            "size_max" => select.filter("size <= ", number(name, value)?),
            "created_at" => select.filter(
                comparison(
                    value,
                    ["created_at = ", "created_at > ", "created_at >= ", "created_at < ", "created_at <= ", "created_at <> "],
                )?,
                instant(value)?,
            ),
            "updated_at" => select.filter(
                comparison(
                    value,
                    ["updated_at = ", "updated_at > ", "updated_at >= ", "updated_at < ", "updated_at <= ", "updated_at <> "],
                )?,
                instant(value)?,
            ),
            // Tags and properties are JSON texts; a member is found by its own spelling in there.
            "tag" => select.filter_contains("tags", &Value::from(value).to_string()),
            other => select.filter_contains("properties", &format!("{}:{}", Value::from(other), Value::from(value))),
        };
    }
    let mut keys = Vec::new();
    for (name, direction) in &paging.sort {
        let column = match name.as_str() {
            "name" => "name",
            "status" => "status",
            "disk_format" => "disk_format",
            "container_format" => "container_format",
            "size" => "size",
            "id" => "id",
            "created_at" => "created_at",
            "updated_at" => "updated_at",
            other => return Err(Fault::bad_request(format!("Invalid sort key: {other}"))),
        };
        keys.push((column, if *direction == Sort::Ascending { Direction::Asc } else { Direction::Desc }));
    }
    select = select.sort(&keys, "id").not_null(&["status", "created_at", "updated_at", "id"]);
    if let Some(marker) = &paging.marker {
        select = select.after(marker.as_str());
    }
    if let Some(limit) = paging.limit {
        select = select.limit(u32::try_from(limit).unwrap_or(u32::MAX));
    }
    Ok(select)
}

async fn create(room: Arc<Image>, mut cx: Cx) -> Reply {
    let ask: Map<String, Value> = cx.json().await?;
    let image = read_create(&cx, ask)?;
    let (actor, kept) = (cx.actor(), image.clone());
    room.store.write(move |tx| store::insert(tx, &actor, &kept)).await?;
    let mut response = created(&view(&image))?;
    if let Ok(location) = HeaderValue::from_str(&cx.url(&format!("/v2/images/{}", image.id))) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn read_create(cx: &Cx, ask: Map<String, Value>) -> Result<Row, Fault> {
    let now = Timestamp::now();
    let mut image = Row {
        id: ImageId::generate(),
        name: None,
        owner: cx.project()?.clone(),
        status: Status::Queued,
        visibility: Visibility::Shared,
        protected: false,
        hidden: false,
        disk_format: None,
        container_format: None,
        min_disk: 0,
        min_ram: 0,
        data: None,
        properties: BTreeMap::new(),
        tags: BTreeSet::new(),
        generation: Generation(1),
        created_at: now,
        updated_at: now,
    };
    for (name, value) in ask {
        match name.as_str() {
            "id" => {
                let id = value
                    .as_str()
                    .and_then(|text| Uuid::try_parse(text).ok())
                    .ok_or_else(|| Fault::bad_request("'id' is a UUID."))?;
                image.id = ImageId::new(id.to_string());
            }
            "owner" => {
                let owner = ProjectId::new(value.as_str().unwrap_or_default());
                if !cx.allowed()?.scope().admits(&owner, None) {
                    return Err(Fault::forbidden("You are not permitted to create images owned by another project."));
                }
                image.owner = owner;
            }
            _ => set(cx, &mut image, &name, value)?,
        }
    }
    Ok(image)
}

/// Sets one attribute or property, as create and patch both do.
pub(super) fn set(cx: &Cx, image: &mut Row, name: &str, value: Value) -> Result<(), Fault> {
    let text = |value: &Value| -> Result<Option<String>, Fault> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) => {
                check_text(name, text)?;
                Ok(Some(text.clone()))
            }
            _ => Err(Fault::bad_request(format!("Provided object does not match schema 'image': {name} is a string."))),
        }
    };
    let truth = |value: &Value| {
        value
            .as_bool()
            .ok_or_else(|| Fault::bad_request(format!("Provided object does not match schema 'image': {name} is a boolean.")))
    };
    let whole = |value: &Value| {
        let fits = value.as_i64().filter(|number| (0..=0x7fff_ffff).contains(number));
        fits.ok_or_else(|| {
            Fault::bad_request(format!("Provided object does not match schema 'image': {name} is a whole number, not negative."))
        })
    };
    match name {
        "name" => image.name = text(&value)?,
        "visibility" => {
            let word = text(&value)?.unwrap_or_default();
            let visibility =
                Visibility::parse(&word).ok_or_else(|| Fault::bad_request(format!("Invalid visibility value: {word}")))?;
            let target = access::Target::in_project(&image.owner);
            match visibility {
                Visibility::Public => Some(cx.check(&policy::PUBLICIZE, &target)?),
                Visibility::Community => Some(cx.check(&policy::COMMUNITIZE, &target)?),
                Visibility::Private | Visibility::Shared => None,
            };
            image.visibility = visibility;
        }
        "protected" => image.protected = truth(&value)?,
        "os_hidden" => image.hidden = truth(&value)?,
        "disk_format" | "container_format" => {
            if image.status != Status::Queued {
                return Err(Fault::forbidden(format!("Attribute {name} can be only replaced for a queued image.")));
            }
            let format = text(&value)?;
            if name == "disk_format" {
                format.as_deref().map(check_disk_format).transpose()?;
                image.disk_format = format;
            } else {
                format.as_deref().map(check_container_format).transpose()?;
                image.container_format = format;
            }
        }
        "min_disk" => image.min_disk = whole(&value)?,
        "min_ram" => image.min_ram = whole(&value)?,
        "tags" => {
            let tags: BTreeSet<String> = serde_json::from_value(value)
                .map_err(|_| Fault::bad_request("Provided object does not match schema 'image': tags is a list of strings."))?;
            tags.iter().try_for_each(|tag| check_text("a tag", tag))?;
            if tags.len() > MOST_TAGS {
                return Err(Fault::too_large(format!("An image has at most {MOST_TAGS} tags.")));
            }
            image.tags = tags;
        }
        property => {
            check_property_name(property)?;
            let Value::String(text) = value else {
                return Err(Fault::bad_request(format!(
                    "Provided object does not match schema 'image': the property {property} is a string."
                )));
            };
            image.properties.insert(property.to_owned(), text);
            if image.properties.len() > MOST_PROPERTIES {
                return Err(Fault::too_large(format!("An image has at most {MOST_PROPERTIES} properties.")));
            }
        }
    }
    Ok(())
}

async fn show(room: Arc<Image>, cx: Cx) -> Reply {
    let (id, allowed) = (cx.param("id").to_owned(), cx.allowed()?.clone());
    let image = room.store.read(move |tx| store::get(tx, &allowed, &id)).await?;
    json(StatusCode::OK, &view(&image))
}

async fn update(room: Arc<Image>, mut cx: Cx) -> Reply {
    let changes = patch::read(&mut cx).await?;
    let (id, allowed, actor) = (cx.param("id").to_owned(), cx.allowed()?.clone(), cx.actor());
    let before = room.store.read(move |tx| store::get_own(tx, &allowed, &id)).await?;
    let mut after = before.clone();
    for change in changes {
        change.apply(&cx, &mut after)?;
    }
    let image = room.store.write(move |tx| store::update(tx, &actor, &before, &after)).await?;
    json(StatusCode::OK, &view(&image))
}

async fn delete(room: Arc<Image>, cx: Cx) -> Reply {
    let (id, allowed, actor) = (cx.param("id").to_owned(), cx.allowed()?.clone(), cx.actor());
    let write = room.store.write(move |tx| {
        let image = store::get_own(tx, &allowed, &id)?;
        if image.protected {
            return Err(Error::Forbidden(format!("Image {id} is protected and cannot be deleted.")));
        }
        store::delete(tx, &actor, &image)?;
        Ok(image.id)
    });
    let id = write.await?;
    data::forget(&room, &id).await;
    no_content()
}

async fn add_tag(room: Arc<Image>, cx: Cx) -> Reply {
    let tag = cx.param("tag").to_owned();
    check_text("a tag", &tag)?;
    change_tags(room, &cx, move |tags| {
        tags.insert(tag.clone());
        true
    })
    .await
}

async fn remove_tag(room: Arc<Image>, cx: Cx) -> Reply {
    let tag = cx.param("tag").to_owned();
    change_tags(room, &cx, move |tags| tags.remove(&tag)).await
}

async fn change_tags(room: Arc<Image>, cx: &Cx, change: impl Fn(&mut BTreeSet<String>) -> bool + Send + Sync + 'static) -> Reply {
    let (id, allowed, actor) = (cx.param("id").to_owned(), cx.allowed()?.clone(), cx.actor());
    let write = room.store.write(move |tx| {
        let before = store::get_own(tx, &allowed, &id)?;
        let mut after = before.clone();
        if !change(&mut after.tags) {
            return Err(Error::NotFound(id.clone()));
        }
        if after.tags.len() > MOST_TAGS {
            return Err(Error::Invalid(format!("An image has at most {MOST_TAGS} tags.")));
        }
        store::update(tx, &actor, &before, &after)
    });
    write.await?;
    no_content()
}

/// `a` or `in:a,b`.
fn several(value: &str) -> Vec<String> {
    match value.strip_prefix("in:") {
        Some(list) => list.split(',').map(|item| item.trim_matches('"').to_owned()).collect(),
        None => vec![value.to_owned()],
    }
}

fn number(name: &str, value: &str) -> Result<i64, Fault> {
    let read = value.parse().ok().filter(|number| *number >= 0);
    read.ok_or_else(|| Fault::bad_request(format!("'{name}' is a whole number that is not negative, not '{value}'.")))
}

/// Which comparison `gt:2026-01-01T00:00:00Z` names, of equal, greater, greater or equal, less, less or equal, not equal.
fn comparison(value: &str, sql: [&'static str; 6]) -> Result<&'static str, Fault> {
    let place = match value.split_once(':').map(|(operator, _)| operator) {
        Some("gt") => 1,
        Some("gte") => 2,
        Some("lt") => 3,
        Some("lte") => 4,
        Some("neq") => 5,
        _ => 0,
    };
    Ok(sql[place])
}

fn instant(value: &str) -> Result<i64, Fault> {
    let text =
        ["gt:", "gte:", "lt:", "lte:", "neq:", "eq:"].iter().find_map(|operator| value.strip_prefix(operator)).unwrap_or(value);
    let read = Timestamp::parse(text).ok_or_else(|| Fault::bad_request(format!("'{text}' is not an ISO 8601 instant.")))?;
    Ok(read.micros())
}
