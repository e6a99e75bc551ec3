// SPDX-License-Identifier: Apache-2.0
//! A one-time passcode of a device whose secret the user keeps here as a credential of type `totp`.
//!
//! Invariant: a passcode is good once (test: `a_passcode_cannot_be_replayed`).

use access::payload::Methods;
use evidence::passcode;
use serde::Deserialize;
use store::{Tx, params};
use types::{Secret, Timestamp, UserId};

use crate::{
    Identity,
    credential::table as credentials,
    error::{Error, Result},
    token::{
        login::{Asking, UserRequest},
        proved::Proved,
    },
    user::table as users,
};

#[derive(Debug, Deserialize)]
pub struct Own {
    user: UserAndPasscode,
}

#[derive(Debug, Deserialize)]
struct UserAndPasscode {
    #[serde(flatten)]
    user: UserRequest,
    passcode: Secret<String>,
}

pub async fn prove(room: &Identity, own: Own, _: &Asking, proved: &mut Proved) -> Result<()> {
    let rules = &room.settings.security_compliance;
    let (reference, ring) = (own.user.user.reference()?, room.credential_ring());
    let (account, secrets) = room
        .read(move |tx| {
            let account = users::account(tx, &reference)?.ok_or(Error::Unauthorized)?;
            let secrets = credentials::totp_secrets(tx, &ring, &account.id)?;
            Ok::<_, Error>((account, secrets))
        })
        .await?;
    if account.is_locked(rules) || account.is_inactive(rules) {
        return Err(Error::Unauthorized);
    }
    let now = passcode::step_at(Timestamp::now());
    let oldest = now - i64::from(room.settings.totp.included_previous_windows);
    let step = secrets.iter().find_map(|secret| passcode::step_of(secret, own.user.passcode.reveal(), oldest, now));
    let Some(step) = step else {
        room.note_failure(&account).await?;
        return Err(Error::Unauthorized);
    };
    let (id, passcode) = (account.id.clone(), own.user.passcode.clone());
    room.store.write(move |tx| use_up(tx, &id, step, passcode.reveal(), oldest)).await?;
    room.forget_failures(&account).await?;
    proved.add(account, Methods::TOTP)
}

fn use_up(tx: &mut Tx, user: &UserId, step: i64, passcode: &str, oldest: i64) -> Result<()> {
    tx.execute("DELETE FROM used_passcodes WHERE user_id = $1 AND step < $2", &params![user, oldest])?;
    let sql = "INSERT INTO used_passcodes (user_id, step, passcode) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    if tx.execute(sql, &params![user, step, passcode])? == 0 {
        return Err(Error::Unauthorized);
    }
    Ok(())
}

#[cfg(test)]
pub mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    /// What a device with this secret shows now, and so many steps ago.
    pub fn shown(secret: &str, steps_ago: i64) -> String {
        passcode::shown(&Secret::new(secret.to_owned()), passcode::step_at(Timestamp::now()) - steps_ago).unwrap()
    }
}
