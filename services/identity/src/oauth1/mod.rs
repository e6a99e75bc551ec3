// SPDX-License-Identifier: Apache-2.0
//! OAuth 1.0a (RFC 5849): a consumer asks for a request token, a user authorizes it for some of his roles in a project,
//! the consumer turns it into an access token, and logs in with that in the user's place.
//!
//! Invariant: a signed request is accepted once (test: `a_signed_request_is_accepted_once`).
//! Invariant: a consumer has at most the roles that the user authorized and still has (test: `a_consumer_has_what_was_authorized_and_no_more`).
//! Invariant: what a consumer holds ends with it (test: `tokens_end_with_their_consumer_and_their_access_token`).

pub mod access_token;
pub mod consumer;
pub mod nonce;
pub mod request_token;
#[cfg(test)]
pub mod tests;

use std::time::Duration;

use access::keys::KeyRing;
use store::{Tx, params};
use types::{Secret, Timestamp};

use crate::error::{Error, Result};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("oauth1", routes).tables(&[crate::Step {
    number: 5,
    name: "oauth1",
    sql: include_str!("../../migrations/0005_oauth1.sql"),
}]);

fn routes() -> ::api::Routes<crate::Identity> {
    consumer::api::routes().join(request_token::api::routes()).join(access_token::api::routes())
}

/// Keystone's defaults.
const REQUEST_TOKEN_LIFETIME: Duration = Duration::from_secs(8 * 3600);
const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// What OAuth answers with: words and an instant, as in a form. A form may hold colons as they are, and Keystone writes the
/// instant so: there are clients who take it as it stands.
fn form(token: &str, secret: &Secret<String>, expires_at: Timestamp) -> Vec<u8> {
    let (secret, expires_at) = (secret.reveal(), expires_at.zulu_micros());
    format!("oauth_token={token}&oauth_token_secret={secret}&oauth_expires_at={expires_at}").into_bytes()
}

fn new_word() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn seal(ring: &KeyRing, secret: &Secret<String>) -> Result<String> {
    Ok(ring.seal(secret.reveal().as_bytes(), Timestamp::now())?)
}

fn open(ring: &KeyRing, sealed: &str) -> Result<Secret<String>> {
    let opened = ring.open_kept(sealed).map_err(|_| Error::Sealed)?;
    Ok(Secret::new(String::from_utf8(opened.message).map_err(|_| Error::Sealed)?))
}

/// Seals all secrets again, after the key of credentials was rotated.
pub fn seal_anew(tx: &mut Tx, ring: &KeyRing) -> Result<()> {
    for table in ["oauth1_consumers", "oauth1_request_tokens", "oauth1_access_tokens"] {
        for row in tx.query(&format!("SELECT id, secret FROM {table}"), &[])? {
            let secret = open(ring, row.get(1)?)?;
            let sql = format!("UPDATE {table} SET secret = $2 WHERE id = $1");
            tx.execute(&sql, &params![row.get::<&str>(0)?, seal(ring, &secret)?])?;
        }
    }
    Ok(())
}
