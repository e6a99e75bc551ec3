// SPDX-License-Identifier: Apache-2.0
//! argon2id in our own setting, in memory that a thread keeps while there is more to hash.
//!
//! A hash fills 19 MiB. Taken from the kernel anew each time, they cost a quarter of the hash itself; kept for good, they
//! would be most of what an idle cloud weighs.

use std::cell::RefCell;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use subtle::ConstantTimeEq;

use super::{Error, Result, pages};

/// OWASP's least setting for argon2id: 19 MiB, two passes.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const SALT: usize = 16;
const OUTPUT: usize = 32;

thread_local! {
    static BLOCKS: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Gives this thread's memory back.
pub fn let_go() {
    BLOCKS.with_borrow_mut(|blocks| *blocks = Vec::new());
}

/// What the kept form of a hash in our setting begins with.
pub fn prefix() -> String {
    format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1$")
}

/// The kept form (PHC) of these.
pub fn kept(salt: &[u8], output: &[u8]) -> String {
    format!("{}{}${}", prefix(), STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output))
}

/// Random bytes for a salt, and as many as an output has.
pub fn random() -> Result<([u8; SALT], [u8; OUTPUT])> {
    let (mut salt, mut output) = ([0; SALT], [0; OUTPUT]);
    getrandom::fill(&mut salt).map_err(|error| Error::Hash(error.to_string()))?;
    getrandom::fill(&mut output).map_err(|error| Error::Hash(error.to_string()))?;
    Ok((salt, output))
}

pub fn hash(password: &[u8]) -> Result<String> {
    let (mut salt, mut output) = ([0; SALT], [0; OUTPUT]);
    getrandom::fill(&mut salt).map_err(|error| Error::Hash(error.to_string()))?;
    fill(password, &salt, &mut output)?;
    Ok(kept(&salt, &output))
}

/// Whether it is the password; `None` if the hash is not in our setting.
pub fn verify(password: &[u8], kept: &str) -> Option<bool> {
    let (salt, expected) = kept.strip_prefix(&prefix())?.split_once('$')?;
    let (salt, expected) = (STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(expected).ok()?);
    let mut output = [0; OUTPUT];
    if expected.len() != OUTPUT || fill(password, &salt, &mut output).is_err() {
        return None;
    }
    Some(output.ct_eq(&expected).into())
}

fn fill(password: &[u8], salt: &[u8], output: &mut [u8]) -> Result<()> {
    let wrong = |error: argon2::Error| Error::Hash(error.to_string());
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(wrong)?;
    let needed = params.block_count();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    BLOCKS.with_borrow_mut(|blocks| {
        if blocks.is_empty() {
            *blocks = pages::blocks(needed);
        }
        argon2.hash_password_into_with_memory(password, salt, output, blocks).map_err(wrong)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use argon2::{PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};

    use super::*;

    /// Against the library's own reading of the kept form, both ways, in used memory too.
    #[test]
    fn what_is_kept_is_what_others_read() {
        let other = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(MEMORY_KIB, PASSES, 1, None).unwrap());
        for password in ["", "secret", "pässword"] {
            let ours = hash(password.as_bytes()).unwrap();
            other.verify_password(password.as_bytes(), &PasswordHash::new(&ours).unwrap()).unwrap();
            assert!(other.verify_password(b"wrong", &PasswordHash::new(&ours).unwrap()).is_err());
            let theirs = other.hash_password(password.as_bytes()).unwrap().to_string();
            assert_eq!((verify(password.as_bytes(), &theirs), verify(b"wrong", &theirs)), (Some(true), Some(false)));
        }
        assert_eq!(BLOCKS.with_borrow(Vec::len), MEMORY_KIB as usize);
        let_go();
        assert_eq!(BLOCKS.with_borrow(Vec::capacity), 0);
    }

    #[test]
    fn other_settings_are_left_to_others() {
        let (salt, output) = random().unwrap();
        for odd in [String::new(), kept(&salt, &output[1..]), kept(&salt, &output).replace("t=2", "t=3"), prefix()] {
            assert_eq!(verify(b"secret", &odd), None, "{odd}");
        }
    }
}
