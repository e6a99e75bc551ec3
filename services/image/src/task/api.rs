// SPDX-License-Identifier: Apache-2.0
//! `/v2/tasks`, for administrators, and `/v2/images/{id}/tasks`

use std::sync::Arc;

use ::store::{Direction, Select};
use api::{Access, Cx, Fault, Paging, PagingHabits, Reply, Routes, Sort, created, json};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use types::ProjectId;

use super::{Kind, Row, Status, row_view, summary, table, view};
use crate::{
    Error, Image,
    image::{self, Attributes, Reach},
    import::{self, Method},
    quota,
    task::policy,
};

pub fn routes() -> Routes<Image> {
    Routes::new()
        .get("/v2/images/{id}/tasks", Access::Asks(&policy::TASKS_OF_IMAGE), of_image)
        .get("/v2/tasks", &policy::TASKS, list)
        .post("/v2/tasks", &policy::TASKS, create)
        .asking(&[&crate::image::policy::PUBLICIZE, &crate::image::policy::COMMUNITIZE])
        .get("/v2/tasks/{id}", &policy::TASKS, show)
        .delete("/v2/tasks/{id}", &policy::TASKS, delete)
        .each_asking(&[&crate::image::policy::SHOW])
}

const HABITS: PagingHabits =
    PagingHabits { max: 1000, default: Some(25), default_sort: &[("created_at", Sort::Descending), ("id", Sort::Descending)] };

async fn of_image(room: Arc<Image>, cx: Cx) -> Reply {
    let (id, reach) = (cx.param("id").to_owned(), Reach::of(&cx, &policy::TASKS_OF_IMAGE)?);
    let read = room.store.list(move |tx| {
        let image = image::table::get(tx, &reach, &id)?;
        let mut tasks = table::of_image(tx, image.id.as_str())?;
        // Whoever sees an image sees of its tasks those of his own project, for they tell who asked for what.
        let scope = reach.allowed()?.scope();
        tasks.retain(|task| scope.admits(&ProjectId::new(task.owner.as_str()), None));
        Ok::<_, Error>(tasks)
    });
    let tasks = read.await?;
    json(StatusCode::OK, &json!({"tasks": tasks.iter().map(row_view).collect::<Vec<_>>()}))
}

async fn list(room: Arc<Image>, cx: Cx) -> Reply {
    let paging = Paging::read(cx.query(), &HABITS)?;
    let mut select = Select::new("image_tasks", table::COLUMNS);
    for (name, value) in cx.query().pairs() {
        select = match name {
            "type" => select.filter("type = ", value),
            "status" => {
                Status::parse(value).ok_or_else(|| Fault::bad_request(format!("Invalid status value: {value}")))?;
                select.filter("status = ", value)
            }
            _ => select,
        };
    }
    let mut keys = Vec::new();
    for (name, direction) in &paging.sort {
        let column = match name.as_str() {
            "id" => "id",
            "type" => "type",
            "status" => "status",
            "created_at" => "created_at",
            "updated_at" => "updated_at",
            "expires_at" => "expires_at",
            other => return Err(Fault::bad_request(format!("Invalid sort key: {other}"))),
        };
        keys.push((column, if *direction == Sort::Ascending { Direction::Asc } else { Direction::Desc }));
    }
    select = select.sort(&keys, "id");
    if let Some(marker) = &paging.marker {
        select = select.after(marker.as_str());
    }
    if let Some(limit) = paging.limit {
        select = select.limit(u32::try_from(limit).unwrap_or(u32::MAX));
    }
    let rows = room.store.list(move |tx| select.rows(tx)).await.map_err(|error| match error {
        ::store::Error::MarkerNotFound => Fault::bad_request("Invalid marker: there is no task with this id."),
        other => other.into(),
    })?;
    let tasks: Vec<Row> = rows.iter().map(table::from_columns).collect::<Result<_, _>>()?;
    let mut document =
        json!({"tasks": tasks.iter().map(summary).collect::<Vec<_>>(), "first": "/v2/tasks", "schema": "/v2/schemas/tasks"});
    if let (Some(last), Some(limit)) = (tasks.last(), paging.limit)
        && limit > 0
        && tasks.len() >= limit
    {
        document["next"] = json!(format!("/v2/tasks?{}", cx.query().with("marker", &last.id)));
    }
    json(StatusCode::OK, &document)
}

async fn show(room: Arc<Image>, cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    let found = room.store.read(move |tx| table::find(tx, &id)).await?;
    json(StatusCode::OK, &view(&found.ok_or_else(|| missing(&cx))?))
}

async fn delete(room: Arc<Image>, cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    room.store.read(move |tx| table::find(tx, &id)).await?.ok_or_else(|| missing(&cx))?;
    let allow = HeaderValue::from_static("GET");
    Err(Fault::new(StatusCode::METHOD_NOT_ALLOWED, "Tasks go by themselves when they expire.").header(header::ALLOW, allow))
}

fn missing(cx: &Cx) -> Fault {
    Error::NoSuch(format!("Task not found for task_id {}", cx.param("id"))).into()
}

#[derive(Deserialize)]
struct New {
    #[serde(rename = "type")]
    kind: String,
    input: Input,
}

#[derive(Deserialize)]
struct Input {
    import_from: String,
    import_from_format: String,
    image_properties: Map<String, Value>,
}

async fn create(room: Arc<Image>, mut cx: Cx) -> Reply {
    let New { kind, input } = cx.json().await?;
    if kind != "import" {
        return Err(Fault::bad_request(format!("Invalid task type '{kind}': this cloud has the type 'import'.")));
    }
    room.settings.web.check(&input.import_from).map_err(|error| Fault::bad_request(error.to_string()))?;
    let mut wanted = image::Row::new(cx.project()?.clone());
    let attributes = Attributes { cx: &cx, settings: &room.settings, allowed: cx.allowed()? };
    for (name, value) in input.image_properties.clone() {
        attributes.set_first(&mut wanted, &name, value)?;
    }
    if wanted.disk_format.is_none() {
        attributes.set(&mut wanted, "disk_format", json!(input.import_from_format))?;
    }
    wanted.check_formats()?;
    let stores = vec![room.default_store().id.clone()];
    let method = Method::WebDownload { uri: input.import_from.clone() };
    let order = import::Order { method, stores, all_must_succeed: true, expected: None, label_stays: false };
    let (actor, limits) = (cx.actor(), room.settings.quota);
    let mut shown = serde_json::to_value(&order).unwrap_or_default();
    shown["import_from"] = json!(input.import_from);
    shown["import_from_format"] = json!(input.import_from_format);
    shown["image_properties"] = Value::Object(input.image_properties);
    let task = Row::new(Kind::Whole, &wanted, &actor, shown);
    let kept = task.clone();
    let write = room.store.write(move |tx| {
        quota::check_count(tx, &limits, &wanted.owner)?;
        quota::check_uploading(tx, &limits, &wanted.owner, &wanted.id)?;
        image::table::insert(tx, &actor, &import::begun(&wanted, &order))?;
        table::insert(tx, &actor, &kept)
    });
    write.await?;
    let mut response = created(&view(&task))?;
    if let Ok(location) = HeaderValue::from_str(&cx.url(&format!("/v2/tasks/{}", task.id))) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
