// SPDX-License-Identifier: Apache-2.0
//! Issuing a token: identify, choose the scope, see that it means something, seal.

use std::sync::Arc;

use access::payload::{AuditId, Payload, PayloadScope};
use store::{Actor, Event, Tx};
use types::Timestamp;

use super::{
    ValidToken, dated,
    login::{Asking, LoginRequest},
    meaning::meaning,
    proved::Proved,
    receipt::{self, Receipt},
    scope::{self, Chosen, ScopeRequest},
};
use crate::{
    Identity,
    error::{Error, Result},
    user::table as users,
};

pub struct Issued {
    pub token: String,
    pub valid: Arc<ValidToken>,
}

/// How a login ends.
pub enum LoggedIn {
    Issued(Issued),
    /// The user's rules want further methods.
    Halfway(Receipt),
}

impl Identity {
    pub async fn log_in(&self, request: LoginRequest, asking: &Asking) -> Result<LoggedIn> {
        let proved = self.prove(&request.identity, asking).await?;
        self.log_in_with(proved, request.scope, asking).await
    }

    /// A token, or a receipt where the user's rules want more than was proved here and by an earlier receipt.
    pub async fn log_in_with(&self, mut proved: Proved, asked: Option<ScopeRequest>, asking: &Asking) -> Result<LoggedIn> {
        let account = proved.account.as_ref().ok_or(Error::Unauthorized)?;
        let earlier = asking.headers.get(receipt::HEADER).and_then(|value| value.to_str().ok());
        if let Some(earlier) = earlier.filter(|earlier| !earlier.is_empty()) {
            proved.methods = proved.methods.and(self.take_receipt(earlier, account)?);
        }
        if !account.options.admit(proved.methods) {
            return Ok(LoggedIn::Halfway(self.give_receipt(account, proved.methods)?));
        }
        Ok(LoggedIn::Issued(self.issue(proved, asked, asking.actor.clone()).await?))
    }

    /// The token that this proof buys, for what is asked or for what the proof is good for. Its event is durable
    /// before it is handed out.
    pub async fn issue(&self, proved: Proved, asked: Option<ScopeRequest>, mut actor: Actor) -> Result<Issued> {
        let account = proved.account.ok_or(Error::Unauthorized)?;
        if account.is_inactive(&self.settings.security_compliance) {
            return Err(Error::Unauthorized);
        }
        let is_news = account.is_first_of_day(&self.settings.security_compliance);
        if let Some(ScopeRequest::Trust(trust)) = &asked {
            self.let_the_second_pass(trust).await?;
        }
        let now = Timestamp::from_seconds(Timestamp::now().seconds());
        let own = AuditId::generate();
        let (expires_at, audit_ids) = match &proved.parent {
            Some(parent) => (parent.payload.expires_at, chain(own, &parent.payload.audit_ids)),
            None => (now.plus(self.settings.token_lifetime), vec![own]),
        };
        let (methods, bound) = (proved.methods, proved.bound);
        actor.user_id = Some(account.id.to_string());
        actor.name.clone_from(&account.name);
        let generation = self.tokens.generation();
        let (valid, issued_at) = self
            .store
            .write(move |tx| {
                let chosen = scope::choose(tx, asked.as_ref(), bound.as_ref(), &account)?;
                let issued_at = date(now, &chosen)?;
                let mut payload = Payload {
                    user: chosen.user,
                    methods,
                    scope: chosen.scope,
                    expires_at: chosen.until.map_or(expires_at, |until| until.min(expires_at)),
                    audit_ids: audit_ids.clone(),
                };
                let valid = match (meaning(tx, &payload, issued_at), chosen.otherwise) {
                    // A default project without a role in it, or disabled, is no reason to refuse.
                    (Err(Error::Unauthorized), Some(otherwise)) => {
                        payload.scope = otherwise;
                        meaning(tx, &payload, issued_at)?
                    }
                    (meaning, _) => meaning?,
                };
                if is_news {
                    users::note_activity(tx, &account.id)?;
                }
                record(tx, &actor, &valid)?;
                Ok::<_, Error>((valid, issued_at))
            })
            .await?;
        let (packed, valid) = (valid.payload.pack(), Arc::new(valid));
        let token = self.keys.ring().seal(&packed, issued_at)?;
        // Its first use is soon, and what it means was just looked up. A change since then makes this void, as any entry.
        if Payload::unpack(&packed).is_ok_and(|payload| payload == valid.payload) {
            self.tokens.insert(&token, generation, Arc::clone(&valid));
        }
        Ok(Issued { token, valid })
    }
}

/// Not ahead for a trust: several users can void its tokens, and a void of one reaches only what is dated up to then, or was
/// dated ahead for him.
fn date(now: Timestamp, chosen: &Chosen) -> Result<Timestamp> {
    match chosen.scope {
        PayloadScope::Trust { .. } if now <= chosen.void_until => Err(Error::Unauthorized),
        _ => Ok(dated(now, chosen.void_until)),
    }
}

/// Who logged in, how, and for what. Nothing that a token means has changed: the kind is not among those that are
/// watched for that.
fn record(tx: &mut Tx, actor: &Actor, valid: &ValidToken) -> Result<()> {
    let token = &valid.caller.token;
    let state = serde_json::json!({
        "user_id": valid.payload.user, "methods": token.methods, "audit_ids": token.audit_ids,
        "expires_at": token.expires_at.zulu_micros(),
    });
    tx.record(Event {
        actor: actor.clone(),
        action: "login.create".to_owned(),
        resource_type: "login",
        resource_id: token.audit_ids.first().cloned().unwrap_or_default(),
        project_id: valid.caller.project_id().map(ToString::to_string),
        before: None,
        after: Some(state),
    })?;
    Ok(())
}

/// The new token's own id, then that of the first of the chain.
fn chain(own: AuditId, parent: &[AuditId]) -> Vec<AuditId> {
    let mut ids = vec![own];
    ids.extend(parent.last());
    ids
}
