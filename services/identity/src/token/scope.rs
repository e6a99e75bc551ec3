// SPDX-License-Identifier: Apache-2.0
//! For what a token shall be: what the request asks for, and what of it the proof allows.

use access::payload::PayloadScope;
use evidence::DomainRef;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;
use store::{Tx, params};
use types::{DomainId, ProjectId, Timestamp, UserId};

use super::{
    named::{DomainRequest, ProjectRef, ProjectRequest},
    proved::Bound,
};
use crate::{
    error::{Error, Result},
    trust::{
        Trust,
        delegate::{Delegated, delegated},
        table as trusts,
    },
    user::Account,
};

#[derive(Debug, Clone)]
pub enum ScopeRequest {
    Unscoped,
    Project(ProjectRef),
    Domain(DomainRef),
    System,
    /// `OS-TRUST:trust`, by id.
    Trust(String),
}

/// What a token is going to say.
#[derive(Debug)]
pub struct Chosen {
    /// Whose the token is: the one who logged in, unless a trust lets him impersonate another.
    pub user: UserId,
    pub scope: PayloadScope,
    /// The token ends here at the latest.
    pub until: Option<Timestamp>,
    /// It is dated after this instant: tokens up to then are void.
    pub void_until: Timestamp,
    /// Nobody asked for this scope: where it means nothing, the token is for this one.
    pub otherwise: Option<PayloadScope>,
}

pub fn choose(tx: &mut Tx, asked: Option<&ScopeRequest>, bound: Option<&Bound>, account: &Account) -> Result<Chosen> {
    let asked = match asked {
        Some(ScopeRequest::Trust(trust)) => return by_trust(tx, trust, bound, account),
        Some(asked) => plain(tx, asked)?,
        None => return Ok(unasked(bound, account)),
    };
    let scope = match bound {
        None => asked,
        Some(bound) => within(bound, asked)?,
    };
    Ok(Chosen::new(account, scope))
}

/// Nothing was asked for: all that the proof is good for, or the user's default project.
fn unasked(bound: Option<&Bound>, account: &Account) -> Chosen {
    let unscoped = match bound {
        Some(Bound::To(own)) => return Chosen::new(account, own.clone()),
        Some(Bound::Federated(federated)) => return Chosen::new(account, PayloadScope::FederatedUnscoped(federated.clone())),
        None => PayloadScope::Unscoped,
    };
    match &account.default_project_id {
        Some(project) => Chosen { otherwise: Some(unscoped), ..Chosen::new(account, PayloadScope::Project(project.clone())) },
        None => Chosen::new(account, unscoped),
    }
}

fn plain(tx: &mut Tx, asked: &ScopeRequest) -> Result<PayloadScope> {
    Ok(match asked {
        ScopeRequest::Unscoped => PayloadScope::Unscoped,
        ScopeRequest::System => PayloadScope::System,
        ScopeRequest::Domain(domain) => PayloadScope::Domain(domain_id(tx, domain)?),
        ScopeRequest::Project(project) => PayloadScope::Project(project_id(tx, project)?),
        ScopeRequest::Trust(_) => return Err(Error::Unauthorized),
    })
}

/// What was asked for, as the proof allows it.
fn within(bound: &Bound, asked: PayloadScope) -> Result<PayloadScope> {
    match (bound, asked) {
        // Asked for its own project, or for what it is, it stays what it is.
        (Bound::To(own), asked) if asked == *own => Ok(asked),
        (Bound::To(own), PayloadScope::Project(asked)) if project_of(own) == Some(&asked) => Ok(own.clone()),
        (Bound::Federated(federated), asked) => {
            let federated = federated.clone();
            match asked {
                PayloadScope::Unscoped => Ok(PayloadScope::FederatedUnscoped(federated)),
                PayloadScope::Project(project) => Ok(PayloadScope::FederatedProject { project, federated }),
                PayloadScope::Domain(domain) => Ok(PayloadScope::FederatedDomain { domain, federated }),
                _ => Err(Error::Unauthorized),
            }
        }
        (Bound::To(_), _) => Err(Error::Unauthorized),
    }
}

/// What the trust delegates, if this user is the trustee; one of its uses is gone with it.
fn by_trust(tx: &mut Tx, trust: &str, bound: Option<&Bound>, account: &Account) -> Result<Chosen> {
    // What is bound to one project, or stands on groups alone, is nobody's trustee.
    if bound.is_some() {
        return Err(Error::Unauthorized);
    }
    let trust = trusts::find(tx, trust)?.filter(Trust::is_usable).ok_or(Error::Unauthorized)?;
    if trust.trustee != account.id {
        return Err(Error::Forbidden("User is not a trustee.".to_owned()));
    }
    let Delegated { project, void_until, .. } = delegated(tx, &trust)?;
    if !trusts::use_once(tx, &trust)? {
        return Err(Error::Unauthorized);
    }
    Ok(Chosen {
        user: trust.speaks_for().clone(),
        scope: PayloadScope::Trust { project, trust: trust.id },
        until: trust.expires_at,
        void_until,
        otherwise: None,
    })
}

fn project_of(scope: &PayloadScope) -> Option<&ProjectId> {
    match scope {
        PayloadScope::Project(project)
        | PayloadScope::Trust { project, .. }
        | PayloadScope::FederatedProject { project, .. }
        | PayloadScope::OAuth1 { project, .. }
        | PayloadScope::ApplicationCredential { project, .. } => Some(project),
        PayloadScope::OAuth2 { project, .. } => project.as_ref(),
        PayloadScope::Unscoped
        | PayloadScope::Domain(_)
        | PayloadScope::FederatedUnscoped(_)
        | PayloadScope::FederatedDomain { .. }
        | PayloadScope::System => None,
    }
}

fn domain_id(tx: &mut Tx, domain: &DomainRef) -> Result<DomainId> {
    match domain {
        DomainRef::Id(id) => Ok(id.clone()),
        DomainRef::Name(name) => {
            let row = tx.query_opt("SELECT id FROM domains WHERE name = $1", &params![name])?;
            Ok(row.ok_or(Error::Unauthorized)?.get(0)?)
        }
    }
}

fn project_id(tx: &mut Tx, project: &ProjectRef) -> Result<ProjectId> {
    let sql = "SELECT p.id FROM projects p JOIN domains d ON d.id = p.domain_id WHERE p.name = $1 AND ";
    let row = match project {
        ProjectRef::Id(id) => return Ok(id.clone()),
        ProjectRef::Name { name, domain: DomainRef::Id(id) } => tx.query_opt(&format!("{sql} d.id = $2"), &params![name, id])?,
        ProjectRef::Name { name, domain: DomainRef::Name(domain) } => {
            tx.query_opt(&format!("{sql} d.name = $2"), &params![name, domain])?
        }
    };
    Ok(row.ok_or(Error::Unauthorized)?.get(0)?)
}

impl Chosen {
    pub fn new(account: &Account, scope: PayloadScope) -> Self {
        Self { user: account.id.clone(), scope, until: None, void_until: account.tokens_void_until, otherwise: None }
    }
}

impl<'de> Deserialize<'de> for ScopeRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut things = match Value::deserialize(deserializer)? {
            Value::String(word) if word == "unscoped" => return Ok(Self::Unscoped),
            Value::Object(things) => things,
            _ => return Err(D::Error::custom("it is an object with a project, a domain or the system, or the word 'unscoped'")),
        };
        if things.contains_key("unscoped") {
            return Ok(Self::Unscoped);
        }
        if things.len() != 1 {
            return Err(D::Error::custom("it names exactly one of project, domain, system and OS-TRUST:trust"));
        }
        if let Some(project) = things.remove("project") {
            let project: ProjectRequest = serde_json::from_value(project).map_err(D::Error::custom)?;
            return project.reference().map(Self::Project).map_err(D::Error::custom);
        }
        if let Some(domain) = things.remove("domain") {
            let domain: DomainRequest = serde_json::from_value(domain).map_err(D::Error::custom)?;
            return domain.reference().map(Self::Domain).map_err(D::Error::custom);
        }
        if let Some(trust) = things.remove("OS-TRUST:trust") {
            let id = trust.get("id").and_then(Value::as_str);
            return id.map(|id| Self::Trust(id.to_owned())).ok_or_else(|| D::Error::custom("a trust is named by its id"));
        }
        match things.remove("system") {
            Some(system) if system.get("all") == Some(&Value::Bool(true)) => Ok(Self::System),
            Some(_) => Err(D::Error::custom("the scope of the system is {\"all\": true}")),
            None => Err(D::Error::custom("it names exactly one of project, domain, system and OS-TRUST:trust")),
        }
    }
}
