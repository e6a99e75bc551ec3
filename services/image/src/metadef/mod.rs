// SPDX-License-Identifier: Apache-2.0
//! Metadata definitions: what properties of images, flavors and volumes mean, so that a client can offer a choice.
//!
//! A namespace holds properties, objects (groups of properties) and tags, and says for which kinds of resource they are.

pub mod api;
mod item;
mod namespace;
pub(crate) mod policy;
mod resource_type;
mod stock;
pub mod table;
mod viewer;

use serde_json::{Map, Value, json};
use types::{Generation, Timestamp};

pub use stock::ensure as ensure_stock;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("metadef", api::routes).tables(&[crate::Step {
    number: 3,
    name: "metadata definitions",
    sql: include_str!("../../migrations/0003_metadata_definitions.sql"),
}]);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    pub name: String,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub is_public: bool,
    pub protected: bool,
    pub owner: String,
    pub generation: Generation,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A namespace's bond with a kind of resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    pub namespace: String,
    pub name: String,
    pub prefix: Option<String>,
    pub properties_target: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub name: String,
    /// The definition, without its name.
    pub body: Map<String, Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Object,
    Property,
    Tag,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Property => "property",
            Self::Tag => "tag",
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::Object => "objects",
            Self::Property => "properties",
            Self::Tag => "tags",
        }
    }
}

fn namespace_view(namespace: &Namespace) -> Value {
    json!({
        "namespace": namespace.name, "display_name": namespace.display_name, "description": namespace.description,
        "visibility": if namespace.is_public { "public" } else { "private" }, "protected": namespace.protected,
        "owner": namespace.owner, "created_at": namespace.created_at.zulu(), "updated_at": namespace.updated_at.zulu(),
        "self": format!("/v2/metadefs/namespaces/{}", namespace.name), "schema": "/v2/schemas/metadefs/namespace",
    })
}

fn association_view(association: &Association) -> Value {
    let mut view = json!({
        "name": association.name, "created_at": association.created_at.zulu(), "updated_at": association.updated_at.zulu(),
    });
    for (name, value) in [("prefix", &association.prefix), ("properties_target", &association.properties_target)] {
        if let Some(value) = value {
            view[name] = json!(value);
        }
    }
    view
}

fn item_view(namespace: &str, kind: Kind, item: &Item) -> Value {
    let mut view = item.body.clone();
    view.insert("name".into(), json!(item.name));
    if kind != Kind::Property {
        view.insert("created_at".into(), json!(item.created_at.zulu()));
        view.insert("updated_at".into(), json!(item.updated_at.zulu()));
    }
    if kind == Kind::Object {
        view.insert("self".into(), json!(format!("/v2/metadefs/namespaces/{namespace}/objects/{}", item.name)));
        view.insert("schema".into(), json!("/v2/schemas/metadefs/object"));
    }
    Value::Object(view)
}
