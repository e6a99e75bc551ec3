// SPDX-License-Identifier: Apache-2.0
//! Users: who can log in.

pub mod api;
pub mod authenticate;
pub mod inactivity;
pub mod options;
pub mod password;
mod reset;
#[cfg(test)]
mod rules_tests;
pub mod table;
#[cfg(test)]
mod tests;

use evidence::{DomainRef, password as passwords};
use serde::{Deserialize, Deserializer, Serialize};
use types::{DomainId, ProjectId, Secret, Timestamp, UserId};

use crate::{
    body::{Extra, Name, present, yes},
    federation::shadow::links::FederatedObject,
    reply::{self, Resource},
    settings::{SecurityCompliance, day},
};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("user", api::routes).tables(&[
    crate::Step { number: 2, name: "password rules", sql: include_str!("../../migrations/0002_password_rules.sql") },
    crate::Step { number: 21, name: "inactive users", sql: include_str!("../../migrations/0021_inactive_users.sql") },
]);

#[derive(Debug, Clone, Serialize)]
pub struct User {
    pub id: UserId,
    pub name: String,
    pub domain_id: DomainId,
    pub enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_project_id: Option<ProjectId>,
    #[serde(serialize_with = "reply::naive")]
    pub password_expires_at: Option<Timestamp>,
    pub options: Extra,
    /// Who the user is by identity providers; lists do not tell it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub federated: Vec<FederatedObject>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a login needs to know of a user.
#[derive(Debug, Clone)]
pub struct Account {
    pub id: UserId,
    pub name: String,
    pub enabled: bool,
    pub domain_id: DomainId,
    pub domain_name: String,
    pub domain_enabled: bool,
    pub default_project_id: Option<ProjectId>,
    pub password_hash: Option<String>,
    pub password_created_at: Option<Timestamp>,
    pub password_expires_at: Option<Timestamp>,
    /// Whether the user chose it himself.
    pub password_is_own: bool,
    pub options: options::UserOptions,
    pub created_at: Option<Timestamp>,
    pub last_active_at: Option<Timestamp>,
    /// Wrong passwords in a row, and when the last of them came.
    pub failed_logins: i64,
    pub last_failed_at: Option<Timestamp>,
    /// Tokens issued at this instant or before are void.
    pub tokens_void_until: Timestamp,
}

impl Account {
    /// Also when nobody has come yet to disable it.
    pub fn is_inactive(&self, rules: &SecurityCompliance) -> bool {
        rules.is_inactive(self.last_active_at.or(self.created_at), &self.options)
    }

    /// Whether too many wrong passwords came in a row, lately.
    pub fn is_locked(&self, rules: &SecurityCompliance) -> bool {
        rules.lockout_failure_attempts.is_some_and(|most| self.failed_logins >= i64::from(most))
            && !self.options.is_set("ignore_lockout_failure_attempts")
            && self.last_failed_at.is_some_and(|at| at.plus(rules.lockout()) > Timestamp::now())
    }

    /// Whether a login is worth a note: the first of the day, where somebody asks for it.
    pub fn is_first_of_day(&self, rules: &SecurityCompliance) -> bool {
        rules.disable_user_account_days_inactive.is_some()
            && self.last_active_at.is_none_or(|last| day(last) != day(Timestamp::now()))
    }
}

/// How a request names a user.
#[derive(Debug, Clone)]
pub enum UserRef {
    Id(UserId),
    Name { name: String, domain: DomainRef },
}

#[derive(Debug, Deserialize)]
pub struct NewUser {
    pub name: Name<255>,
    pub domain_id: Option<DomainId>,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub default_project_id: Option<ProjectId>,
    #[serde(default)]
    pub password: Option<Password>,
    #[serde(default)]
    pub options: Extra,
    #[serde(default)]
    pub federated: Vec<FederatedObject>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Clone, Deserialize)]
pub struct UserUpdate {
    pub name: Option<Name<255>>,
    pub enabled: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    pub default_project_id: Option<Option<ProjectId>>,
    #[serde(default)]
    pub password: Option<Password>,
    pub options: Option<Extra>,
    /// None, or an empty list: those that there are stay.
    #[serde(default)]
    pub federated: Vec<FederatedObject>,
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Debug, Deserialize)]
pub struct PasswordChange {
    pub original_password: Password,
    pub password: Password,
}

/// A password as a client sends it.
#[derive(Debug, Clone)]
pub struct Password(pub Secret<String>);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() > passwords::LONGEST {
            return Err(serde::de::Error::custom(format!("a password has at most {} bytes", passwords::LONGEST)));
        }
        Ok(Self(Secret::new(text)))
    }
}

impl Resource for User {
    const ONE: &'static str = "user";
    const MANY: &'static str = "users";

    fn id(&self) -> &str {
        self.id.as_str()
    }
}
