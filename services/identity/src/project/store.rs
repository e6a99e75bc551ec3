// SPDX-License-Identifier: Apache-2.0
//! The table of projects.

use access::{Allowed, Scope};
use store::{Actor, Row, Select, Tx, params};
use types::{DomainId, ProjectId};

use super::{DEEPEST, NewProject, Project, ProjectUpdate, Tag};
use crate::{
    body::{merge, own_attributes, refuse_change},
    change,
    error::{Error, Result},
};

const COLUMNS: &str = "id, domain_id, parent_id, name, description, enabled, tags, extra";

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
    find(tx, id)?.filter(admitted).ok_or_else(|| Error::not_found("project", id.as_str()))
}

/// The project, whoever asks: for logins and for targets of policies.
pub fn find(tx: &mut Tx, id: &ProjectId) -> Result<Option<Project>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM projects WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()
}

pub fn create(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, domain_id: DomainId, new: &NewProject) -> Result<Project> {
    if !allowed.scope().admits_domain(&domain_id) {
        return Err(Error::not_found("domain", domain_id.as_str()));
    }
    tx.query_opt("SELECT 1 FROM domains WHERE id = $1", &params![&domain_id])?
        .ok_or_else(|| Error::not_found("domain", domain_id.as_str()))?;
    let parent = new.parent_id.as_deref().filter(|parent| *parent != domain_id.as_str()).map(ProjectId::from);
    if let Some(parent) = &parent {
        refuse_bad_parent(tx, parent, &domain_id)?;
    }
    let project = Project {
        id: ProjectId::generate(),
        name: new.name.as_str().to_owned(),
        parent_id: parent.as_ref().map_or(domain_id.as_str(), ProjectId::as_str).to_owned(),
        domain_id,
        description: new.description.clone().unwrap_or_default(),
        enabled: new.enabled,
        is_domain: false,
        tags: distinct(&new.tags),
        options: Default::default(),
        extra: own_attributes(new.extra.clone()),
    };
    let sql = "INSERT INTO projects (id, domain_id, parent_id, name, description, enabled, tags, extra) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let tags = serde_json::to_string(&project.tags).unwrap_or_default();
    let extra = serde_json::Value::Object(project.extra.clone());
    let row = params![
        &project.id,
        &project.domain_id,
        parent.as_ref(),
        &project.name,
        &project.description,
        project.enabled,
        tags,
        extra,
    ];
    tx.execute(sql, &row).map_err(|error| taken(error, &project))?;
    change::record(tx, actor, "project", project.id.as_str(), None, Some(&project))?;
    Ok(project)
}

pub fn update(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &ProjectId, update: &ProjectUpdate) -> Result<Project> {
    let before = get(tx, allowed, id)?;
    refuse_change("id", id.as_str(), &update.extra)?;
    refuse_change("domain_id", before.domain_id.as_str(), &update.extra)?;
    refuse_change("parent_id", &before.parent_id, &update.extra)?;
    if update.extra.get("is_domain").is_some_and(|value| value != false) {
        return Err(Error::Invalid("The field 'is_domain' cannot be changed.".into()));
    }
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
        project.tags = distinct(tags);
    }
    merge(&mut project.extra, update.extra.clone(), &["domain_id", "parent_id", "is_domain"]);
    save(tx, actor, &before, &project)?;
    Ok(project)
}

/// Replaces the tags.
pub fn set_tags(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &ProjectId, tags: &[Tag]) -> Result<Project> {
    let before = get(tx, allowed, id)?;
    let project = Project { tags: distinct(tags), ..before.clone() };
    save(tx, actor, &before, &project)?;
    Ok(project)
}

pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &ProjectId) -> Result<()> {
    let project = get(tx, allowed, id)?;
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

/// The projects above this one, nearest first.
pub fn ancestors(tx: &mut Tx, project: &Project) -> Result<Vec<Project>> {
    let mut above = vec![];
    let mut parent = Some(project.parent_id.clone()).filter(|parent| parent != project.domain_id.as_str());
    while let Some(id) = parent {
        let Some(next) = find(tx, &ProjectId::new(id))? else { break };
        parent = Some(next.parent_id.clone()).filter(|parent| parent != next.domain_id.as_str());
        above.push(next);
    }
    Ok(above)
}

fn save(tx: &mut Tx, actor: &Actor, before: &Project, project: &Project) -> Result<()> {
    let sql = "UPDATE projects SET name = $2, description = $3, enabled = $4, tags = $5, extra = $6 WHERE id = $1";
    let tags = serde_json::to_string(&project.tags).unwrap_or_default();
    let extra = serde_json::Value::Object(project.extra.clone());
    tx.execute(sql, &params![&project.id, &project.name, &project.description, project.enabled, tags, extra])
        .map_err(|error| taken(error, project))?;
    change::record(tx, actor, "project", project.id.as_str(), Some(before), Some(project))
}

fn refuse_bad_parent(tx: &mut Tx, parent: &ProjectId, domain_id: &DomainId) -> Result<()> {
    let parent = find(tx, parent)?
        .filter(|parent| parent.domain_id == *domain_id)
        .ok_or_else(|| Error::not_found("project", parent.as_str()))?;
    if !parent.enabled {
        return Err(Error::Forbidden("Cannot create a project in a branch that contains a disabled project.".into()));
    }
    if ancestors(tx, &parent)?.len() + 2 > DEEPEST {
        return Err(Error::Forbidden(format!("Projects may lie at most {DEEPEST} deep in each other.")));
    }
    Ok(())
}

fn distinct(tags: &[Tag]) -> Vec<String> {
    let mut seen: Vec<String> = vec![];
    for tag in tags {
        let tag = tag.clone().into_string();
        if !seen.contains(&tag) {
            seen.push(tag);
        }
    }
    seen
}

fn taken(error: store::Error, project: &Project) -> Error {
    Error::name_taken(error, "project", &project.name, &format!(" at domain ID {}", project.domain_id))
}

fn read(row: &Row) -> Result<Project> {
    let domain_id: DomainId = row.get(1)?;
    let parent: Option<String> = row.get(2)?;
    Ok(Project {
        id: row.get(0)?,
        parent_id: parent.unwrap_or_else(|| domain_id.as_str().to_owned()),
        domain_id,
        name: row.get(3)?,
        description: row.get(4)?,
        enabled: row.get(5)?,
        is_domain: false,
        tags: row.json(6)?,
        options: Default::default(),
        extra: row.json(7)?,
    })
}
