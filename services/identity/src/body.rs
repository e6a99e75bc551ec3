// SPDX-License-Identifier: Apache-2.0
//! What requests are made of: names with a length, fields that may be absent or null, further attributes.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The attributes that a client keeps on a resource beside those that Keystone knows.
pub type Extra = Map<String, Value>;

/// Text of 1 to `MAX` characters that are not all white space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Name<const MAX: usize>(String);

impl<const MAX: usize> Name<MAX> {
    pub fn parse(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        let length = text.chars().count();
        if length == 0 || length > MAX || text.trim().is_empty() {
            return Err(format!("it must have 1 to {MAX} characters, and not only white space"));
        }
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Name<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// For the fields of an update, where `null` says something and absence says nothing.
pub fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Further attributes, without those that are ours to say.
pub fn own_attributes(mut extra: Extra) -> Extra {
    for ours in ["id", "links", "options", "tags", "password_expires_at"] {
        extra.remove(ours);
    }
    extra
}

/// Refuses an update that would move a thing: ids and domains are for life.
pub fn refuse_change(field: &'static str, now: &str, asked: &Extra) -> Result<()> {
    match asked.get(field) {
        None => Ok(()),
        Some(Value::String(asked)) if asked == now => Ok(()),
        Some(_) => Err(Error::Invalid(format!("The field '{field}' cannot be changed."))),
    }
}

/// Adds the further attributes of an update to those that are kept.
pub fn merge(kept: &mut Extra, update: Extra, without: &[&str]) {
    for (key, value) in own_attributes(update) {
        if !without.contains(&key.as_str()) {
            kept.insert(key, value);
        }
    }
}

pub fn yes() -> bool {
    true
}
