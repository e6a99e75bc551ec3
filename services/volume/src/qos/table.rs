// SPDX-License-Identifier: Apache-2.0
//! The table of QoS specs, and which types have them.

use store::{Actor, Change, Event, Row, Select, Tx, params};

use super::Qos;
use crate::error::{Error, Result};

const COLUMNS: &str = "id, name, consumer, specs, created_at";

fn from_row(row: &Row) -> store::Result<Qos> {
    Ok(Qos { id: row.get(0)?, name: row.get(1)?, consumer: row.get(2)?, specs: row.json(3)?, created_at: row.get(4)? })
}

pub(super) fn select() -> Select {
    Select::new("volume_qos_specs", COLUMNS)
}

pub(super) fn rows(tx: &mut Tx, select: &Select) -> Result<Vec<Qos>> {
    Ok(select.rows(tx)?.iter().map(from_row).collect::<store::Result<Vec<_>>>()?)
}

pub(super) fn get(tx: &mut Tx, id: &str) -> Result<Qos> {
    let found = rows(tx, &select().filter("id = ", id))?.into_iter().next();
    found.ok_or_else(|| Error::not_found(format!("No such qos spec {id}.")))
}

pub(super) fn insert(tx: &mut Tx, actor: &Actor, qos: &Qos) -> Result<()> {
    let inserted = tx.execute(
        &format!("INSERT INTO volume_qos_specs ({COLUMNS}) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"),
        &params![&qos.id, &qos.name, &qos.consumer, text(qos)?, qos.created_at],
    )?;
    if inserted == 0 {
        return Err(Error::conflict(format!("QoS specs {} already exist.", qos.name)));
    }
    record(tx, actor, qos, &Change::made(qos))
}

pub(super) fn update(tx: &mut Tx, actor: &Actor, before: &Qos, after: &Qos) -> Result<()> {
    let sql = "UPDATE volume_qos_specs SET consumer = $2, specs = $3 WHERE id = $1";
    tx.execute(sql, &params![&after.id, &after.consumer, text(after)?])?;
    record(tx, actor, after, &Change::changed(before, after))
}

pub(super) fn remove(tx: &mut Tx, actor: &Actor, qos: &Qos, is_forced: bool) -> Result<()> {
    let used = tx.query_opt("SELECT 1 FROM volume_types WHERE qos_id = $1 LIMIT 1", &params![&qos.id])?;
    if used.is_some() && !is_forced {
        return Err(Error::invalid(format!(
            "Failed to disassociate qos specs {}: types have it; take it from them, or use force.",
            qos.id
        )));
    }
    tx.execute("UPDATE volume_types SET qos_id = NULL WHERE qos_id = $1", &params![&qos.id])?;
    tx.execute("DELETE FROM volume_qos_specs WHERE id = $1", &params![&qos.id])?;
    record(tx, actor, qos, &Change::removed(qos))
}

fn text(qos: &Qos) -> Result<String> {
    serde_json::to_string(&qos.specs).map_err(|error| store::Error::Constraint { rule: error.to_string() }.into())
}

fn record(tx: &mut Tx, actor: &Actor, qos: &Qos, change: &Change<&Qos>) -> Result<()> {
    Ok(tx.record(Event::of(actor, format!("volume_qos.{}", change.verb()), ("volume_qos", &qos.id), change)?)?)
}
