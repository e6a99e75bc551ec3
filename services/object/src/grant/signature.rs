// SPDX-License-Identifier: Apache-2.0
//! Addresses that an owner has signed with a key of his account or container, good for one method, until one time, for one
//! object or all whose names begin so: Swift's TempURL.

use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use types::Timestamp;

use crate::place::Place;

/// What was signed, and by whose key: others' words in the address are not asked any more.
#[derive(Debug, Clone)]
pub struct Signature {
    account: String,
    /// The container whose key it is; none for the account's.
    container: Option<String>,
    covers: Covers,
    may_write: bool,
}

#[derive(Debug, Clone)]
pub enum Covers {
    Object { container: String, object: String },
    Prefix { container: String, prefix: String },
}

/// What the query of an address says of its signature.
pub struct Words<'a> {
    pub signature: &'a str,
    pub expires: &'a str,
    pub prefix: Option<&'a str>,
}

/// What stands before the account in an address, as whoever signed it may have seen it.
const BASES: [&str; 2] = ["/v1/", "/object-store/v1/"];

/// A key that the owner has set, and of which container; none for the account.
pub struct Key {
    pub secret: String,
    pub container: Option<String>,
}

impl Signature {
    /// None if the address is not signed by any of these keys, for what is done, or no more.
    pub fn check(words: &Words<'_>, method: &Method, place: &Place, keys: &[Key]) -> Option<Self> {
        let expires = words.expires.parse::<i64>().ok().or_else(|| Timestamp::parse(words.expires).map(Timestamp::seconds))?;
        if expires <= Timestamp::now().seconds() {
            return None;
        }
        let Some(prefix) = words.prefix else {
            let covers = Covers::Object { container: place.container.clone(), object: place.object.clone() };
            return Self::by_any(words.signature, expires, "", &place.object, covers, method, place, keys);
        };
        // Swift's own client counts what stands before the account as a part of its own, and so takes the container for the
        // first word of the prefix. What was signed is the whole path in either case.
        let behind_container = prefix.strip_prefix(&place.container).and_then(|rest| rest.strip_prefix('/'));
        [Some(prefix), behind_container].into_iter().flatten().filter(|prefix| place.object.starts_with(prefix)).find_map(
            |prefix| {
                let covers = Covers::Prefix { container: place.container.clone(), prefix: prefix.to_owned() };
                Self::by_any(words.signature, expires, "prefix:", prefix, covers, method, place, keys)
            },
        )
    }

    #[allow(clippy::too_many_arguments)]
    fn by_any(
        signature: &str,
        expires: i64,
        scope: &str,
        last: &str,
        covers: Covers,
        method: &Method,
        place: &Place,
        keys: &[Key],
    ) -> Option<Self> {
        for key in keys {
            for base in BASES {
                let path = format!("{scope}{base}{}/{}/{last}", place.account, place.container);
                for allowed in methods(method) {
                    let signed = format!("{allowed}\n{expires}\n{path}");
                    if is_signed(signature, key.secret.as_bytes(), signed.as_bytes()) {
                        let may_write = !matches!(*method, Method::GET | Method::HEAD);
                        let (account, container) = (place.account.clone(), key.container.clone());
                        return Some(Self { account, container, covers, may_write });
                    }
                }
            }
        }
        None
    }

    /// That of a form that is good still, for all that begins as its address does. `text` is what was signed, for a path.
    pub fn check_form(signature: &str, text: impl Fn(&str) -> String, place: &Place, keys: &[Key]) -> Option<Self> {
        if place.container.is_empty() {
            return None;
        }
        let object = if place.object.is_empty() { String::new() } else { format!("/{}", place.object) };
        let below = format!("{}/{}{object}", place.account, place.container);
        // A form's address may end with a slash, where whoever signed it took it for a folder.
        let paths = BASES.iter().flat_map(|base| ["", "/"].map(|end| format!("{base}{below}{end}")));
        for path in paths {
            let signed = text(&path);
            let by = |key: &&Key| is_signed_form(signature, key.secret.as_bytes(), signed.as_bytes());
            if let Some(key) = keys.iter().find(by) {
                let covers = Covers::Prefix { container: place.container.clone(), prefix: place.object.clone() };
                let (account, container) = (place.account.clone(), key.container.clone());
                return Some(Self { account, container, covers, may_write: true });
            }
        }
        None
    }

    /// The parts of a large object are read by it, too, as far as its key reaches.
    pub fn covers_reading(&self, place: &Place) -> bool {
        !self.may_write
            && place.account == self.account
            && self.container.as_ref().is_none_or(|container| *container == place.container)
    }

    /// Whoever reads what consists of all that begins so has them listed for it, by whatever key the owner signed it with.
    pub fn covers_listing(&self, place: &Place) -> bool {
        self.covers_reading(place)
    }

    pub fn covers_writing(&self, place: &Place) -> bool {
        self.may_write
            && place.account == self.account
            && match &self.covers {
                Covers::Object { container, object } => *container == place.container && *object == place.object,
                Covers::Prefix { container, prefix } => *container == place.container && place.object.starts_with(prefix),
            }
    }
}

/// The methods whose signature is good for this one: whoever may read or write may look whether it is there.
fn methods(method: &Method) -> &'static [&'static str] {
    match *method {
        Method::GET => &["GET"],
        Method::HEAD => &["HEAD", "GET", "PUT"],
        Method::PUT => &["PUT"],
        Method::POST => &["POST", "PUT"],
        Method::DELETE => &["DELETE"],
        _ => &[],
    }
}

/// Forms of old are signed with SHA-1, which is good still where it is keyed.
fn is_signed_form(signature: &str, key: &[u8], message: &[u8]) -> bool {
    let digits = signature.strip_prefix("sha1:").map_or_else(
        || (signature.len() == 40).then(|| hex::decode(signature).unwrap_or_default()),
        |digits| base64::engine::general_purpose::STANDARD.decode(digits).ok(),
    );
    match digits {
        Some(digest) => {
            Hmac::<Sha1>::new_from_slice(key).is_ok_and(|mac| mac.chain_update(message).verify_slice(&digest).is_ok())
        }
        None => is_signed(signature, key, message),
    }
}

/// In hexadecimal digits, whose number tells the algorithm, or `sha512:` and base64.
fn is_signed(signature: &str, key: &[u8], message: &[u8]) -> bool {
    let (algorithm, digest) = match signature.split_once(':') {
        Some((algorithm, digits)) => {
            let digits = digits.replace('-', "+").replace('_', "/");
            let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
            (algorithm, engine.decode(digits.trim_end_matches('=')).unwrap_or_default())
        }
        None => match signature.len() {
            64 => ("sha256", hex::decode(signature).unwrap_or_default()),
            128 => ("sha512", hex::decode(signature).unwrap_or_default()),
            _ => return false,
        },
    };
    match algorithm {
        "sha256" => Hmac::<Sha256>::new_from_slice(key).is_ok_and(|mac| mac.chain_update(message).verify_slice(&digest).is_ok()),
        "sha512" => Hmac::<Sha512>::new_from_slice(key).is_ok_and(|mac| mac.chain_update(message).verify_slice(&digest).is_ok()),
        _ => false,
    }
}
