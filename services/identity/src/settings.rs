// SPDX-License-Identifier: Apache-2.0
//! What the operator may set of identity. The names are Keystone's, as are the defaults.

use std::{sync::Arc, time::Duration};

use fancy_regex::Regex;
use serde::{Deserialize, Serialize};
use types::Timestamp;

use crate::{token, user::options::UserOptions};

#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a token lives.
    pub token_lifetime: Duration,
    /// How long the half of a login that needs several methods waits for the other half.
    pub receipt_lifetime: Duration,
    pub security_compliance: Arc<SecurityCompliance>,
    pub totp: Totp,
    pub limit_model: LimitModel,
}

/// How limits of projects that lie within each other go together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitModel {
    /// Not at all.
    #[default]
    Flat,
    /// What is below a project or a domain keeps within its limit, and nothing lies deeper than two levels.
    StrictTwoLevel,
}

/// `[identity.security_compliance]`: rules for passwords and logins, none of them in force unless set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecurityCompliance {
    /// After so many wrong passwords in a row the account is locked.
    pub lockout_failure_attempts: Option<u32>,
    /// For so many seconds.
    pub lockout_duration: LockoutSeconds,
    /// A user who did not log in for so many days is disabled.
    pub disable_user_account_days_inactive: Option<u32>,
    /// So many days after it was set a password must be changed.
    pub password_expires_days: Option<u32>,
    /// The last so many passwords, the present one among them, cannot be chosen again.
    pub unique_last_password_count: u32,
    /// A user keeps a password that he chose for so many days.
    pub minimum_password_age: u32,
    /// What a password must match from its beginning, e.g. `^(?=.*\d)(?=.*[a-zA-Z]).{7,}$`.
    pub password_regex: Option<String>,
    /// What a user is told whose password does not match.
    pub password_regex_description: Option<String>,
    /// A password that an administrator set must be changed before it is good for a login.
    pub change_password_upon_first_use: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LockoutSeconds(pub u32);

/// `[identity.totp]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Totp {
    /// How many steps of thirty seconds back a passcode may be: clocks differ, and people type.
    pub included_previous_windows: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token_lifetime: token::LIFETIME,
            receipt_lifetime: token::RECEIPT_LIFETIME,
            security_compliance: Arc::default(),
            totp: Totp::default(),
            limit_model: LimitModel::default(),
        }
    }
}

impl Default for LockoutSeconds {
    fn default() -> Self {
        Self(1800)
    }
}

impl Default for Totp {
    fn default() -> Self {
        Self { included_previous_windows: 1 }
    }
}

impl SecurityCompliance {
    /// Whether the rules can be kept at all.
    pub fn check(&self) -> Result<(), String> {
        for (name, value) in [
            ("lockout_failure_attempts", self.lockout_failure_attempts),
            ("lockout_duration", Some(self.lockout_duration.0)),
            ("disable_user_account_days_inactive", self.disable_user_account_days_inactive),
            ("password_expires_days", self.password_expires_days),
        ] {
            if value == Some(0) {
                return Err(format!("{name} is at least 1; leave it out to have no such rule"));
            }
        }
        // Each further one is a hash that a change of password waits for.
        if self.unique_last_password_count > 50 {
            return Err("unique_last_password_count is at most 50".to_owned());
        }
        if self.password_expires_days.is_some_and(|days| days <= self.minimum_password_age) {
            return Err("minimum_password_age must be less than password_expires_days".to_owned());
        }
        if let Some(text) = &self.password_regex {
            Regex::new(text).map_err(|error| format!("password_regex is not a regular expression: {error}"))?;
        }
        Ok(())
    }

    pub(crate) fn lockout(&self) -> Duration {
        Duration::from_secs(u64::from(self.lockout_duration.0))
    }

    /// Whether somebody who was last seen then is disabled for it.
    pub(crate) fn is_inactive(&self, last_seen: Option<Timestamp>, options: &UserOptions) -> bool {
        let (Some(days), Some(last)) = (self.disable_user_account_days_inactive, last_seen) else { return false };
        day(Timestamp::now()) - day(last) >= i64::from(days) && !options.is_set("ignore_user_inactivity")
    }
}

pub(crate) fn day(at: Timestamp) -> i64 {
    at.seconds().div_euclid(86_400)
}

pub(crate) fn days(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 86_400)
}
