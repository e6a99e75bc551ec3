// SPDX-License-Identifier: Apache-2.0
//! The table of messages: as many of a project as are read, and no more.

use access::{Allowed, Scope};
use store::{Actor, Change, Event, Row, Select, Tx, params};
use types::Timestamp;

use super::Message;
use crate::error::{Error, Result};

pub(super) const COLUMNS: &str =
    "id, project_id, resource_type, resource_id, event_id, message, request_id, created_at, kept_until";
/// Of a project; the oldest go first.
const MOST: i64 = 1000;

pub(super) fn from_row(row: &Row) -> store::Result<Message> {
    Ok(Message {
        id: row.get(0)?,
        project_id: row.get(1)?,
        resource_type: row.get(2)?,
        resource_id: row.get(3)?,
        event_id: row.get(4)?,
        message: row.get(5)?,
        request_id: row.get(6)?,
        created_at: row.get(7)?,
        kept_until: row.get(8)?,
    })
}

pub(super) fn rows(tx: &mut Tx, select: &Select) -> Result<Vec<Message>> {
    Ok(select.rows(tx)?.iter().map(from_row).collect::<store::Result<Vec<_>>>()?)
}

pub(super) fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str) -> Result<Message> {
    let found = rows(tx, &Select::new("volume_messages", COLUMNS).filter("id = ", id))?.into_iter().next();
    let own = found.filter(|message| allowed.scope().admits(&message.project_id, None));
    own.ok_or_else(|| Error::not_found(format!("Message {id} could not be found.")))
}

pub(crate) fn insert(tx: &mut Tx, actor: &Actor, message: &Message) -> Result<()> {
    tx.execute("DELETE FROM volume_messages WHERE kept_until < $1", &params![Timestamp::now()])?;
    tx.execute(
        "DELETE FROM volume_messages WHERE id IN (SELECT id FROM volume_messages WHERE project_id = $1 \
         ORDER BY created_at DESC, id LIMIT 1000 OFFSET $2)",
        &params![&message.project_id, MOST - 1],
    )?;
    tx.execute(
        &format!("INSERT INTO volume_messages ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"),
        &params![
            &message.id,
            &message.project_id,
            &message.resource_type,
            &message.resource_id,
            &message.event_id,
            &message.message,
            &message.request_id,
            message.created_at,
            message.kept_until,
        ],
    )?;
    record(tx, actor, message, &Change::made(message))
}

pub(super) fn remove(tx: &mut Tx, actor: &Actor, message: &Message) -> Result<()> {
    tx.execute("DELETE FROM volume_messages WHERE id = $1", &params![&message.id])?;
    record(tx, actor, message, &Change::removed(message))
}

fn record(tx: &mut Tx, actor: &Actor, message: &Message, change: &Change<&Message>) -> Result<()> {
    let event = Event::of(actor, format!("volume_message.{}", change.verb()), ("volume_message", &message.id), change)?;
    Ok(tx.record(event.of_project(message.project_id.to_string()))?)
}
