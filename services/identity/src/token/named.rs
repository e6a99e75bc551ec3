// SPDX-License-Identifier: Apache-2.0
//! How the body of a login names domains and projects.

use evidence::DomainRef;
use serde::Deserialize;
use types::{DomainId, ProjectId};

use crate::error::{Error, Result};

#[derive(Debug, Deserialize)]
pub struct DomainRequest {
    pub id: Option<DomainId>,
    pub name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct ProjectRequest {
    pub id: Option<ProjectId>,
    pub name: Option<String>,
    pub domain: Option<DomainRequest>,
}

/// How a request names a project.
#[derive(Debug, Clone)]
pub enum ProjectRef {
    Id(ProjectId),
    Name { name: String, domain: DomainRef },
}

impl DomainRequest {
    pub fn reference(&self) -> Result<DomainRef> {
        match (&self.id, &self.name) {
            (Some(id), _) => Ok(DomainRef::Id(id.clone())),
            (None, Some(name)) => Ok(DomainRef::Name(name.clone())),
            (None, None) => Err(invalid("a domain is named by id or by name")),
        }
    }
}

impl ProjectRequest {
    pub fn reference(&self) -> Result<ProjectRef> {
        match (&self.id, &self.name, &self.domain) {
            (Some(id), _, _) => Ok(ProjectRef::Id(id.clone())),
            (None, Some(name), Some(domain)) => Ok(ProjectRef::Name { name: name.clone(), domain: domain.reference()? }),
            (None, Some(_), None) => Err(invalid("a project that is named by name needs the domain beside it")),
            (None, None, _) => Err(invalid("the project is named by id, or by name and domain")),
        }
    }
}

pub fn invalid(what: &str) -> Error {
    Error::Invalid(format!("Invalid input for field 'auth': {what}."))
}
