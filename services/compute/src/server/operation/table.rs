// SPDX-License-Identifier: Apache-2.0
//! The table of operations. Written by the writer of the server's row alone ([`super::super::save`]), in its transaction.

use std::collections::HashMap;

use store::{Row, Select, Tx, params};
use types::{ServerId, Timestamp};

use super::{
    super::{row::known, state::Word as _},
    Ask, Kind, Operation,
};
use crate::error::Result;

const COLUMNS: &str =
    "id, server_id, kind, stage, ask, from_node, to_node, request_id, actor, started_at, stage_at, deadline, outcome";

fn from_row(row: &Row) -> store::Result<(ServerId, Operation)> {
    let kind: Kind = known(row.get(2)?, 2)?;
    let ask = Ask::read(kind, row.get(4)?);
    let operation = Operation {
        id: row.get(0)?,
        kind,
        stage: known(row.get(3)?, 3)?,
        ask: ask.map_err(|cause| store::Error::Json { index: 4, source: std::sync::Arc::new(cause) })?,
        from_node: row.get(5)?,
        to_node: row.get(6)?,
        request_id: row.get(7)?,
        actor: row.get(8)?,
        started_at: row.get(9)?,
        stage_at: row.get(10)?,
        deadline: row.get(11)?,
        outcome: row.get(12)?,
    };
    Ok((row.get(1)?, operation))
}

/// The open operations of these servers.
pub(crate) fn open<'a>(tx: &mut Tx, servers: impl IntoIterator<Item = &'a ServerId>) -> Result<HashMap<ServerId, Operation>> {
    by_server(&open_of(servers).rows(tx)?)
}

/// The same, still to be asked for.
pub(crate) fn open_of<'a>(servers: impl IntoIterator<Item = &'a ServerId>) -> Select {
    Select::new("server_operations", COLUMNS).condition("finished_at IS NULL").filter_in("server_id", servers)
}

pub(crate) fn by_server(rows: &[Row]) -> Result<HashMap<ServerId, Operation>> {
    Ok(rows.iter().map(from_row).collect::<store::Result<_>>()?)
}

pub(crate) fn insert(tx: &mut Tx, server: &ServerId, operation: &Operation) -> Result<()> {
    tx.later(
        "INSERT INTO server_operations (id, server_id, kind, stage, ask, from_node, to_node, request_id, actor, started_at, \
         stage_at, deadline, outcome, finished_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        &params![
            &operation.id,
            server,
            operation.kind.word(),
            operation.stage.word(),
            operation.ask.to_json(),
            operation.from_node.clone(),
            operation.to_node.clone(),
            &operation.request_id,
            &operation.actor,
            operation.started_at,
            operation.stage_at,
            operation.deadline,
            operation.outcome.clone(),
            operation.outcome.as_ref().map(|_| Timestamp::now())
        ],
    )?;
    Ok(())
}

/// The next stage of an open one, or its end. That it is still as it was read, the server's row says, which is written next.
pub(crate) fn update(tx: &mut Tx, operation: &Operation) -> Result<()> {
    Ok(tx.later(
        "UPDATE server_operations SET stage = $2, ask = $3, from_node = $4, to_node = $5, stage_at = $6, deadline = $7, \
         outcome = $8, finished_at = $9 WHERE id = $1 AND finished_at IS NULL",
        &params![
            &operation.id,
            operation.stage.word(),
            operation.ask.to_json(),
            operation.from_node.clone(),
            operation.to_node.clone(),
            operation.stage_at,
            operation.deadline,
            operation.outcome.clone(),
            operation.outcome.as_ref().map(|_| Timestamp::now())
        ],
    )?)
}
