// SPDX-License-Identifier: Apache-2.0
//! The table of words that are good still.

use store::{Step, Tx, params};
use types::{ServerId, Timestamp};

use super::Console;
use crate::error::Result;

pub(in super::super) const STEP: Step =
    Step { number: 9, name: "console tokens", sql: include_str!("../../../migrations/0009_console_tokens.sql") };

/// Words of one server at once: whoever asks for another makes the oldest worthless.
const MOST: i64 = 32;

pub(super) struct Given {
    pub server: ServerId,
    pub console: Console,
    pub sealed: String,
}

pub(super) fn insert(tx: &mut Tx, hash: &str, given: &Given, expires_at: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM console_tokens WHERE expires_at <= $1", &params![Timestamp::now()])?;
    let newest = "SELECT hash FROM console_tokens WHERE server_id = $1 ORDER BY expires_at DESC, hash LIMIT $2";
    tx.execute(
        &format!("DELETE FROM console_tokens WHERE server_id = $1 AND hash NOT IN ({newest})"),
        &params![&given.server, MOST - 1],
    )?;
    tx.execute(
        "INSERT INTO console_tokens (hash, server_id, console, sealed, expires_at) VALUES ($1, $2, $3, $4, $5)",
        &params![hash, &given.server, given.console.word(), &given.sealed, expires_at],
    )?;
    Ok(())
}

/// What the word with this hash was given for, while it is good.
pub(super) fn find(tx: &mut Tx, hash: &str) -> Result<Option<Given>> {
    let rows = tx.query(
        "SELECT server_id, console, sealed FROM console_tokens WHERE hash = $1 AND expires_at > $2",
        &params![hash, Timestamp::now()],
    )?;
    let Some(row) = rows.first() else { return Ok(None) };
    let console: String = row.get(1)?;
    let Some(console) = Console::of_word(&console) else { return Ok(None) };
    Ok(Some(Given { server: row.get(0)?, console, sealed: row.get(2)? }))
}

/// Whether it was good until now. It is not any more.
pub(super) fn take(tx: &mut Tx, hash: &str) -> Result<bool> {
    let taken = "DELETE FROM console_tokens WHERE hash = $1 AND expires_at > $2";
    Ok(tx.execute(taken, &params![hash, Timestamp::now()])? > 0)
}

/// Of a server whose machine is another's from now on, or none: what was given for it opens nothing any more.
pub(in super::super) fn forget(tx: &mut Tx, server: &ServerId) -> Result<()> {
    tx.execute("DELETE FROM console_tokens WHERE server_id = $1", &params![server])?;
    Ok(())
}
