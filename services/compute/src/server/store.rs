// SPDX-License-Identifier: Apache-2.0
//! Finding servers and changing what is wanted of them. Every change bumps the generation where the node must hear
//! of it, and leaves its event and its action in the same transaction.

use access::{Allowed, Scope};
use serde_json::{Value, json};
use store::{Actor, Event, Row, Select, Tx, params};
use types::{Generation, ServerId, Timestamp};

use super::{
    FaultNote, Server,
    row::{self, COLUMNS},
    state::Phase,
};
use crate::error::{Error, Result};

/// A select of servers, confined to what the proof reaches.
pub(crate) fn select(columns: &'static str, allowed: &Allowed<Scope>) -> Select {
    confined(Select::new("servers", columns), allowed.scope())
}

/// The select, confined to a scope: what is only known by its domain is not known to be within.
pub(crate) fn confined(select: Select, scope: &Scope) -> Select {
    match scope {
        Scope::All => select,
        Scope::Project(project) => select.scope("project_id = ", project),
        Scope::User { user, project: None } => select.scope("user_id = ", user),
        Scope::User { user, project: Some(project) } => select.scope("user_id = ", user).scope("project_id = ", project),
        Scope::Domain(_) => select.condition("1 = 0"),
    }
}

/// The server, if it is there for this caller; deleted ones are not.
pub(crate) fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &ServerId) -> Result<Server> {
    let found = select(COLUMNS, allowed).filter("id = ", id).condition("deleted_at IS NULL").rows(tx)?;
    let row = found.first().ok_or_else(|| missing(id))?;
    Ok(row::from_row(row)?)
}

/// The same where even a deleted server is of interest.
pub(crate) fn get_even_deleted(tx: &mut Tx, allowed: &Allowed<Scope>, id: &ServerId) -> Result<Server> {
    let found = select(COLUMNS, allowed).filter("id = ", id).rows(tx)?;
    let row = found.first().ok_or_else(|| missing(id))?;
    Ok(row::from_row(row)?)
}

/// The server for the cloud's own work.
pub(crate) fn find(tx: &mut Tx, id: &ServerId) -> Result<Option<Server>> {
    let found = Select::new("servers", COLUMNS).filter("id = ", id).rows(tx)?;
    Ok(found.first().map(row::from_row).transpose()?)
}

pub(crate) fn rows(rows: &[Row]) -> Result<Vec<Server>> {
    Ok(rows.iter().map(row::from_row).collect::<store::Result<_>>()?)
}

pub(crate) fn missing(id: &ServerId) -> Error {
    Error::not_found(format!("Instance {id} could not be found."))
}

/// Moves a server on in its life, if nobody else did.
pub(crate) fn set_phase(tx: &mut Tx, server: &Server, phase: Phase) -> Result<()> {
    Ok(tx.execute_cas(
        "UPDATE servers SET phase = $1, phase_at = $2, updated_at = $2 WHERE id = $3 AND phase = $4 AND deleted_at IS NULL",
        &params![phase.word(), Timestamp::now(), &server.id, server.phase.word()],
    )?)
}

pub(crate) fn set_fault(tx: &mut Tx, id: &ServerId, fault: &FaultNote) -> Result<()> {
    tx.execute("UPDATE servers SET fault = $1 WHERE id = $2", &params![json!(fault), id])?;
    Ok(())
}

/// The next generation, if the one read is still the latest.
pub(crate) fn bump(tx: &mut Tx, server: &Server) -> Result<Generation> {
    let next = server.generation.next();
    tx.execute_cas(
        "UPDATE servers SET generation = $1, found_current = 0, updated_at = $2 WHERE id = $3 AND generation = $4",
        &params![next.0, Timestamp::now(), &server.id, server.generation.0],
    )?;
    Ok(next)
}

/// Writes the event of a change of this server.
pub(crate) fn record(
    tx: &mut Tx,
    actor: &Actor,
    action: &str,
    server: &Server,
    before: Option<Value>,
    after: Value,
) -> Result<()> {
    tx.record(Event {
        actor: actor.clone(),
        action: action.to_owned(),
        resource_type: "server",
        resource_id: server.id.to_string(),
        project_id: Some(server.project_id.to_string()),
        before,
        after: Some(after),
    })?;
    Ok(())
}
