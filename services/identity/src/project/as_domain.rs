// SPDX-License-Identifier: Apache-2.0
//! Projects that act as domains. To Keystone a domain is such a project, and clients may ask for it as one; here it lies
//! in the table of domains, and this is how it looks and is changed from the side of projects.

use access::{Allowed, Scope};
use serde::Serialize;
use store::{Actor, Tx};
use types::{DomainId, ProjectId};

use super::{NewProject, ProjectUpdate};
use crate::{
    body::Extra,
    domain::{Domain, DomainUpdate, NewDomain, table as domains},
    error::{Error, Result},
    power::{Cloud, Over},
    reply::Resource,
};

#[derive(Debug, Clone, Serialize)]
pub struct DomainAsProject {
    pub id: DomainId,
    pub name: String,
    pub domain_id: Option<DomainId>,
    pub description: String,
    pub enabled: bool,
    pub parent_id: Option<ProjectId>,
    pub is_domain: bool,
    pub tags: [&'static str; 0],
    pub options: Extra,
    #[serde(flatten)]
    pub extra: Extra,
}

impl From<Domain> for DomainAsProject {
    fn from(domain: Domain) -> Self {
        let Domain { id, name, description, enabled, tags, options, extra } = domain;
        Self { id, name, domain_id: None, description, enabled, parent_id: None, is_domain: true, tags, options, extra }
    }
}

impl Resource for DomainAsProject {
    const ONE: &'static str = "project";
    const MANY: &'static str = "projects";

    fn id(&self) -> &str {
        self.id.as_str()
    }
}

/// Lists what [`domains::select`] selects.
pub fn list(tx: &mut Tx, select: &store::Select) -> Result<Vec<DomainAsProject>> {
    Ok(domains::list(tx, select)?.into_iter().map(Into::into).collect())
}

pub fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &ProjectId) -> Result<DomainAsProject> {
    let id = domain_id(allowed, id)?;
    Ok(domains::get(tx, allowed, &id).map_err(as_of_project)?.into())
}

pub fn create(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    over: &Over<Cloud>,
    actor: &Actor,
    id: DomainId,
    new: &NewProject,
) -> Result<DomainAsProject> {
    if new.domain_id.is_some() || new.parent_id.is_some() {
        return Err(Error::Invalid("A project that acts as a domain lies in no domain and has no parent.".to_owned()));
    }
    if !allowed.scope().is_all() {
        return Err(Error::Forbidden("Only an administrator of the cloud makes projects that act as domains.".to_owned()));
    }
    let new = NewDomain {
        name: new.name.clone(),
        description: new.description.clone(),
        enabled: new.enabled,
        options: new.options.clone(),
        extra: new.extra.clone(),
    };
    Ok(domains::create(tx, allowed, over, actor, id, &new)?.into())
}

pub fn update(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    over: &Over<Cloud>,
    actor: &Actor,
    id: &ProjectId,
    update: &ProjectUpdate,
) -> Result<DomainAsProject> {
    let id = domain_id(allowed, id)?;
    let mut extra = update.extra.clone();
    for (field, kept) in
        [("is_domain", serde_json::json!(true)), ("domain_id", serde_json::Value::Null), ("parent_id", serde_json::Value::Null)]
    {
        if extra.remove(field).is_some_and(|asked| asked != kept) {
            return Err(Error::Invalid(format!("The field '{field}' cannot be changed.")));
        }
    }
    let update = DomainUpdate {
        name: update.name.clone(),
        description: update.description.clone(),
        enabled: update.enabled,
        options: update.options.clone(),
        extra,
    };
    Ok(domains::update(tx, allowed, over, actor, &id, &update).map_err(as_of_project)?.into())
}

pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, over: &Over<Cloud>, actor: &Actor, id: &ProjectId) -> Result<()> {
    let id = domain_id(allowed, id)?;
    domains::delete(tx, allowed, over, actor, &id).map_err(as_of_project)
}

/// Who sees or manages the projects of a domain is not he who sees or manages the domain as one.
fn domain_id(allowed: &Allowed<Scope>, id: &ProjectId) -> Result<DomainId> {
    if allowed.scope().is_all() { Ok(id.as_str().into()) } else { Err(Error::out_of_reach(allowed, "project", id.as_str())) }
}

fn as_of_project(error: Error) -> Error {
    match error {
        Error::NotFound { id, .. } => Error::not_found("project", id),
        other => other,
    }
}
