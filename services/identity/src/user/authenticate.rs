// SPDX-License-Identifier: Apache-2.0
//! Whether a password is its user's, and what wrong ones lead to.
//!
//! Invariant: a refusal does not tell whether the account is locked (test: `a_locked_account_looks_like_a_wrong_password`).

use evidence::password::Verdict;
use store::{Actor, Event, Tx, params};
use types::{Secret, Timestamp, UserId};

use super::{Account, UserRef, table as users};
use crate::{
    Identity,
    error::{Error, Result},
    settings::SecurityCompliance,
};

/// Somebody whose password was right.
pub struct Authenticated {
    pub account: Account,
    /// It is good for choosing another one, and for nothing else.
    pub password_has_expired: bool,
}

impl Identity {
    pub async fn authenticate(&self, user: UserRef, password: &Secret<String>) -> Result<Authenticated> {
        let rules = &self.settings.security_compliance;
        let account = self.read(move |tx| users::account(tx, &user)).await?;
        let open = account.as_ref().filter(|account| !account.is_locked(rules));
        let kept = open.and_then(|account| account.password_hash.as_deref());
        let verdict = self.passwords.verify(password, kept).await?;
        let Some(account) = account else { return Err(Error::Unauthorized) };
        if verdict == Verdict::Wrong {
            self.note_failure(&account).await?;
            return Err(Error::Unauthorized);
        }
        if !account.enabled || !account.domain_enabled || account.is_inactive(rules) {
            return Err(Error::Unauthorized);
        }
        self.forget_failures(&account).await?;
        if verdict == Verdict::RightAndOutdated
            && let Some(outdated) = account.password_hash.clone()
        {
            let hash = self.passwords.hash(password).await?;
            let id = account.id.clone();
            self.store.write(move |tx| users::refresh_hash(tx, &id, &outdated, &hash)).await?;
        }
        let expires_at = account.password_expires_at.filter(|_| !account.options.is_set("ignore_password_expiry"));
        let password_has_expired = expires_at.is_some_and(|at| at <= Timestamp::now());
        Ok(Authenticated { account, password_has_expired })
    }

    /// A wrong password, or a wrong passcode. Where no rule counts them nothing is written: that would be work which
    /// anybody could make us do.
    pub async fn note_failure(&self, account: &Account) -> Result<()> {
        if self.settings.security_compliance.lockout_failure_attempts.is_none() {
            return Ok(());
        }
        let (id, rules) = (account.id.clone(), self.settings.security_compliance.clone());
        self.store.write(move |tx| note_failure(tx, &id, &rules)).await
    }

    /// A right one. It does not count when wrong ones that were tried beside it have locked the account meanwhile.
    pub async fn forget_failures(&self, account: &Account) -> Result<()> {
        let rules = self.settings.security_compliance.clone();
        if rules.lockout_failure_attempts.is_none() {
            return Ok(());
        }
        let user = UserRef::Id(account.id.clone());
        let now = self.read(move |tx| users::account(tx, &user)).await?.ok_or(Error::Unauthorized)?;
        if now.is_locked(&rules) {
            return Err(Error::Unauthorized);
        }
        if now.failed_logins > 0 {
            let id = account.id.clone();
            self.store.write(move |tx| users::forget_failures(tx, &id)).await?;
        }
        Ok(())
    }
}

fn note_failure(tx: &mut Tx, id: &UserId, rules: &SecurityCompliance) -> Result<()> {
    let Some(account) = users::account(tx, &UserRef::Id(id.clone()))? else { return Ok(()) };
    // A locked account's time is not made longer by those who go on trying.
    if account.is_locked(rules) {
        return Ok(());
    }
    // When a lock is over, counting begins anew.
    let was_locked = rules.lockout_failure_attempts.is_some_and(|most| account.failed_logins >= i64::from(most));
    let failed = if was_locked { 1 } else { account.failed_logins + 1 };
    let sql = "UPDATE users SET failed_logins = $2, last_failed_at = $3 WHERE id = $1";
    tx.execute(sql, &params![id, failed, Timestamp::now()])?;
    let after = Account { failed_logins: failed, last_failed_at: Some(Timestamp::now()), ..account };
    if after.is_locked(rules) {
        tx.record(Event {
            actor: Actor::system("login"),
            action: "login.lock".to_owned(),
            resource_type: "login",
            resource_id: id.to_string(),
            project_id: None,
            before: None,
            after: Some(serde_json::json!({"user_id": id, "failed": failed})),
        })?;
    }
    Ok(())
}
