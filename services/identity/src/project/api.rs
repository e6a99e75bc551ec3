// SPDX-License-Identifier: Apache-2.0
//! `/v3/projects`

use std::{collections::HashMap, sync::Arc};

use access::Policy;
use api::{Cx, Fault, Reply, Routes, json, no_content};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use types::ProjectId;

use super::{NewProject, Project, ProjectUpdate, Tag, store};
use crate::{
    Identity,
    error::Error,
    filter,
    reply::{self, Linked, linked},
};

static LIST: Policy = Policy::new(
    "identity:list_projects",
    "rule:admin_required or (role:reader and system_scope:all) or (role:reader and domain_id:%(target.domain_id)s)",
    "List projects",
)
.also_for_domains();
static GET: Policy = Policy::new("identity:get_project", READ, "Show a project").also_for_domains();
static CREATE: Policy = Policy::new("identity:create_project", MANAGE, "Create a project").also_for_domains();
static UPDATE: Policy = Policy::new("identity:update_project", MANAGE, "Change a project").also_for_domains();
static DELETE: Policy = Policy::new("identity:delete_project", MANAGE, "Delete a project").also_for_domains();
static LIST_TAGS: Policy = Policy::new("identity:list_project_tags", READ, "List the tags of a project").also_for_domains();
static GET_TAG: Policy = Policy::new("identity:get_project_tag", READ, "Check that a project has a tag").also_for_domains();
static UPDATE_TAGS: Policy =
    Policy::new("identity:update_project_tags", MANAGE, "Replace the tags of a project").also_for_domains();
static CREATE_TAG: Policy = Policy::new("identity:create_project_tag", MANAGE, "Tag a project").also_for_domains();
static DELETE_TAGS: Policy =
    Policy::new("identity:delete_project_tags", MANAGE, "Remove all tags of a project").also_for_domains();
static DELETE_TAG: Policy = Policy::new("identity:delete_project_tag", MANAGE, "Remove a tag of a project").also_for_domains();

const READ: &str = "rule:admin_required or (role:reader and system_scope:all) \
                    or (role:reader and domain_id:%(target.project.domain_id)s and not None:%(target.project.domain_id)s) \
                    or project_id:%(target.project.id)s";
const MANAGE: &str = "rule:admin_required or (role:manager and domain_id:%(target.project.domain_id)s \
                      and not None:%(target.project.domain_id)s)";

pub const POLICIES: [&Policy; 11] =
    [&LIST, &GET, &CREATE, &UPDATE, &DELETE, &LIST_TAGS, &GET_TAG, &UPDATE_TAGS, &CREATE_TAG, &DELETE_TAGS, &DELETE_TAG];

pub fn routes(room: Arc<Identity>) -> Routes<Identity> {
    Routes::new(room)
        .get("/v3/projects", &LIST, list)
        .post("/v3/projects", &CREATE, create)
        .get("/v3/projects/{project_id}", &GET, show)
        .patch("/v3/projects/{project_id}", &UPDATE, update)
        .delete("/v3/projects/{project_id}", &DELETE, delete)
        .get("/v3/projects/{project_id}/tags", &LIST_TAGS, list_tags)
        .put("/v3/projects/{project_id}/tags", &UPDATE_TAGS, update_tags)
        .delete("/v3/projects/{project_id}/tags", &DELETE_TAGS, delete_tags)
        .get("/v3/projects/{project_id}/tags/{tag}", &GET_TAG, check_tag)
        .put("/v3/projects/{project_id}/tags/{tag}", &CREATE_TAG, create_tag)
        .delete("/v3/projects/{project_id}/tags/{tag}", &DELETE_TAG, delete_tag)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let select = filter::by_name_and_enabled(&cx, store::select(cx.allowed()?))?;
    let select =
        filter::by_text(&cx, select, &[("domain_id", "domain_id = "), ("parent_id", "coalesce(parent_id, domain_id) = ")]);
    if cx.query().flag("is_domain")? == Some(true) {
        return reply::list::<Project>(&cx, &[]);
    }
    let wanted: Vec<String> = cx.query().get("tags").into_iter().flat_map(|tags| tags.split(',')).map(str::to_owned).collect();
    let select = wanted.iter().fold(select, |select, tag| {
        // Tags are kept as a JSON list; each stands in it between quotes.
        select.filter_contains("tags", &serde_json::Value::from(tag.as_str()).to_string())
    });
    let select = reply::paged(&cx, select)?;
    let projects = room.list(move |tx| store::list(tx, &select)).await?;
    reply::page(&cx, &projects)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), project_id(&cx));
    let with_parents = cx.query().get("parents_as_list").is_some();
    let (project, parents) = room
        .read(move |tx| {
            let project = store::get(tx, &allowed, &id)?;
            let parents = if with_parents { store::ancestors(tx, &project)? } else { vec![] };
            Ok((project, parents))
        })
        .await?;
    if !with_parents {
        return reply::show(&cx, &project);
    }
    let parents = parents.iter().map(|parent| HashMap::from([("project", linked(&cx, parent))])).collect();
    json(StatusCode::OK, &HashMap::from([("project", WithParents { project: linked(&cx, &project), parents })]))
}

#[derive(Serialize)]
struct WithParents<'a> {
    #[serde(flatten)]
    project: Linked<'a, Project>,
    parents: Vec<HashMap<&'static str, Linked<'a, Project>>>,
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewProject = cx.document("project").await?;
    if new.is_domain {
        return Err(Fault::bad_request("A project that acts as a domain is created as a domain: POST /v3/domains."));
    }
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let domain_id = match &new.domain_id {
        Some(domain_id) => domain_id.clone(),
        None => room.domain_for(&cx, new.parent_id.as_deref()).await?,
    };
    let project = room.change(move |tx| store::create(tx, &allowed, &actor, domain_id.clone(), &new)).await?;
    reply::created(&cx, &project)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: ProjectUpdate = cx.document("project").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), project_id(&cx));
    let project = room.change(move |tx| store::update(tx, &allowed, &actor, &id, &update)).await?;
    reply::show(&cx, &project)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), project_id(&cx));
    room.change(move |tx| store::delete(tx, &allowed, &actor, &id)).await?;
    no_content()
}

async fn list_tags(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), project_id(&cx));
    let project = room.read(move |tx| store::get(tx, &allowed, &id)).await?;
    tags_reply(&cx, &project)
}

async fn update_tags(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let tags: Vec<Tag> = cx.document("tags").await?;
    let project = change_tags(&room, &cx, move |_| Ok(tags.clone())).await?;
    tags_reply(&cx, &project)
}

async fn delete_tags(room: Arc<Identity>, cx: Cx) -> Reply {
    change_tags(&room, &cx, |_| Ok(vec![])).await?;
    no_content()
}

async fn check_tag(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), project_id(&cx));
    let project = room.read(move |tx| store::get(tx, &allowed, &id)).await?;
    let tag = cx.param("tag");
    if project.tags.iter().any(|own| own == tag) {
        return no_content();
    }
    Err(Error::not_found("project tag", tag).into())
}

async fn create_tag(room: Arc<Identity>, cx: Cx) -> Reply {
    let new = Tag::parse(cx.param("tag")).map_err(Fault::bad_request)?;
    change_tags(&room, &cx, move |mut tags| {
        tags.push(new.clone());
        Ok(tags)
    })
    .await?;
    Ok(api::empty(StatusCode::CREATED))
}

async fn delete_tag(room: Arc<Identity>, cx: Cx) -> Reply {
    let name = cx.param("tag").to_owned();
    change_tags(&room, &cx, move |mut tags| {
        let place = tags.iter().position(|tag| tag.0 == name).ok_or_else(|| Error::not_found("project tag", &name))?;
        tags.remove(place);
        Ok(tags)
    })
    .await?;
    no_content()
}

async fn change_tags(
    room: &Identity,
    cx: &Cx,
    change: impl Fn(Vec<Tag>) -> crate::error::Result<Vec<Tag>> + Send + Sync + 'static,
) -> Result<Project, Fault> {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), project_id(cx));
    let project = room
        .change(move |tx| {
            let now = store::get(tx, &allowed, &id)?.tags.into_iter().map(Tag).collect();
            store::set_tags(tx, &allowed, &actor, &id, &change(now)?)
        })
        .await?;
    Ok(project)
}

fn tags_reply(cx: &Cx, project: &Project) -> Reply {
    let links = json!({"next": null, "previous": null, "self": reply::full_url(cx)});
    json(StatusCode::OK, &json!({"links": links, "tags": project.tags}))
}

fn project_id(cx: &Cx) -> ProjectId {
    ProjectId::from(cx.param("project_id"))
}
