// SPDX-License-Identifier: Apache-2.0
//! The tables of metadata definitions.

use serde_json::{Map, Value, json};
use store::{Actor, Change, Event, Row as Columns, Tx, params};
use types::{Generation, Timestamp};

use super::{Association, Item, Kind, Namespace, association_view, item_view, namespace_view};
use crate::Error;

pub const COLUMNS: &str =
    "namespace, display_name, description, visibility, protected, owner, generation, created_at, updated_at";

/// For whom a namespace is read.
#[derive(Debug, Clone)]
pub struct Viewer {
    pub sees: Seen,
    /// Why he may not do what he asks for, even to a namespace that he sees.
    pub may: Result<(), String>,
}

#[derive(Debug, Clone)]
pub enum Seen {
    None,
    /// The public ones, and those of this project.
    OwnAndPublic(String),
    All,
}

impl Seen {
    fn has(&self, namespace: &Namespace) -> bool {
        match self {
            Self::None => false,
            Self::OwnAndPublic(project) => namespace.is_public || namespace.owner == *project,
            Self::All => true,
        }
    }
}

pub fn from_columns(row: &Columns) -> Result<Namespace, store::Error> {
    Ok(Namespace {
        name: row.get(0)?,
        display_name: row.get(1)?,
        description: row.get(2)?,
        is_public: row.get::<&str>(3)? == "public",
        protected: row.get(4)?,
        owner: row.get(5)?,
        generation: Generation(row.get(6)?),
        created_at: row.get(7)?,
        updated_at: row.get(8)?,
    })
}

/// A namespace that the viewer sees, if he may do what he asks for.
pub fn get(tx: &mut Tx, viewer: &Viewer, name: &str) -> Result<Namespace, Error> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM metadef_namespaces WHERE namespace = $1"), &params![name])?;
    let found = row.map(|row| from_columns(&row)).transpose()?;
    let seen = found.filter(|found| viewer.sees.has(found));
    let seen = seen.ok_or_else(|| Error::NoSuch(format!("Metadata definition namespace={name} was not found.")))?;
    viewer.may.clone().map_err(Error::Forbidden)?;
    Ok(seen)
}

/// A namespace that may be changed now.
pub fn get_unprotected(tx: &mut Tx, viewer: &Viewer, name: &str) -> Result<Namespace, Error> {
    let found = get(tx, viewer, name)?;
    if found.protected {
        return Err(Error::Forbidden(format!("Metadata definition namespace {name} is protected and cannot be deleted.")));
    }
    Ok(found)
}

pub fn insert(tx: &mut Tx, namespace: &Namespace) -> Result<(), Error> {
    let done = tx.execute(
        "INSERT INTO metadef_namespaces (namespace, display_name, description, visibility, protected, owner, generation, \
         created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &columns(namespace),
    );
    match done {
        Err(store::Error::Unique { .. }) => {
            return Err(Error::Conflict(format!("The metadata definition namespace={} already exists.", namespace.name)));
        }
        other => other?,
    };
    Ok(())
}

/// Writes the namespace as it shall be, under another name if it shall have one.
pub fn update(tx: &mut Tx, actor: &Actor, before: &Namespace, after: &Namespace) -> Result<Namespace, Error> {
    let was = state(tx, &before.name)?;
    let after = Namespace { generation: before.generation.next(), updated_at: Timestamp::now(), ..after.clone() };
    if after.name != before.name {
        for table in ["metadef_items", "metadef_resource_types"] {
            let sql = format!("UPDATE {table} SET namespace = $1 WHERE namespace = $2");
            tx.execute(&sql, &params![after.name.as_str(), before.name.as_str()])?;
        }
    }
    let mut values = columns(&after).to_vec();
    values.extend(params![before.name.as_str(), before.generation.0]);
    let done = tx.execute_cas(
        "UPDATE metadef_namespaces SET namespace = $1, display_name = $2, description = $3, visibility = $4, protected = $5, \
         owner = $6, generation = $7, created_at = $8, updated_at = $9 WHERE namespace = $10 AND generation = $11",
        &values,
    );
    match done {
        Err(store::Error::Unique { .. }) => {
            return Err(Error::Conflict(format!("The metadata definition namespace={} already exists.", after.name)));
        }
        other => other?,
    }
    let is = state(tx, &after.name)?;
    record(tx, actor, &after.name, Change { before: was, after: is })?;
    Ok(after)
}

pub fn delete(tx: &mut Tx, actor: &Actor, namespace: &Namespace) -> Result<(), Error> {
    changing(tx, actor, &namespace.name, |tx| {
        for table in ["metadef_items", "metadef_resource_types", "metadef_namespaces"] {
            tx.execute(&format!("DELETE FROM {table} WHERE namespace = $1"), &params![namespace.name.as_str()])?;
        }
        Ok(())
    })
}

pub fn items(tx: &mut Tx, namespace: &str, kind: Kind) -> Result<Vec<Item>, Error> {
    let rows = tx.query(
        "SELECT name, body, created_at, updated_at FROM metadef_items WHERE namespace = $1 AND kind = $2 ORDER BY name",
        &params![namespace, kind.as_str()],
    )?;
    Ok(rows.iter().map(item_from_columns).collect::<Result<_, store::Error>>()?)
}

pub fn item(tx: &mut Tx, namespace: &str, kind: Kind, name: &str) -> Result<Item, Error> {
    let row = tx.query_opt(
        "SELECT name, body, created_at, updated_at FROM metadef_items WHERE namespace = $1 AND kind = $2 AND name = $3",
        &params![namespace, kind.as_str(), name],
    )?;
    row.map(|row| item_from_columns(&row)).transpose()?.ok_or_else(|| {
        Error::NoSuch(format!(
            "The metadata definition {} with name={name} was not found in namespace={namespace}.",
            kind.as_str()
        ))
    })
}

pub fn insert_item(tx: &mut Tx, namespace: &str, kind: Kind, name: &str, body: &Map<String, Value>) -> Result<Item, Error> {
    let now = Timestamp::now();
    let done = tx.execute(
        "INSERT INTO metadef_items (namespace, kind, name, body, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)",
        &params![namespace, kind.as_str(), name, json!(body), now, now],
    );
    match done {
        Err(store::Error::Unique { .. }) => return Err(taken(namespace, kind, name)),
        other => other?,
    };
    Ok(Item { name: name.to_owned(), body: body.clone(), created_at: now, updated_at: now })
}

pub fn update_item(tx: &mut Tx, namespace: &str, kind: Kind, before: &Item, after: &Item) -> Result<Item, Error> {
    let after = Item { updated_at: Timestamp::now(), ..after.clone() };
    let done = tx.execute(
        "UPDATE metadef_items SET name = $1, body = $2, updated_at = $3 WHERE namespace = $4 AND kind = $5 AND name = $6",
        &params![after.name.as_str(), json!(after.body), after.updated_at, namespace, kind.as_str(), before.name.as_str()],
    );
    match done {
        Err(store::Error::Unique { .. }) => return Err(taken(namespace, kind, &after.name)),
        other => other?,
    };
    Ok(after)
}

pub fn delete_item(tx: &mut Tx, namespace: &str, kind: Kind, name: &str) -> Result<(), Error> {
    item(tx, namespace, kind, name)?;
    tx.execute(
        "DELETE FROM metadef_items WHERE namespace = $1 AND kind = $2 AND name = $3",
        &params![namespace, kind.as_str(), name],
    )?;
    Ok(())
}

pub fn delete_items(tx: &mut Tx, namespace: &str, kind: Kind) -> Result<(), Error> {
    tx.execute("DELETE FROM metadef_items WHERE namespace = $1 AND kind = $2", &params![namespace, kind.as_str()])?;
    Ok(())
}

/// The bonds of these namespaces, in one statement.
pub fn associations(tx: &mut Tx, namespaces: &[&str]) -> Result<Vec<Association>, Error> {
    let select =
        store::Select::new("metadef_resource_types", "namespace, name, prefix, properties_target, created_at, updated_at");
    let rows = select.filter_in("namespace", namespaces.iter().copied()).sort(&[], "name").rows(tx)?;
    let read = |row: &Columns| -> Result<Association, store::Error> {
        Ok(Association {
            namespace: row.get(0)?,
            name: row.get(1)?,
            prefix: row.get(2)?,
            properties_target: row.get(3)?,
            created_at: row.get(4)?,
            updated_at: row.get(5)?,
        })
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Binds a namespace to a kind of resource; a bond that is there gets the new words.
pub fn associate(tx: &mut Tx, association: &Association) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO metadef_resource_types (namespace, name, prefix, properties_target, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (namespace, name) DO UPDATE SET prefix = excluded.prefix, \
         properties_target = excluded.properties_target, updated_at = excluded.updated_at",
        &params![
            association.namespace.as_str(),
            association.name.as_str(),
            association.prefix.clone(),
            association.properties_target.clone(),
            association.created_at,
            association.updated_at
        ],
    )?;
    Ok(())
}

pub fn dissociate(tx: &mut Tx, namespace: &str, name: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM metadef_resource_types WHERE namespace = $1 AND name = $2";
    Ok(tx.execute(sql, &params![namespace, name])? > 0)
}

/// Kinds of resource that any namespace is bound to.
pub fn resource_types(tx: &mut Tx) -> Result<Vec<(String, Timestamp)>, Error> {
    let rows = tx.query("SELECT name, min(created_at) FROM metadef_resource_types GROUP BY name ORDER BY name", &[])?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_, store::Error>>()?)
}

fn columns(namespace: &Namespace) -> [store::Value; 9] {
    params![
        namespace.name.as_str(),
        namespace.display_name.clone(),
        namespace.description.clone(),
        if namespace.is_public { "public" } else { "private" },
        namespace.protected,
        namespace.owner.as_str(),
        namespace.generation.0,
        namespace.created_at,
        namespace.updated_at
    ]
}

fn item_from_columns(row: &Columns) -> Result<Item, store::Error> {
    Ok(Item { name: row.get(0)?, body: row.json(1)?, created_at: row.get(2)?, updated_at: row.get(3)? })
}

fn taken(namespace: &str, kind: Kind, name: &str) -> Error {
    Error::Conflict(format!("A metadata definition {} with name={name} already exists in namespace={namespace}.", kind.as_str()))
}

/// Makes a change of a namespace that keeps its name, or of what belongs to it, and records the whole before and after.
pub fn changing<T>(
    tx: &mut Tx,
    actor: &Actor,
    namespace: &str,
    change: impl FnOnce(&mut Tx) -> Result<T, Error>,
) -> Result<T, Error> {
    let before = state(tx, namespace)?;
    let done = change(tx)?;
    let after = state(tx, namespace)?;
    record(tx, actor, namespace, Change { before, after })?;
    Ok(done)
}

fn record(tx: &mut Tx, actor: &Actor, namespace: &str, change: Change<Value>) -> Result<(), Error> {
    let owner = change.after.as_ref().or(change.before.as_ref()).map(|state| state["owner"].clone());
    let event = Event::of(actor, format!("metadef.{}", change.verb()), ("metadef", namespace), &change)?;
    tx.record(match owner {
        Some(Value::String(owner)) => event.of_project(owner),
        _ => event,
    })?;
    Ok(())
}

/// A namespace with all that belongs to it.
fn state(tx: &mut Tx, name: &str) -> Result<Option<Value>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM metadef_namespaces WHERE namespace = $1");
    let Some(row) = tx.query_opt(&sql, &params![name])? else { return Ok(None) };
    let mut state = namespace_view(&from_columns(&row)?);
    for (kind, called) in [(Kind::Object, "objects"), (Kind::Property, "properties"), (Kind::Tag, "tags")] {
        state[called] = items(tx, name, kind)?.iter().map(|item| item_view(name, kind, item)).collect();
    }
    state["resource_types"] = associations(tx, &[name])?.iter().map(association_view).collect();
    Ok(Some(state))
}
