// SPDX-License-Identifier: Apache-2.0
//! Passwords: argon2id, and bcrypt for those that were imported, until their owner logs in.
//!
//! Hashing is meant to be slow. It runs on threads of its own, see `pool`.
//!
//! Invariant: whether a user exists cannot be told from how long a refusal takes (test: `an_unknown_user_costs_a_hash_too`).

mod argon;
mod pages;
mod pool;

use std::sync::Arc;

use argon2::{Argon2, PasswordVerifier, password_hash::phc::PasswordHash};
use types::Secret;

use pool::Pool;

/// Why a password was not judged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("So many are logging in that it would take long until it is your turn. Nothing was changed; try again.")]
    Busy,
    #[error("hash a password: {0}")]
    Hash(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Keystone's longest password.
pub const LONGEST: usize = 4096;

#[derive(Clone)]
pub struct Passwords {
    pool: Pool,
    /// What the password of an unknown user is compared with.
    of_nobody: Arc<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, but kept in a form that is to be replaced.
    RightAndOutdated,
}

impl Passwords {
    pub fn new() -> Result<Self> {
        Ok(Self { pool: Pool::start()?, of_nobody: hash_of_nobody()?.into() })
    }

    pub async fn hash(&self, password: &Secret<String>) -> Result<String> {
        let password = password.clone();
        self.pool.run(move || argon::hash(password.reveal().as_bytes())).await?
    }

    /// Compares with the kept hash; with none, spends the same time and says no.
    pub async fn verify(&self, password: &Secret<String>, kept: Option<&str>) -> Result<Verdict> {
        let password = password.clone();
        let is_somebodys = kept.is_some();
        let kept: Arc<str> = kept.map_or_else(|| Arc::clone(&self.of_nobody), Arc::from);
        let verdict = self.pool.run(move || verify(password.reveal().as_bytes(), &kept)).await?;
        Ok(if is_somebodys { verdict } else { Verdict::Wrong })
    }
}

/// Looks like a hash, and a comparison with it costs as much, but it is drawn at random: no password leads to it, and
/// no start of the cloud waits for one to be hashed.
fn hash_of_nobody() -> Result<String> {
    let (salt, output) = argon::random()?;
    Ok(argon::kept(&salt, &output))
}

fn verify(password: &[u8], kept: &str) -> Verdict {
    if password.len() > LONGEST {
        return Verdict::Wrong;
    }
    if kept.starts_with("$2") {
        // Keystone cuts passwords for bcrypt at 72 bytes, beyond which bcrypt does not look.
        let cut = &password[..password.len().min(72)];
        return match bcrypt::verify(cut, kept) {
            Ok(true) => Verdict::RightAndOutdated,
            Ok(false) | Err(_) => Verdict::Wrong,
        };
    }
    match argon::verify(password, kept) {
        Some(true) => return Verdict::Right,
        Some(false) => return Verdict::Wrong,
        None => {}
    }
    let Ok(parsed) = PasswordHash::new(kept) else {
        tracing::error!("a password is kept in a form that cannot be read; its owner cannot log in");
        return Verdict::Wrong;
    };
    // The parameters are read from the hash itself, so that older ones stay verifiable.
    match Argon2::default().verify_password(password, &parsed) {
        Ok(()) => Verdict::RightAndOutdated,
        Err(_) => Verdict::Wrong,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::time::Instant;

    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn right_and_wrong() {
        let passwords = Passwords::new().unwrap();
        let kept = passwords.hash(&secret("correct horse")).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_eq!(passwords.verify(&secret("correct horse"), Some(&kept)).await.unwrap(), Verdict::Right);
        assert_eq!(passwords.verify(&secret("battery staple"), Some(&kept)).await.unwrap(), Verdict::Wrong);
        assert_eq!(passwords.verify(&secret("correct horse"), Some("nonsense")).await.unwrap(), Verdict::Wrong);
        assert_eq!(passwords.verify(&secret("correct horse"), None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn imported_hashes_are_accepted_and_marked() {
        let passwords = Passwords::new().unwrap();
        let kept = bcrypt::hash("imported", 4).unwrap();
        assert_eq!(passwords.verify(&secret("imported"), Some(&kept)).await.unwrap(), Verdict::RightAndOutdated);
        assert_eq!(passwords.verify(&secret("exported"), Some(&kept)).await.unwrap(), Verdict::Wrong);
    }

    /// Not a measurement of equality, which a busy machine cannot give: a refusal without a hash takes microseconds.
    #[tokio::test]
    async fn an_unknown_user_costs_a_hash_too() {
        let passwords = Passwords::new().unwrap();
        let kept = passwords.hash(&secret("right")).await.unwrap();
        let mut comparable = 0;
        for _ in 0..9 {
            let start = Instant::now();
            passwords.verify(&secret("wrong"), Some(&kept)).await.unwrap();
            let known = start.elapsed();
            let start = Instant::now();
            passwords.verify(&secret("wrong"), None).await.unwrap();
            comparable += usize::from(start.elapsed() * 4 > known);
        }
        assert!(comparable > 4, "an unknown user was refused at once");
    }
}
