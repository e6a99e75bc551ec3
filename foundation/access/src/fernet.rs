// SPDX-License-Identifier: Apache-2.0
//! Fernet: a sealed, dated message (<https://github.com/fernet/spec>). AES-128-CBC under an HMAC-SHA-256 of everything before it.

use aes::Aes128;
use base64::{Engine, engine::general_purpose::URL_SAFE, engine::general_purpose::URL_SAFE_NO_PAD};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use types::Timestamp;

const VERSION: u8 = 0x80;
const HEADER: usize = 1 + 8 + IV;
const IV: usize = 16;
const TAG: usize = 32;

/// Tokens are short. What is longer is not decoded at all.
const LONGEST_TOKEN: usize = 8 * 1024;

/// The first half signs, the second encrypts.
#[derive(Clone)]
pub struct Key {
    signing: [u8; 16],
    encryption: [u8; 16],
}

/// The token is malformed, altered, or sealed with a key that is not ours: it is not told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not one that this cloud issued")]
pub struct BadToken;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub message: Vec<u8>,
    pub sealed_at: Timestamp,
}

impl Key {
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self::from_bytes(bytes))
    }

    /// Reads the 44 characters of a key file.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE.decode(text.trim()).ok()?;
        Some(Self::from_bytes(bytes.try_into().ok()?))
    }

    /// What a key file holds. It is the secret itself.
    pub fn to_text(&self) -> String {
        URL_SAFE.encode([self.signing, self.encryption].concat())
    }

    /// By which it is known which key sealed something. It does not tell the key.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.signing);
        hash.update(self.encryption);
        hex::encode(hash.finalize())
    }

    /// The token, without the padding that would need escaping in a URL. Keystone leaves it out too.
    pub fn seal(&self, message: &[u8], at: Timestamp) -> Result<String, getrandom::Error> {
        let mut iv = [0; IV];
        getrandom::fill(&mut iv)?;
        Ok(self.seal_with(message, at, iv))
    }

    pub fn open(&self, token: &str) -> Result<Opened, BadToken> {
        self.open_bytes(&decode(token)?)
    }

    pub(crate) fn open_bytes(&self, bytes: &[u8]) -> Result<Opened, BadToken> {
        if bytes.len() < HEADER + TAG || bytes.first() != Some(&VERSION) {
            return Err(BadToken);
        }
        let (signed, tag) = bytes.split_at(bytes.len() - TAG);
        self.mac(signed).verify_slice(tag).map_err(|_| BadToken)?;

        let (header, ciphertext) = signed.split_at(HEADER);
        let (date, iv) = header[1..].split_at(8);
        let date = u64::from_be_bytes(date.try_into().map_err(|_| BadToken)?);
        let iv: [u8; IV] = iv.try_into().map_err(|_| BadToken)?;
        let message = cbc::Decryptor::<Aes128>::new(&self.encryption.into(), &iv.into())
            .decrypt_padded_vec::<Pkcs7>(ciphertext)
            .map_err(|_| BadToken)?;
        Ok(Opened { message, sealed_at: Timestamp::from_seconds(i64::try_from(date).map_err(|_| BadToken)?) })
    }

    fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut key = Self { signing: [0; 16], encryption: [0; 16] };
        key.signing.copy_from_slice(&bytes[..16]);
        key.encryption.copy_from_slice(&bytes[16..]);
        key
    }

    fn seal_with(&self, message: &[u8], at: Timestamp, iv: [u8; IV]) -> String {
        let ciphertext = cbc::Encryptor::<Aes128>::new(&self.encryption.into(), &iv.into()).encrypt_padded_vec::<Pkcs7>(message);
        let mut bytes = Vec::with_capacity(HEADER + ciphertext.len() + TAG);
        bytes.push(VERSION);
        bytes.extend_from_slice(&at.seconds().to_be_bytes());
        bytes.extend_from_slice(&iv);
        bytes.extend_from_slice(&ciphertext);
        let tag = self.mac(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn mac(&self, signed: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.signing).expect("HMAC takes keys of any length");
        mac.update(signed);
        mac
    }
}

/// The bytes of a token, with or without its padding.
pub(crate) fn decode(token: &str) -> Result<Vec<u8>, BadToken> {
    if token.len() > LONGEST_TOKEN { Err(BadToken) } else { decode_any_length(token) }
}

/// The same for what comes from our own tables.
pub(crate) fn decode_any_length(token: &str) -> Result<Vec<u8>, BadToken> {
    URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).map_err(|_| BadToken)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    const SPEC_KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

    #[test]
    fn the_example_of_the_specification() {
        let key = Key::parse(SPEC_KEY).unwrap();
        let iv: [u8; IV] = std::array::from_fn(|i| i as u8);
        let token = key.seal_with(b"hello", Timestamp::from_seconds(499_162_800), iv);
        assert_eq!(token, "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA");
        let opened = key.open(&format!("{token}==")).unwrap();
        assert_eq!(opened, Opened { message: b"hello".to_vec(), sealed_at: Timestamp::from_seconds(499_162_800) });
    }

    #[test]
    fn every_altered_byte_is_noticed() {
        let key = Key::generate().unwrap();
        let token = key.seal(b"a message of more than one block of sixteen", Timestamp::now()).unwrap();
        let bytes = decode(&token).unwrap();
        assert!(key.open_bytes(&bytes).is_ok());
        for i in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[i] ^= 1;
            assert_eq!(key.open_bytes(&altered), Err(BadToken), "byte {i}");
            assert_eq!(key.open_bytes(&bytes[..i]), Err(BadToken), "cut at {i}");
        }
    }

    #[test]
    fn another_key_does_not_open_it() {
        let token = Key::generate().unwrap().seal(b"hello", Timestamp::now()).unwrap();
        assert_eq!(Key::generate().unwrap().open(&token), Err(BadToken));
    }

    #[test]
    fn a_key_survives_its_file() {
        let key = Key::generate().unwrap();
        let token = key.seal(b"hello", Timestamp::now()).unwrap();
        assert_eq!(Key::parse(&format!("{}\n", key.to_text())).unwrap().open(&token).unwrap().message, b"hello");
        assert!(Key::parse("short").is_none());
    }
}
