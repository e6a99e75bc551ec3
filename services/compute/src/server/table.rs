// SPDX-License-Identifier: Apache-2.0
//! Finding servers. They are changed by [`super::save`].

use access::{Allowed, Scope};
use store::{Row, Select, Tx};
use types::{NodeId, ServerId};

pub(crate) use super::row::COLUMNS;
use super::{
    Server,
    claim::{self, Claim},
    operation, row,
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
    one(tx, &select(COLUMNS, allowed).filter("id = ", id).condition("deleted_at IS NULL"))?.ok_or_else(|| missing(id))
}

/// The same where even a deleted server is of interest.
pub(crate) fn get_even_deleted(tx: &mut Tx, allowed: &Allowed<Scope>, id: &ServerId) -> Result<Server> {
    one(tx, &select(COLUMNS, allowed).filter("id = ", id))?.ok_or_else(|| missing(id))
}

/// The server for the cloud's own work.
pub(crate) fn find(tx: &mut Tx, id: &ServerId) -> Result<Option<Server>> {
    let select = Select::new("servers", COLUMNS).filter("id = ", id);
    let [found, operations] = Select::together(tx, [&select, &operation::table::open_of([id])])?;
    Ok(joined(&found, &operations)?.pop())
}

/// The same with all that it holds.
pub(crate) fn find_with_claims(tx: &mut Tx, id: &ServerId) -> Result<(Option<Server>, Vec<Claim>)> {
    let select = Select::new("servers", COLUMNS).filter("id = ", id);
    let [found, operations, claims] =
        Select::together(tx, [&select, &operation::table::open_of([id]), &claim::select_of_server(id)])?;
    Ok((joined(&found, &operations)?.pop(), claim::read(&claims)?))
}

fn one(tx: &mut Tx, select: &Select) -> Result<Option<Server>> {
    Ok(with_operations(tx, select)?.pop())
}

fn joined(found: &[Row], operations: &[Row]) -> Result<Vec<Server>> {
    let (mut servers, mut open) = (rows(found)?, operation::table::by_server(operations)?);
    servers.iter_mut().for_each(|server| server.operation = open.remove(&server.id));
    Ok(servers)
}

/// Servers as their rows have them, for views: a list does not ask what is done to each.
pub(crate) fn rows(rows: &[Row]) -> Result<Vec<Server>> {
    Ok(rows.iter().map(row::from_row).collect::<store::Result<_>>()?)
}

/// Servers with what is being done to them.
pub(crate) fn with_operations(tx: &mut Tx, select: &Select) -> Result<Vec<Server>> {
    let mut servers = rows(&select.rows(tx)?)?;
    if servers.is_empty() {
        return Ok(servers);
    }
    let mut open = operation::table::open(tx, servers.iter().map(|server| &server.id))?;
    servers.iter_mut().for_each(|server| server.operation = open.remove(&server.id));
    Ok(servers)
}

/// The servers of which this node has a machine, or may have.
pub(crate) fn claimed_by(tx: &mut Tx, node: &NodeId) -> Result<Vec<Server>> {
    with_operations(tx, &select_claimed_by(node))
}

/// Of these servers those of which this node has a machine, or may have, and what `beside` finds, asked for at once.
pub(crate) fn claimed_by_and<const N: usize>(
    tx: &mut Tx,
    node: &NodeId,
    named: &[ServerId],
    beside: [&Select; N],
) -> Result<(Vec<Server>, [Vec<Row>; N])> {
    let (claimed, open) = (select_claimed_by(node).filter_in("id", named), operation::table::open_of(named));
    let mut found = Select::all(tx, &[&[&claimed, &open][..], &beside].concat())?.into_iter();
    let mut next = || found.next().unwrap_or_default();
    Ok((joined(&next(), &next())?, [(); N].map(|()| next())))
}

fn select_claimed_by(node: &NodeId) -> Select {
    let claimed = "id IN (SELECT server_id FROM server_claims WHERE kind = 'machine' AND node_id = ?)";
    Select::new("servers", COLUMNS).condition_with(claimed, vec![node.into()]).condition("deleted_at IS NULL")
}

pub(crate) fn missing(id: &ServerId) -> Error {
    Error::not_found(format!("Instance {id} could not be found."))
}
