// SPDX-License-Identifier: Apache-2.0
//! Reads what clients send, as strictly as Cinder's schemas do, and says what is wrong in their manner.

use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
};

use api::{Cx, Fault};
use serde_json::Value;
use words::{Tongue, Wrong, flag, shortened};

use crate::error::{Error, Result};

pub(crate) type Read<T> = Result<T, Fault>;

/// Of names and descriptions.
const LONGEST: usize = 255;
/// Of all that one thing has: what a row may hold.
const MOST_ITEMS: usize = 128;
/// Characters of a value that an answer repeats.
const SHOWN: usize = 120;

/// Cinder's manner.
#[derive(Debug)]
pub(crate) struct Cinder;

/// A JSON object on its way to being read.
#[derive(Debug)]
pub(crate) struct Object(words::Object<Cinder>);

/// The body's one object, as in `{"volume": {…}}`; other keys beside it are refused.
pub(crate) async fn document(cx: &mut Cx, key: &str) -> Read<Object> {
    let mut body = body(cx).await?;
    let inner = body.required_object(key)?;
    body.finish()?;
    Ok(inner)
}

/// The body itself.
pub(crate) async fn body(cx: &mut Cx) -> Read<Object> {
    let value: Value = cx.json().await?;
    Object::of("body", value)
}

/// The argument of an action that has one, as in `{"os-extend": {…}}`.
pub(crate) async fn argument(cx: &mut Cx, action: &str) -> Read<Object> {
    body(cx).await?.required_object(action)
}

impl Deref for Object {
    type Target = words::Object<Cinder>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Object {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Object {
    pub(crate) fn of(name: &str, value: Value) -> Read<Self> {
        words::Object::of(name, value).map(Self)
    }

    pub(crate) fn object(&mut self, key: &str) -> Read<Option<Object>> {
        match self.take_some(key) {
            None => Ok(None),
            Some(value) => Self::of(key, value).map(Some),
        }
    }

    pub(crate) fn required_object(&mut self, key: &str) -> Read<Object> {
        let object = self.object(key)?;
        self.required(key, object)
    }

    /// A name or description: free text, or `null`; without blanks at its ends.
    pub(crate) fn label(&mut self, key: &str) -> Read<Option<Option<String>>> {
        let text = self.text_or_null(key, 0..=LONGEST)?;
        Ok(text.map(|text| text.map(|text| text.trim().to_owned())))
    }

    /// The same, where the first version of the API had another word for it.
    pub(crate) fn label_or(&mut self, key: &str, older: &str) -> Read<Option<Option<String>>> {
        let older = self.label(older)?;
        Ok(self.label(key)?.or(older))
    }

    /// A name that a thing must have.
    pub(crate) fn name(&mut self, key: &str) -> Read<String> {
        let name = self.text(key, 1..=LONGEST)?;
        let name = self.required(key, name)?.trim().to_owned();
        if name.is_empty() {
            return Err(wrong(key, &Value::String(name), "It is empty but for blanks."));
        }
        Ok(name)
    }

    /// The id of a thing, or `null`.
    pub(crate) fn id(&mut self, key: &str) -> Read<Option<String>> {
        let Some(value) = self.take_some(key) else { return Ok(None) };
        let text = self.text_of(key, value, 0..=LONGEST)?;
        if is_uuid(&text) { Ok(Some(text)) } else { Err(wrong(key, &Value::String(text), "It is not a UUID.")) }
    }

    /// An object of short texts, such as metadata; `null` for an empty one.
    pub(crate) fn texts(&mut self, key: &str) -> Read<Option<BTreeMap<String, String>>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        if value.is_null() {
            return Ok(Some(BTreeMap::new()));
        }
        Self::of(key, value)?.into_texts().map(Some)
    }

    /// All fields as short texts.
    pub(crate) fn into_texts(self) -> Read<BTreeMap<String, String>> {
        let object = self.0.name().to_owned();
        let fields = self.0.into_fields();
        if fields.len() > MOST_ITEMS {
            return Err(Fault::bad_request(too_many(&object)));
        }
        fields.into_iter().map(|(key, value)| item(&object, key, value)).collect()
    }

    pub(crate) fn finish(self) -> Read<()> {
        self.0.finish()
    }
}

/// One item of metadata or specs.
fn item(object: &str, key: String, value: Value) -> Read<(String, String)> {
    if !(1..=LONGEST).contains(&key.chars().count()) || key.chars().any(char::is_control) {
        let sentence =
            format!("Invalid input for field/attribute {object}. A key has 1 to {LONGEST} characters that can be printed.");
        return Err(Fault::bad_request(sentence));
    }
    match value {
        Value::String(text) if text.chars().count() > LONGEST => {
            Err(wrong(&key, &Value::String(text), &format!("It is longer than {LONGEST} characters.")))
        }
        Value::String(text) => Ok((key, text)),
        other => Err(wrong(&key, &other, "It is not of type 'string'.")),
    }
}

/// Joins items to those that are there, of which there may not be more than a row holds. Called in the transaction that read
/// them, so that of two who add at once neither is lost.
pub(crate) fn join(object: &str, known: &mut BTreeMap<String, String>, more: &BTreeMap<String, String>) -> Result<()> {
    known.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
    if known.len() > MOST_ITEMS { Err(Error::invalid(too_many(object))) } else { Ok(()) }
}

fn too_many(object: &str) -> String {
    format!("Invalid input for field/attribute {object}. It holds more than {MOST_ITEMS} items.")
}

impl Tongue for Cinder {
    type Fault = Fault;

    fn say(object: &str, wrong: &Wrong<'_>) -> Fault {
        let of = |field: &str, value: &Value, why: &str| self::wrong(field, value, why);
        let text = |field: &str, text: &str, why: &str| self::wrong(field, &Value::String(text.to_owned()), why);
        match wrong {
            Wrong::NotAnObject { field, value } => of(field, value, "It is not of type 'object'."),
            Wrong::NotAList { field, value } => of(field, value, "It is not of type 'array'."),
            Wrong::NotText { field, value } => of(field, value, "It is not of type 'string'."),
            Wrong::TooShort { field, text: is } => text(field, is, "It is too short."),
            Wrong::TooLong { field, text: is, most } => text(field, is, &format!("It is longer than {most} characters.")),
            Wrong::HoldsNul { field } => text(field, "", "It holds the NUL character."),
            Wrong::NotAFlag { field, value } => of(field, value, "It is not of type 'boolean'."),
            Wrong::NotWhole { field, value } => of(field, value, "It is not of type 'integer'."),
            Wrong::OutOfRange { field, value, number, range } if number < range.start() => {
                of(field, value, &format!("It is less than the minimum of {}.", range.start()))
            }
            Wrong::OutOfRange { field, value, range, .. } => {
                of(field, value, &format!("It is greater than the maximum of {}.", range.end()))
            }
            Wrong::Missing { field } => {
                Fault::bad_request(format!("Invalid input for field/attribute {object}. '{field}' is a required property."))
            }
            Wrong::Unknown { fields } => {
                let named: Vec<String> = fields.iter().take(8).map(|field| format!("'{}'", shortened(field, SHOWN))).collect();
                Fault::bad_request(format!(
                    "Invalid input for field/attribute {object}. Additional properties are not allowed ({} was unexpected).",
                    named.join(", ")
                ))
            }
        }
    }

    fn flag(value: &Value) -> Option<bool> {
        match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => flag::oslo(text),
            _ => None,
        }
    }

    fn digits(text: &str) -> Option<i64> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_plain)
    }
}

/// Cinder's sentence for a value that is not as it must be.
pub(crate) fn wrong(field: &str, value: &Value, why: &str) -> Fault {
    let shown = match value {
        Value::String(text) => shortened(text, SHOWN),
        other => shortened(&other.to_string(), SHOWN),
    };
    Fault::bad_request(format!("Invalid input for field/attribute {}. Value: {shown}. {why}", shortened(field, SHOWN)))
}

pub(crate) fn is_uuid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok()
}
