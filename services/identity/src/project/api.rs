// SPDX-License-Identifier: Apache-2.0
//! `/v3/projects`

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use access::Policy;
use api::{Cx, Fault, Reply, Routes, json, no_content};
use http::StatusCode;
use serde_json::{Value, json};
use store::Select;
use types::{DomainId, ProjectId};

use super::{NewProject, Project, ProjectUpdate, Tag, Tags, as_domain, hierarchy, table as projects};
use crate::{
    Identity,
    assignment::effective,
    domain::table as domains,
    error::{Error, Result},
    filter,
    limit::{table as limits, two_levels},
    power::Wielder,
    reply::{self, linked},
    settings::LimitModel,
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

pub fn routes() -> Routes<Identity> {
    Routes::new()
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
    if cx.query().flag("is_domain")? == Some(true) {
        let select = filter::by_name_and_enabled(&cx, domains::select(&filter::within_domain_of_token(&cx)?))?;
        // A domain lies in no domain and has no parent.
        let asks_within = ["domain_id", "parent_id"].iter().any(|name| cx.query().get(name).is_some());
        let select = if asks_within { select.condition("1 = 0") } else { select };
        let select = reply::paged(&cx, select)?;
        let domains = room.list(move |tx| as_domain::list(tx, &select)).await?;
        return reply::page(&cx, &domains);
    }
    let select = filter::by_name_and_enabled(&cx, projects::select(&filter::within_domain_of_token(&cx)?))?;
    let select =
        filter::by_text(&cx, select, &[("domain_id", "domain_id = "), ("parent_id", "coalesce(parent_id, domain_id) = ")]);
    let select = reply::paged(&cx, by_tags(&cx, select))?;
    let projects = room.list(move |tx| projects::list(tx, &select)).await?;
    reply::page(&cx, &projects)
}

/// All of these tags, any of them, not all of them, none of them.
fn by_tags(cx: &Cx, select: Select) -> Select {
    // Tags are kept as a JSON list; each stands in it between quotes.
    let words = |name: &str| -> Vec<String> {
        let words = cx.query().get(name).into_iter().flat_map(|tags| tags.split(','));
        words.map(|tag| Value::from(tag).to_string()).collect()
    };
    let select = words("tags").iter().fold(select, |select, tag| select.filter_contains("tags", tag));
    let select = match words("tags-any") {
        tags if tags.is_empty() => select,
        tags => select.filter_contains_any("tags", &tags),
    };
    let select = match words("not-tags") {
        tags if tags.is_empty() => select,
        tags => select.filter_lacks_any("tags", &tags),
    };
    words("not-tags-any").into_iter().fold(select, |select, tag| select.filter_lacks_any("tags", &[tag]))
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id, user) = (cx.allowed()?.clone(), project_id(&cx), cx.caller()?.user.id.clone());
    let further = Further::read(&cx)?;
    let found = room
        .read(move |tx| {
            if projects::find(tx, &id)?.is_none() {
                return Ok(Err(as_domain::get(tx, &allowed, &id)?));
            }
            let project = projects::get(tx, &allowed, &id)?;
            let above = if further.parents == Shape::Not { vec![] } else { hierarchy::ancestors(tx, &id)? };
            let below = if further.subtree == Shape::Not { vec![] } else { hierarchy::subtree(tx, &id)? };
            // Lists show those in which the caller has a role; ids are told of all.
            let own: HashSet<ProjectId> = match further.has_list() {
                true => effective::projects_of(tx, &user)?.into_iter().map(|project| project.id).collect(),
                false => HashSet::new(),
            };
            let told = above.iter().chain(&below).map(|project| &project.id).filter(|id| own.contains(*id));
            let limits = if further.limits { limits::of_projects(tx, told)? } else { HashMap::new() };
            Ok(Ok((project, above, below, own, limits)))
        })
        .await?;
    let (project, above, below, own, mut limits) = match found {
        Ok(found) => found,
        Err(domain) => return reply::show(&cx, &domain),
    };
    let mut view = serde_json::to_value(linked(&cx, &project)).map_err(Fault::internal)?;
    let mut list = |projects: &[Project]| -> Value {
        let own = projects.iter().filter(|project| own.contains(&project.id));
        own.map(|project| {
            let mut view = json!(linked(&cx, project));
            if further.limits {
                view["limits"] = json!(limits.remove(&project.id).unwrap_or_default());
            }
            json!({"project": view})
        })
        .collect()
    };
    match further.parents {
        Shape::Not => {}
        Shape::List => view["parents"] = list(&above),
        Shape::Ids => view["parents"] = hierarchy::parents_as_ids(&project, &above),
    }
    match further.subtree {
        Shape::Not => {}
        Shape::List => view["subtree"] = list(&below),
        Shape::Ids => view["subtree"] = hierarchy::subtree_as_ids(&project, &below),
    }
    json(StatusCode::OK, &json!({"project": view}))
}

/// What is asked for around a project, and in which shape.
#[derive(Debug, Clone, Copy)]
struct Further {
    parents: Shape,
    subtree: Shape,
    /// With each project of a list its limits.
    limits: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Not,
    List,
    Ids,
}

impl Further {
    fn read(cx: &Cx) -> Result<Self, Fault> {
        // Keystone takes a flag without a value as set, and `0` as not set.
        let is_set = |name: String| cx.query().get(&name).is_some_and(|value| value != "0");
        let shape = |what: &str| match (is_set(format!("{what}_as_list")), is_set(format!("{what}_as_ids"))) {
            (true, true) => {
                Err(Fault::bad_request(format!("Cannot use {what}_as_list and {what}_as_ids query params at the same time.")))
            }
            (true, false) => Ok(Shape::List),
            (false, true) => Ok(Shape::Ids),
            (false, false) => Ok(Shape::Not),
        };
        Ok(Self { parents: shape("parents")?, subtree: shape("subtree")?, limits: is_set("include_limits".to_owned()) })
    }

    fn has_list(self) -> bool {
        self.parents == Shape::List || self.subtree == Shape::List
    }
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewProject = cx.document("project").await?;
    let (allowed, actor, wielder) = (cx.allowed()?.clone(), cx.actor(), Wielder::of(&room, &cx).await?);
    if new.is_domain {
        let id = DomainId::generate();
        let domain = room
            .change(move |tx| {
                let over = wielder.over_cloud(tx)?;
                as_domain::create(tx, &allowed, &over, &actor, id.clone(), &new)
            })
            .await?;
        return reply::created(&cx, &domain);
    }
    let domain_id = room.domain_asked_for(&cx, new.domain_id.as_ref(), new.parent_id.as_deref()).await?;
    let model = room.settings.limit_model;
    let project = room
        .change(move |tx| {
            let over = wielder.over_domain(tx, &domain_id)?;
            let project = projects::create(tx, &allowed, &over, &actor, &new)?;
            if model == LimitModel::StrictTwoLevel {
                hierarchy::refuse_deeper_than(tx, &project, two_levels::DEEPEST)?;
            }
            Ok(project)
        })
        .await?;
    reply::created(&cx, &project)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: ProjectUpdate = cx.document("project").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), project_id(&cx));
    let wielder = Wielder::of(&room, &cx).await?;
    let updated = room
        .change(move |tx| match projects::find(tx, &id)? {
            Some(_) => {
                projects::get(tx, &allowed, &id)?;
                let over = wielder.over_project(tx, &id)?;
                projects::update(tx, &allowed, &over, &actor, &update).map(Ok)
            }
            None => {
                as_domain::get(tx, &allowed, &id)?;
                let over = wielder.over_cloud(tx)?;
                as_domain::update(tx, &allowed, &over, &actor, &id, &update).map(Err)
            }
        })
        .await?;
    match updated {
        Ok(project) => reply::show(&cx, &project),
        Err(domain) => reply::show(&cx, &domain),
    }
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), project_id(&cx));
    let wielder = Wielder::of(&room, &cx).await?;
    room.change(move |tx| match projects::find(tx, &id)? {
        Some(_) => {
            projects::get(tx, &allowed, &id)?;
            let over = wielder.over_project(tx, &id)?;
            projects::delete(tx, &allowed, &over, &actor)
        }
        None => {
            as_domain::get(tx, &allowed, &id)?;
            let over = wielder.over_cloud(tx)?;
            as_domain::delete(tx, &allowed, &over, &actor, &id)
        }
    })
    .await?;
    no_content()
}

async fn list_tags(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), project_id(&cx));
    let project = room.read(move |tx| projects::get(tx, &allowed, &id)).await?;
    tags_reply(&cx, &project)
}

async fn update_tags(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let tags: Tags = cx.document("tags").await?;
    let project = change_tags(&room, &cx, move |_| Ok(tags.clone())).await?;
    tags_reply(&cx, &project)
}

async fn delete_tags(room: Arc<Identity>, cx: Cx) -> Reply {
    change_tags(&room, &cx, |_| Ok(Tags::default())).await?;
    no_content()
}

async fn check_tag(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), project_id(&cx));
    let project = room.read(move |tx| projects::get(tx, &allowed, &id)).await?;
    let tag = cx.param("tag");
    if project.tags.iter().any(|own| own == tag) {
        return no_content();
    }
    Err(Error::not_found("project tag", tag).into())
}

async fn create_tag(room: Arc<Identity>, cx: Cx) -> Reply {
    let new = Tag::parse(cx.param("tag")).map_err(Fault::bad_request)?;
    change_tags(&room, &cx, move |mut tags| {
        if !tags.contains(&new) {
            tags.push(new.clone());
        }
        Tags::new(tags).map_err(Error::Invalid)
    })
    .await?;
    Ok(api::empty(StatusCode::CREATED))
}

async fn delete_tag(room: Arc<Identity>, cx: Cx) -> Reply {
    let name = cx.param("tag").to_owned();
    change_tags(&room, &cx, move |mut tags| {
        let place = tags.iter().position(|tag| tag.0 == name).ok_or_else(|| Error::not_found("project tag", &name))?;
        tags.remove(place);
        Tags::new(tags).map_err(Error::Invalid)
    })
    .await?;
    no_content()
}

async fn change_tags(
    room: &Identity,
    cx: &Cx,
    change: impl Fn(Vec<Tag>) -> Result<Tags> + Send + Sync + 'static,
) -> Result<Project, Fault> {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), project_id(cx));
    let wielder = Wielder::of(room, cx).await?;
    let project = room
        .change(move |tx| {
            let now = projects::get(tx, &allowed, &id)?.tags.into_iter().map(Tag).collect();
            let over = wielder.over_project(tx, &id)?;
            projects::set_tags(tx, &allowed, &over, &actor, &change(now)?)
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
