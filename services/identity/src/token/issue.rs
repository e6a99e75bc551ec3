// SPDX-License-Identifier: Apache-2.0
//! Issuing a token: identify, choose the scope, see that it means something, seal.

use std::sync::Arc;

use access::payload::{AuditId, Methods, Payload, PayloadScope};
use store::{Tx, params};
use types::{Timestamp, UserId};

use super::{
    ValidToken,
    login::{self, CredentialRequest, IdentityRequest, LoginRequest, ProjectRef, ScopeRequest, UserRequest},
    meaning::meaning,
};
use crate::{
    Identity,
    application_credential::store as credentials,
    error::{Error, Result},
    password::Verdict,
    user::{Account, DomainRef, UserRef, store as users},
};

pub struct Issued {
    pub token: String,
    pub valid: Arc<ValidToken>,
}

/// What the methods of a request have proved.
#[derive(Default)]
struct Proved {
    account: Option<Account>,
    methods: Methods,
    /// The token that pays for this one.
    parent: Option<Arc<ValidToken>>,
    credential: Option<PayloadScope>,
}

impl Identity {
    pub async fn log_in(&self, request: LoginRequest) -> Result<Issued> {
        let proved = self.prove(&request.identity).await?;
        let account = proved.account.ok_or(Error::Unauthorized)?;
        let now = Timestamp::from_seconds(Timestamp::now().seconds());
        // The seal dates to the second. After a password change the first token is dated to the next one, lest it
        // count among those that the change made void.
        let void_until = account.tokens_void_until;
        let issued_at = if now > void_until { now } else { Timestamp::from_seconds(void_until.seconds() + 1) };
        let own = AuditId::generate();
        let (expires_at, audit_ids) = match &proved.parent {
            Some(parent) => (parent.payload.expires_at, chain(own, &parent.payload.audit_ids)),
            None => (now.plus(self.token_lifetime), vec![own]),
        };
        let methods = proved.methods;
        let (scope, credential) = (request.scope, proved.credential);
        let valid = self
            .read(move |tx| {
                let scope = scope_of(tx, scope.as_ref(), credential.as_ref(), &account)?;
                let is_default = matches!(scope, Chosen::Default(_));
                let mut payload = Payload {
                    user: account.id.clone(),
                    methods,
                    scope: scope.into_payload(),
                    expires_at,
                    audit_ids: audit_ids.clone(),
                };
                match meaning(tx, &payload, issued_at) {
                    // A default project without a role in it, or disabled, is no reason to refuse.
                    Err(Error::Unauthorized) if is_default => {
                        payload.scope = PayloadScope::Unscoped;
                        meaning(tx, &payload, issued_at)
                    }
                    other => other,
                }
            })
            .await?;
        let token = self.keys.ring().seal(&valid.payload.pack(), issued_at)?;
        Ok(Issued { token, valid: Arc::new(valid) })
    }

    async fn prove(&self, request: &IdentityRequest) -> Result<Proved> {
        if request.methods.is_empty() {
            return Err(login::invalid("identity.methods names no method"));
        }
        let mut proved = Proved::default();
        for method in &request.methods {
            let missing = || login::invalid(&format!("identity.{method} is missing, which identity.methods names"));
            match method.as_str() {
                "password" => {
                    let user = &request.password.as_ref().ok_or_else(missing)?.user;
                    let account = self.prove_by_password(user).await?;
                    proved.add(account, Methods::PASSWORD)?;
                }
                "token" => {
                    let token = request.token.as_ref().ok_or_else(missing)?;
                    self.prove_by_token(token.id.reveal(), &mut proved).await?;
                }
                "application_credential" => {
                    let credential = request.application_credential.as_ref().ok_or_else(missing)?;
                    self.prove_by_credential(credential, &mut proved).await?;
                }
                // Keystone too answers 401 here, not 400.
                _ => return Err(Error::Unauthorized),
            }
        }
        Ok(proved)
    }

    async fn prove_by_password(&self, user: &UserRequest) -> Result<Account> {
        let password = user.password.as_ref().ok_or_else(|| login::invalid("identity.password.user.password is missing"))?;
        let reference = user.reference()?;
        let account = self.read(move |tx| users::account(tx, &reference)).await?;
        let kept = account.as_ref().and_then(|account| account.password_hash.as_deref());
        let verdict = self.passwords.verify(&password.0, kept).await?;
        let account = account.filter(|_| verdict != Verdict::Wrong).ok_or(Error::Unauthorized)?;
        if verdict == Verdict::RightAndOutdated
            && let Some(outdated) = account.password_hash.clone()
        {
            let hash = self.passwords.hash(&password.0).await?;
            let id = account.id.clone();
            self.store.write(move |tx| users::refresh_hash(tx, &id, &outdated, &hash)).await?;
        }
        Ok(account)
    }

    async fn prove_by_token(&self, token: &str, proved: &mut Proved) -> Result<()> {
        let parent = self.check_token(token).await?;
        let user = UserRef::Id(parent.payload.user.clone());
        let account = self.read(move |tx| users::account(tx, &user)).await?.ok_or(Error::Unauthorized)?;
        proved.add(account, parent.payload.methods.and(Methods::TOKEN))?;
        // What was bought with a credential stays within its bounds.
        if matches!(parent.payload.scope, PayloadScope::ApplicationCredential { .. }) {
            proved.credential = Some(parent.payload.scope.clone());
        }
        proved.parent = Some(parent);
        Ok(())
    }

    async fn prove_by_credential(&self, request: &CredentialRequest, proved: &mut Proved) -> Result<()> {
        let by_name = match (&request.id, &request.name, &request.user) {
            (Some(_), _, _) => None,
            (None, Some(name), Some(user)) => Some((name.clone(), user.reference()?)),
            _ => return Err(login::invalid("an application credential is named by id, or by name and user")),
        };
        let id = request.id.clone();
        let found = self
            .read(move |tx| {
                let credential = match (&id, &by_name) {
                    (Some(id), _) => credentials::find(tx, id)?,
                    (None, Some((name, user))) => match users::account(tx, user)? {
                        Some(account) => credentials::named(tx, &account.id, name)?,
                        None => None,
                    },
                    (None, None) => None,
                };
                let Some(credential) = credential else { return Ok(None) };
                let account = users::account(tx, &UserRef::Id(credential.user_id.clone()))?;
                Ok::<_, Error>(account.map(|account| (credential, account)))
            })
            .await?;
        let kept = found.as_ref().map(|(credential, _)| credential.secret_hash.reveal().as_str());
        let verdict = self.passwords.verify(&request.secret.0, kept).await?;
        let (credential, account) = found.filter(|_| verdict != Verdict::Wrong).ok_or(Error::Unauthorized)?;
        proved.credential =
            Some(PayloadScope::ApplicationCredential { project: credential.project_id, credential: credential.id });
        proved.add(account, Methods::APPLICATION_CREDENTIAL)
    }
}

impl Proved {
    /// Several methods must prove the same user.
    fn add(&mut self, account: Account, methods: Methods) -> Result<()> {
        let same = |known: &UserId| *known == account.id;
        if !self.account.as_ref().is_none_or(|known| same(&known.id)) || !account.enabled || !account.domain_enabled {
            return Err(Error::Unauthorized);
        }
        self.methods = self.methods.and(methods);
        self.account = Some(account);
        Ok(())
    }
}

enum Chosen {
    Asked(PayloadScope),
    /// Nobody asked; it is the user's default project.
    Default(PayloadScope),
}

impl Chosen {
    fn into_payload(self) -> PayloadScope {
        match self {
            Self::Asked(scope) | Self::Default(scope) => scope,
        }
    }
}

fn scope_of(tx: &mut Tx, asked: Option<&ScopeRequest>, credential: Option<&PayloadScope>, account: &Account) -> Result<Chosen> {
    let scope = match asked {
        None => match (credential, &account.default_project_id) {
            (Some(credential), _) => PayloadScope::clone(credential),
            (None, Some(project)) => return Ok(Chosen::Default(PayloadScope::Project(project.clone()))),
            (None, None) => PayloadScope::Unscoped,
        },
        Some(ScopeRequest::Unscoped) => PayloadScope::Unscoped,
        Some(ScopeRequest::System) => PayloadScope::System,
        Some(ScopeRequest::Domain(domain)) => match domain.reference()? {
            DomainRef::Id(id) => PayloadScope::Domain(id),
            DomainRef::Name(name) => {
                let row = tx.query_opt("SELECT id FROM domains WHERE name = $1", &params![name])?;
                PayloadScope::Domain(row.ok_or(Error::Unauthorized)?.get(0)?)
            }
        },
        Some(ScopeRequest::Project(project)) => PayloadScope::Project(match project.reference()? {
            ProjectRef::Id(id) => id,
            ProjectRef::Name { name, domain } => {
                let sql = "SELECT p.id FROM projects p JOIN domains d ON d.id = p.domain_id WHERE p.name = $1 AND ";
                let row = match domain {
                    DomainRef::Id(id) => tx.query_opt(&format!("{sql} d.id = $2"), &params![name, id])?,
                    DomainRef::Name(domain) => tx.query_opt(&format!("{sql} d.name = $2"), &params![name, domain])?,
                };
                row.ok_or(Error::Unauthorized)?.get(0)?
            }
        }),
    };
    match (credential, &scope) {
        (None, _) => Ok(Chosen::Asked(scope)),
        // A credential is for its own project. Asked for that, or for nothing, it stays what it is.
        (Some(own), asked) if asked == own => Ok(Chosen::Asked(scope)),
        (Some(own @ PayloadScope::ApplicationCredential { project, .. }), PayloadScope::Project(asked)) if asked == project => {
            Ok(Chosen::Asked(own.clone()))
        }
        (Some(_), _) => Err(Error::Unauthorized),
    }
}

/// The new token's own id, then that of the first of the chain.
fn chain(own: AuditId, parent: &[AuditId]) -> Vec<AuditId> {
    let mut ids = vec![own];
    ids.extend(parent.last());
    ids
}
