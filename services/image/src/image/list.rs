// SPDX-License-Identifier: Apache-2.0
//! The list of images, with Glance's filters. One statement a page.

use std::sync::Arc;

use ::store::{Direction, Select, Value as Sql};
use api::{Cx, Fault, Paging, PagingHabits, Reply, Sort, json};
use http::StatusCode;
use serde_json::{Value, json};
use types::{ProjectId, Timestamp};
use words::{Comparison, conditions};

use super::{Row, Visibility, table};
use crate::{Image, member};

const HABITS: PagingHabits =
    PagingHabits { max: 1000, default: Some(25), default_sort: &[("created_at", Sort::Descending), ("id", Sort::Descending)] };

pub async fn list(room: Arc<Image>, cx: Cx) -> Reply {
    let mut paging = Paging::read(cx.query(), &HABITS)?;
    if !paging.sort.iter().any(|(key, _)| key == "created_at") {
        paging.sort.push(("created_at".to_owned(), Sort::Descending));
    }
    let select = page(&cx, &paging)?;
    let rows = room.store.list(move |tx| select.rows(tx)).await.map_err(|error| match error {
        ::store::Error::MarkerNotFound => Fault::bad_request("Invalid marker: no image that you see has this id."),
        other => other.into(),
    })?;
    let images: Vec<Row> = rows.iter().map(table::from_columns).collect::<Result<_, _>>()?;
    let full = paging.limit.is_some_and(|limit| limit > 0 && images.len() >= limit);
    let last = images.last().filter(|_| full).map(|last| last.id.to_string());
    let views: Vec<Value> = images.into_iter().map(|image| room.view(&cx, image)).collect::<Result<_, _>>()?;
    let first = if cx.query().is_empty() {
        "/v2/images".to_owned()
    } else {
        // Without the marker, as the first page was asked for.
        format!("/v2/images?{}", without_marker(&cx))
    };
    let mut document = json!({"images": views, "first": first, "schema": "/v2/schemas/images"});
    if let Some(last) = last {
        document["next"] = json!(format!("/v2/images?{}", cx.query().with("marker", &last)));
    }
    json(StatusCode::OK, &document)
}

fn without_marker(cx: &Cx) -> String {
    let with = cx.query().with("marker", "");
    let rest = with.strip_suffix("marker=").unwrap_or(&with);
    rest.strip_suffix('&').unwrap_or(rest).to_owned()
}

/// The query's filters as a page of the table. What is not an attribute is one of the user's properties.
fn page(cx: &Cx, paging: &Paging) -> Result<Select, Fault> {
    let query = cx.query();
    let mut select = visible(cx)?;
    let hidden = query.flag("os_hidden")?.unwrap_or(false);
    select = select.filter("os_hidden = ", hidden);
    // Of several values the last counts, as in Glance; an image may have several tags, so all of them are asked for.
    for (name, value) in query.pairs().filter(|(name, value)| *name == "tag" || query.get(name) == Some(*value)) {
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
            "os_hash_algo" if value == "sha512" => select.condition("sha512 IS NOT NULL"),
            "os_hash_algo" => select.condition("1 = 0"),
            "protected" => select.filter("protected = ", query.flag("protected")?.unwrap_or(false)),
            "min_disk" => select.filter("min_disk = ", number(name, value)?),
            "min_ram" => select.filter("min_ram = ", number(name, value)?),
            "size" => select.filter("size = ", number(name, value)?),
            "virtual_size" => select.filter("virtual_size = ", number(name, value)?),
            "size_min" => select.filter("size >= ", number(name, value)?),
            "size_max" => select.filter("size <= ", number(name, value)?),
            "created_at" => by_instant(select, value, conditions!("created_at"))?,
            "updated_at" => by_instant(select, value, conditions!("updated_at"))?,
            // Lists and properties are JSON texts; a member is found by its own spelling in there.
            "tag" => select.filter_contains("tags", &Value::from(value).to_string()),
            "stores" | "store" => select.filter_contains("stores", &Value::from(value).to_string()),
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
            "virtual_size" => "virtual_size",
            "owner" => "owner",
            "visibility" => "visibility",
            "protected" => "protected",
            "min_disk" => "min_disk",
            "min_ram" => "min_ram",
            "checksum" => "checksum",
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

/// Which images the caller's list is made of.
fn visible(cx: &Cx) -> Result<Select, Fault> {
    let is_all = cx.allowed()?.scope().is_all();
    let own: Sql = cx.caller()?.project_id().map(ProjectId::as_str).unwrap_or_default().into();
    let asked = cx.query().get("member_status").unwrap_or("accepted");
    if asked != "all" && member::Status::parse(asked).is_none() {
        return Err(Fault::bad_request(format!(
            "status must be \"pending\", \"accepted\", \"rejected\" or \"all\", not '{asked}'."
        )));
    }
    let member_status: Sql = if asked == "all" { "%".into() } else { asked.into() };
    let select = Select::new("images", table::COLUMNS);
    // What was shared with this project, and taken as the query says.
    macro_rules! shared {
        ($rest:literal) => {
            concat!(
                "(",
                $rest,
                " OR (visibility = 'shared' AND EXISTS (SELECT 1 FROM image_members WHERE image_id = images.id AND member_id = ? \
                 AND status LIKE ?)))"
            )
        };
    }
    Ok(match cx.query().get("visibility").unwrap_or_default() {
        // Without a word about visibility a list holds one's own images, the public ones and those shared with one; an
        // administrator's holds all but the communities'.
        "" if is_all => select.condition_with("(visibility <> 'community' OR owner = ?)", vec![own]),
        "" => select.condition_with(shared!("visibility = 'public' OR owner = ?"), vec![own.clone(), own, member_status]),
        "all" if is_all => select,
        "all" => select
            .condition_with(shared!("visibility IN ('public', 'community') OR owner = ?"), vec![own.clone(), own, member_status]),
        word => {
            let visibility =
                Visibility::parse(word).ok_or_else(|| Fault::bad_request(format!("Invalid visibility value: {word}")))?;
            let select = select.filter("visibility = ", visibility.as_str());
            match visibility {
                Visibility::Public | Visibility::Community => select,
                _ if is_all => select,
                Visibility::Private => select.filter("owner = ", own),
                Visibility::Shared => select.condition_with(shared!("owner = ?"), vec![own.clone(), own, member_status]),
            }
        }
    })
}

/// `a` or `in:a,b`. A comma within quotes parts nothing.
fn several(value: &str) -> Vec<String> {
    let Some(list) = value.strip_prefix("in:") else { return vec![value.to_owned()] };
    let (mut items, mut quoted) = (vec![String::new()], false);
    for character in list.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => items.push(String::new()),
            other => items.last_mut().into_iter().for_each(|item| item.push(other)),
        }
    }
    items
}

fn number(name: &str, value: &str) -> Result<i64, Fault> {
    let read = value.parse().ok().filter(|number| *number >= 0);
    read.ok_or_else(|| Fault::bad_request(format!("'{name}' is a whole number that is not negative, not '{value}'.")))
}

/// Keeps what was made or changed then: `gt:2026-01-01T00:00:00Z`; without an operator, at this very instant.
fn by_instant(select: Select, value: &str, conditions: [&'static str; 6]) -> Result<Select, Fault> {
    let (comparison, text) = Comparison::read(value).unwrap_or((Comparison::Equal, value));
    let read = Timestamp::parse(text).ok_or_else(|| Fault::bad_request(format!("'{text}' is not an ISO 8601 instant.")))?;
    Ok(select.filter(comparison.of(&conditions), read.micros()))
}
