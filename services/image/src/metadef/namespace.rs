// SPDX-License-Identifier: Apache-2.0
//! `/v2/metadefs/namespaces`

use std::sync::Arc;

use ::store::{Direction, Select};
use api::{Access, Cx, Fault, Paging, PagingHabits, Reply, Routes, Sort, created, json, no_content};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use types::{Generation, Timestamp};

use super::{
    Association, Kind, Namespace, association_view,
    item::{Body, read_body},
    item_view, namespace_view,
    table::{self, Seen},
    viewer::viewer,
};
use crate::{Error, Image, image::check_text, metadef::policy};

pub fn routes() -> Routes<Image> {
    Routes::new()
        .get("/v2/metadefs/namespaces", &policy::GET, list)
        .post("/v2/metadefs/namespaces", &policy::MODIFY, create)
        .get("/v2/metadefs/namespaces/{namespace}", Access::Asks(&policy::GET), show)
        .put("/v2/metadefs/namespaces/{namespace}", Access::Asks(&policy::MODIFY), update)
        .delete("/v2/metadefs/namespaces/{namespace}", Access::Asks(&policy::MODIFY), delete)
}

#[derive(Deserialize)]
pub struct New {
    pub namespace: String,
    display_name: Option<String>,
    description: Option<String>,
    visibility: Option<String>,
    protected: Option<bool>,
    owner: Option<String>,
    #[serde(default)]
    resource_type_associations: Vec<NewAssociation>,
    #[serde(default)]
    properties: Map<String, Value>,
    #[serde(default)]
    objects: Vec<Value>,
    #[serde(default)]
    tags: Vec<Value>,
}

#[derive(Deserialize)]
pub struct NewAssociation {
    pub name: String,
    pub prefix: Option<String>,
    pub properties_target: Option<String>,
}

/// A namespace with all that is in it, checked.
pub struct Whole {
    pub namespace: Namespace,
    pub associations: Vec<Association>,
    pub items: Vec<(Kind, Body)>,
}

impl New {
    pub fn check(self, owner: &str) -> Result<Whole, Fault> {
        check_text("the namespace", &self.namespace)?;
        if self.namespace.is_empty() || self.namespace.contains('/') {
            return Err(Fault::bad_request("A namespace has a name, without a slash in it."));
        }
        let now = Timestamp::now();
        let namespace = Namespace {
            name: self.namespace,
            display_name: self.display_name,
            description: self.description,
            is_public: read_visibility(self.visibility.as_deref())?,
            protected: self.protected.unwrap_or(false),
            owner: self.owner.unwrap_or_else(|| owner.to_owned()),
            generation: Generation(1),
            created_at: now,
            updated_at: now,
        };
        let associations = self.resource_type_associations.into_iter().map(|new| new.of(&namespace.name)).collect();
        let mut items = Vec::new();
        for (name, body) in self.properties {
            let mut body = object(body)?;
            body.insert("name".into(), json!(name));
            items.push((Kind::Property, read_body(Kind::Property, body)?));
        }
        for (kind, bodies) in [(Kind::Object, self.objects), (Kind::Tag, self.tags)] {
            for body in bodies {
                items.push((kind, read_body(kind, object(body)?)?));
            }
        }
        Ok(Whole { namespace, associations, items })
    }
}

impl NewAssociation {
    pub fn of(self, namespace: &str) -> Association {
        let now = Timestamp::now();
        Association {
            namespace: namespace.to_owned(),
            name: self.name,
            prefix: self.prefix,
            properties_target: self.properties_target,
            created_at: now,
            updated_at: now,
        }
    }
}

impl Whole {
    pub fn insert(&self, tx: &mut ::store::Tx, actor: &::store::Actor) -> Result<(), Error> {
        table::changing(tx, actor, &self.namespace.name, |tx| {
            table::insert(tx, &self.namespace)?;
            self.associations.iter().try_for_each(|association| table::associate(tx, association))?;
            for (kind, body) in &self.items {
                table::insert_item(tx, &self.namespace.name, *kind, &body.name, &body.rest)?;
            }
            Ok(())
        })
    }
}

fn object(value: Value) -> Result<Map<String, Value>, Fault> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Fault::bad_request("Provided object does not match schema: a definition is a JSON object.")),
    }
}

fn read_visibility(word: Option<&str>) -> Result<bool, Fault> {
    match word {
        None | Some("private") => Ok(false),
        Some("public") => Ok(true),
        Some(other) => Err(Fault::bad_request(format!("'{other}' is not one of public, private."))),
    }
}

const HABITS: PagingHabits = PagingHabits { max: 1000, default: Some(25), default_sort: &[("created_at", Sort::Descending)] };

async fn list(room: Arc<Image>, cx: Cx) -> Reply {
    let paging = Paging::read(cx.query(), &HABITS)?;
    let mut select = Select::new("metadef_namespaces", table::COLUMNS);
    select = match viewer(&cx, &policy::GET)?.sees {
        Seen::None => select.condition("1 = 0"),
        Seen::OwnAndPublic(project) => select.condition_with("(visibility = 'public' OR owner = ?)", vec![project.into()]),
        Seen::All => select,
    };
    for (name, value) in cx.query().pairs() {
        select = match name {
            "visibility" => {
                read_visibility(Some(value))?;
                select.filter("visibility = ", value)
            }
            "owner" => select.filter("owner = ", value),
            "protected" => select.filter("protected = ", cx.query().flag("protected")?.unwrap_or(false)),
            "resource_types" => value.split(',').fold(select, |select, kind| {
                select.condition_with(
                    "EXISTS (SELECT 1 FROM metadef_resource_types r WHERE r.namespace = metadef_namespaces.namespace AND r.name = ?)",
                    vec![kind.into()],
                )
            }),
            _ => select,
        };
    }
    let mut keys = Vec::new();
    for (name, direction) in &paging.sort {
        let column = match name.as_str() {
            "namespace" => "namespace",
            "created_at" => "created_at",
            "updated_at" => "updated_at",
            "display_name" => "display_name",
            other => return Err(Fault::bad_request(format!("Invalid sort key: {other}"))),
        };
        keys.push((column, if *direction == Sort::Ascending { Direction::Asc } else { Direction::Desc }));
    }
    select = select.sort(&keys, "namespace");
    if let Some(marker) = &paging.marker {
        select = select.after(marker.as_str());
    }
    if let Some(limit) = paging.limit {
        select = select.limit(u32::try_from(limit).unwrap_or(u32::MAX));
    }
    let read = room.store.list(move |tx| {
        let rows = match select.rows(tx) {
            Err(::store::Error::MarkerNotFound) => {
                return Err(Error::NoSuch("Invalid marker: there is no such namespace.".into()));
            }
            rows => rows?,
        };
        let found: Vec<Namespace> = rows.iter().map(table::from_columns).collect::<Result<_, ::store::Error>>()?;
        let names: Vec<&str> = found.iter().map(|namespace| namespace.name.as_str()).collect();
        let associations = table::associations(tx, &names)?;
        Ok((found, associations))
    });
    let (found, associations) = read.await?;
    let views = found.iter().map(|namespace| {
        let mut view = namespace_view(namespace);
        let own = associations.iter().filter(|association| association.namespace == namespace.name);
        view["resource_type_associations"] = own.map(association_view).collect();
        view
    });
    let mut document = json!({
        "namespaces": views.collect::<Vec<_>>(), "first": "/v2/metadefs/namespaces", "schema": "/v2/schemas/metadefs/namespaces",
    });
    if let (Some(last), Some(limit)) = (found.last(), paging.limit)
        && limit > 0
        && found.len() >= limit
    {
        document["next"] = json!(format!("/v2/metadefs/namespaces?{}", cx.query().with("marker", &last.name)));
    }
    json(StatusCode::OK, &document)
}

async fn create(room: Arc<Image>, mut cx: Cx) -> Reply {
    let new: New = cx.json().await?;
    let whole = Arc::new(new.check(cx.project()?.as_str())?);
    let (actor, kept) = (cx.actor(), whole.clone());
    room.store.write(move |tx| kept.insert(tx, &actor)).await?;
    created(&whole_view(&room, &cx, &whole.namespace).await?)
}

async fn show(room: Arc<Image>, cx: Cx) -> Reply {
    let (viewer, name) = (viewer(&cx, &policy::GET)?, cx.param("namespace").to_owned());
    let found = room.store.read(move |tx| table::get(tx, &viewer, &name)).await?;
    json(StatusCode::OK, &whole_view(&room, &cx, &found).await?)
}

/// A namespace with everything in it. For a kind of resource, its properties have that kind's prefix.
async fn whole_view(room: &Image, cx: &Cx, namespace: &Namespace) -> Result<Value, Fault> {
    let name = namespace.name.clone();
    let read = room.store.list(move |tx| {
        let lists = [Kind::Property, Kind::Object, Kind::Tag].map(|kind| table::items(tx, &name, kind));
        let [properties, objects, tags] = lists;
        Ok::<_, Error>((table::associations(tx, &[&name])?, properties?, objects?, tags?))
    });
    let (associations, properties, objects, tags) = read.await?;
    let wanted = cx.query().get("resource_type");
    let prefix = associations.iter().find(|one| Some(one.name.as_str()) == wanted).and_then(|one| one.prefix.clone());
    let prefix = prefix.unwrap_or_default();
    let mut view = namespace_view(namespace);
    let list = |kind, items: &[super::Item]| items.iter().map(|item| item_view(&namespace.name, kind, item)).collect::<Value>();
    view["resource_type_associations"] = associations.iter().map(association_view).collect();
    if !properties.is_empty() {
        let properties = properties.iter().map(|item| (format!("{prefix}{}", item.name), Value::Object(item.body.clone())));
        view["properties"] = Value::Object(properties.collect());
    }
    if !objects.is_empty() {
        view["objects"] = list(Kind::Object, &objects);
    }
    if !tags.is_empty() {
        view["tags"] = tags.iter().map(|tag| json!({"name": tag.name})).collect();
    }
    Ok(view)
}

async fn update(room: Arc<Image>, mut cx: Cx) -> Reply {
    let new: New = cx.json().await?;
    let (viewer, name, actor) = (viewer(&cx, &policy::MODIFY)?, cx.param("namespace").to_owned(), cx.actor());
    let keep_owner = new.owner.is_none();
    // Nobody's, where none is said: the namespace keeps its owner then.
    let wanted = new.check("")?.namespace;
    let write = room.store.write(move |tx| {
        let before = table::get(tx, &viewer, &name)?;
        let owner = if keep_owner { before.owner.clone() } else { wanted.owner.clone() };
        let after = Namespace { owner, created_at: before.created_at, ..wanted.clone() };
        table::update(tx, &actor, &before, &after)
    });
    json(StatusCode::OK, &namespace_view(&write.await?))
}

async fn delete(room: Arc<Image>, cx: Cx) -> Reply {
    let (viewer, name, actor) = (viewer(&cx, &policy::MODIFY)?, cx.param("namespace").to_owned(), cx.actor());
    let write = room.store.write(move |tx| {
        let found = table::get_unprotected(tx, &viewer, &name)?;
        table::delete(tx, &actor, &found)
    });
    write.await?;
    no_content()
}
