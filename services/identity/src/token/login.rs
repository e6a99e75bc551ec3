// SPDX-License-Identifier: Apache-2.0
//! The body of `POST /v3/auth/tokens`: who says they are whom, and for what the token shall be.
//!
//! What belongs to one method stays as it was sent, for that method's own file to read.

use std::fmt;

use api::Cx;
use http::{HeaderMap, Method};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use store::Actor;
use types::{DomainId, ProjectId, UserId};

use super::scope::ScopeRequest;
use crate::{
    error::{Error, Result},
    user::{DomainRef, Password, UserRef},
};

#[derive(Debug, Deserialize)]
pub struct LoginRequest {
    pub identity: IdentityRequest,
    #[serde(default)]
    pub scope: Option<ScopeRequest>,
}

#[derive(Deserialize)]
pub struct IdentityRequest {
    pub methods: Vec<String>,
    /// What each method needs, under its name.
    #[serde(flatten)]
    own: Map<String, Value>,
}

/// What a method may need to know of the request beside its body.
#[derive(Debug)]
pub struct Asking {
    pub method: Method,
    /// Without its query.
    pub url: String,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub actor: Actor,
}

#[derive(Debug, Deserialize)]
pub struct UserRequest {
    pub id: Option<UserId>,
    pub name: Option<String>,
    pub domain: Option<DomainRequest>,
    pub password: Option<Password>,
}

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

impl IdentityRequest {
    /// Whether something was sent for this method.
    pub fn has(&self, method: &str) -> bool {
        self.own.get(method).is_some_and(|own| !own.is_null())
    }

    /// What was sent for this method.
    pub fn own<T: DeserializeOwned>(&self, method: &str) -> Result<T> {
        let own = self.own.get(method).ok_or_else(|| missing(method))?;
        serde_path_to_error::deserialize(own).map_err(|error| {
            let at = error.path().to_string();
            let at = if at == "." { String::new() } else { format!(".{at}") };
            let cause = error.into_inner();
            Error::Invalid(format!("Invalid input for field/attribute auth.identity.{method}{at}: {cause}"))
        })
    }
}

/// What was sent holds passwords.
impl fmt::Debug for IdentityRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityRequest").field("methods", &self.methods).finish_non_exhaustive()
    }
}

impl Asking {
    pub fn of(cx: &Cx) -> Self {
        Self {
            method: cx.method.clone(),
            url: cx.own_url(),
            query: cx.query().pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            headers: cx.headers.clone(),
            actor: cx.actor(),
        }
    }
}

impl UserRequest {
    pub fn reference(&self) -> Result<UserRef> {
        match (&self.id, &self.name, &self.domain) {
            (Some(id), _, _) => Ok(UserRef::Id(id.clone())),
            (None, Some(name), Some(domain)) => Ok(UserRef::Name { name: name.clone(), domain: domain.reference()? }),
            (None, Some(_), None) => Err(invalid("a user who is named by name needs the domain beside it")),
            (None, None, _) => Err(invalid("the user is named by id, or by name and domain")),
        }
    }
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

pub fn missing(method: &str) -> Error {
    invalid(&format!("identity.{method} is missing, which identity.methods names"))
}
