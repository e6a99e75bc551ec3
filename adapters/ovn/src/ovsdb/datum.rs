// SPDX-License-Identifier: Apache-2.0
//! Values of OVSDB columns and their JSON notation.
//!
//! OVSDB writes a set of one as the bare atom, and a bare atom and a set of one are the same value. Here every value is
//! either an ordered set or an ordered map, so that two values are equal exactly when the database thinks so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use uuid::Uuid;

/// One scalar.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Atom {
    Integer(i64),
    /// The IEEE 754 bits, so that values can be compared and ordered.
    Real(u64),
    Boolean(bool),
    String(String),
    Uuid(Uuid),
    /// A row inserted by the same transaction under this name.
    Named(String),
}

/// The value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// Also every scalar (a set of one) and every optional value (a set of one or none).
    Set(BTreeSet<Atom>),
    Map(BTreeMap<Atom, Atom>),
}

/// What a column holds that nobody has written to.
pub(crate) static NOTHING: Datum = Datum::Set(BTreeSet::new());

impl Atom {
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::String(text.clone())),
            Value::Bool(flag) => Some(Self::Boolean(*flag)),
            Value::Number(number) => {
                number.as_i64().map(Self::Integer).or_else(|| number.as_f64().map(|real| Self::Real(real.to_bits())))
            }
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(tag), Value::String(text)] if tag == "uuid" => Uuid::parse_str(text).ok().map(Self::Uuid),
                [Value::String(tag), Value::String(name)] if tag == "named-uuid" => Some(Self::Named(name.clone())),
                _ => None,
            },
            Value::Null | Value::Object(_) => None,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Integer(number) => json!(number),
            Self::Real(bits) => json!(f64::from_bits(*bits)),
            Self::Boolean(flag) => json!(flag),
            Self::String(text) => json!(text),
            Self::Uuid(uuid) => json!(["uuid", uuid.to_string()]),
            Self::Named(name) => json!(["named-uuid", name]),
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The row it points to, if this is a reference.
    pub fn as_uuid(&self) -> Option<Uuid> {
        match self {
            Self::Uuid(uuid) => Some(*uuid),
            _ => None,
        }
    }
}

impl Datum {
    /// An empty set or absent optional value.
    pub fn nothing() -> Self {
        Self::Set(BTreeSet::new())
    }

    /// A set.
    pub fn set<A: Into<Atom>>(atoms: impl IntoIterator<Item = A>) -> Self {
        Self::Set(atoms.into_iter().map(Into::into).collect())
    }

    /// A map.
    pub fn map<K: Into<Atom>, V: Into<Atom>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value.into()));
        Self::Map(pairs.collect())
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Set(atoms) => atoms.is_empty(),
            Self::Map(pairs) => pairs.is_empty(),
        }
    }

    /// Whether the database would call the two equal; an empty set and an empty map are written alike.
    pub fn same_as(&self, other: &Self) -> bool {
        self == other || (self.is_empty() && other.is_empty())
    }

    /// The only atom, if there is exactly one.
    pub fn single(&self) -> Option<&Atom> {
        match self {
            Self::Set(atoms) if atoms.len() == 1 => atoms.first(),
            _ => None,
        }
    }

    /// All atoms of a set.
    pub fn atoms(&self) -> impl Iterator<Item = &Atom> {
        match self {
            Self::Set(atoms) => Some(atoms.iter()),
            Self::Map(_) => None,
        }
        .into_iter()
        .flatten()
    }

    /// All text pairs of a map.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        match self {
            Self::Map(pairs) => Some(pairs.iter()),
            Self::Set(_) => None,
        }
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str()?, value.as_str()?)))
    }

    /// The text under a key of a map.
    pub fn get(&self, key: &str) -> Option<&str> {
        match self {
            Self::Map(pairs) => pairs.get(&Atom::from(key))?.as_str(),
            Self::Set(_) => None,
        }
    }

    /// All rows this value points to, as set member, map key or map value.
    pub(crate) fn references(&self) -> Vec<Uuid> {
        match self {
            Self::Set(atoms) => atoms.iter().filter_map(Atom::as_uuid).collect(),
            Self::Map(pairs) => pairs.iter().flat_map(|(key, value)| [key, value]).filter_map(Atom::as_uuid).collect(),
        }
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        if let Value::Array(parts) = value
            && let [Value::String(tag), Value::Array(items)] = parts.as_slice()
        {
            return match tag.as_str() {
                "set" => {
                    let atoms: Option<_> = items.iter().map(Atom::from_json).collect();
                    atoms.map(Self::Set)
                }
                "map" => {
                    let pairs: Option<_> = items.iter().map(pair_from_json).collect();
                    pairs.map(Self::Map)
                }
                _ => None,
            };
        }
        Atom::from_json(value).map(Self::from)
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Set(atoms) => match self.single() {
                Some(atom) => atom.to_json(),
                None => json!(["set", atoms.iter().map(Atom::to_json).collect::<Vec<_>>()]),
            },
            Self::Map(pairs) => {
                let pairs = pairs.iter().map(|(key, value)| json!([key.to_json(), value.to_json()]));
                json!(["map", pairs.collect::<Vec<_>>()])
            }
        }
    }
}

fn pair_from_json(value: &Value) -> Option<(Atom, Atom)> {
    match value.as_array()?.as_slice() {
        [key, value] => Some((Atom::from_json(key)?, Atom::from_json(value)?)),
        _ => None,
    }
}

impl From<&str> for Atom {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}
impl From<&String> for Atom {
    fn from(text: &String) -> Self {
        Self::String(text.clone())
    }
}
impl From<String> for Atom {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}
impl From<i64> for Atom {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}
impl From<bool> for Atom {
    fn from(flag: bool) -> Self {
        Self::Boolean(flag)
    }
}
impl From<Uuid> for Atom {
    fn from(uuid: Uuid) -> Self {
        Self::Uuid(uuid)
    }
}
impl<A: Into<Atom>> From<A> for Datum {
    fn from(atom: A) -> Self {
        Self::Set(BTreeSet::from([atom.into()]))
    }
}
impl<A: Into<Atom>> From<Option<A>> for Datum {
    fn from(atom: Option<A>) -> Self {
        Self::set(atom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_bare_atom_and_a_set_of_one_are_the_same_value() {
        let bare = Datum::from_json(&json!("a")).unwrap();
        let set = Datum::from_json(&json!(["set", ["a"]])).unwrap();
        assert_eq!(bare, set);
        assert_eq!(set.to_json(), json!("a"));
    }

    #[test]
    fn maps_references_and_absence_survive_the_round_trip() {
        let uuid = Uuid::new_v4().to_string();
        for value in [
            json!(["map", [["a", "1"], ["b", "2"]]]),
            json!(["set", []]),
            json!(["set", [["uuid", uuid], ["named-uuid", "x"]]]),
            json!(42),
            json!(false),
        ] {
            assert_eq!(Datum::from_json(&value).unwrap().to_json(), value);
        }
        assert_eq!(Datum::from_json(&json!({"no": "datum"})), None);
    }
}
