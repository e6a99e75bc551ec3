// SPDX-License-Identifier: Apache-2.0
//! Projects in projects: what is above one and below it, one statement each, and what that asks of a change.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use store::{Tx, params};
use types::ProjectId;

use super::{DEEPEST, Project, row};
use crate::error::{Error, Result};

/// The projects above this one, nearest first.
pub fn ancestors(tx: &mut Tx, id: &ProjectId) -> Result<Vec<Project>> {
    let sql = row::with_columns(
        "WITH RECURSIVE above (id, parent_id, depth) AS (
             SELECT p.id, p.parent_id, 0 FROM projects p WHERE p.id = $1
             UNION ALL SELECT p.id, p.parent_id, above.depth + 1 FROM projects p JOIN above ON p.id = above.parent_id
         )",
        "projects JOIN above ON above.id = projects.id WHERE above.depth > 0 ORDER BY above.depth",
    );
    tx.query(&sql, &params![id])?.iter().map(row::read).collect()
}

/// The projects below this one, those that are nearer first.
pub fn subtree(tx: &mut Tx, id: &ProjectId) -> Result<Vec<Project>> {
    let sql = row::with_columns(
        "WITH RECURSIVE below (id, depth) AS (
             SELECT p.id, 1 FROM projects p WHERE p.parent_id = $1
             UNION ALL SELECT p.id, below.depth + 1 FROM projects p JOIN below ON p.parent_id = below.id
         )",
        "projects JOIN below ON below.id = projects.id ORDER BY below.depth, projects.name, projects.id",
    );
    tx.query(&sql, &params![id])?.iter().map(row::read).collect()
}

/// `{parent: {its parent: {domain: null}}}`
pub fn parents_as_ids(project: &Project, ancestors: &[Project]) -> Value {
    let ids = ancestors.iter().map(|above| above.id.as_str()).chain([project.domain_id.as_str()]);
    let ids: Vec<&str> = ids.collect();
    ids.iter().rev().fold(Value::Null, |above, id| Value::Object(Map::from_iter([((*id).to_owned(), above)])))
}

/// `{child: {its child: null}}`
pub fn subtree_as_ids(project: &Project, subtree: &[Project]) -> Value {
    let mut children: BTreeMap<&str, Vec<&Project>> = BTreeMap::new();
    for below in subtree {
        children.entry(&below.parent_id).or_default().push(below);
    }
    ids_below(project.id.as_str(), &children)
}

/// Not deeper than projects go ([`DEEPEST`]).
fn ids_below(id: &str, children: &BTreeMap<&str, Vec<&Project>>) -> Value {
    match children.get(id) {
        None => Value::Null,
        Some(own) => own.iter().map(|child| (child.id.to_string(), ids_below(child.id.as_str(), children))).collect(),
    }
}

/// A new project lies in an enabled branch that is not too deep already.
pub fn refuse_bad_parent(tx: &mut Tx, parent: &Project) -> Result<()> {
    let above = ancestors(tx, &parent.id)?;
    if !parent.enabled || above.iter().any(|project| !project.enabled) {
        return Err(Error::Forbidden("Cannot create a project in a branch that contains a disabled project.".into()));
    }
    if above.len() + 2 > DEEPEST {
        return Err(Error::Forbidden(format!("Projects may lie at most {DEEPEST} deep in each other.")));
    }
    Ok(())
}

/// For a model of limits that knows fewer levels than projects may have.
pub fn refuse_deeper_than(tx: &mut Tx, project: &Project, deepest: usize) -> Result<()> {
    if ancestors(tx, &project.id)?.len() + 1 > deepest {
        return Err(Error::Forbidden(format!("Max hierarchy depth reached for {} branch.", project.parent_id)));
    }
    Ok(())
}

/// A disabled project has no enabled one below it, and an enabled one no disabled one above.
pub fn refuse_broken_branch(tx: &mut Tx, project: &Project) -> Result<()> {
    let id = &project.id;
    if project.enabled && ancestors(tx, id)?.iter().any(|above| !above.enabled) {
        return Err(Error::Forbidden(format!("Cannot enable project {id} since it has disabled parents.")));
    }
    if !project.enabled && subtree(tx, id)?.iter().any(|below| below.enabled) {
        return Err(Error::Forbidden(format!("Cannot disable project {id} since its subtree contains enabled projects.")));
    }
    Ok(())
}
