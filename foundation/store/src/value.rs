// SPDX-License-Identifier: Apache-2.0
//! What goes into a statement and what comes out of a column: four kinds of value that both engines agree on.
//!
//! Booleans are 0 and 1, times are microseconds, JSON is text. Nothing else crosses this border, so a table means
//! the same on SQLite and on PostgreSQL.

use types::Timestamp;

/// A parameter of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// A column of a row, borrowed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueRef<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

/// What a column can be read as; see [`Row::get`](crate::Row::get).
pub trait FromValue<'a>: Sized {
    /// The name of the wanted kind, for the error that says what was expected.
    const WANTED: &'static str;

    fn from_value(value: ValueRef<'a>) -> Option<Self>;
}

/// The parameters of a statement: `params![id, name, enabled]`.
#[macro_export]
macro_rules! params {
    () => { [] as [$crate::Value; 0] };
    ($($value:expr),+ $(,)?) => { [$($crate::Value::from($value)),+] };
}

impl ValueRef<'_> {
    /// The name of this kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int(_) => "integer",
            Self::Text(_) => "text",
            Self::Blob(_) => "blob",
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Int(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

/// Saturates at `i64::MAX`: no size or count that we keep comes near it.
impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

/// Saturates like `u64`.
impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.micros())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Blob(value.to_vec())
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        Self::Text(value.to_string())
    }
}

impl From<&serde_json::Value> for Value {
    fn from(value: &serde_json::Value) -> Self {
        Self::Text(value.to_string())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<&Value> for Value {
    fn from(value: &Value) -> Self {
        value.clone()
    }
}

impl<'a> FromValue<'a> for ValueRef<'a> {
    const WANTED: &'static str = "any";

    fn from_value(value: ValueRef<'a>) -> Option<Self> {
        Some(value)
    }
}

impl<'a> FromValue<'a> for i64 {
    const WANTED: &'static str = "integer";

    fn from_value(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::Int(number) => Some(number),
            _ => None,
        }
    }
}

macro_rules! narrower {
    ($($integer:ty),+) => {$(
        impl<'a> FromValue<'a> for $integer {
            const WANTED: &'static str = concat!("integer that fits ", stringify!($integer));

            fn from_value(value: ValueRef<'a>) -> Option<Self> {
                i64::from_value(value)?.try_into().ok()
            }
        }
    )+};
}

narrower!(i32, u16, u32, u64, usize);

impl<'a> FromValue<'a> for bool {
    const WANTED: &'static str = "0 or 1";

    fn from_value(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::Int(0) => Some(false),
            ValueRef::Int(1) => Some(true),
            _ => None,
        }
    }
}

impl<'a> FromValue<'a> for Timestamp {
    const WANTED: &'static str = "time in microseconds";

    fn from_value(value: ValueRef<'a>) -> Option<Self> {
        i64::from_value(value).map(Self)
    }
}

impl<'a> FromValue<'a> for &'a str {
    const WANTED: &'static str = "text";

    fn from_value(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'a> FromValue<'a> for String {
    const WANTED: &'static str = "text";

    fn from_value(value: ValueRef<'a>) -> Option<Self> {
        <&str>::from_value(value).map(str::to_owned)
    }
}

impl<'a> FromValue<'a> for &'a [u8] {
    const WANTED: &'static str = "blob";

    fn from_value(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl<'a> FromValue<'a> for Vec<u8> {
    const WANTED: &'static str = "blob";

    fn from_value(value: ValueRef<'a>) -> Option<Self> {
        <&[u8]>::from_value(value).map(<[u8]>::to_vec)
    }
}

impl<'a> FromValue<'a> for serde_json::Value {
    const WANTED: &'static str = "JSON text";

    fn from_value(value: ValueRef<'a>) -> Option<Self> {
        serde_json::from_str(<&str>::from_value(value)?).ok()
    }
}

impl<'a, T: FromValue<'a>> FromValue<'a> for Option<T> {
    const WANTED: &'static str = T::WANTED;

    fn from_value(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::Null => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}
