// SPDX-License-Identifier: Apache-2.0
//! The body of `POST /v3/auth/tokens`: who says they are whom, and for what the token shall be.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;
use types::{DomainId, ProjectId, Secret, UserId};

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

#[derive(Debug, Deserialize)]
pub struct IdentityRequest {
    pub methods: Vec<String>,
    pub password: Option<PasswordRequest>,
    pub token: Option<TokenRequest>,
    pub application_credential: Option<CredentialRequest>,
}

#[derive(Debug, Deserialize)]
pub struct PasswordRequest {
    pub user: UserRequest,
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
pub struct TokenRequest {
    pub id: Secret<String>,
}

#[derive(Debug, Deserialize)]
pub struct CredentialRequest {
    pub id: Option<String>,
    pub name: Option<String>,
    pub user: Option<UserRequest>,
    pub secret: Password,
}

#[derive(Debug)]
pub enum ScopeRequest {
    Unscoped,
    Project(ProjectRequest),
    Domain(DomainRequest),
    System,
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

impl<'de> Deserialize<'de> for ScopeRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut things = match Value::deserialize(deserializer)? {
            Value::String(word) if word == "unscoped" => return Ok(Self::Unscoped),
            Value::Object(things) => things,
            _ => return Err(D::Error::custom("it is an object with a project, a domain or the system, or the word 'unscoped'")),
        };
        if things.contains_key("OS-TRUST:trust") {
            return Err(D::Error::custom("trusts are not supported by this cloud"));
        }
        if things.contains_key("unscoped") {
            return Ok(Self::Unscoped);
        }
        if things.len() != 1 {
            return Err(D::Error::custom("it names exactly one of project, domain and system"));
        }
        if let Some(project) = things.remove("project") {
            return Ok(Self::Project(serde_json::from_value(project).map_err(D::Error::custom)?));
        }
        if let Some(domain) = things.remove("domain") {
            return Ok(Self::Domain(serde_json::from_value(domain).map_err(D::Error::custom)?));
        }
        match things.remove("system") {
            Some(system) if system.get("all") == Some(&Value::Bool(true)) => Ok(Self::System),
            Some(_) => Err(D::Error::custom("the scope of the system is {\"all\": true}")),
            None => Err(D::Error::custom("it names exactly one of project, domain and system")),
        }
    }
}

pub fn invalid(what: &str) -> Error {
    Error::Invalid(format!("Invalid input for field 'auth': {what}."))
}
