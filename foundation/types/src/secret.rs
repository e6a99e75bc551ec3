// SPDX-License-Identifier: Apache-2.0
//! A value that must not reach a log or the stream of events: its `Debug` shows three stars, there is no `Display`, and it is
//! serialized as three stars, too. Where the value itself is meant to travel (to a node, in an answer, into a file) the field says
//! so: `#[serde(serialize_with = "types::secret::plain")]`.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// What is shown in its place.
pub const BLANK: &str = "***";

#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. The name is long so that a reader sees every place where a secret is used.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(BLANK)
    }
}

impl<T> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(BLANK)
    }
}

/// A field that holds a secret, or may hold one.
pub trait Holds {
    type Value: Serialize;

    fn secret(&self) -> Option<&Self::Value>;
}

impl<T: Serialize> Holds for Secret<T> {
    type Value = T;

    fn secret(&self) -> Option<&T> {
        Some(&self.0)
    }
}

impl<T: Serialize> Holds for Option<Secret<T>> {
    type Value = T;

    fn secret(&self) -> Option<&T> {
        self.as_ref().map(Secret::reveal)
    }
}

/// Serializes the value itself.
pub fn plain<S: Serializer>(field: &impl Holds, serializer: S) -> Result<S::Ok, S::Error> {
    match field.secret() {
        Some(value) => value.serialize(serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_tell() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
    }

    #[test]
    fn it_is_serialized_only_where_the_field_says_so() {
        #[derive(Serialize)]
        struct Both {
            blank: Secret<&'static str>,
            #[serde(serialize_with = "plain")]
            meant: Secret<&'static str>,
            #[serde(serialize_with = "plain")]
            perhaps: Option<Secret<&'static str>>,
        }
        let secret = || Secret::new("hunter2");
        let both = Both { blank: secret(), meant: secret(), perhaps: None };
        let text = serde_json::to_string(&both).unwrap_or_default();
        assert_eq!(text, r#"{"blank":"***","meant":"hunter2","perhaps":null}"#);
    }
}
