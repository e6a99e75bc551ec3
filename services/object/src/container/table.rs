// SPDX-License-Identifier: Apache-2.0
//! `object_containers`

use store::{Actor, Change, Event, Row, Tx, params};
use types::{ProjectId, Timestamp};

use super::Container;
use crate::{
    Error,
    account::table as accounts,
    grant::{Acl, Granted, Listing, Owning},
    history::History,
    limits,
    place::Place,
};

pub const COLUMNS: &str = "id, project_id, name, metadata, read_acl, write_acl, history, objects, bytes, created_at, changed_at";

/// For those who decide who may what with it; what they answer is a yes, which all else here asks for.
pub fn find(tx: &mut Tx, place: &Place) -> Result<Option<Container>, Error> {
    let Some(project) = &place.project else { return Ok(None) };
    by_name(tx, project, &place.container)
}

pub fn by_name(tx: &mut Tx, project: &ProjectId, name: &str) -> Result<Option<Container>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM object_containers WHERE project_id = $1 AND name = $2");
    let row = tx.query_opt(&sql, &params![project, name])?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// All of an account, by name.
pub fn of_account(tx: &mut Tx, granted: &Granted<Listing>) -> Result<Vec<Container>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM object_containers WHERE project_id = $1 ORDER BY name LIMIT $2");
    let rows = tx.query(&sql, &params![granted.project(), limits::LISTING])?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

pub fn by_id(tx: &mut Tx, id: &str) -> Result<Option<Container>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM object_containers WHERE id = $1");
    let row = tx.query_opt(&sql, &params![id])?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// Makes the container, or changes the one that is there. Answers whether it was made.
pub fn put(
    tx: &mut Tx,
    granted: &Granted<Owning>,
    actor: &Actor,
    change: impl Fn(&mut Container) -> Result<(), Error>,
) -> Result<bool, Error> {
    if by_name(tx, granted.project(), granted.container())?.is_some() {
        update(tx, granted, actor, change)?;
        return Ok(false);
    }
    accounts::ensure(tx, granted.project())?;
    let now = Timestamp::now();
    let mut made = Container {
        id: uuid::Uuid::new_v4().simple().to_string(),
        project: granted.project().clone(),
        name: granted.container().to_owned(),
        metadata: crate::metadata::Metadata::default(),
        read_acl: Acl::default(),
        write_acl: Acl::default(),
        history: None,
        objects: 0,
        bytes: 0,
        created_at: now,
        changed_at: now,
    };
    change(&mut made)?;
    let sql = "INSERT INTO object_containers (id, project_id, name, metadata, read_acl, write_acl, history, objects, bytes, created_at, changed_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $8, 0, 0, $7, $7) ON CONFLICT DO NOTHING";
    let metadata = accounts::json(&made.metadata)?;
    let history = made.history.as_ref().map(History::kept);
    let (read, write) = (made.read_acl.as_str(), made.write_acl.as_str());
    let values = params![&made.id, &made.project, &made.name, metadata, read, write, now, history];
    if tx.execute(sql, &values)? == 0 {
        return Err(Error::Store(store::Error::Conflict));
    }
    accounts::count(tx, &made.project, 1, 0, 0)?;
    record(tx, actor, &Change::made(made.told()))?;
    Ok(true)
}

pub fn update(
    tx: &mut Tx,
    granted: &Granted<Owning>,
    actor: &Actor,
    change: impl Fn(&mut Container) -> Result<(), Error>,
) -> Result<(), Error> {
    let before = by_name(tx, granted.project(), granted.container())?.ok_or(Error::NotFound)?;
    let mut after = Container { changed_at: Timestamp::now(), ..before.clone() };
    change(&mut after)?;
    let sql =
        "UPDATE object_containers SET metadata = $2, read_acl = $3, write_acl = $4, changed_at = $5, history = $6 WHERE id = $1";
    let metadata = accounts::json(&after.metadata)?;
    let history = after.history.as_ref().map(History::kept);
    let (read, write) = (after.read_acl.as_str(), after.write_acl.as_str());
    tx.execute(sql, &params![&after.id, metadata, read, write, after.changed_at, history])?;
    record(tx, actor, &Change::changed(before.told(), after.told()))
}

/// Only an empty one goes.
pub fn delete(tx: &mut Tx, granted: &Granted<Owning>, actor: &Actor) -> Result<(), Error> {
    let gone = by_name(tx, granted.project(), granted.container())?.ok_or(Error::NotFound)?;
    let not_empty = || Error::Conflict("There was a conflict when trying to complete your request.".to_owned());
    // The objects that are counted here change this very row, so none comes in between.
    if tx.execute("DELETE FROM object_containers WHERE id = $1 AND objects = 0", &params![&gone.id])? == 0 {
        return Err(not_empty());
    }
    accounts::count(tx, &gone.project, -1, 0, 0)?;
    record(tx, actor, &Change::removed(gone.told()))
}

/// Its objects and bytes, and those of its account, are more by so many. Fails where that is more than they may be.
pub fn count(tx: &mut Tx, container: &Container, objects: i64, bytes: i64) -> Result<(), Error> {
    let sql = "UPDATE object_containers SET objects = objects + $2, bytes = bytes + $3 WHERE id = $1 RETURNING objects, bytes";
    let row = tx.query_opt(sql, &params![&container.id, objects, bytes])?.ok_or(Error::NotFound)?;
    let (now_objects, now_bytes): (u64, u64) = (row.get(0)?, row.get(1)?);
    let quota = container.quota();
    let too_many = objects > 0 && quota.objects.is_some_and(|most| now_objects > most);
    let too_much = bytes > 0 && quota.bytes.is_some_and(|most| now_bytes > most);
    if too_many || too_much {
        return Err(Error::TooLarge("Upload exceeds quota.".to_owned()));
    }
    accounts::count(tx, &container.project, 0, objects, bytes)
}

fn record(tx: &mut Tx, actor: &Actor, change: &Change<Container>) -> Result<(), Error> {
    let Some(container) = change.after.as_ref().or(change.before.as_ref()) else { return Ok(()) };
    let action = format!("object_container.{}", change.verb());
    let event = Event::of(actor, action, ("object_container", &container.id), change)?;
    tx.record(event.of_project(container.project.as_str()))?;
    Ok(())
}

pub fn read(row: &Row) -> Result<Container, store::Error> {
    Ok(Container {
        id: row.get(0)?,
        project: row.get(1)?,
        name: row.get(2)?,
        metadata: row.json(3)?,
        read_acl: Acl::kept(row.get(4)?),
        write_acl: Acl::kept(row.get(5)?),
        history: row.get::<Option<String>>(6)?.as_deref().and_then(History::read),
        objects: row.get(7)?,
        bytes: row.get(8)?,
        created_at: row.get(9)?,
        changed_at: row.get(10)?,
    })
}
