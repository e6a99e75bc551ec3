// SPDX-License-Identifier: Apache-2.0
//! The table of tasks.

use std::time::Duration;

use store::{Actor, Change, Event, Row as Columns, Tx, params};
use types::{Generation, Timestamp};

use super::{Kind, Row, Status, summary};
use crate::Error;

pub const COLUMNS: &str = "id, image_id, type, status, owner, user_id, request_id, input, result, message, expires_at, generation, \
     created_at, updated_at";
/// How long a task that is over can be looked at: Glance's default.
const KEPT: Duration = Duration::from_secs(48 * 3600);

pub fn from_columns(row: &Columns) -> Result<Row, store::Error> {
    Ok(Row {
        id: row.get(0)?,
        image: row.get(1)?,
        kind: Kind::parse(row.get(2)?).unwrap_or(Kind::Import),
        status: Status::parse(row.get(3)?).unwrap_or(Status::Failure),
        owner: row.get(4)?,
        user: row.get(5)?,
        request_id: row.get(6)?,
        input: row.json(7)?,
        result: row.json(8)?,
        message: row.get(9)?,
        expires_at: row.get(10)?,
        generation: Generation(row.get(11)?),
        created_at: row.get(12)?,
        updated_at: row.get(13)?,
    })
}

pub fn find(tx: &mut Tx, id: &str) -> Result<Option<Row>, Error> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM image_tasks WHERE id = $1"), &params![id])?;
    Ok(row.map(|row| from_columns(&row)).transpose()?)
}

pub fn of_image(tx: &mut Tx, image: &str) -> Result<Vec<Row>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM image_tasks WHERE image_id = $1 ORDER BY created_at, id");
    let rows = tx.query(&sql, &params![image])?;
    Ok(rows.iter().map(from_columns).collect::<Result<_, store::Error>>()?)
}

/// Whether work on this image is under way.
pub fn is_busy(tx: &mut Tx, image: &str) -> Result<bool, Error> {
    Ok(of_image(tx, image)?.iter().any(|task| !task.status.is_over()))
}

/// Of the oldest `each` of every owner, the first `limit` after this one by their ids.
pub fn unfinished(tx: &mut Tx, each: usize, after: &str, limit: usize) -> Result<Vec<String>, Error> {
    let rows = tx.query(
        "SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY owner ORDER BY created_at, id) AS place \
         FROM image_tasks WHERE status IN ('pending', 'processing')) AS unfinished \
         WHERE place <= $1 AND id > $2 ORDER BY id LIMIT $3",
        &params![each as u64, after, limit as u64],
    )?;
    Ok(rows.iter().map(|row| row.get(0)).collect::<store::Result<_>>()?)
}

pub fn insert(tx: &mut Tx, actor: &Actor, task: &Row) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO image_tasks (id, image_id, type, status, owner, user_id, request_id, input, result, message, expires_at, \
         generation, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        &params![
            task.id.as_str(),
            task.image.clone(),
            task.kind.as_str(),
            task.status.as_str(),
            task.owner.as_str(),
            task.user.clone(),
            task.request_id.as_str(),
            &task.input,
            task.result.clone(),
            task.message.as_str(),
            task.expires_at,
            task.generation.0,
            task.created_at,
            task.updated_at
        ],
    )?;
    record(tx, actor, "image_task.create", None, Some(task))
}

pub fn update(tx: &mut Tx, actor: &Actor, before: &Row, after: &Row) -> Result<(), Error> {
    let mut after = after.clone();
    after.generation = before.generation.next();
    after.updated_at = Timestamp::now();
    if after.status.is_over() {
        after.expires_at = Some(after.updated_at.plus(KEPT));
    }
    tx.execute_cas(
        "UPDATE image_tasks SET status = $2, result = $3, message = $4, expires_at = $5, generation = $6, updated_at = $7 \
         WHERE id = $1 AND generation = $8",
        &params![
            after.id.as_str(),
            after.status.as_str(),
            after.result.clone(),
            after.message.as_str(),
            after.expires_at,
            after.generation.0,
            after.updated_at,
            before.generation.0
        ],
    )?;
    record(tx, actor, "image_task.update", Some(before), Some(&after))
}

/// Tells how far a task got; no event, since nothing follows from it.
pub fn note(tx: &mut Tx, id: &str, message: &str) -> Result<(), Error> {
    tx.execute("UPDATE image_tasks SET message = $2 WHERE id = $1", &params![id, message])?;
    Ok(())
}

pub fn forget_expired(tx: &mut Tx) -> Result<(), Error> {
    tx.execute("DELETE FROM image_tasks WHERE expires_at < $1", &params![Timestamp::now()])?;
    Ok(())
}

fn record(tx: &mut Tx, actor: &Actor, action: &str, before: Option<&Row>, after: Option<&Row>) -> Result<(), Error> {
    let Some(task) = after.or(before) else { return Ok(()) };
    let change = Change { before: before.map(summary), after: after.map(summary) };
    let event = Event::of(actor, action, ("image_task", &task.id), &change)?;
    Ok(tx.record(event.of_project(task.owner.clone()))?)
}
