// SPDX-License-Identifier: Apache-2.0
//! The table of projects.

use access::{Allowed, Scope};
use store::{Actor, Select, Tx, params};
use types::{DomainId, ProjectId};

use super::{
    NewProject, Project, ProjectUpdate, Tags, hierarchy,
    row::{COLUMNS, read},
};
use crate::{
    body::{merge, own_attributes, refuse_change},
    change,
    error::{Error, Result},
    options,
    power::Over,
};

/// The projects that the caller may see.
pub fn select(allowed: &Allowed<Scope>) -> Select {
    let select = Select::new("projects", COLUMNS);
    match allowed.scope() {
        Scope::All => select,
        Scope::Domain(own) => select.scope("domain_id = ", own),
        Scope::Project(own) => select.scope("id = ", own),
        Scope::User { .. } => select.condition("1 = 0"),
    }
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<Project>> {
    select.rows(tx)?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &ProjectId) -> Result<Project> {
    let admitted = |project: &Project| match allowed.scope() {
        Scope::Project(own) => *own == project.id,
        other => other.admits_domain(&project.domain_id),
    };
    find(tx, id)?.filter(admitted).ok_or_else(|| Error::out_of_reach(allowed, "project", id.as_str()))
}

/// The project, whoever asks: for logins and for targets of policies.
pub fn find(tx: &mut Tx, id: &ProjectId) -> Result<Option<Project>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM projects WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()
}

pub fn create(tx: &mut Tx, allowed: &Allowed<Scope>, over: &Over<DomainId>, actor: &Actor, new: &NewProject) -> Result<Project> {
    let domain_id = over.subject().clone();
    if !allowed.scope().admits_domain(&domain_id) {
        return Err(Error::out_of_reach(allowed, "domain", domain_id.as_str()));
    }
    tx.query_opt("SELECT 1 FROM domains WHERE id = $1", &params![&domain_id])?
        .ok_or_else(|| Error::not_found("domain", domain_id.as_str()).in_body())?;
    let parent = new.parent_id.as_deref().filter(|parent| *parent != domain_id.as_str()).map(ProjectId::from);
    if let Some(parent) = &parent {
        let found = find(tx, parent)?.filter(|parent| parent.domain_id == domain_id);
        let found = found.ok_or_else(|| Error::not_found("project", parent.as_str()).in_body())?;
        hierarchy::refuse_bad_parent(tx, &found)?;
    }
    let project = Project {
        id: ProjectId::generate(),
        name: new.name.as_str().to_owned(),
        parent_id: parent.as_ref().map_or(domain_id.as_str(), ProjectId::as_str).to_owned(),
        domain_id,
        description: new.description.clone().unwrap_or_default(),
        enabled: new.enabled,
        is_domain: false,
        tags: new.tags.words(),
        options: new.options.kept(),
        extra: own_attributes(new.extra.clone()),
    };
    let sql = "INSERT INTO projects (id, domain_id, parent_id, name, description, enabled, tags, options, extra) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let [tags, options, extra] = documents(&project);
    let row = params![
        &project.id,
        &project.domain_id,
        parent.as_ref(),
        &project.name,
        &project.description,
        project.enabled,
        tags,
        options,
        extra,
    ];
    tx.execute(sql, &row).map_err(|error| taken(error, &project))?;
    change::record(tx, actor, "project", project.id.as_str(), None, Some(&project))?;
    Ok(project)
}

pub fn update(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    over: &Over<ProjectId>,
    actor: &Actor,
    update: &ProjectUpdate,
) -> Result<Project> {
    let id = over.subject();
    let before = get(tx, allowed, id)?;
    refuse_change("id", id.as_str(), &update.extra)?;
    refuse_change("domain_id", before.domain_id.as_str(), &update.extra)?;
    refuse_change("parent_id", &before.parent_id, &update.extra)?;
    if update.extra.get("is_domain").is_some_and(|value| value != false) {
        return Err(Error::Invalid("The field 'is_domain' cannot be changed.".into()));
    }
    options::refuse_update("project", id.as_str(), &before.options, update.only_options())?;
    let mut project = before.clone();
    if let Some(name) = &update.name {
        project.name = name.as_str().to_owned();
    }
    if let Some(description) = &update.description {
        project.description = description.clone().unwrap_or_default();
    }
    if let Some(enabled) = update.enabled {
        project.enabled = enabled;
    }
    if let Some(tags) = &update.tags {
        project.tags = tags.words();
    }
    if let Some(options) = &update.options {
        options.apply(&mut project.options);
    }
    merge(&mut project.extra, update.extra.clone(), &["domain_id", "parent_id", "is_domain"]);
    if project.enabled != before.enabled {
        hierarchy::refuse_broken_branch(tx, &project)?;
    }
    save(tx, actor, &before, &project)?;
    Ok(project)
}

/// Replaces the tags.
pub fn set_tags(tx: &mut Tx, allowed: &Allowed<Scope>, over: &Over<ProjectId>, actor: &Actor, tags: &Tags) -> Result<Project> {
    let id = over.subject();
    let before = get(tx, allowed, id)?;
    options::refuse_update("project", id.as_str(), &before.options, None)?;
    let project = Project { tags: tags.words(), ..before.clone() };
    save(tx, actor, &before, &project)?;
    Ok(project)
}

pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, over: &Over<ProjectId>, actor: &Actor) -> Result<()> {
    let id = over.subject();
    let project = get(tx, allowed, id)?;
    options::refuse_delete("project", id.as_str(), &project.options)?;
    if tx.query_opt("SELECT 1 FROM projects WHERE parent_id = $1", &params![id])?.is_some() {
        return Err(Error::Forbidden(format!("Cannot delete the project {id} since it is not a leaf: it has projects in it.")));
    }
    for sql in [
        "DELETE FROM application_credentials WHERE project_id = $1",
        "DELETE FROM role_assignments WHERE target_kind = 'project' AND target_id = $1",
        "DELETE FROM limits WHERE project_id = $1",
        "UPDATE users SET default_project_id = NULL WHERE default_project_id = $1",
        "DELETE FROM projects WHERE id = $1",
    ] {
        tx.execute(sql, &params![id])?;
    }
    change::record(tx, actor, "project", id.as_str(), Some(&project), None)
}

fn save(tx: &mut Tx, actor: &Actor, before: &Project, project: &Project) -> Result<()> {
    let sql = "UPDATE projects SET name = $2, description = $3, enabled = $4, tags = $5, options = $6, extra = $7 \
               WHERE id = $1";
    let [tags, options, extra] = documents(project);
    tx.execute(sql, &params![&project.id, &project.name, &project.description, project.enabled, tags, options, extra])
        .map_err(|error| taken(error, project))?;
    change::record(tx, actor, "project", project.id.as_str(), Some(before), Some(project))
}

fn documents(project: &Project) -> [serde_json::Value; 3] {
    let Project { tags, options, extra, .. } = project;
    [serde_json::json!(tags), serde_json::Value::Object(options.clone()), serde_json::Value::Object(extra.clone())]
}

fn taken(error: store::Error, project: &Project) -> Error {
    Error::name_taken(error, "project", &project.name, &format!(" at domain ID {}", project.domain_id))
}
