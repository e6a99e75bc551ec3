// SPDX-License-Identifier: Apache-2.0
//! A one-time passcode (RFC 6238: SHA-1, six digits, steps of thirty seconds) of a device whose secret the user keeps
//! here as a credential of type `totp`.
//!
//! Invariant: a passcode is good once (test: `a_passcode_cannot_be_replayed`).

use access::payload::Methods;
use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha1::Sha1;
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

const STEP_SECONDS: i64 = 30;
const MODULUS: u32 = 1_000_000;

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
    if rules.is_locked(&account) || account.is_inactive(rules) {
        return Err(Error::Unauthorized);
    }
    let now = Timestamp::now().seconds().div_euclid(STEP_SECONDS);
    let oldest = now - i64::from(room.settings.totp.included_previous_windows);
    let step = secrets.iter().find_map(|secret| step_of(secret, own.user.passcode.reveal(), oldest, now));
    let Some(step) = step else {
        room.note_failure(&account).await?;
        return Err(Error::Unauthorized);
    };
    let (id, passcode) = (account.id.clone(), own.user.passcode.clone());
    room.store.write(move |tx| use_up(tx, &id, step, passcode.reveal(), oldest)).await?;
    room.forget_failures(&account).await?;
    proved.add(account, Methods::TOTP)
}

/// The step at which a device with this secret shows this passcode.
fn step_of(secret: &Secret<String>, passcode: &str, oldest: i64, newest: i64) -> Option<i64> {
    let key = key(secret)?;
    (oldest..=newest).rev().find(|step| same(&passcode_at(&key, *step), passcode))
}

/// Secrets are written with or without the padding, and people type them in any case.
fn key(secret: &Secret<String>) -> Option<Vec<u8>> {
    let text = secret.reveal().trim().trim_end_matches('=').to_ascii_uppercase();
    BASE32_NOPAD.decode(text.as_bytes()).ok().filter(|key| !key.is_empty())
}

fn passcode_at(key: &[u8], step: i64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    // The last half byte says where the four bytes begin that become the digits.
    let at = usize::from(digest[19] & 0x0f);
    let number = u32::from_be_bytes([digest[at] & 0x7f, digest[at + 1], digest[at + 2], digest[at + 3]]);
    format!("{:06}", number % MODULUS)
}

/// Compares without telling by the time how much was right.
fn same(right: &str, asked: &str) -> bool {
    right.len() == asked.len() && right.bytes().zip(asked.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
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
        let step = Timestamp::now().seconds().div_euclid(STEP_SECONDS) - steps_ago;
        passcode_at(&key(&Secret::new(secret.to_owned())).unwrap(), step)
    }

    #[test]
    fn the_vectors_of_rfc_6238() {
        for (at, shown) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")] {
            assert_eq!(passcode_at(b"12345678901234567890", at / STEP_SECONDS), shown, "{at}");
        }
    }

    #[test]
    fn secrets_are_read_as_people_write_them() {
        let key_of = |text: &str| key(&Secret::new(text.to_owned()));
        assert_eq!(key_of("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap(), b"12345678901234567890");
        assert_eq!(key_of("mzxw6===").unwrap(), b"foo");
        assert_eq!(key_of("MZXW6").unwrap(), b"foo");
        assert_eq!(key_of(""), None);
        assert_eq!(key_of("not base32!"), None);
    }
}
