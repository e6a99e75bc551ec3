// SPDX-License-Identifier: Apache-2.0
//! From a token to its caller: opened, not expired, not revoked, and everything that it names still there and enabled.

use std::sync::Arc;

use access::{
    keys::KeyRing,
    payload::{Payload, PayloadScope},
};
use contracts::{
    BoxFuture,
    caller::{Authenticator, Caller, DomainFacts, ProjectFacts, TokenFacts, TokenScope, Unauthenticated, UserFacts},
};
use store::{Tx, params};
use types::{DomainId, ProjectId, Timestamp};

use super::{CredentialFacts, ValidToken};
use crate::{
    Identity,
    application_credential::{ApplicationCredential, store as credentials},
    assignment::{Place, effective},
    error::{Error, Result},
    user::{UserRef, store as users},
};

impl Identity {
    /// Checks a token. Whatever is wrong with it, the answer is [`Error::Unauthorized`].
    pub async fn check_token(&self, token: &str) -> Result<Arc<ValidToken>> {
        if let Some(valid) = self.tokens.get(token) {
            return if self.is_current(&valid.payload) { Ok(valid) } else { Err(Error::Unauthorized) };
        }
        let (payload, issued_at) = open(&self.keys.ring(), token)?;
        if !self.is_current(&payload) {
            return Err(Error::Unauthorized);
        }
        let generation = self.tokens.generation();
        let valid = Arc::new(self.read(move |tx| meaning(tx, &payload, issued_at)).await?);
        // It may have been revoked while the tables were read.
        if !self.is_current(&valid.payload) {
            return Err(Error::Unauthorized);
        }
        self.tokens.insert(token, generation, Arc::clone(&valid));
        Ok(valid)
    }

    fn is_current(&self, payload: &Payload) -> bool {
        payload.expires_at > Timestamp::now() && !self.tokens.is_revoked(&payload.audit_ids)
    }
}

impl Authenticator for Identity {
    fn caller<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Arc<Caller>, Unauthenticated>> {
        Box::pin(async move {
            match self.check_token(token).await {
                Ok(valid) => Ok(Arc::clone(&valid.caller)),
                Err(Error::Store(cause)) => Err(Unauthenticated::Unavailable(cause.to_string())),
                Err(_) => Err(Unauthenticated::BadToken),
            }
        })
    }
}

fn open(ring: &KeyRing, token: &str) -> Result<(Payload, Timestamp)> {
    let opened = ring.open(token).map_err(|_| Error::Unauthorized)?;
    let payload = Payload::unpack(&opened.message).map_err(|_| Error::Unauthorized)?;
    Ok((payload, opened.sealed_at))
}

/// Looks up what the payload names. A token is issued only if this succeeds for it, and is valid while it does.
pub fn meaning(tx: &mut Tx, payload: &Payload, issued_at: Timestamp) -> Result<ValidToken> {
    let account = users::account(tx, &UserRef::Id(payload.user.clone()))?.ok_or(Error::Unauthorized)?;
    let is_enabled = account.enabled && account.domain_enabled;
    if !is_enabled || issued_at <= account.tokens_void_until {
        return Err(Error::Unauthorized);
    }
    let mut application_credential = None;
    let (scope, place) = match &payload.scope {
        PayloadScope::Unscoped => (TokenScope::Unscoped, None),
        PayloadScope::System => (TokenScope::System, Some(Place::System)),
        PayloadScope::Domain(id) => (TokenScope::Domain(domain(tx, id)?), Some(Place::Domain(id.clone()))),
        PayloadScope::Project(id) | PayloadScope::ApplicationCredential { project: id, .. } => {
            (TokenScope::Project(project(tx, id)?), Some(Place::Project(id.clone())))
        }
        PayloadScope::Trust { .. } => return Err(Error::Unauthorized),
    };
    let mut roles = match &place {
        None => vec![],
        Some(place) => effective::roles_of(tx, &account.id, place)?,
    };
    if let PayloadScope::ApplicationCredential { credential, project } = &payload.scope {
        let credential = credentials::find(tx, credential)?
            .filter(|found| found.user_id == account.id && found.project_id == *project && !found.is_expired())
            .ok_or(Error::Unauthorized)?;
        // Never more than its owner has now, never more than the credential was given.
        let granted = credentials::roles_within(tx, &credential)?;
        roles.retain(|role| granted.contains(&role.id));
        let ApplicationCredential { id, name, unrestricted, .. } = credential;
        application_credential = Some(CredentialFacts { id, name, unrestricted });
    }
    if place.is_some() && roles.is_empty() {
        return Err(Error::Unauthorized);
    }
    let caller = Caller {
        user: UserFacts {
            id: account.id,
            name: account.name,
            domain: DomainFacts { id: account.domain_id, name: account.domain_name },
        },
        scope,
        roles,
        token: TokenFacts {
            methods: payload.methods.names().into_iter().map(str::to_owned).collect(),
            issued_at,
            expires_at: payload.expires_at,
            audit_ids: payload.audit_ids.iter().map(ToString::to_string).collect(),
        },
    };
    Ok(ValidToken { payload: payload.clone(), caller: Arc::new(caller), application_credential })
}

fn project(tx: &mut Tx, id: &ProjectId) -> Result<ProjectFacts> {
    let sql = "SELECT p.name, d.id, d.name FROM projects p JOIN domains d ON d.id = p.domain_id \
               WHERE p.id = $1 AND p.enabled = 1 AND d.enabled = 1";
    let row = tx.query_opt(sql, &params![id])?.ok_or(Error::Unauthorized)?;
    Ok(ProjectFacts { id: id.clone(), name: row.get(0)?, domain: DomainFacts { id: row.get(1)?, name: row.get(2)? } })
}

fn domain(tx: &mut Tx, id: &DomainId) -> Result<DomainFacts> {
    let row = tx.query_opt("SELECT name FROM domains WHERE id = $1 AND enabled = 1", &params![id])?;
    Ok(DomainFacts { id: id.clone(), name: row.ok_or(Error::Unauthorized)?.get(0)? })
}
