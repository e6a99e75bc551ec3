// SPDX-License-Identifier: Apache-2.0
//! A JSON object on its way to being read: a reader takes the fields that it knows, and what is left at
//! [`Object::finish`] is refused, so that nothing can be set that no line of code names.

use std::{fmt, marker::PhantomData, ops::RangeInclusive};

use serde_json::{Map, Value};

/// How a service reads what may be written in several ways, and what it says of what it cannot read.
pub trait Tongue {
    type Fault;

    /// What a client hears. `object` is the name of the thing whose field it is.
    fn say(object: &str, wrong: &Wrong<'_>) -> Self::Fault;

    fn flag(value: &Value) -> Option<bool>;

    /// A whole number that is written as text.
    fn digits(text: &str) -> Option<i64>;
}

/// What is wrong with a field.
#[derive(Debug)]
pub enum Wrong<'a> {
    NotAnObject {
        field: &'a str,
        value: &'a Value,
    },
    NotAList {
        field: &'a str,
        value: &'a Value,
    },
    NotText {
        field: &'a str,
        value: &'a Value,
    },
    TooShort {
        field: &'a str,
        text: &'a str,
    },
    TooLong {
        field: &'a str,
        text: &'a str,
        most: usize,
    },
    /// No database keeps that character.
    HoldsNul {
        field: &'a str,
    },
    NotAFlag {
        field: &'a str,
        value: &'a Value,
    },
    NotWhole {
        field: &'a str,
        value: &'a Value,
    },
    OutOfRange {
        field: &'a str,
        value: &'a Value,
        number: i64,
        range: &'a RangeInclusive<i64>,
    },
    Missing {
        field: &'a str,
    },
    Unknown {
        fields: &'a [&'a str],
    },
}

pub struct Object<T> {
    name: String,
    fields: Map<String, Value>,
    tongue: PhantomData<fn() -> T>,
}

type Read<V, T> = Result<V, <T as Tongue>::Fault>;

impl<T: Tongue> Object<T> {
    pub fn of(name: &str, value: Value) -> Read<Self, T> {
        match value {
            Value::Object(fields) => Ok(Self::new(name, fields)),
            other => Err(T::say(name, &Wrong::NotAnObject { field: name, value: &other })),
        }
    }

    pub fn new(name: &str, fields: Map<String, Value>) -> Self {
        Self { name: name.to_owned(), fields, tongue: PhantomData }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    pub fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field)
    }

    /// Like [`take`](Self::take), where `null` means the same as nothing.
    pub fn take_some(&mut self, field: &str) -> Option<Value> {
        self.take(field).filter(|value| !value.is_null())
    }

    pub fn get_mut(&mut self, field: &str) -> Option<&mut Value> {
        self.fields.get_mut(field)
    }

    pub fn into_fields(self) -> Map<String, Value> {
        self.fields
    }

    pub fn required<V>(&self, field: &str, value: Option<V>) -> Read<V, T> {
        value.ok_or_else(|| self.say(&Wrong::Missing { field }))
    }

    pub fn object(&mut self, field: &str) -> Read<Option<Self>, T> {
        self.take(field).map(|value| Self::of(field, value)).transpose()
    }

    pub fn list(&mut self, field: &str) -> Read<Option<Vec<Value>>, T> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(self.say(&Wrong::NotAList { field, value: &other })),
        }
    }

    /// Text of so many characters.
    pub fn text(&mut self, field: &str, length: RangeInclusive<usize>) -> Read<Option<String>, T> {
        self.take(field).map(|value| self.text_of(field, value, length)).transpose()
    }

    /// Text, or `null` for none: the outer `Option` says whether the field is there.
    pub fn text_or_null(&mut self, field: &str, length: RangeInclusive<usize>) -> Read<Option<Option<String>>, T> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(value) => self.text_of(field, value, length).map(|text| Some(Some(text))),
        }
    }

    pub fn flag(&mut self, field: &str) -> Read<Option<bool>, T> {
        let Some(value) = self.take(field) else { return Ok(None) };
        match T::flag(&value) {
            Some(flag) => Ok(Some(flag)),
            None => Err(self.say(&Wrong::NotAFlag { field, value: &value })),
        }
    }

    /// A whole number, or the digits of one.
    pub fn whole(&mut self, field: &str, range: RangeInclusive<i64>) -> Read<Option<i64>, T> {
        self.take(field).map(|value| self.whole_of(field, &value, &range)).transpose()
    }

    /// The same, or `null` for none.
    pub fn whole_or_null(&mut self, field: &str, range: RangeInclusive<i64>) -> Read<Option<Option<i64>>, T> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(value) => self.whole_of(field, &value, &range).map(|number| Some(Some(number))),
        }
    }

    /// A value as text of so many characters.
    pub fn text_of(&self, field: &str, value: Value, length: RangeInclusive<usize>) -> Read<String, T> {
        let Value::String(text) = value else { return Err(self.say(&Wrong::NotText { field, value: &value })) };
        let count = text.chars().count();
        if count < *length.start() {
            return Err(self.say(&Wrong::TooShort { field, text: &text }));
        }
        if count > *length.end() {
            return Err(self.say(&Wrong::TooLong { field, text: &text, most: *length.end() }));
        }
        if text.contains('\0') {
            return Err(self.say(&Wrong::HoldsNul { field }));
        }
        Ok(text)
    }

    /// A value as a whole number, or as the digits of one.
    pub fn whole_of(&self, field: &str, value: &Value, range: &RangeInclusive<i64>) -> Read<i64, T> {
        let number = match value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => T::digits(text),
            _ => None,
        };
        match number {
            None => Err(self.say(&Wrong::NotWhole { field, value })),
            Some(number) if !range.contains(&number) => Err(self.say(&Wrong::OutOfRange { field, value, number, range })),
            Some(number) => Ok(number),
        }
    }

    /// Refuses what nobody has taken.
    pub fn finish(self) -> Read<(), T> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let fields: Vec<&str> = self.fields.keys().map(String::as_str).collect();
        Err(self.say(&Wrong::Unknown { fields: &fields }))
    }

    fn say(&self, wrong: &Wrong<'_>) -> T::Fault {
        T::say(&self.name, wrong)
    }
}

impl<T> fmt::Debug for Object<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("name", &self.name).field("fields", &self.fields).finish_non_exhaustive()
    }
}

/// So that an answer does not repeat a megabyte.
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Plain;

    impl Tongue for Plain {
        type Fault = String;

        fn say(object: &str, wrong: &Wrong<'_>) -> String {
            format!("{object}: {wrong:?}")
        }

        fn flag(value: &Value) -> Option<bool> {
            value.as_bool()
        }

        fn digits(text: &str) -> Option<i64> {
            text.parse().ok()
        }
    }

    fn object(value: Value) -> Object<Plain> {
        Object::of("thing", value).unwrap()
    }

    #[test]
    fn fields_are_taken_and_the_rest_is_refused() {
        let mut thing = object(json!({"name": "a", "size": "3", "is": true, "none": null, "what": 1}));
        assert_eq!(thing.text("name", 1..=5).unwrap().as_deref(), Some("a"));
        assert_eq!(thing.text("name", 1..=5).unwrap(), None);
        assert_eq!(thing.whole("size", 1..=5).unwrap(), Some(3));
        assert_eq!(thing.flag("is").unwrap(), Some(true));
        assert_eq!(thing.text_or_null("none", 0..=5).unwrap(), Some(None));
        assert_eq!(thing.finish().unwrap_err(), r#"thing: Unknown { fields: ["what"] }"#);
        object(json!({})).finish().unwrap();
    }

    #[test]
    fn what_does_not_fit_is_said_of_its_field() {
        assert!(Object::<Plain>::of("thing", json!([])).unwrap_err().contains("NotAnObject"));
        let of = |value: Value| object(json!({ "f": value }));
        assert!(of(json!(1)).text("f", 0..=5).unwrap_err().contains("NotText"));
        assert!(of(json!("")).text("f", 1..=5).unwrap_err().contains("TooShort"));
        assert!(of(json!("aaaaaa")).text("f", 1..=5).unwrap_err().contains("most: 5"));
        assert!(of(json!("a\0")).text("f", 1..=5).unwrap_err().contains("HoldsNul"));
        assert!(of(json!("x")).flag("f").unwrap_err().contains("NotAFlag"));
        assert!(of(json!(1.5)).whole("f", 0..=5).unwrap_err().contains("NotWhole"));
        assert!(of(json!(6)).whole("f", 0..=5).unwrap_err().contains("OutOfRange"));
        assert!(of(json!({})).list("f").unwrap_err().contains("NotAList"));
        assert!(of(json!([])).object("f").unwrap_err().contains("NotAnObject"));
        assert!(of(json!(null)).required::<()>("g", None).unwrap_err().contains("Missing"));
    }
}
