// SPDX-License-Identifier: Apache-2.0
//! What clients send, read field by field; and what they hear of what cannot be read, in Octavia's manner.

use std::{
    net::IpAddr,
    ops::{Deref, DerefMut},
};

use api::{Cx, Fault};
use ipnet::IpNet;
use serde_json::{Map, Value};
use types::ProjectId;
use words::{Tongue, Wrong, flag, shortened};

pub(crate) type Read<T> = Result<T, Fault>;

/// Of names and descriptions.
const LONGEST: usize = 255;
/// Of tags of one thing, and of prefixes of one listener.
const MOST_ITEMS: usize = 64;
const SHOWN: usize = 80;

/// Octavia's manner.
#[derive(Debug)]
pub(crate) struct Octavia;

#[derive(Debug)]
pub(crate) struct Input(words::Object<Octavia>);

/// The body's one object, as in `{"listener": {…}}`.
pub(crate) async fn document(cx: &mut Cx, key: &str) -> Read<Input> {
    let mut outer: Map<String, Value> = cx.json().await?;
    let value = outer.remove(key).ok_or_else(|| Fault::bad_request(format!("Missing argument: \"{key}\"")))?;
    Input::of(key, value)
}

/// The body's one list, as in `{"members": […]}`.
pub(crate) async fn documents(cx: &mut Cx, key: &str) -> Read<Vec<Input>> {
    let mut outer: Map<String, Value> = cx.json().await?;
    match outer.remove(key) {
        Some(Value::Array(items)) => items.into_iter().map(|item| Input::of(key, item)).collect(),
        _ => Err(Fault::bad_request(format!("Missing argument: \"{key}\""))),
    }
}

impl Deref for Input {
    type Target = words::Object<Octavia>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Input {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Input {
    pub(crate) fn of(name: &str, value: Value) -> Read<Self> {
        words::Object::of(name, value).map(Self)
    }

    /// A name or a description. `null` is an empty one.
    pub(crate) fn label(&mut self, field: &str) -> Read<Option<String>> {
        Ok(self.text_or_null(field, 0..=LONGEST)?.map(Option::unwrap_or_default))
    }

    /// One of these words, in capitals as they stand.
    pub(crate) fn word(&mut self, field: &str, words: &[&str]) -> Read<Option<String>> {
        let Some(text) = self.text(field, 0..=LONGEST)? else { return Ok(None) };
        if words.contains(&text.as_str()) {
            return Ok(Some(text));
        }
        let known: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        Err(wrong(field, &Value::String(text), &format!("Value should be one of: {}", known.join(", "))))
    }

    pub(crate) fn required_word(&mut self, field: &str, words: &[&str]) -> Read<String> {
        let word = self.word(field, words)?;
        self.required(field, word)
    }

    pub(crate) fn required_whole(&mut self, field: &str, range: std::ops::RangeInclusive<i64>) -> Read<i64> {
        let number = self.whole(field, range)?;
        self.required(field, number)
    }

    /// The id of a thing, or `null` for none.
    pub(crate) fn id(&mut self, field: &str) -> Read<Option<Option<String>>> {
        let Some(text) = self.text_or_null(field, 0..=LONGEST)? else { return Ok(None) };
        let Some(text) = text else { return Ok(Some(None)) };
        match uuid::Uuid::try_parse(&text) {
            Ok(id) => Ok(Some(Some(id.to_string()))),
            Err(_) => Err(wrong(field, &Value::String(text), "Value should be UUID format")),
        }
    }

    pub(crate) fn required_id(&mut self, field: &str) -> Read<String> {
        let id = self.id(field)?.flatten();
        self.required(field, id)
    }

    pub(crate) fn address(&mut self, field: &str) -> Read<Option<IpAddr>> {
        let Some(text) = self.text_or_null(field, 0..=LONGEST)?.flatten() else { return Ok(None) };
        text.parse().map(Some).map_err(|_| wrong(field, &Value::String(text), "Value should be IPv4 or IPv6 format"))
    }

    pub(crate) fn tags(&mut self) -> Read<Option<Vec<String>>> {
        let mut tags = self.texts("tags")?;
        tags.iter_mut().for_each(|tags| {
            tags.sort_unstable();
            tags.dedup();
        });
        Ok(tags)
    }

    pub(crate) fn texts(&mut self, field: &str) -> Read<Option<Vec<String>>> {
        if self.take_null(field) {
            return Ok(Some(Vec::new()));
        }
        let Some(items) = self.list(field)? else { return Ok(None) };
        if items.len() > MOST_ITEMS {
            return Err(Fault::bad_request(format!(
                "Invalid input for field/attribute {field}. It has more than {MOST_ITEMS} items."
            )));
        }
        items.into_iter().map(|item| self.text_of(field, item, 1..=LONGEST)).collect::<Read<Vec<_>>>().map(Some)
    }

    pub(crate) fn prefixes(&mut self, field: &str) -> Read<Option<Vec<String>>> {
        let Some(texts) = self.texts(field)? else { return Ok(None) };
        let read = |text: String| match text.parse::<IpNet>() {
            Ok(prefix) => Ok(prefix.to_string()),
            Err(_) => Err(wrong(field, &Value::String(text), "Value should be a prefix of addresses")),
        };
        texts.into_iter().map(read).collect::<Read<Vec<_>>>().map(Some)
    }

    /// The project that shall own the thing: the caller's, or the one that he names.
    pub(crate) fn owner(&mut self, cx: &Cx) -> Read<ProjectId> {
        let named = self.text_or_null("project_id", 0..=LONGEST)?.flatten();
        let older = self.text_or_null("tenant_id", 0..=LONGEST)?.flatten();
        match named.or(older) {
            Some(id) => Ok(ProjectId::new(id)),
            None => Ok(cx.project()?.clone()),
        }
    }

    /// What is not said, or said to be nothing.
    pub(crate) fn nothing(&mut self, fields: &[(&'static str, &str)]) -> Read<()> {
        for (field, why) in fields {
            let value = self.take(field).unwrap_or_default();
            let is_nothing = value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty) || value == false;
            if !is_nothing {
                return Err(wrong(field, &value, why));
            }
        }
        Ok(())
    }

    /// True if the field was there and `null`.
    pub(crate) fn take_null(&mut self, field: &str) -> bool {
        let is_null = self.get_mut(field).is_some_and(|value| value.is_null());
        if is_null {
            self.take(field);
        }
        is_null
    }

    pub(crate) fn finish(self) -> Read<()> {
        self.0.finish()
    }
}

impl Tongue for Octavia {
    type Fault = Fault;

    fn say(_: &str, what: &Wrong<'_>) -> Fault {
        match what {
            Wrong::NotAnObject { field, value } => wrong(field, value, "Value should be an object"),
            Wrong::NotAList { field, value } => wrong(field, value, "Value should be a list"),
            Wrong::NotText { field, value } => wrong(field, value, "Value should be a string"),
            Wrong::TooShort { field, text } => wrong(field, &Value::from(*text), "Value should not be empty"),
            Wrong::TooLong { field, text, most } => {
                wrong(field, &Value::from(*text), &format!("Value should have a maximum character requirement of {most}"))
            }
            Wrong::HoldsNul { field } => {
                Fault::bad_request(format!("Invalid input for field/attribute {field}. It holds a NUL character."))
            }
            Wrong::NotAFlag { field, value } => wrong(field, value, "Value should be a boolean"),
            Wrong::NotWhole { field, value } => wrong(field, value, "Value should be an integer"),
            Wrong::OutOfRange { field, value, range, .. } => {
                wrong(field, value, &format!("Value should be from {} to {}", range.start(), range.end()))
            }
            Wrong::Missing { field } => {
                Fault::bad_request(format!("Invalid input for field/attribute {field}. Mandatory field missing."))
            }
            Wrong::Unknown { fields } => Fault::bad_request(format!("Unknown attribute: {}", fields.join(", "))),
        }
    }

    fn flag(value: &Value) -> Option<bool> {
        match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => flag::oslo(text.trim()),
            Value::Number(number) => flag::oslo(&number.to_string()),
            _ => None,
        }
    }

    fn digits(text: &str) -> Option<i64> {
        text.trim().parse().ok()
    }
}

/// Octavia's sentence about a field.
pub(crate) fn wrong(field: &str, value: &Value, why: &str) -> Fault {
    let shown = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let shown = shortened(&shown, SHOWN);
    Fault::bad_request(format!("Invalid input for field/attribute {field}. Value: '{shown}'. {why}"))
}
