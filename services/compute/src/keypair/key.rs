// SPDX-License-Identifier: Apache-2.0
//! Public keys: read, made, and named by their fingerprint.

use api::Fault;
use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use ssh_key::{LineEnding, PrivateKey, private::Ed25519Keypair, private::KeypairData};

use crate::input::Read;

/// A new pair: the OpenSSH line and the private key's file.
pub(super) fn generate() -> Read<(String, String)> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(Fault::internal)?;
    let pair = KeypairData::from(Ed25519Keypair::from_seed(&seed));
    let key = PrivateKey::new(pair, "made-by-the-cloud").map_err(Fault::internal)?;
    let private = key.to_openssh(LineEnding::LF).map_err(Fault::internal)?;
    let public = key.public_key().to_openssh().map_err(Fault::internal)?;
    Ok((public, private.to_string()))
}

/// The colon-separated MD5 of an OpenSSH public key.
pub(super) fn ssh_fingerprint(line: &str) -> Read<String> {
    let refuse =
        || Fault::bad_request("Keypair data is invalid: failed to generate fingerprint. It is not an OpenSSH public key.");
    let mut words = line.split_whitespace();
    let (kind, data) = (words.next().ok_or_else(refuse)?, words.next().ok_or_else(refuse)?);
    let blob = STANDARD.decode(data).map_err(|_| refuse())?;
    // The blob says its kind itself, with the length first; both must agree.
    let length = blob.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes) as usize).ok_or_else(refuse)?;
    let named = blob.get(4..4usize.saturating_add(length)).ok_or_else(refuse)?;
    if named != kind.as_bytes() || blob.len() <= 4 + length {
        return Err(refuse());
    }
    Ok(Md5::digest(&blob).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_known_key_has_its_known_fingerprint() {
        // As `ssh-keygen -l -E md5` tells it.
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJ9bxqUoKzGEHBZzFDrTzPwLSSpKTu4Nq8YMYgHYYtd a@b";
        assert_eq!(ssh_fingerprint(key).unwrap(), "73:2b:ae:ef:23:a3:6e:6e:69:56:f7:40:08:69:85:19");
    }

    #[test]
    fn a_generated_key_can_be_imported() {
        let (public, private) = generate().unwrap();
        assert!(public.starts_with("ssh-ed25519 "));
        assert!(private.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"));
        ssh_fingerprint(&public).unwrap();
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "ssh-rsa", "ssh-rsa AAAA", "ssh-rsa bad!", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIA==", "-----BEGIN"] {
            assert!(ssh_fingerprint(text).is_err(), "{text:?}");
        }
    }
}
