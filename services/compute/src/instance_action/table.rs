// SPDX-License-Identifier: Apache-2.0
//! The table of actions.

use store::{Actor, Tx, params};
use types::{Generation, ServerId, Timestamp};

use super::Action;
use crate::{error::Result, server::Server};

/// An action that takes its time. With a generation it is done when the node reports on that one.
pub(crate) fn begin(tx: &mut Tx, actor: &Actor, server: &Server, action: Action, generation: Option<Generation>) -> Result<()> {
    insert(tx, actor, server, action, generation, None)
}

/// An action that is done in this very transaction.
pub(crate) fn done(tx: &mut Tx, actor: &Actor, server: &Server, action: Action) -> Result<()> {
    insert(tx, actor, server, action, None, Some(("Success", None)))
}

/// What befell a server by itself, and why, as an action that failed.
pub(crate) fn failed(tx: &mut Tx, actor: &Actor, server: &Server, action: Action, message: &str) -> Result<()> {
    insert(tx, actor, server, action, None, Some(("Error", Some(message))))
}

fn insert(
    tx: &mut Tx,
    actor: &Actor,
    server: &Server,
    action: Action,
    generation: Option<Generation>,
    outcome: Option<(&'static str, Option<&str>)>,
) -> Result<()> {
    // The cloud itself acts in nobody's request; its action gets an id of its own.
    let request_id = match actor.request_id.as_str() {
        "" => format!("req-{}", uuid::Uuid::new_v4()),
        id => id.to_owned(),
    };
    let now = Timestamp::now();
    tx.later(
        "INSERT INTO server_actions (server_id, request_id, project_id, user_id, action, event, generation, host, started_at, \
         updated_at, finished_at, result, message) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12) \
         ON CONFLICT DO NOTHING",
        &params![
            &server.id,
            request_id,
            &server.project_id,
            actor.user_id.clone(),
            action.name(),
            action.event(),
            generation.map(|generation| generation.0),
            server.host.clone(),
            now,
            outcome.map(|_| now),
            outcome.map(|(result, _)| result),
            outcome.and_then(|(_, message)| message)
        ],
    )?;
    Ok(())
}

/// Everything that waited for this generation or an earlier one went well.
pub(crate) fn finish_through(tx: &mut Tx, server: &ServerId, generation: Generation, host: Option<&str>) -> Result<()> {
    tx.later(
        "UPDATE server_actions SET finished_at = $1, updated_at = $1, result = 'Success', host = coalesce(host, $2) \
         WHERE server_id = $3 AND finished_at IS NULL AND generation <= $4",
        &params![Timestamp::now(), host, server, generation.0],
    )?;
    Ok(())
}

/// The open actions of this kind went well.
pub(crate) fn finish(tx: &mut Tx, server: &ServerId, action: Action) -> Result<()> {
    tx.later(
        "UPDATE server_actions SET finished_at = $1, updated_at = $1, result = 'Success' \
         WHERE server_id = $2 AND finished_at IS NULL AND action = $3",
        &params![Timestamp::now(), server, action.name()],
    )?;
    Ok(())
}

/// Whatever was under way, but for a deletion, failed.
pub(crate) fn fail_open(tx: &mut Tx, server: &ServerId, message: &str) -> Result<()> {
    tx.execute(
        "UPDATE server_actions SET finished_at = $1, updated_at = $1, result = 'Error', message = $2 \
         WHERE server_id = $3 AND finished_at IS NULL AND action <> 'delete'",
        &params![Timestamp::now(), message, server],
    )?;
    Ok(())
}
