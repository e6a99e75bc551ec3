// SPDX-License-Identifier: Apache-2.0
//! The body of `POST /v3/auth/tokens`: who says they are whom, and for what the token shall be.
//!
//! What belongs to one method stays as it was sent, for that method's own file to read.

use std::fmt;

use api::Cx;
use evidence::signature::oauth1::Sent;
use http::{HeaderMap, Method, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use store::Actor;
use types::UserId;

use super::{
    named::{DomainRequest, invalid},
    scope::ScopeRequest,
};
use crate::{
    error::{Error, Result},
    user::{Password, UserRef},
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

    /// The request as whoever signed it saw it.
    pub fn signed(&self) -> Sent<'_> {
        let authorization = self.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        Sent { method: &self.method, url: &self.url, query: &self.query, authorization }
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

pub fn missing(method: &str) -> Error {
    invalid(&format!("identity.{method} is missing, which identity.methods names"))
}
