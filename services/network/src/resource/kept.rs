// SPDX-License-Identifier: Apache-2.0
//! Rows that belong to projects.

use access::{Allowed, Scope};
use serde::Serialize;
use store::{Row, Select, Tx, Value};
use types::ProjectId;

use crate::{Error, Result, reach};

pub trait Kept: Clone + Serialize + Send + Sync + Sized + 'static {
    const TABLE: &'static str;
    const COLUMNS: &'static str;
    /// What it is called in events.
    const KIND: &'static str;
    /// Which rows a project sees; ends where the project's id belongs.
    const VISIBLE: &'static str = "project_id = ";

    fn read(row: &Row) -> store::Result<Self>;
    fn id(&self) -> &str;
    fn project_id(&self) -> &ProjectId;
    fn generation(&self) -> i64;
    fn missing(id: &str) -> Error;

    fn select() -> Select {
        Select::new(Self::TABLE, Self::COLUMNS)
    }

    fn rows(tx: &mut Tx, select: Select) -> Result<Vec<Self>> {
        Ok(select.rows(tx)?.iter().map(Self::read).collect::<store::Result<_>>()?)
    }

    /// Writes a new row; the values are in the order of the columns.
    fn insert(tx: &mut Tx, values: &[Value]) -> Result<()> {
        let places: Vec<String> = (1..=values.len()).map(|place| format!("${place}")).collect();
        tx.execute(&format!("INSERT INTO {} ({}) VALUES ({})", Self::TABLE, Self::COLUMNS, places.join(", ")), values)?;
        Ok(())
    }

    /// Keeps the rows that the scope lets see.
    fn within(select: Select, scope: &Scope) -> Select {
        reach::within(select, scope, Self::VISIBLE)
    }

    /// The same as several queries which have no row in common, where each is answered in the order of ids faster than all at
    /// once.
    fn sights(select: Select, scope: &Scope) -> Vec<Select> {
        vec![Self::within(select, scope)]
    }

    /// The row, if the scope lets see it; else it is not there.
    fn find(tx: &mut Tx, scope: &Allowed<Scope>, id: &str) -> Result<Self> {
        let select = Self::within(Self::select().filter("id = ", id), scope.scope());
        first(tx, select, id)
    }

    /// The row, whoever asks: for what follows from something already allowed.
    fn get(tx: &mut Tx, id: impl AsRef<str>) -> Result<Self> {
        let id = id.as_ref();
        first(tx, Self::select().filter("id = ", id), id)
    }
}

/// The functions of [`Kept`] that are the same for every row with these columns.
macro_rules! common_columns {
    () => {
        fn id(&self) -> &str {
            self.id.as_ref()
        }

        fn project_id(&self) -> &ProjectId {
            &self.project_id
        }

        fn generation(&self) -> i64 {
            self.generation
        }
    };
}
pub(crate) use common_columns;

fn first<R: Kept>(tx: &mut Tx, select: Select, id: &str) -> Result<R> {
    R::rows(tx, select)?.pop().ok_or_else(|| R::missing(id))
}
