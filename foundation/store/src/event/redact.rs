// SPDX-License-Identifier: Apache-2.0
//! Blanks out secrets before a state goes into the event stream, where operators and audits read it for years. A second net: a
//! secret of ours is of type `Secret` and arrives here as a blank. What a tenant keeps under a key of his own making, in the
//! free fields of a user, say, is known by the key's name alone.

use serde_json::Value;

/// What a blanked value reads as.
const BLANK: &str = types::secret::BLANK;

/// Parts of key names that mean a secret, without `_`, `-` and capitals.
const SECRET_WORDS: [&str; 8] = ["password", "passwd", "passphrase", "secret", "token", "privatekey", "userdata", "adminpass"];

/// Replaces the values of all keys that are named like a secret, at any depth.
///
/// Invariant: no value under such a key reaches the table (test: `secrets_never_reach_the_stream`).
pub(crate) fn redact(state: &mut Value) {
    match state {
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                if is_secret(key) && !value.is_null() {
                    *value = Value::from(BLANK);
                } else {
                    redact(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

fn is_secret(key: &str) -> bool {
    let plain: String = key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    SECRET_WORDS.iter().any(|word| plain.contains(word))
}
