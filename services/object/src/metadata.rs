// SPDX-License-Identifier: Apache-2.0
//! What clients write on accounts, containers and objects: `X-Container-Meta-Colour: red`.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::{Error, limits};

/// By name, in small letters and without the prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, String>);

/// Whose metadata it is: the middle of the header's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Account,
    Container,
    Object,
}

impl Of {
    fn word(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Container => "container",
            Self::Object => "object",
        }
    }
}

/// The value of a header as text; not all of it is ASCII.
pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Error> {
    let utf8 = |value: &'a HeaderValue| {
        std::str::from_utf8(value.as_bytes()).map_err(|_| Error::Invalid(format!("The header {name} is not UTF-8.")))
    };
    headers.get(name).map(utf8).transpose()
}

impl Metadata {
    /// What these headers set, on a thing that has nothing before.
    pub fn read(of: Of, headers: &HeaderMap) -> Result<Self, Error> {
        let mut metadata = Self::default();
        metadata.change(of, headers)?;
        Ok(metadata)
    }

    /// Sets what the headers set, and removes what they empty, or name to be removed.
    pub fn change(&mut self, of: Of, headers: &HeaderMap) -> Result<(), Error> {
        let (set, remove) = (format!("x-{}-meta-", of.word()), format!("x-remove-{}-meta-", of.word()));
        for header in headers.keys() {
            if let Some(name) = header.as_str().strip_prefix(&remove) {
                self.0.remove(name);
            }
        }
        for header in headers.keys() {
            let Some(name) = header.as_str().strip_prefix(&set) else { continue };
            let value = text(headers, header.as_str())?.unwrap_or_default();
            check(name, value)?;
            // An object's metadata is written as a whole, and there an empty value is one.
            if value.is_empty() && of != Of::Object {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
        self.check_all()
    }

    fn check_all(&self) -> Result<(), Error> {
        let (count, bytes) = (self.0.len(), self.0.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>());
        if count > limits::META_COUNT {
            return Err(Error::Invalid(format!("Too many metadata items; max {}", limits::META_COUNT)));
        }
        if bytes > limits::META_OVERALL {
            return Err(Error::Invalid(format!("Total metadata too large; max {}", limits::META_OVERALL)));
        }
        Ok(())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// These over those.
    #[must_use]
    pub fn over(&self, others: &Self) -> Self {
        let mut all = others.clone();
        all.0.extend(self.0.clone());
        all
    }

    /// Writes them as headers, those aside that only the owner sees.
    pub fn write(&self, of: Of, headers: &mut HeaderMap, for_owner: bool) {
        for (name, value) in &self.0 {
            if !for_owner && is_for_owner(name) {
                continue;
            }
            let name = HeaderName::try_from(format!("x-{}-meta-{name}", of.word()));
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
                headers.insert(name, value);
            }
        }
    }

    /// The same for the stream of events, without the keys that sign addresses.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let blank =
            |(name, value): (&String, &String)| (name.clone(), if is_for_owner(name) { "***".to_owned() } else { value.clone() });
        Self(self.0.iter().map(blank).collect())
    }
}

/// Keys with which addresses are signed.
fn is_for_owner(name: &str) -> bool {
    name.starts_with("temp-url-key")
}

fn check(name: &str, value: &str) -> Result<(), Error> {
    let say = |message: String| Err(Error::Invalid(message));
    match () {
        () if name.is_empty() => say("Metadata name cannot be empty".to_owned()),
        () if name.len() > limits::META_NAME => {
            say(format!("Metadata name too long: {name} has {} characters; max {}", name.len(), limits::META_NAME))
        }
        () if value.len() > limits::META_VALUE => say(format!("Metadata value longer than {}: {name}", limits::META_VALUE)),
        () => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap()))
            .collect()
    }

    #[test]
    fn metadata_is_set_emptied_and_removed() {
        let mut metadata =
            Metadata::read(Of::Container, &headers(&[("x-container-meta-a", "1"), ("x-container-meta-b", "é")])).unwrap();
        metadata.change(Of::Container, &headers(&[("x-container-meta-a", ""), ("x-remove-container-meta-b", "x")])).unwrap();
        assert_eq!(metadata, Metadata::default());
        let long = "x".repeat(limits::META_VALUE + 1);
        assert!(Metadata::read(Of::Object, &headers(&[("x-object-meta-a", &long)])).is_err());
        assert!(Metadata::read(Of::Object, &headers(&[("x-object-meta-", "1")])).is_err());
    }
}
