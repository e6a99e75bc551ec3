// SPDX-License-Identifier: Apache-2.0
//! `/v3/OS-EP-FILTER/projects/{project_id}/endpoints`

use std::sync::Arc;

use access::Policy;
use api::{Cx, Reply, Routes, no_content};
use types::{EndpointId, ProjectId};

use super::table;
use crate::{Identity, reply};

static LIST_PROJECTS: Policy =
    Policy::new("identity:list_projects_for_endpoint", READ, "List the projects that were given an endpoint");
static LIST: Policy = Policy::new("identity:list_endpoints_for_project", READ, "List the endpoints of a project");
static CHECK: Policy = Policy::new("identity:check_endpoint_in_project", READ, "Check that a project was given an endpoint");
static GIVE: Policy = Policy::new("identity:add_endpoint_to_project", "rule:admin_required", "Give a project an endpoint");
static TAKE: Policy =
    Policy::new("identity:remove_endpoint_from_project", "rule:admin_required", "Take an endpoint from a project");

const READ: &str = "rule:admin_required or (role:reader and system_scope:all)";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/OS-EP-FILTER/endpoints/{endpoint_id}/projects", &LIST_PROJECTS, list_projects)
        .get("/v3/OS-EP-FILTER/projects/{project_id}/endpoints", &LIST, list)
        .get("/v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}", &CHECK, check)
        .put("/v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}", &GIVE, give)
        .delete("/v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}", &TAKE, take)
}

async fn list_projects(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, endpoint) = (cx.allowed()?.clone(), endpoint_id(&cx));
    let projects = room.list(move |tx| table::projects(tx, &allowed, &endpoint)).await?;
    reply::list(&cx, &projects)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, project) = (cx.allowed()?.clone(), project_id(&cx));
    let endpoints = room.list(move |tx| table::of_project(tx, &allowed, &project)).await?;
    reply::list(&cx, &endpoints)
}

async fn check(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, project, endpoint) = (cx.allowed()?.clone(), project_id(&cx), endpoint_id(&cx));
    room.read(move |tx| table::check(tx, &allowed, &project, &endpoint)).await?;
    no_content()
}

async fn give(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, project, endpoint) = (cx.allowed()?.clone(), cx.actor(), project_id(&cx), endpoint_id(&cx));
    room.change(move |tx| table::give(tx, &allowed, &actor, &project, &endpoint)).await?;
    no_content()
}

async fn take(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, project, endpoint) = (cx.allowed()?.clone(), cx.actor(), project_id(&cx), endpoint_id(&cx));
    room.change(move |tx| table::take(tx, &allowed, &actor, &project, &endpoint)).await?;
    no_content()
}

fn endpoint_id(cx: &Cx) -> EndpointId {
    EndpointId::from(cx.param("endpoint_id"))
}

fn project_id(cx: &Cx) -> ProjectId {
    ProjectId::from(cx.param("project_id"))
}
