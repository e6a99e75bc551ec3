// SPDX-License-Identifier: Apache-2.0
//! What all things of Octavia's API have in common: a row in a table, that belongs to a project and to a load balancer.

mod cell;
pub(crate) mod handlers;
pub(crate) mod listing;

use access::Policy;
use serde::Serialize;
use serde_json::Value as Json;
use store::{Actor, Change, Event, Row, Select, Tx, Value, params};
use types::{LoadBalancerId, ProjectId, Timestamp};

pub(crate) use cell::Cell;
use listing::Attribute;

use crate::error::{Error, Result};

pub(crate) trait Thing: Clone + PartialEq + Serialize + Send + Sync + Sized + 'static {
    const TABLE: &'static str;
    const COLUMNS: &'static str;
    /// What it is called in events.
    const KIND: &'static str;
    /// What it is called in sentences.
    const WORD: &'static str;

    fn read(row: &Row) -> store::Result<Self>;
    fn values(&self) -> Vec<Value>;
    fn id(&self) -> &str;
    fn project_id(&self) -> &ProjectId;

    fn select() -> Select {
        Select::new(Self::TABLE, Self::COLUMNS)
    }

    fn rows(tx: &mut Tx, select: &Select) -> Result<Vec<Self>> {
        Ok(select.rows(tx)?.iter().map(Self::read).collect::<store::Result<_>>()?)
    }

    fn find(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        Ok(Self::rows(tx, &Self::select().filter("id = ", id))?.pop())
    }

    fn get(tx: &mut Tx, id: &str) -> Result<Self> {
        Self::find(tx, id)?.ok_or_else(|| Error::missing(Self::WORD, id))
    }

    /// In the order in which they were made.
    fn of(tx: &mut Tx, balancer: &LoadBalancerId) -> Result<Vec<Self>> {
        let select = Self::select().filter("load_balancer_id = ", balancer);
        Self::rows(tx, &select.sort(&[("created_at", store::Direction::Asc)], "id"))
    }

    fn insert(&self, tx: &mut Tx, actor: &Actor) -> Result<()> {
        let values = self.values();
        let holes: Vec<String> = (1..=values.len()).map(|place| format!("${place}")).collect();
        tx.execute(&format!("INSERT INTO {} ({}) VALUES ({})", Self::TABLE, Self::COLUMNS, holes.join(", ")), &values)?;
        self.record(tx, actor, &Change::made(self))
    }

    /// Writes what changed. Nobody else changes it meanwhile: whoever does has the load balancer's row.
    fn save(&self, tx: &mut Tx, actor: &Actor, before: &Self) -> Result<()> {
        if self == before {
            return Ok(());
        }
        let set: Vec<String> =
            Self::COLUMNS.split(", ").enumerate().map(|(place, name)| format!("{name} = ${}", place + 1)).collect();
        tx.execute(&format!("UPDATE {} SET {} WHERE id = $1", Self::TABLE, set.join(", ")), &self.values())?;
        self.record(tx, actor, &Change::changed(before, self))
    }

    fn remove(&self, tx: &mut Tx, actor: &Actor) -> Result<()> {
        tx.execute(&format!("DELETE FROM {} WHERE id = $1", Self::TABLE), &params![self.id()])?;
        self.record(tx, actor, &Change::removed(self))
    }

    fn record(&self, tx: &mut Tx, actor: &Actor, change: &Change<&Self>) -> Result<()> {
        let action = format!("{}.{}", Self::KIND, change.verb());
        let event = Event::of(actor, action, (Self::KIND, self.id()), change)?;
        Ok(tx.record(event.of_project(self.project_id().to_string()))?)
    }
}

/// How it looks in the API.
pub(crate) trait Shown: Thing {
    /// The key of one in a body.
    const ONE: &'static str;
    /// The key of a list in a body.
    const MANY: &'static str;
    const SHOW: &'static Policy;
    const ATTRIBUTES: &'static [Attribute];

    /// In a constant number of statements.
    fn views(tx: &mut Tx, rows: Vec<Self>) -> Result<Vec<Json>>;

    fn view(self, tx: &mut Tx) -> Result<Json> {
        Ok(Self::views(tx, vec![self])?.pop().unwrap_or_default())
    }
}

/// The column of a field. A word of the language cannot be a field, and can be a column.
macro_rules! column {
    (r#type) => {
        "type"
    };
    ($field:ident) => {
        stringify!($field)
    };
}
pub(crate) use column;

/// Defines a row by its columns, which are called like its fields.
macro_rules! thing {
    ($(#[$doc:meta])* $name:ident ($table:literal, $kind:literal, $word:literal) { id: $id:ty, $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        pub(crate) struct $name {
            pub id: $id,
            $($(#[$field_doc])* pub $field: $type),+
        }

        impl $crate::thing::Thing for $name {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static str = concat!("id" $(, ", ", $crate::thing::column!($field))+);
            const KIND: &'static str = $kind;
            const WORD: &'static str = $word;

            fn read(row: &store::Row) -> store::Result<Self> {
                let mut places = 0..;
                let mut next = || places.next().unwrap_or_default();
                Ok(Self {
                    id: $crate::thing::Cell::read(row, next())?,
                    $($field: $crate::thing::Cell::read(row, next())?),+
                })
            }

            fn values(&self) -> Vec<store::Value> {
                vec![$crate::thing::Cell::write(&self.id), $($crate::thing::Cell::write(&self.$field)),+]
            }

            fn id(&self) -> &str {
                self.id.as_str()
            }

            fn project_id(&self) -> &types::ProjectId {
                &self.project_id
            }
        }
    };
}
pub(crate) use thing;

/// `2026-11-30T09:15:04`, as Octavia writes times.
pub(crate) fn time(at: Timestamp) -> String {
    at.zulu().trim_end_matches('Z').to_owned()
}

pub(crate) fn time_or_none(at: Option<Timestamp>) -> Option<String> {
    at.map(time)
}

/// `[{"id": …}]`
pub(crate) fn ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> Vec<Json> {
    ids.into_iter().map(|id| serde_json::json!({ "id": id })).collect()
}
