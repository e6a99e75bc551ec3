// SPDX-License-Identifier: Apache-2.0
//! `/v3/OS-EP-FILTER/endpoint_groups`

use std::sync::Arc;

use access::Policy;
use api::{Cx, Reply, Routes, no_content};
use types::ProjectId;

use super::{EndpointGroupUpdate, NewEndpointGroup, table};
use crate::{Identity, filter, reply};

static LIST: Policy = Policy::new("identity:list_endpoint_groups", READ, "List endpoint groups");
static GET: Policy = Policy::new("identity:get_endpoint_group", READ, "Show an endpoint group");
static CREATE: Policy = Policy::new("identity:create_endpoint_group", "rule:admin_required", "Create an endpoint group");
static UPDATE: Policy = Policy::new("identity:update_endpoint_group", "rule:admin_required", "Change an endpoint group");
static DELETE: Policy = Policy::new("identity:delete_endpoint_group", "rule:admin_required", "Delete an endpoint group");
static LIST_PROJECTS: Policy = Policy::new(
    "identity:list_projects_associated_with_endpoint_group",
    READ,
    "List the projects that were given an endpoint group",
);
static LIST_ENDPOINTS: Policy =
    Policy::new("identity:list_endpoints_associated_with_endpoint_group", READ, "List the endpoints of an endpoint group");
static LIST_OF_PROJECT: Policy =
    Policy::new("identity:list_endpoint_groups_for_project", READ, "List the endpoint groups of a project");
static CHECK: Policy =
    Policy::new("identity:get_endpoint_group_in_project", READ, "Check that a project was given an endpoint group");
static GIVE: Policy =
    Policy::new("identity:add_endpoint_group_to_project", "rule:admin_required", "Give a project an endpoint group");
static TAKE: Policy =
    Policy::new("identity:remove_endpoint_group_from_project", "rule:admin_required", "Take an endpoint group from a project");

const READ: &str = "rule:admin_required or (role:reader and system_scope:all)";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/OS-EP-FILTER/endpoint_groups", &LIST, list)
        .post("/v3/OS-EP-FILTER/endpoint_groups", &CREATE, create)
        .get("/v3/OS-EP-FILTER/endpoint_groups/{group_id}", &GET, show)
        .patch("/v3/OS-EP-FILTER/endpoint_groups/{group_id}", &UPDATE, update)
        .delete("/v3/OS-EP-FILTER/endpoint_groups/{group_id}", &DELETE, delete)
        .get("/v3/OS-EP-FILTER/endpoint_groups/{group_id}/projects", &LIST_PROJECTS, list_projects)
        .get("/v3/OS-EP-FILTER/endpoint_groups/{group_id}/endpoints", &LIST_ENDPOINTS, list_endpoints)
        .get("/v3/OS-EP-FILTER/endpoint_groups/{group_id}/projects/{project_id}", &CHECK, check)
        .put("/v3/OS-EP-FILTER/endpoint_groups/{group_id}/projects/{project_id}", &GIVE, give)
        .delete("/v3/OS-EP-FILTER/endpoint_groups/{group_id}/projects/{project_id}", &TAKE, take)
        .get("/v3/OS-EP-FILTER/projects/{project_id}/endpoint_groups", &LIST_OF_PROJECT, list_of_project)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let select = filter::by_text(&cx, table::select(cx.allowed()?), &[("name", "name = ")]);
    let groups = room.list(move |tx| table::list(tx, &select)).await?;
    reply::list(&cx, &groups)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), group_id(&cx));
    let group = room.read(move |tx| table::get(tx, &allowed, &id)).await?;
    reply::show(&cx, &group)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewEndpointGroup = cx.document("endpoint_group").await?;
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let group = room.change(move |tx| table::create(tx, &allowed, &actor, &new)).await?;
    reply::created(&cx, &group)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: EndpointGroupUpdate = cx.document("endpoint_group").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), group_id(&cx));
    let group = room.change(move |tx| table::update(tx, &allowed, &actor, &id, &update)).await?;
    reply::show(&cx, &group)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), group_id(&cx));
    room.change(move |tx| table::delete(tx, &allowed, &actor, &id)).await?;
    no_content()
}

async fn list_projects(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), group_id(&cx));
    let projects = room.list(move |tx| table::projects(tx, &allowed, &id)).await?;
    reply::list(&cx, &projects)
}

async fn list_endpoints(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), group_id(&cx));
    let endpoints = room.list(move |tx| table::members(tx, &allowed, &id)).await?;
    reply::list(&cx, &endpoints)
}

async fn list_of_project(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, project) = (cx.allowed()?.clone(), project_id(&cx));
    let groups = room.list(move |tx| table::of_project(tx, &allowed, &project)).await?;
    reply::list(&cx, &groups)
}

async fn check(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id, project) = (cx.allowed()?.clone(), group_id(&cx), project_id(&cx));
    let given = room.read(move |tx| table::given(tx, &allowed, &id, &project)).await?;
    reply::show(&cx, &given)
}

async fn give(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id, project) = (cx.allowed()?.clone(), cx.actor(), group_id(&cx), project_id(&cx));
    room.change(move |tx| table::give(tx, &allowed, &actor, &id, &project)).await?;
    no_content()
}

async fn take(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id, project) = (cx.allowed()?.clone(), cx.actor(), group_id(&cx), project_id(&cx));
    room.change(move |tx| table::take(tx, &allowed, &actor, &id, &project)).await?;
    no_content()
}

fn group_id(cx: &Cx) -> String {
    cx.param("group_id").to_owned()
}

fn project_id(cx: &Cx) -> ProjectId {
    ProjectId::from(cx.param("project_id"))
}
