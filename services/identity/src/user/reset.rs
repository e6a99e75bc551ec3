// SPDX-License-Identifier: Apache-2.0
//! A way back in for an operator who has the host but no password.

use evidence::DomainRef;
use store::{Actor, Tx, params};
use types::{Secret, UserId};

use super::{UserRef, password::Hashed, table as users};
use crate::{
    Identity, domain,
    error::{Error, Result},
};

impl Identity {
    /// Gives a user of the default domain, or with this id, a new password; opens the account, and voids its tokens.
    pub async fn reset_password(&self, user: &str, password: &Secret<String>) -> Result<()> {
        let password = self.hash_for_bootstrap(password).await?;
        let user = user.to_owned();
        self.change(move |tx| {
            let id = find(tx, &user)?;
            reset(tx, &id, &password)
        })
        .await
    }
}

fn find(tx: &mut Tx, user: &str) -> Result<UserId> {
    let by_name = UserRef::Name { name: user.to_owned(), domain: DomainRef::Id(domain::DEFAULT_ID.into()) };
    for reference in [by_name, UserRef::Id(user.into())] {
        if let Some(account) = users::account(tx, &reference)? {
            return Ok(account.id);
        }
    }
    Err(Error::not_found("user", user))
}

fn reset(tx: &mut Tx, id: &UserId, password: &Hashed) -> Result<()> {
    tx.execute("UPDATE users SET enabled = 1, closed_for_inactivity = 0 WHERE id = $1", &params![id])?;
    users::forget_failures(tx, id)?;
    users::note_activity(tx, id)?;
    users::change_password(tx, &Actor::system("reset-password"), id, password)
}
