// SPDX-License-Identifier: Apache-2.0
//! The table of attachments. Whoever changes one works out anew how far its volume's have come.

use std::collections::HashMap;

use store::{Actor, Change, Event, Row, Select, Tx, params};
use types::{AttachmentId, ServerId, VolumeId};

use super::Attachment;
use crate::{
    error::{Error, Result},
    volume::{Volume, state::Stage},
};

pub(super) const COLUMNS: &str =
    "id, volume_id, server_id, by_compute, stage, read_only, device, host, connector, created_at, attached_at";

pub(super) fn from_row(row: &Row) -> store::Result<Attachment> {
    let stage: &str = row.get(4)?;
    let unknown = || store::Error::Constraint { rule: format!("'{stage}' is a word of this table") };
    Ok(Attachment {
        id: row.get(0)?,
        volume_id: row.get(1)?,
        server_id: row.get(2)?,
        by_compute: row.get(3)?,
        stage: Stage::read(stage).ok_or_else(unknown)?,
        read_only: row.get(5)?,
        device: row.get(6)?,
        host: row.get(7)?,
        connector: row.json(8)?,
        created_at: row.get(9)?,
        attached_at: row.get(10)?,
    })
}

pub(super) fn rows(tx: &mut Tx, select: &Select) -> Result<Vec<Attachment>> {
    Ok(select.rows(tx)?.iter().map(from_row).collect::<store::Result<Vec<_>>>()?)
}

pub(super) fn select() -> Select {
    Select::new("volume_attachments", COLUMNS)
}

pub(crate) fn find(tx: &mut Tx, id: &AttachmentId) -> Result<Option<Attachment>> {
    Ok(rows(tx, &select().filter("id = ", id))?.into_iter().next())
}

pub(crate) fn of_volume(tx: &mut Tx, volume: &VolumeId) -> Result<Vec<Attachment>> {
    rows(tx, &select().filter("volume_id = ", volume))
}

pub(crate) fn of_volumes(tx: &mut Tx, volumes: &[VolumeId]) -> Result<HashMap<VolumeId, Vec<Attachment>>> {
    let mut by_volume: HashMap<VolumeId, Vec<Attachment>> = HashMap::new();
    for attachment in rows(tx, &select().filter_in("volume_id", volumes))? {
        by_volume.entry(attachment.volume_id.clone()).or_default().push(attachment);
    }
    Ok(by_volume)
}

pub(crate) fn of_servers(tx: &mut Tx, servers: &[ServerId]) -> Result<Vec<Attachment>> {
    rows(tx, &select().filter("by_compute = ", true).filter_in("server_id", servers))
}

/// The furthest stage of a volume's attachments.
pub(crate) fn furthest(tx: &mut Tx, volume: &VolumeId) -> Result<Option<Stage>> {
    Ok(of_volume(tx, volume)?.iter().map(|attachment| attachment.stage).max())
}

/// Invariant: a volume is one server's at a time, however many ask for it at once (test: `of_many_who_want_a_volume_one_gets_it`).
pub(crate) fn insert(tx: &mut Tx, actor: &Actor, volume: &Volume, attachment: &Attachment) -> Result<()> {
    if let Some(other) = of_volume(tx, &volume.id)?.first() {
        let whose = other.server_id.as_deref().unwrap_or("a client");
        return Err(Error::conflict(format!("Volume {} is taken by {whose} already.", volume.id)));
    }
    let connector = attachment.connector.as_ref().map(ToString::to_string);
    tx.execute(
        &format!("INSERT INTO volume_attachments ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"),
        &params![
            &attachment.id,
            &attachment.volume_id,
            attachment.server_id.as_ref(),
            attachment.by_compute,
            attachment.stage.word(),
            attachment.read_only,
            attachment.device.as_ref(),
            attachment.host.as_ref(),
            connector,
            attachment.created_at,
            attachment.attached_at,
        ],
    )?;
    record(tx, actor, volume, attachment, &Change::made(attachment))
}

pub(crate) fn update(tx: &mut Tx, actor: &Actor, volume: &Volume, before: &Attachment, after: &Attachment) -> Result<()> {
    let connector = after.connector.as_ref().map(ToString::to_string);
    tx.execute(
        "UPDATE volume_attachments SET stage = $2, read_only = $3, device = $4, host = $5, connector = $6, attached_at = $7, \
         server_id = $8 WHERE id = $1",
        &params![
            &after.id,
            after.stage.word(),
            after.read_only,
            after.device.as_ref(),
            after.host.as_ref(),
            connector,
            after.attached_at,
            after.server_id.as_ref(),
        ],
    )?;
    record(tx, actor, volume, after, &Change::changed(before, after))
}

pub(crate) fn remove(tx: &mut Tx, actor: &Actor, volume: &Volume, attachment: &Attachment) -> Result<()> {
    tx.execute("DELETE FROM volume_attachments WHERE id = $1", &params![&attachment.id])?;
    record(tx, actor, volume, attachment, &Change::removed(attachment))
}

fn record(tx: &mut Tx, actor: &Actor, volume: &Volume, attachment: &Attachment, change: &Change<&Attachment>) -> Result<()> {
    let verb = format!("volume_attachment.{}", change.verb());
    let event = Event::of(actor, verb, ("volume_attachment", attachment.id.as_str()), change)?;
    Ok(tx.record(event.of_project(volume.project_id.to_string()))?)
}
