// SPDX-License-Identifier: Apache-2.0
//! The word by which a console is opened.

use access::fernet::Key;
use base64::{
    Engine,
    engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD},
};
use sha2::{Digest, Sha256};
use types::{Secret, Timestamp};

const BYTES: usize = 32;

/// Known to whoever asked for it, and to nobody else: tables have its hash.
pub(super) struct Word(Secret<String>);

impl Word {
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(Secret::new(URL_SAFE_NO_PAD.encode(bytes))))
    }

    pub fn of(text: &str) -> Self {
        Self(Secret::new(text.to_owned()))
    }

    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    pub fn hash(&self) -> String {
        hex::encode(self.digest("console"))
    }

    /// The token of whoever was given the word, so that only the word brings it to light.
    pub fn seal(&self, token: &str) -> Result<String, getrandom::Error> {
        // A key of 32 bytes is one, whatever they are.
        self.key().map_or(Ok(String::new()), |key| key.seal(token.as_bytes(), Timestamp::now()))
    }

    pub fn open(&self, sealed: &str) -> Option<Secret<String>> {
        let opened = self.key()?.open(sealed).ok()?;
        String::from_utf8(opened.message).ok().map(Secret::new)
    }

    fn key(&self) -> Option<Key> {
        Key::parse(&URL_SAFE.encode(self.digest("token")))
    }

    fn digest(&self, of: &str) -> [u8; BYTES] {
        Sha256::new().chain_update(of).chain_update([0]).chain_update(self.0.reveal()).finalize().into()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_to_light_by_the_word_alone() {
        let (word, other) = (Word::new().unwrap(), Word::new().unwrap());
        let sealed = word.seal("gAAA-token").unwrap();
        assert!(!sealed.contains("token") && !word.hash().contains(word.reveal()));
        assert_eq!(Word::of(word.reveal()).open(&sealed).unwrap().reveal(), "gAAA-token");
        assert!(other.open(&sealed).is_none());
        assert_ne!(word.hash(), other.hash());
    }
}
