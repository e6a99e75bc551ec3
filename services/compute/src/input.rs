// SPDX-License-Identifier: Apache-2.0
//! Reads what clients send, as strictly as Nova's schemas do, and says what is wrong in their manner:
//! `Invalid input for field/attribute name. Value: . …`.
//!
//! A reader takes the fields that it knows out of an [`Object`]; what is left at [`Object::finish`] is refused.

use std::{collections::BTreeMap, net::IpAddr, ops::RangeInclusive};

use api::{Cx, Fault};
use serde_json::{Map, Value};

pub(crate) type Read<T> = Result<T, Fault>;

/// A JSON object on its way to being read.
#[derive(Debug)]
pub(crate) struct Object {
    name: String,
    fields: Map<String, Value>,
}

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

impl Object {
    pub(crate) fn from_value(name: &str, value: Value) -> Read<Self> {
        match value {
            Value::Object(fields) => Ok(Self { name: name.to_owned(), fields }),
            other => Err(wrong(name, &other, "It is not of type 'object'.")),
        }
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.fields.remove(key)
    }

    /// Like [`take`](Self::take), where `null` means the same as nothing.
    pub(crate) fn take_some(&mut self, key: &str) -> Option<Value> {
        self.take(key).filter(|value| !value.is_null())
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    pub(crate) fn required<T>(&self, key: &str, value: Option<T>) -> Read<T> {
        value.ok_or_else(|| {
            Fault::bad_request(format!("Invalid input for field/attribute {}. '{key}' is a required property.", self.name))
        })
    }

    pub(crate) fn object(&mut self, key: &str) -> Read<Option<Object>> {
        self.take(key).map(|value| Object::from_value(key, value)).transpose()
    }

    pub(crate) fn required_object(&mut self, key: &str) -> Read<Object> {
        let object = self.object(key)?;
        self.required(key, object)
    }

    pub(crate) fn list(&mut self, key: &str) -> Read<Option<Vec<Value>>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(wrong(key, &other, "It is not of type 'array'.")),
        }
    }

    /// Text of so many characters.
    pub(crate) fn text(&mut self, key: &str, length: RangeInclusive<usize>) -> Read<Option<String>> {
        self.take(key).map(|value| text(key, value, length)).transpose()
    }

    /// Text, or `null` for none: the outer `Option` says whether the field is there.
    pub(crate) fn text_or_null(&mut self, key: &str, length: RangeInclusive<usize>) -> Read<Option<Option<String>>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(value) => text(key, value, length).map(|text| Some(Some(text))),
        }
    }

    /// A name as Nova wants it: 1 to 255 printable characters without blanks at its ends.
    pub(crate) fn name(&mut self, key: &str) -> Read<Option<String>> {
        self.take(key).map(|value| name(key, value)).transpose()
    }

    /// `true`, `"True"`, `"1"` and the other spellings that Nova's schemas list.
    pub(crate) fn flag(&mut self, key: &str) -> Read<Option<bool>> {
        const YES: [&str; 10] = ["True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes"];
        const NO: [&str; 10] = ["False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no"];
        let Some(value) = self.take(key) else { return Ok(None) };
        match &value {
            Value::Bool(flag) => Ok(Some(*flag)),
            Value::String(text) if YES.contains(&text.as_str()) => Ok(Some(true)),
            Value::String(text) if NO.contains(&text.as_str()) => Ok(Some(false)),
            _ => Err(wrong(key, &value, "It is not of type 'boolean'.")),
        }
    }

    /// A whole number, or the digits of one.
    pub(crate) fn whole(&mut self, key: &str, range: RangeInclusive<i64>) -> Read<Option<i64>> {
        self.take(key).map(|value| whole(key, &value, range)).transpose()
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
        for (key, value) in self.fields {
            if !is_plain_key(&key) {
                return Err(Fault::bad_request(format!(
                    "Invalid input for field/attribute {}. The key '{key}' is not 1 to 255 letters, digits, blanks and -_:.",
                    self.name
                )));
            }
            let value = text(&key, value, 0..=255)?;
            texts.insert(key, value);
        }
        Ok(texts)
    }

    /// Refuses what nobody has taken.
    pub(crate) fn finish(self) -> Read<()> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let keys: Vec<String> = self.fields.keys().map(|key| format!("'{}'", shortened(key))).collect();
        let verb = if keys.len() == 1 { "was" } else { "were" };
        Err(Fault::bad_request(format!(
            "Invalid input for field/attribute {}. Additional properties are not allowed ({} {verb} unexpected).",
            self.name,
            keys.join(", ")
        )))
    }
}

pub(crate) fn text(key: &str, value: Value, length: RangeInclusive<usize>) -> Read<String> {
    let Value::String(text) = value else { return Err(wrong(key, &value, "It is not of type 'string'.")) };
    let count = text.chars().count();
    if count < *length.start() {
        return Err(wrong(key, &Value::String(text), "It is too short."));
    }
    if count > *length.end() {
        return Err(wrong(
            key,
            &Value::String(text),
            &format!("It is too long: {count} characters, where {} may be.", length.end()),
        ));
    }
    Ok(text)
}

pub(crate) fn name(key: &str, value: Value) -> Read<String> {
    let name = text(key, value, 1..=255)?;
    if name.trim() != name || name.chars().any(char::is_control) {
        let rule = "A name has no blanks at its ends and no characters that cannot be printed.";
        return Err(wrong(key, &Value::String(name), rule));
    }
    Ok(name)
}

pub(crate) fn whole(key: &str, value: &Value, range: RangeInclusive<i64>) -> Read<i64> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) if is_whole(text) => text.parse().ok(),
        _ => None,
    };
    match number {
        None => Err(wrong(key, value, "It is not of type 'integer'.")),
        Some(number) if number < *range.start() => {
            Err(wrong(key, value, &format!("It is less than the minimum of {}.", range.start())))
        }
        Some(number) if number > *range.end() => {
            Err(wrong(key, value, &format!("It is greater than the maximum of {}.", range.end())))
        }
        Some(number) => Ok(number),
    }
}

/// Digits, and a minus before them perhaps: no plus sign, no blanks.
fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Nova's sentence for a value that is not as it must be.
pub(crate) fn wrong(key: &str, value: &Value, why: &str) -> Fault {
    let shown = match value {
        Value::String(text) => shortened(text),
        other => shortened(&other.to_string()),
    };
    Fault::bad_request(format!("Invalid input for field/attribute {key}. Value: {shown}. {why}"))
}

/// A key of metadata or extra specs.
pub(crate) fn is_plain_key(key: &str) -> bool {
    (1..=255).contains(&key.chars().count()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:. ".contains(&byte))
}

/// So that an answer does not repeat a megabyte.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 120;
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
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
