// SPDX-License-Identifier: Apache-2.0
//! From a token to its caller: opened, not expired, not revoked, and everything that it names still there and enabled.
//!
//! What a kind of scope comes to stands here where it is a line, and else in a file of its own.

mod application_credential;
mod federated;
mod oauth1;
mod trust;

use std::sync::Arc;

use access::{
    keys::KeyRing,
    payload::{Payload, PayloadScope},
};
use contracts::{
    BoxFuture,
    caller::{
        AccessRule, Authenticator, Caller, DomainFacts, ProjectFacts, RoleFacts, TokenFacts, TokenScope, Unauthenticated,
        UserFacts,
    },
};
use store::{Tx, params};
use types::{DomainId, ProjectId, Timestamp};

use super::{Through, ValidToken};
use crate::{
    Identity,
    assignment::{Place, effective},
    error::{Error, Result},
    federation::shadow::table as shadows,
    user::{Account, UserRef, table as users},
};

impl Identity {
    /// Checks a token. Whatever is wrong with it, the answer is [`Error::Unauthorized`]. What another controller has changed
    /// counts within a second; while the database does not say what that is, nobody is believed.
    pub async fn check_token(&self, token: &str) -> Result<Arc<ValidToken>> {
        self.store.current().await?;
        if self.tokens.lacks_revoked() {
            self.load_revoked().await?;
        }
        if let Some(valid) = self.tokens.get(token).filter(|valid| !valid.is_stale()) {
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

    /// A token that somebody shows as a thing, to have it explained or to buy another with it: one that is void is not found.
    pub async fn shown_token(&self, token: &str) -> Result<Arc<ValidToken>> {
        self.check_token(token).await.map_err(|error| match error {
            Error::Unauthorized => Error::NoSuchToken,
            other => other,
        })
    }

    fn is_current(&self, payload: &Payload) -> bool {
        payload.expires_at > Timestamp::now() && !self.tokens.is_revoked(&payload.audit_ids)
    }
}

impl ValidToken {
    fn is_stale(&self) -> bool {
        self.stale_at.is_some_and(|at| at <= Timestamp::now())
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

/// What a scope comes to for a user: where it is, with which roles, and through what.
pub struct Ground {
    scope: TokenScope,
    roles: Vec<RoleFacts>,
    through: Option<Through>,
    /// The only requests that the token is good for.
    access_rules: Option<Arc<[AccessRule]>>,
    /// It ends here at the latest, and so does a token for it.
    until: Option<Timestamp>,
}

/// Looks up what the payload names. A token is issued only if this succeeds for it, and is valid while it does.
pub fn meaning(tx: &mut Tx, payload: &Payload, issued_at: Timestamp) -> Result<ValidToken> {
    let account = users::account(tx, &UserRef::Id(payload.user.clone()))?.ok_or(Error::Unauthorized)?;
    let is_enabled = account.enabled && account.domain_enabled;
    if !is_enabled || issued_at <= account.tokens_void_until {
        return Err(Error::Unauthorized);
    }
    let ground = ground(tx, &payload.scope, &account, issued_at)?;
    if ground.scope != TokenScope::Unscoped && ground.roles.is_empty() {
        return Err(Error::Unauthorized);
    }
    let expires_at = ground.until.map_or(payload.expires_at, |until| until.min(payload.expires_at));
    let grantor = match &ground.through {
        Some(Through::Trust(trust)) => &trust.trustor,
        _ => &account.id,
    };
    let stale_at = shadows::next_lapse(tx, grantor)?;
    let password_expires_at = account.password_expires_at;
    let caller = Caller {
        user: UserFacts {
            id: account.id,
            name: account.name,
            domain: DomainFacts { id: account.domain_id, name: account.domain_name },
        },
        scope: ground.scope,
        roles: ground.roles,
        token: TokenFacts {
            methods: payload.methods.names().into_iter().map(str::to_owned).collect(),
            issued_at,
            expires_at,
            audit_ids: payload.audit_ids.iter().map(ToString::to_string).collect(),
        },
        access_rules: ground.access_rules,
    };
    let payload = Payload { expires_at, ..payload.clone() };
    Ok(ValidToken { payload, caller: Arc::new(caller), through: ground.through, password_expires_at, stale_at })
}

fn ground(tx: &mut Tx, scope: &PayloadScope, account: &Account, issued_at: Timestamp) -> Result<Ground> {
    match scope {
        PayloadScope::Unscoped => {
            Ok(Ground { scope: TokenScope::Unscoped, roles: vec![], through: None, access_rules: None, until: None })
        }
        PayloadScope::System => own_roles(tx, account, TokenScope::System, &Place::System),
        PayloadScope::Domain(id) => {
            let scope = TokenScope::Domain(domain(tx, id)?);
            own_roles(tx, account, scope, &Place::Domain(id.clone()))
        }
        PayloadScope::Project(id) => {
            let scope = TokenScope::Project(project(tx, id)?);
            own_roles(tx, account, scope, &Place::Project(id.clone()))
        }
        PayloadScope::ApplicationCredential { project, credential } => {
            application_credential::ground(tx, account, project, credential)
        }
        PayloadScope::Trust { project, trust } => trust::ground(tx, account, project, trust, issued_at),
        PayloadScope::FederatedUnscoped(federated) => federated::ground(tx, account, TokenScope::Unscoped, None, federated),
        PayloadScope::FederatedProject { project: id, federated } => {
            let scope = TokenScope::Project(project(tx, id)?);
            federated::ground(tx, account, scope, Some(&Place::Project(id.clone())), federated)
        }
        PayloadScope::FederatedDomain { domain: id, federated } => {
            let scope = TokenScope::Domain(domain(tx, id)?);
            federated::ground(tx, account, scope, Some(&Place::Domain(id.clone())), federated)
        }
        PayloadScope::OAuth1 { project, access_token } => oauth1::ground(tx, account, project, access_token),
        PayloadScope::OAuth2 { .. } => Err(Error::Unauthorized),
    }
}

/// The roles that the user has at this place, with no one else's help.
fn own_roles(tx: &mut Tx, account: &Account, scope: TokenScope, place: &Place) -> Result<Ground> {
    Ok(Ground { scope, roles: effective::roles_of(tx, &account.id, place)?, through: None, access_rules: None, until: None })
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
