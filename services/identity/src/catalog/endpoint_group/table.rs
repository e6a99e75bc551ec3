// SPDX-License-Identifier: Apache-2.0
//! The tables of endpoint groups, and of which project was given which.

use access::{Allowed, Scope};
use store::{Actor, Row, Select, Tx, params};
use types::ProjectId;

use super::{EndpointGroup, EndpointGroupUpdate, Filters, GroupOfProject, NewEndpointGroup};
use crate::{
    catalog::endpoint::{Endpoint, table as endpoints},
    change,
    error::{Error, Result},
    project::{Project, table as projects},
};

const COLUMNS: &str = "id, name, description, filters";

pub fn select(_: &Allowed<Scope>) -> Select {
    Select::new("endpoint_groups", COLUMNS)
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<EndpointGroup>> {
    select.rows(tx)?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, _: &Allowed<Scope>, id: &str) -> Result<EndpointGroup> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM endpoint_groups WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| Error::not_found("endpoint group", id))
}

pub fn create(tx: &mut Tx, _: &Allowed<Scope>, actor: &Actor, new: &NewEndpointGroup) -> Result<EndpointGroup> {
    refuse_empty(&new.filters)?;
    let group = EndpointGroup {
        id: uuid::Uuid::new_v4().simple().to_string(),
        name: new.name.as_str().to_owned(),
        description: new.description.clone(),
        filters: new.filters.clone(),
    };
    let sql = "INSERT INTO endpoint_groups (id, name, description, filters) VALUES ($1, $2, $3, $4)";
    tx.execute(sql, &row(&group))?;
    change::record(tx, actor, "endpoint_group", &group.id, None, Some(&group))?;
    Ok(group)
}

pub fn update(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    actor: &Actor,
    id: &str,
    update: &EndpointGroupUpdate,
) -> Result<EndpointGroup> {
    let before = get(tx, allowed, id)?;
    let mut group = before.clone();
    if let Some(name) = &update.name {
        group.name = name.as_str().to_owned();
    }
    if let Some(description) = &update.description {
        group.description = description.clone();
    }
    if let Some(filters) = &update.filters {
        refuse_empty(filters)?;
        group.filters = filters.clone();
    }
    tx.execute("UPDATE endpoint_groups SET name = $2, description = $3, filters = $4 WHERE id = $1", &row(&group))?;
    change::record(tx, actor, "endpoint_group", id, Some(&before), Some(&group))?;
    Ok(group)
}

/// Projects that had the group have it no more.
pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str) -> Result<()> {
    let group = get(tx, allowed, id)?;
    tx.execute("DELETE FROM endpoint_groups WHERE id = $1", &params![id])?;
    change::record(tx, actor, "endpoint_group", id, Some(&group), None)
}

/// The endpoints that the group is of.
pub fn members(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str) -> Result<Vec<Endpoint>> {
    let filters = get(tx, allowed, id)?.filters;
    let all = endpoints::list(tx, &endpoints::select(allowed))?;
    Ok(all.into_iter().filter(|endpoint| filters.admit(endpoint)).collect())
}

/// The groups that a project was given.
pub fn of_project(tx: &mut Tx, _: &Allowed<Scope>, project: &ProjectId) -> Result<Vec<EndpointGroup>> {
    refuse_unknown_project(tx, project)?;
    let sql = format!(
        "SELECT {COLUMNS} FROM endpoint_groups WHERE id IN \
         (SELECT endpoint_group_id FROM project_endpoint_groups WHERE project_id = $1) ORDER BY id"
    );
    tx.query(&sql, &params![project])?.iter().map(read).collect()
}

/// The projects that were given a group.
pub fn projects(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str) -> Result<Vec<Project>> {
    get(tx, allowed, id)?;
    let given = "id IN (SELECT project_id FROM project_endpoint_groups WHERE endpoint_group_id = ?)";
    projects::list(tx, &projects::select(allowed).condition_with(given, vec![id.into()]))
}

pub fn give(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str, project: &ProjectId) -> Result<()> {
    let given = both(tx, allowed, id, project)?;
    let sql = "INSERT INTO project_endpoint_groups (project_id, endpoint_group_id) VALUES ($1, $2)";
    tx.execute(sql, &params![project, id]).map_err(|error| {
        if error.is_unique("project_id") {
            return Error::conflict("project_endpoint_group", "Duplicate entry");
        }
        error.into()
    })?;
    change::record(tx, actor, "project_endpoint_group", id, None, Some(&given))
}

pub fn given(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str, project: &ProjectId) -> Result<GroupOfProject> {
    let given = both(tx, allowed, id, project)?;
    let sql = "SELECT 1 FROM project_endpoint_groups WHERE project_id = $1 AND endpoint_group_id = $2";
    tx.query_opt(sql, &params![project, id])?.ok_or_else(|| not_given(id, project))?;
    Ok(given)
}

pub fn take(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str, project: &ProjectId) -> Result<()> {
    let given = both(tx, allowed, id, project)?;
    let sql = "DELETE FROM project_endpoint_groups WHERE project_id = $1 AND endpoint_group_id = $2";
    if tx.execute(sql, &params![project, id])? == 0 {
        return Err(not_given(id, project));
    }
    change::record(tx, actor, "project_endpoint_group", id, Some(&given), None)
}

pub fn refuse_unknown_project(tx: &mut Tx, project: &ProjectId) -> Result<()> {
    projects::find(tx, project)?.ok_or_else(|| Error::not_found("project", project.as_str())).map(drop)
}

fn both(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str, project: &ProjectId) -> Result<GroupOfProject> {
    refuse_unknown_project(tx, project)?;
    get(tx, allowed, id)?;
    Ok(GroupOfProject { endpoint_group_id: id.to_owned(), project_id: project.to_string() })
}

fn not_given(id: &str, project: &ProjectId) -> Error {
    Error::not_found("endpoint group of project", format!("{id} in project {project}"))
}

/// A group of all endpoints would be a mistake, and Keystone takes it for one.
fn refuse_empty(filters: &Filters) -> Result<()> {
    if filters.is_empty() {
        return Err(Error::Invalid("filters field is required and cannot be empty".to_owned()));
    }
    Ok(())
}

fn row(group: &EndpointGroup) -> [store::Value; 4] {
    let filters = serde_json::to_string(&group.filters).unwrap_or_default();
    params![&group.id, &group.name, group.description.as_ref(), filters]
}

fn read(row: &Row) -> Result<EndpointGroup> {
    Ok(EndpointGroup { id: row.get(0)?, name: row.get(1)?, description: row.get(2)?, filters: row.json(3)? })
}
