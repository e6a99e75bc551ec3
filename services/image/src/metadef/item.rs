// SPDX-License-Identifier: Apache-2.0
//! `/v2/metadefs/namespaces/{namespace}/{objects,properties,tags}`: three kinds of definition, one way to keep them.

use std::sync::Arc;

use api::{Access, Cx, Fault, Reply, Routes, created, json, no_content};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Item, Kind, item_view, table, viewer::viewer};
use crate::{Error, Image, image::check_text, metadef::policy};

pub fn routes() -> Routes<Image> {
    let (see, change) = (Access::Asks(&policy::GET), Access::Asks(&policy::MODIFY));
    Routes::new()
        .get("/v2/metadefs/namespaces/{namespace}/objects", see, |room, cx| list(room, cx, Kind::Object))
        .post("/v2/metadefs/namespaces/{namespace}/objects", change, |room, cx| create(room, cx, Kind::Object))
        .delete("/v2/metadefs/namespaces/{namespace}/objects", change, |room, cx| delete_all(room, cx, Kind::Object))
        .get("/v2/metadefs/namespaces/{namespace}/objects/{name}", see, |room, cx| show(room, cx, Kind::Object))
        .put("/v2/metadefs/namespaces/{namespace}/objects/{name}", change, |room, cx| update(room, cx, Kind::Object))
        .delete("/v2/metadefs/namespaces/{namespace}/objects/{name}", change, |room, cx| delete(room, cx, Kind::Object))
        .get("/v2/metadefs/namespaces/{namespace}/properties", see, |room, cx| list(room, cx, Kind::Property))
        .post("/v2/metadefs/namespaces/{namespace}/properties", change, |room, cx| create(room, cx, Kind::Property))
        .delete("/v2/metadefs/namespaces/{namespace}/properties", change, |room, cx| delete_all(room, cx, Kind::Property))
        .get("/v2/metadefs/namespaces/{namespace}/properties/{name}", see, |room, cx| show(room, cx, Kind::Property))
        .put("/v2/metadefs/namespaces/{namespace}/properties/{name}", change, |room, cx| update(room, cx, Kind::Property))
        .delete("/v2/metadefs/namespaces/{namespace}/properties/{name}", change, |room, cx| delete(room, cx, Kind::Property))
        .get("/v2/metadefs/namespaces/{namespace}/tags", see, |room, cx| list(room, cx, Kind::Tag))
        .post("/v2/metadefs/namespaces/{namespace}/tags", change, create_tags)
        .delete("/v2/metadefs/namespaces/{namespace}/tags", change, |room, cx| delete_all(room, cx, Kind::Tag))
        .get("/v2/metadefs/namespaces/{namespace}/tags/{name}", see, |room, cx| show(room, cx, Kind::Tag))
        .post("/v2/metadefs/namespaces/{namespace}/tags/{name}", change, create_tag)
        .put("/v2/metadefs/namespaces/{namespace}/tags/{name}", change, |room, cx| update(room, cx, Kind::Tag))
        .delete("/v2/metadefs/namespaces/{namespace}/tags/{name}", change, |room, cx| delete(room, cx, Kind::Tag))
}

/// A definition that was read from a request.
pub struct Body {
    pub name: String,
    pub rest: Map<String, Value>,
}

/// What the cloud itself writes into views.
const OURS: [&str; 4] = ["created_at", "updated_at", "self", "schema"];
const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// Checks a definition of this kind and takes its name out.
pub fn read_body(kind: Kind, mut body: Map<String, Value>) -> Result<Body, Fault> {
    let unfit = |why: &str| Fault::bad_request(format!("Provided object does not match schema '{}': {why}.", kind.as_str()));
    let name = match body.remove("name") {
        Some(Value::String(name)) if !name.is_empty() => name,
        _ => return Err(unfit("'name' is a required property")),
    };
    check_text("the name of a definition", &name)?;
    body.retain(|key, _| !OURS.contains(&key.as_str()));
    match kind {
        Kind::Tag => body.clear(),
        Kind::Property => check_property(&body).map_err(|why| unfit(&why))?,
        Kind::Object => {
            let known = ["description", "required", "properties"];
            if let Some(other) = body.keys().find(|key| !known.contains(&key.as_str())) {
                return Err(unfit(&format!("'{other}' is not one of {}", known.join(", "))));
            }
            let properties = body.entry("properties").or_insert_with(|| json!({}));
            let properties = properties.as_object().ok_or_else(|| unfit("'properties' is an object"))?;
            for (name, property) in properties {
                let property = property.as_object().ok_or_else(|| unfit(&format!("the property '{name}' is an object")))?;
                check_property(property).map_err(|why| unfit(&why))?;
            }
        }
    }
    Ok(Body { name, rest: body })
}

fn check_property(property: &Map<String, Value>) -> Result<(), String> {
    let kind = property.get("type").and_then(Value::as_str).ok_or("'type' is a required property")?;
    if !TYPES.contains(&kind) {
        return Err(format!("'{kind}' is not one of {}", TYPES.join(", ")));
    }
    property.get("title").and_then(Value::as_str).ok_or("'title' is a required property")?;
    Ok(())
}

async fn list(room: Arc<Image>, cx: Cx, kind: Kind) -> Reply {
    let (viewer, namespace) = (viewer(&cx, &policy::GET)?, cx.param("namespace").to_owned());
    let name = namespace.clone();
    let read = room.store.list(move |tx| {
        table::get(tx, &viewer, &name)?;
        table::items(tx, &name, kind)
    });
    let items = read.await?;
    let views: Value = match kind {
        // Properties are told by their names.
        Kind::Property => Value::Object(items.iter().map(|item| (item.name.clone(), Value::Object(item.body.clone()))).collect()),
        _ => items.iter().map(|item| item_view(&namespace, kind, item)).collect(),
    };
    let mut document = json!({kind.plural(): views});
    if kind != Kind::Property {
        document["schema"] = json!(format!("/v2/schemas/metadefs/{}", kind.plural()));
        document["first"] = json!(format!("/v2/metadefs/namespaces/{namespace}/{}", kind.plural()));
    }
    json(StatusCode::OK, &document)
}

async fn show(room: Arc<Image>, cx: Cx, kind: Kind) -> Reply {
    let (viewer, namespace, name) = (viewer(&cx, &policy::GET)?, cx.param("namespace").to_owned(), cx.param("name").to_owned());
    let of = namespace.clone();
    let read = room.store.read(move |tx| {
        table::get(tx, &viewer, &of)?;
        table::item(tx, &of, kind, &name)
    });
    json(StatusCode::OK, &item_view(&namespace, kind, &read.await?))
}

async fn create(room: Arc<Image>, mut cx: Cx, kind: Kind) -> Reply {
    let body = read_body(kind, cx.json().await?)?;
    insert(room, &cx, kind, body).await
}

async fn create_tag(room: Arc<Image>, cx: Cx) -> Reply {
    let body = read_body(Kind::Tag, Map::from_iter([("name".to_owned(), json!(cx.param("name")))]))?;
    insert(room, &cx, Kind::Tag, body).await
}

async fn insert(room: Arc<Image>, cx: &Cx, kind: Kind, body: Body) -> Reply {
    let (viewer, namespace, actor) = (viewer(cx, &policy::MODIFY)?, cx.param("namespace").to_owned(), cx.actor());
    let of = namespace.clone();
    let write = room.store.write(move |tx| {
        table::get(tx, &viewer, &of)?;
        table::changing(tx, &actor, &of, |tx| table::insert_item(tx, &of, kind, &body.name, &body.rest))
    });
    created(&item_view(&namespace, kind, &write.await?))
}

#[derive(Deserialize)]
struct Tags {
    tags: Vec<Map<String, Value>>,
}

/// Puts these tags in the place of all that there are; with `X-Openstack-Append: True`, beside them.
async fn create_tags(room: Arc<Image>, mut cx: Cx) -> Reply {
    let Tags { tags } = cx.json().await?;
    let bodies: Vec<Body> = tags.into_iter().map(|tag| read_body(Kind::Tag, tag)).collect::<Result<_, _>>()?;
    let appends = cx.header("x-openstack-append").is_some_and(|word| word.eq_ignore_ascii_case("true"));
    let (viewer, namespace, actor) = (viewer(&cx, &policy::MODIFY)?, cx.param("namespace").to_owned(), cx.actor());
    let names: Vec<Value> = bodies.iter().map(|body| json!({"name": body.name})).collect();
    let write = room.store.write(move |tx| {
        table::get(tx, &viewer, &namespace)?;
        table::changing(tx, &actor, &namespace, |tx| {
            if !appends {
                table::delete_items(tx, &namespace, Kind::Tag)?;
            }
            for body in &bodies {
                table::insert_item(tx, &namespace, Kind::Tag, &body.name, &body.rest)?;
            }
            Ok::<_, Error>(())
        })
    });
    write.await?;
    created(&json!({"tags": names}))
}

async fn update(room: Arc<Image>, mut cx: Cx, kind: Kind) -> Reply {
    let body = read_body(kind, cx.json().await?)?;
    let (viewer, namespace, name, actor) =
        (viewer(&cx, &policy::MODIFY)?, cx.param("namespace").to_owned(), cx.param("name").to_owned(), cx.actor());
    let of = namespace.clone();
    let write = room.store.write(move |tx| {
        table::get(tx, &viewer, &of)?;
        let before = table::item(tx, &of, kind, &name)?;
        let after = Item { name: body.name.clone(), body: body.rest.clone(), ..before.clone() };
        table::changing(tx, &actor, &of, |tx| table::update_item(tx, &of, kind, &before, &after))
    });
    json(StatusCode::OK, &item_view(&namespace, kind, &write.await?))
}

async fn delete(room: Arc<Image>, cx: Cx, kind: Kind) -> Reply {
    let (viewer, namespace, name, actor) =
        (viewer(&cx, &policy::MODIFY)?, cx.param("namespace").to_owned(), cx.param("name").to_owned(), cx.actor());
    let write = room.store.write(move |tx| {
        table::get_unprotected(tx, &viewer, &namespace)?;
        table::changing(tx, &actor, &namespace, |tx| table::delete_item(tx, &namespace, kind, &name))
    });
    write.await?;
    no_content()
}

async fn delete_all(room: Arc<Image>, cx: Cx, kind: Kind) -> Reply {
    let (viewer, namespace, actor) = (viewer(&cx, &policy::MODIFY)?, cx.param("namespace").to_owned(), cx.actor());
    let write = room.store.write(move |tx| {
        table::get_unprotected(tx, &viewer, &namespace)?;
        table::changing(tx, &actor, &namespace, |tx| table::delete_items(tx, &namespace, kind))
    });
    write.await?;
    no_content()
}
