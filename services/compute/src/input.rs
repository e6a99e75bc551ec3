// SPDX-License-Identifier: Apache-2.0
//! Reads what clients send, as strictly as Nova's schemas do, and says what is wrong in their manner:
//! `Invalid input for field/attribute name. Value: . …`.
//!
//! A reader takes the fields that it knows out of an [`Object`]; what is left at [`Object::finish`] is refused.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    ops::{Deref, DerefMut, RangeInclusive},
};

use api::{Cx, Fault};
use serde_json::Value;
use words::{Tongue, Wrong, shortened};

pub(crate) type Read<T> = Result<T, Fault>;

/// Nova's manner.
#[derive(Debug)]
pub(crate) struct Nova;

/// A JSON object on its way to being read.
#[derive(Debug)]
pub(crate) struct Object(words::Object<Nova>);

/// The body's one object, as in `{"server": {…}}`; other keys beside it are refused.
pub(crate) async fn document(cx: &mut Cx, key: &str) -> Read<Object> {
    let mut body = body(cx).await?;
    let inner = body.required_object(key)?;
    body.finish()?;
    Ok(inner)
}

/// The body itself.
pub(crate) async fn body(cx: &mut Cx) -> Read<Object> {
    let value: Value = cx.json().await?;
    Object::from_value("body", value)
}

/// The argument of an action, as in `{"reboot": {…}}`.
pub(crate) async fn argument(cx: &mut Cx, action: &str) -> Read<Value> {
    let mut body = body(cx).await?;
    Ok(body.take(action).unwrap_or(Value::Null))
}

impl Deref for Object {
    type Target = words::Object<Nova>;

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
    pub(crate) fn from_value(name: &str, value: Value) -> Read<Self> {
        words::Object::of(name, value).map(Self)
    }

    pub(crate) fn object(&mut self, key: &str) -> Read<Option<Object>> {
        Ok(self.0.object(key)?.map(Self))
    }

    pub(crate) fn required_object(&mut self, key: &str) -> Read<Object> {
        let object = self.object(key)?;
        self.required(key, object)
    }

    /// A name as Nova wants it: 1 to 255 printable characters without blanks at its ends.
    pub(crate) fn name(&mut self, key: &str) -> Read<Option<String>> {
        self.take(key).map(|value| name(key, value)).transpose()
    }

    pub(crate) fn ip(&mut self, key: &str) -> Read<Option<IpAddr>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let parsed = value.as_str().and_then(|text| text.parse().ok());
        parsed.map(Some).ok_or_else(|| wrong(key, &value, "It is not an IP address."))
    }

    /// An object of short texts, such as metadata.
    pub(crate) fn texts(&mut self, key: &str) -> Read<Option<BTreeMap<String, String>>> {
        self.object(key)?.map(Object::into_texts).transpose()
    }

    /// All fields as short texts.
    pub(crate) fn into_texts(self) -> Read<BTreeMap<String, String>> {
        let mut texts = BTreeMap::new();
        let object = self.0.name().to_owned();
        for (key, value) in self.0.into_fields() {
            if !is_plain_key(&key) {
                return Err(Fault::bad_request(format!(
                    "Invalid input for field/attribute {object}. The key '{key}' is not 1 to 255 letters, digits, blanks and -_:.",
                )));
            }
            let value = text(&key, value, 0..=255)?;
            texts.insert(key, value);
        }
        Ok(texts)
    }

    pub(crate) fn finish(self) -> Read<()> {
        self.0.finish()
    }
}

impl Tongue for Nova {
    type Fault = Fault;

    fn say(object: &str, wrong: &Wrong<'_>) -> Fault {
        let of = |field: &str, value: &Value, why: &str| self::wrong(field, value, why);
        let of_text = |field: &str, text: &str, why: &str| sentence(field, text, why);
        match wrong {
            Wrong::NotAnObject { field, value } => of(field, value, "It is not of type 'object'."),
            Wrong::NotAList { field, value } => of(field, value, "It is not of type 'array'."),
            Wrong::NotText { field, value } => of(field, value, "It is not of type 'string'."),
            Wrong::TooShort { field, text } => of_text(field, text, "It is too short."),
            Wrong::TooLong { field, text, most } => {
                let why = format!("It is too long: {} characters, where {most} may be.", text.chars().count());
                of_text(field, text, &why)
            }
            Wrong::HoldsNul { field } => of_text(field, "", "It holds the NUL character."),
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
                let fields: Vec<String> = fields.iter().map(|field| format!("'{}'", shortened(field, SHOWN))).collect();
                let verb = if fields.len() == 1 { "was" } else { "were" };
                Fault::bad_request(format!(
                    "Invalid input for field/attribute {object}. Additional properties are not allowed ({} {verb} unexpected).",
                    fields.join(", ")
                ))
            }
        }
    }

    /// `true`, `"True"`, `"1"` and the other spellings that Nova's schemas list.
    fn flag(value: &Value) -> Option<bool> {
        value.as_bool().or_else(|| words::flag::nova(value.as_str()?))
    }

    /// Digits, and a minus before them perhaps: no plus sign, no blanks.
    fn digits(text: &str) -> Option<i64> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| are_digits)
    }
}

pub(crate) fn text(key: &str, value: Value, length: RangeInclusive<usize>) -> Read<String> {
    nameless().text_of(key, value, length)
}

pub(crate) fn name(key: &str, value: Value) -> Read<String> {
    let name = text(key, value, 1..=255)?;
    if name.trim() != name || name.chars().any(char::is_control) {
        let rule = "A name has no blanks at its ends and no characters that cannot be printed.";
        return Err(sentence(key, &name, rule));
    }
    Ok(name)
}

pub(crate) fn whole(key: &str, value: &Value, range: RangeInclusive<i64>) -> Read<i64> {
    nameless().whole_of(key, value, &range)
}

/// For a value that is no field of an object.
fn nameless() -> words::Object<Nova> {
    words::Object::new("", serde_json::Map::new())
}

/// Characters of a value that an answer repeats.
const SHOWN: usize = 120;

/// Nova's sentence for a value that is not as it must be.
pub(crate) fn wrong(key: &str, value: &Value, why: &str) -> Fault {
    match value {
        Value::String(text) => sentence(key, text, why),
        other => sentence(key, &other.to_string(), why),
    }
}

fn sentence(key: &str, shown: &str, why: &str) -> Fault {
    Fault::bad_request(format!("Invalid input for field/attribute {key}. Value: {}. {why}", shortened(shown, SHOWN)))
}

/// A key of metadata or extra specs.
pub(crate) fn is_plain_key(key: &str) -> bool {
    (1..=255).contains(&key.chars().count()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:. ".contains(&byte))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value("server", value).unwrap()
    }

    #[test]
    fn fields_are_read_and_the_rest_is_refused() {
        let mut server = object(json!({"name": "a", "count": "3", "flag": "True", "what": 1}));
        assert_eq!(server.name("name").unwrap().unwrap(), "a");
        assert_eq!(server.whole("count", 1..=5).unwrap(), Some(3));
        assert_eq!(server.flag("flag").unwrap(), Some(true));
        let fault = server.finish().unwrap_err();
        assert!(fault.message.contains("('what' was unexpected)"), "{}", fault.message);
    }

    #[test]
    fn wrong_values_name_the_field() {
        for value in [json!(""), json!(" a"), json!("a\n"), json!(7), json!("x".repeat(256))] {
            let fault = object(json!({"name": value})).name("name").unwrap_err();
            assert!(fault.message.starts_with("Invalid input for field/attribute name."), "{}", fault.message);
            assert!(fault.message.len() < 400);
        }
        assert!(object(json!({"n": 9})).whole("n", 1..=5).is_err());
        for value in [json!(1.5), json!("+1"), json!(" 1"), json!(""), json!("-"), json!(null)] {
            assert!(object(json!({"n": value})).whole("n", 1..=5).is_err(), "{value}");
        }
        for value in [json!(1), json!("y"), json!("tRUE"), json!(""), json!(null), json!([])] {
            assert!(object(json!({"n": value})).flag("n").is_err(), "{value}");
        }
        assert!(object(json!({"n": {}})).flag("n").is_err());
    }
}
