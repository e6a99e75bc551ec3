// SPDX-License-Identifier: Apache-2.0
//! How a host becomes a node: the one-time token an operator carries from the controller to it.
//!
//! The token is one word: base64url of a small JSON document. Beside the secret it says where the controller is
//! and by which fingerprint the agent recognises the cloud's authority, so that the very first connection is
//! already safe against whoever sits in between.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use types::Secret;

/// The name that every controller's certificate carries, whatever its addresses are. A node's certificate, though
/// signed by the same authority, does not, so that no node can pose as the controller.
pub const CONTROLLER_NAME: &str = "controller.ferrostack";

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// `host:port` of the node listener, tried in this order.
    pub addresses: Vec<String>,
    /// Hex SHA-256 of the authority's certificate (DER).
    pub authority: String,
    /// Presented to the controller; valid once.
    #[serde(serialize_with = "types::secret::plain")]
    pub secret: Secret<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not a join token; `ferrostack node token` prints one, a single word to be copied whole")]
pub struct BadJoinToken;

impl JoinToken {
    /// The word to hand to the operator. Not `Display`: it must not reach a log by accident.
    pub fn to_word(&self) -> String {
        let json = serde_json::to_vec(self).expect("strings always serialize");
        URL_SAFE_NO_PAD.encode(json)
    }
}

impl FromStr for JoinToken {
    type Err = BadJoinToken;

    fn from_str(word: &str) -> Result<Self, BadJoinToken> {
        let json = URL_SAFE_NO_PAD.decode(word.trim()).map_err(|_| BadJoinToken)?;
        serde_json::from_slice(&json).map_err(|_| BadJoinToken)
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken")
            .field("addresses", &self.addresses)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_does_not_tell_the_secret() {
        let token = JoinToken {
            addresses: vec!["10.0.0.1:8780".into()],
            authority: "ab".repeat(32),
            secret: Secret::new("hunter2".into()),
        };
        let word = token.to_word();
        assert!(word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{word}");
        assert_eq!(format!(" {word}\n").parse::<JoinToken>().unwrap(), token);
        assert!(!format!("{token:?}").contains("hunter2"));
    }

    #[test]
    fn refuses_other_words() {
        for word in ["", "token", "e30", "{}"] {
            assert_eq!(word.parse::<JoinToken>(), Err(BadJoinToken), "{word:?}");
        }
    }
}
