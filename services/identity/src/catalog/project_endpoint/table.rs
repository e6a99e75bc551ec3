// SPDX-License-Identifier: Apache-2.0
//! The table of which project was given which endpoint.

use access::{Allowed, Scope};
use store::{Actor, Tx, params};
use types::{EndpointId, ProjectId};

use crate::{
    catalog::{
        endpoint::{Endpoint, table as endpoints},
        endpoint_group::{Filters, table as groups},
    },
    change,
    error::{Error, Result},
    project::{Project, table as projects},
};

/// All endpoints that a project was given, one by one or by groups.
pub fn of_project(tx: &mut Tx, allowed: &Allowed<Scope>, project: &ProjectId) -> Result<Vec<Endpoint>> {
    let filters: Vec<Filters> = groups::of_project(tx, allowed, project)?.into_iter().map(|group| group.filters).collect();
    let sql = "SELECT endpoint_id FROM project_endpoints WHERE project_id = $1";
    let given = tx.query(sql, &params![project])?;
    let given: Vec<EndpointId> = given.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    let is_given = |endpoint: &Endpoint| given.contains(&endpoint.id) || filters.iter().any(|filters| filters.admit(endpoint));
    let all = endpoints::list(tx, &endpoints::select(allowed))?;
    Ok(all.into_iter().filter(is_given).collect())
}

/// The projects that were given this very endpoint.
pub fn projects(tx: &mut Tx, allowed: &Allowed<Scope>, endpoint: &EndpointId) -> Result<Vec<Project>> {
    endpoints::get(tx, allowed, endpoint)?;
    let given = "id IN (SELECT project_id FROM project_endpoints WHERE endpoint_id = ?)";
    projects::list(tx, &projects::select(allowed).condition_with(given, vec![endpoint.into()]))
}

pub fn check(tx: &mut Tx, allowed: &Allowed<Scope>, project: &ProjectId, endpoint: &EndpointId) -> Result<()> {
    both(tx, allowed, project, endpoint)?;
    let sql = "SELECT 1 FROM project_endpoints WHERE project_id = $1 AND endpoint_id = $2";
    tx.query_opt(sql, &params![project, endpoint])?.ok_or_else(|| not_given(project, endpoint)).map(drop)
}

pub fn give(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, project: &ProjectId, endpoint: &EndpointId) -> Result<()> {
    let given = both(tx, allowed, project, endpoint)?;
    let sql = "INSERT INTO project_endpoints (project_id, endpoint_id) VALUES ($1, $2)";
    tx.execute(sql, &params![project, endpoint]).map_err(|error| {
        if error.is_unique("project_id") {
            return Error::conflict("project_endpoint", "Duplicate entry");
        }
        error.into()
    })?;
    change::record(tx, actor, "project_endpoint", endpoint.as_str(), None, Some(&given))
}

pub fn take(tx: &mut Tx, _: &Allowed<Scope>, actor: &Actor, project: &ProjectId, endpoint: &EndpointId) -> Result<()> {
    let sql = "DELETE FROM project_endpoints WHERE project_id = $1 AND endpoint_id = $2";
    if tx.execute(sql, &params![project, endpoint])? == 0 {
        return Err(not_given(project, endpoint));
    }
    change::record(tx, actor, "project_endpoint", endpoint.as_str(), Some(&state(project, endpoint)), None)
}

fn both(tx: &mut Tx, allowed: &Allowed<Scope>, project: &ProjectId, endpoint: &EndpointId) -> Result<serde_json::Value> {
    endpoints::get(tx, allowed, endpoint)?;
    groups::refuse_unknown_project(tx, project)?;
    Ok(state(project, endpoint))
}

fn state(project: &ProjectId, endpoint: &EndpointId) -> serde_json::Value {
    serde_json::json!({"project_id": project, "endpoint_id": endpoint})
}

fn not_given(project: &ProjectId, endpoint: &EndpointId) -> Error {
    Error::not_found("endpoint of project", format!("{endpoint} in project {project}"))
}
