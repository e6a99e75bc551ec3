// SPDX-License-Identifier: Apache-2.0
//! The strict two-level model: a project has at most what the project or the domain above it has. Nothing is added up
//! here; a service that enforces limits adds up what is used below one.

use store::{Tx, params};
use types::ProjectId;

use super::Limit;
use crate::{
    error::{Error, Result},
    registered_limit::Amount,
};

/// How deep projects lie within each other under this model, the domain not counted.
pub const DEEPEST: usize = 2;

/// Refuses a limit beyond the one above it, or below one that stands under it.
pub fn refuse_misfit(tx: &mut Tx, limit: &Limit) -> Result<()> {
    let above = match &limit.project_id {
        Some(project) => Some(of_parent(tx, limit, project)?),
        None => None,
    };
    if above.flatten().is_some_and(|most| exceeds(limit.resource_limit, most)) {
        return Err(misfit(limit, "it is more than the limit above it"));
    }
    let highest = below(tx, limit)?.into_iter().find(|own| exceeds(*own, limit.resource_limit));
    if highest.is_some() {
        return Err(misfit(limit, "it is less than a limit below it"));
    }
    Ok(())
}

/// -1 is without limit.
fn exceeds(amount: Amount, most: Amount) -> bool {
    most.0 >= 0 && (amount.0 < 0 || amount.0 > most.0)
}

/// The limit of what the project lies in; where that has none of its own, what is registered for all.
fn of_parent(tx: &mut Tx, limit: &Limit, project: &ProjectId) -> Result<Option<Amount>> {
    let [service, region, name] = resource(limit);
    let own = "SELECT l.resource_limit FROM limits l JOIN projects p ON p.id = $1 \
               WHERE l.service_id = $2 AND l.region_id = $3 AND l.resource_name = $4 \
               AND (l.project_id = p.parent_id OR (p.parent_id IS NULL AND l.domain_id = p.domain_id))";
    if let Some(row) = tx.query_opt(own, &params![project, service, region, name])? {
        return Ok(Some(Amount(row.get(0)?)));
    }
    let registered = "SELECT default_limit FROM registered_limits \
                      WHERE service_id = $1 AND region_id = $2 AND resource_name = $3";
    let row = tx.query_opt(registered, &params![service, region, name])?;
    row.map(|row| Ok(Amount(row.get(0)?))).transpose()
}

/// The limits of the projects that lie directly in this one, or anywhere in this domain.
fn below(tx: &mut Tx, limit: &Limit) -> Result<Vec<Amount>> {
    let [service, region, name] = resource(limit);
    let (sql, holder) = match (&limit.project_id, &limit.domain_id) {
        (Some(project), _) => ("p.parent_id = $1", project.as_str()),
        (None, Some(domain)) => ("p.domain_id = $1", domain.as_str()),
        (None, None) => return Ok(vec![]),
    };
    let sql = format!(
        "SELECT l.resource_limit FROM limits l JOIN projects p ON p.id = l.project_id \
         WHERE {sql} AND l.service_id = $2 AND l.region_id = $3 AND l.resource_name = $4"
    );
    tx.query(&sql, &params![holder, service, region, name])?.iter().map(|row| Ok(Amount(row.get(0)?))).collect()
}

fn resource(limit: &Limit) -> [&str; 3] {
    [limit.service_id.as_str(), limit.region_id.as_deref().unwrap_or_default(), &limit.resource_name]
}

fn misfit(limit: &Limit, why: &str) -> Error {
    let holder = limit.project_id.as_ref().map(|id| format!("project_id: {id}"));
    let holder = holder.or_else(|| limit.domain_id.as_ref().map(|id| format!("domain_id: {id}"))).unwrap_or_default();
    Error::Forbidden(format!(
        "Invalid resource limit: the resource limit ({holder}, resource_name: {}, resource_limit: {}) doesn't satisfy the \
         hierarchy model: {why}.",
        limit.resource_name, limit.resource_limit.0
    ))
}
