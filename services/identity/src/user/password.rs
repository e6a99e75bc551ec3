// SPDX-License-Identifier: Apache-2.0
//! Setting a password: what it must be like, who may set it when, how long it is good for.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use evidence::password::Verdict;
use fancy_regex::{Regex, RegexBuilder};
use store::{Tx, params};
use types::{Secret, Timestamp, UserId};

use super::{Account, options::UserOptions};
use crate::{
    Identity,
    error::{Error, Result},
    settings::{SecurityCompliance, days},
};

/// A password that is to be kept, and the rules of its kind.
#[derive(Debug, Clone)]
pub struct Hashed {
    hash: Secret<String>,
    by: Setter,
    rules: Arc<SecurityCompliance>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setter {
    /// The one whose password it is.
    Owner,
    Administrator,
    /// This program, at its start: nobody is there to be told to choose another one.
    Bootstrap,
}

/// How much backtracking one password is worth to the operator's expression.
const BACKTRACKS: usize = 100_000;

impl Identity {
    /// Hashes a password that an administrator gives to a user.
    pub async fn hash_given(&self, password: &Secret<String>) -> Result<Hashed> {
        self.settings.security_compliance.admit(password)?;
        self.hashed(password, Setter::Administrator).await
    }

    /// Hashes a password that its owner chose, after looking whether he may.
    pub async fn hash_chosen(&self, account: &Account, password: &Secret<String>) -> Result<Hashed> {
        let rules = Arc::clone(&self.settings.security_compliance);
        rules.admit(password)?;
        if account.options.is_set("lock_password") {
            return Err(Error::Invalid(
                "You cannot change your password at this time due to password policy disallowing password changes. \
                 Please contact your administrator to reset your password."
                    .to_owned(),
            ));
        }
        rules.refuse_hurry(account)?;
        self.refuse_former(account, password).await?;
        self.hashed(password, Setter::Owner).await
    }

    /// Hashes a password that comes from this host itself.
    pub async fn hash_for_bootstrap(&self, password: &Secret<String>) -> Result<Hashed> {
        self.hashed(password, Setter::Bootstrap).await
    }

    async fn hashed(&self, password: &Secret<String>, by: Setter) -> Result<Hashed> {
        let hash = Secret::new(self.passwords.hash(password).await?);
        Ok(Hashed { hash, by, rules: Arc::clone(&self.settings.security_compliance) })
    }

    async fn refuse_former(&self, account: &Account, password: &Secret<String>) -> Result<()> {
        let count = self.settings.security_compliance.unique_last_password_count;
        if count == 0 {
            return Ok(());
        }
        let id = account.id.clone();
        let former = self.read(move |tx| former(tx, &id, count - 1)).await?;
        for kept in account.password_hash.iter().chain(&former) {
            if self.passwords.verify(password, Some(kept)).await? != Verdict::Wrong {
                return Err(Error::Invalid(format!(
                    "The new password cannot be identical to a previous password. The total number which includes the \
                     new password must be unique is {count}."
                )));
            }
        }
        Ok(())
    }
}

impl Hashed {
    pub fn hash(&self) -> &str {
        self.hash.reveal()
    }

    /// Until when a user with these options logs in with it.
    pub fn expires_at(&self, options: &UserOptions) -> Option<Timestamp> {
        let now = Timestamp::now();
        let must_change = self.by == Setter::Administrator
            && self.rules.change_password_upon_first_use
            && !options.is_set("ignore_change_password_upon_first_use");
        if must_change {
            return Some(now);
        }
        if self.by == Setter::Bootstrap || options.is_set("ignore_password_expiry") {
            return None;
        }
        let ends = |count| Timestamp::from_seconds(now.plus(days(count)).seconds());
        self.rules.password_expires_days.map(ends)
    }

    /// Puts it in the place of the present one, and that one among the former.
    pub fn set(&self, tx: &mut Tx, id: &UserId, options: &UserOptions) -> Result<()> {
        let now = Timestamp::now();
        let kept = i64::from(self.rules.unique_last_password_count.saturating_sub(1));
        if kept > 0 {
            tx.execute(
                "INSERT INTO former_passwords (user_id, replaced_at, hash) \
                 SELECT id, $2, password_hash FROM users WHERE id = $1 AND password_hash IS NOT NULL",
                &params![id, now],
            )?;
        }
        tx.execute(
            "DELETE FROM former_passwords WHERE user_id = $1 AND replaced_at NOT IN \
             (SELECT replaced_at FROM former_passwords WHERE user_id = $1 ORDER BY replaced_at DESC LIMIT $2)",
            &params![id, kept],
        )?;
        let sql = "UPDATE users SET password_hash = $2, password_created_at = $3, password_expires_at = $4, \
                   password_is_own = $5 WHERE id = $1";
        tx.execute(sql, &params![id, self.hash(), now, self.expires_at(options), self.by == Setter::Owner])?;
        Ok(())
    }
}

impl SecurityCompliance {
    /// Whether a password is as the operator wants passwords to be.
    fn admit(&self, password: &Secret<String>) -> Result<()> {
        let Some(text) = &self.password_regex else { return Ok(()) };
        let expression = compiled(text)?;
        // As with Python's `match`, it must fit from the beginning. One that takes too long to decide does not fit.
        let fits = expression.find(password.reveal()).ok().flatten().is_some_and(|found| found.start() == 0);
        if fits {
            return Ok(());
        }
        let detail = self.password_regex_description.as_deref().unwrap_or("it does not match the operator's rule");
        Err(Error::Invalid(format!("The password does not match the requirements: {detail}.")))
    }

    /// A user who could change it again and again would soon have his old one back.
    fn refuse_hurry(&self, account: &Account) -> Result<()> {
        let now = Timestamp::now();
        let until = account.password_created_at.map(|at| at.plus(days(self.minimum_password_age)));
        match until {
            Some(until) if account.password_is_own && now < until => Err(Error::Invalid(format!(
                "You cannot change your password at this time due to the minimum password age. Once you change your \
                 password, it must be used for {} day(s) before it can be changed. Please try again in {} day(s) or \
                 contact your administrator to reset your password.",
                self.minimum_password_age,
                (until.micros() - now.micros()).div_euclid(86_400_000_000)
            ))),
            _ => Ok(()),
        }
    }
}

/// The operator's expression, made ready once.
fn compiled(text: &str) -> Result<Arc<Regex>> {
    static READY: LazyLock<Mutex<Option<Arc<Regex>>>> = LazyLock::new(Mutex::default);
    let mut ready = READY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(ready) = ready.as_ref().filter(|ready| ready.as_str() == text) {
        return Ok(Arc::clone(ready));
    }
    let made = RegexBuilder::new(text).backtrack_limit(BACKTRACKS).build();
    let made = Arc::new(made.map_err(|error| Error::Invalid(format!("security_compliance.password_regex: {error}")))?);
    *ready = Some(Arc::clone(&made));
    Ok(made)
}

fn former(tx: &mut Tx, id: &UserId, count: u32) -> Result<Vec<String>> {
    let sql = "SELECT hash FROM former_passwords WHERE user_id = $1 ORDER BY replaced_at DESC LIMIT $2";
    Ok(tx.query(sql, &params![id, i64::from(count)])?.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?)
}
