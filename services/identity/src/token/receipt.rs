// SPDX-License-Identifier: Apache-2.0
//! Receipts: a user whose login needs several methods may bring them one after the other. Each answer that is not yet
//! a token is a receipt for what was proved so far.
//!
//! Invariant: a receipt is good for its own user and a few minutes, and is no token (test: `a_receipt_is_only_that`).

use access::payload::{Methods, ReceiptPayload};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use types::Timestamp;

use super::dated;
use crate::{
    Identity,
    error::{Error, Result},
    user::Account,
};

pub const HEADER: HeaderName = HeaderName::from_static("openstack-auth-receipt");

#[derive(Debug)]
pub struct Receipt {
    sealed: String,
    view: Value,
}

impl Identity {
    pub fn give_receipt(&self, account: &Account, methods: Methods) -> Result<Receipt> {
        let issued_at = dated(Timestamp::from_seconds(Timestamp::now().seconds()), account.tokens_void_until);
        let expires_at = issued_at.plus(self.settings.receipt_lifetime);
        let payload = ReceiptPayload { user: account.id.clone(), methods, expires_at };
        let sealed = self.keys.ring().seal(&payload.pack(), issued_at)?;
        let done = methods.names();
        let rules = account.options.rules().unwrap_or_default();
        // The rules that are begun, whose rest would be enough.
        let begun: Vec<_> = rules.into_iter().filter(|rule| rule.iter().any(|word| done.contains(word))).collect();
        let view = json!({
            "receipt": {
                "methods": done,
                "user": {
                    "id": account.id,
                    "name": account.name,
                    "domain": {"id": account.domain_id, "name": account.domain_name},
                },
                "expires_at": expires_at.zulu_micros(),
                "issued_at": issued_at.zulu_micros(),
            },
            "required_auth_methods": begun,
        });
        Ok(Receipt { sealed, view })
    }

    /// The methods that this user has followed before.
    pub fn take_receipt(&self, receipt: &str, account: &Account) -> Result<Methods> {
        let opened = self.keys.ring().open(receipt).map_err(|_| Error::Unauthorized)?;
        let payload = ReceiptPayload::unpack(&opened.message).map_err(|_| Error::Unauthorized)?;
        let is_good =
            payload.user == account.id && payload.expires_at > Timestamp::now() && opened.sealed_at > account.tokens_void_until;
        if is_good { Ok(payload.methods) } else { Err(Error::Unauthorized) }
    }
}

impl Receipt {
    pub fn answer(&self) -> api::Reply {
        let mut response = api::json(StatusCode::UNAUTHORIZED, &self.view)?;
        let value = HeaderValue::from_str(&self.sealed).map_err(api::Fault::internal)?;
        response.headers_mut().insert(HEADER, value);
        Ok(response)
    }
}
