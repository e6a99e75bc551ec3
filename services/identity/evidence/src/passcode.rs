// SPDX-License-Identifier: Apache-2.0
//! A one-time passcode (RFC 6238: SHA-1, six digits, steps of thirty seconds).

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use types::{Secret, Timestamp};

const STEP_SECONDS: i64 = 30;
const MODULUS: u32 = 1_000_000;

/// The step that a device is at.
pub fn step_at(time: Timestamp) -> i64 {
    time.seconds().div_euclid(STEP_SECONDS)
}

/// The step at which a device with this secret shows this passcode.
pub fn step_of(secret: &Secret<String>, passcode: &str, oldest: i64, newest: i64) -> Option<i64> {
    let key = key(secret)?;
    (oldest..=newest).rev().find(|step| same(&passcode_at(&key, *step), passcode))
}

/// What a device with this secret shows at a step; nothing, if it is no secret.
pub fn shown(secret: &Secret<String>, step: i64) -> Option<String> {
    Some(passcode_at(&key(secret)?, step))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_vectors_of_rfc_6238() {
        for (at, shown) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")] {
            assert_eq!(passcode_at(b"12345678901234567890", at / STEP_SECONDS), shown, "{at}");
        }
    }

    #[test]
    fn a_passcode_is_found_at_its_step_and_at_no_other() {
        let secret = Secret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned());
        let code = shown(&secret, 41).unwrap();
        assert_eq!(step_of(&secret, &code, 40, 42), Some(41));
        assert_eq!(step_of(&secret, &code, 42, 43), None);
        assert_eq!(step_of(&secret, &code[1..], 40, 42), None);
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
