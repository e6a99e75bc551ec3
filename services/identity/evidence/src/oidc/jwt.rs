// SPDX-License-Identifier: Apache-2.0
//! Signed tokens (RFC 7519, compact form): taken apart, and their signature checked, before a word of them is believed.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Denial,
    keys::{Algorithm, Key},
};

/// What a token says.
pub type Claims = Map<String, Value>;

/// Tokens travel in headers; what is longer is not decoded.
pub const LONGEST: usize = 16 * 1024;

/// A token in its parts, not yet believed.
pub struct Unverified<'a> {
    pub key_id: Option<String>,
    algorithm: Algorithm,
    signed: &'a str,
    body: &'a str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What the reader must understand. There is nothing of the kind that we do.
    crit: Option<Value>,
}

/// Whether it has the form of a signed token; another is opaque to all but its issuer.
pub fn looks_signed(token: &str) -> bool {
    token.starts_with("eyJ") && token.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl<'a> Unverified<'a> {
    pub fn read(token: &'a str) -> Result<Self, Denial> {
        let malformed = || Denial::refused("the token is malformed");
        if token.len() > LONGEST {
            return Err(Denial::refused(format!("the token is longer than {LONGEST} bytes")));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, body) = signed.split_once('.').filter(|(_, body)| !body.contains('.')).ok_or_else(malformed)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed());
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| malformed())?;
        if header.crit.is_some() {
            return Err(Denial::refused("the token demands an extension that is not known"));
        }
        let algorithm = Algorithm::named(&header.alg)
            .ok_or_else(|| Denial::refused(format!("tokens signed by '{}' are not taken", header.alg.escape_default())))?;
        Ok(Self { key_id: header.kid, algorithm, signed, body, signature: decode(signature)? })
    }

    /// What it says, if one of the keys signed it. A token that names its key is held to that one.
    pub fn verify(&self, keys: &[Key]) -> Option<Claims> {
        let named = |key: &&Key| self.key_id.is_none() || key.id == self.key_id;
        let is_signed = keys.iter().filter(named).any(|key| key.made(self.algorithm, self.signed.as_bytes(), &self.signature));
        if !is_signed {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(self.body).ok()?).ok()
    }
}
