// SPDX-License-Identifier: Apache-2.0
//! Values of OVSDB columns and their JSON notation.
//!
//! OVSDB writes a set of one as the bare atom, and a bare atom and a set of one are the same value. Here every value has one
//! form: one atom, an ordered set of none or of several, or an ordered map; so that two values are equal exactly when the
//! database thinks so.

use std::{cmp::Ordering, collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};
use uuid::Uuid;

/// One scalar. Texts are shared with the indexes of the replica.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Atom {
    Integer(i64),
    /// The IEEE 754 bits, so that values can be compared and ordered.
    Real(u64),
    Boolean(bool),
    String(Arc<str>),
    Uuid(Uuid),
    /// A row inserted by the same transaction under this name.
    Named(Arc<str>),
}

/// The value of a column. Tens of thousands of them are held, nearly all of which are one scalar: so that has a place of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// A scalar, an optional value that is there, or a set of one.
    One(Atom),
    /// A set of none or of several.
    Set(BTreeSet<Atom>),
    Map(Pairs),
}

/// The pairs of a map, in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(Vec<(Atom, Atom)>);

/// What a column holds that nobody has written to.
pub(crate) static NOTHING: Datum = Datum::Set(BTreeSet::new());

impl Atom {
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::String(text.as_str().into())),
            Value::Bool(flag) => Some(Self::Boolean(*flag)),
            Value::Number(number) => {
                number.as_i64().map(Self::Integer).or_else(|| number.as_f64().map(|real| Self::Real(real.to_bits())))
            }
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(tag), Value::String(text)] if tag == "uuid" => Uuid::parse_str(text).ok().map(Self::Uuid),
                [Value::String(tag), Value::String(name)] if tag == "named-uuid" => Some(Self::Named(name.as_str().into())),
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
            Self::String(text) => json!(**text),
            Self::Uuid(uuid) => json!(["uuid", uuid.to_string()]),
            Self::Named(name) => json!(["named-uuid", **name]),
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The same, to be shared.
    pub(crate) fn as_shared(&self) -> Option<&Arc<str>> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// How it stands to a text, in the order of atoms.
    fn compare(&self, text: &str) -> Ordering {
        match self {
            Self::Integer(_) | Self::Real(_) | Self::Boolean(_) => Ordering::Less,
            Self::String(own) => (**own).cmp(text),
            Self::Uuid(_) | Self::Named(_) => Ordering::Greater,
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

impl Pairs {
    /// Of two pairs with one key the later stays.
    fn of(pairs: impl Iterator<Item = (Atom, Atom)>) -> Self {
        let mut all: Vec<(Atom, Atom)> = pairs.collect();
        all.reverse();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all.dedup_by(|(one, _), (other, _)| one == other);
        all.shrink_to_fit();
        Self(all)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Atom> {
        self.0.iter().map(|(key, _)| key)
    }

    fn get(&self, key: &str) -> Option<&Atom> {
        let place = self.0.binary_search_by(|(own, _)| own.compare(key)).ok()?;
        Some(&self.0[place].1)
    }

    /// A pair that is there goes; one that is not comes, or takes the place of that with its key.
    fn toggle(&mut self, key: Atom, value: Atom) {
        match self.0.binary_search_by(|(own, _)| own.cmp(&key)) {
            Ok(place) if self.0[place].1 == value => {
                self.0.remove(place);
            }
            Ok(place) => self.0[place].1 = value,
            Err(place) => self.0.insert(place, (key, value)),
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
        let mut atoms = atoms.into_iter().map(Into::into);
        let (first, second) = (atoms.next(), atoms.next());
        match (first, second) {
            (Some(one), None) => Self::One(one),
            (first, second) => Self::of_set(first.into_iter().chain(second).chain(atoms).collect()),
        }
    }

    /// A map.
    pub fn map<K: Into<Atom>, V: Into<Atom>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(Pairs::of(pairs.into_iter().map(|(key, value)| (key.into(), value.into()))))
    }

    /// A set of one has one form.
    fn of_set(mut atoms: BTreeSet<Atom>) -> Self {
        match atoms.len() {
            1 => atoms.pop_first().map_or_else(Self::nothing, Self::One),
            _ => Self::Set(atoms),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::One(_) => false,
            Self::Set(atoms) => atoms.is_empty(),
            Self::Map(pairs) => pairs.0.is_empty(),
        }
    }

    /// Whether the database would call the two equal; an empty set and an empty map are written alike.
    pub fn same_as(&self, other: &Self) -> bool {
        self == other || (self.is_empty() && other.is_empty())
    }

    /// The only atom, if there is exactly one.
    pub fn single(&self) -> Option<&Atom> {
        match self {
            Self::One(atom) => Some(atom),
            _ => None,
        }
    }

    /// All atoms of a set.
    pub fn atoms(&self) -> impl Iterator<Item = &Atom> {
        let (one, many) = match self {
            Self::One(atom) => (Some(atom), None),
            Self::Set(atoms) => (None, Some(atoms.iter())),
            Self::Map(_) => (None, None),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// All text pairs of a map.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all_pairs().iter().filter_map(|(key, value)| Some((key.as_str()?, value.as_str()?)))
    }

    /// The text under a key of a map.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.value(key)?.as_str()
    }

    /// What is under a key of a map.
    pub(crate) fn value(&self, key: &str) -> Option<&Atom> {
        match self {
            Self::Map(pairs) => pairs.get(key),
            _ => None,
        }
    }

    /// All rows this value points to, as set member, map key or map value.
    pub(crate) fn references(&self) -> Vec<Uuid> {
        let pairs = self.all_pairs().iter().flat_map(|(key, value)| [key, value]);
        self.atoms().chain(pairs).filter_map(Atom::as_uuid).collect()
    }

    /// Whether a set points to this row.
    pub(crate) fn holds(&self, row: Uuid) -> bool {
        match self {
            Self::One(atom) => atom.as_uuid() == Some(row),
            Self::Set(atoms) => atoms.contains(&Atom::Uuid(row)),
            Self::Map(_) => false,
        }
    }

    fn all_pairs(&self) -> &[(Atom, Atom)] {
        match self {
            Self::Map(pairs) => &pairs.0,
            _ => &[],
        }
    }

    /// Applies the difference that the server sends for a collection: a set member appears in it if it came or went, a map
    /// pair if it came, went, or (with its new value) changed. What did not change is not looked at.
    pub(crate) fn differ(&mut self, difference: Self) {
        match difference {
            Self::Map(changed) => {
                let mut pairs = match std::mem::replace(self, Self::nothing()) {
                    Self::Map(pairs) => pairs,
                    _ => Pairs::default(),
                };
                for (key, value) in changed.0 {
                    pairs.toggle(key, value);
                }
                *self = Self::Map(pairs);
            }
            Self::One(atom) => self.toggle(atom),
            Self::Set(changed) => changed.into_iter().for_each(|atom| self.toggle(atom)),
        }
    }

    fn toggle(&mut self, atom: Atom) {
        match self {
            Self::Set(atoms) if atoms.len() > 2 => {
                if !atoms.remove(&atom) {
                    atoms.insert(atom);
                }
            }
            small => {
                let mut atoms: BTreeSet<Atom> = small.atoms().cloned().collect();
                if !atoms.remove(&atom) {
                    atoms.insert(atom);
                }
                *small = Self::of_set(atoms);
            }
        }
    }

    /// Has the keys of a map shared with those of others.
    pub(crate) fn share_keys(&mut self, share: &mut impl FnMut(&Arc<str>) -> Arc<str>) {
        if let Self::Map(pairs) = self {
            for (key, _) in &mut pairs.0 {
                if let Atom::String(text) = key {
                    *text = share(text);
                }
            }
        }
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        if let Value::Array(parts) = value
            && let [Value::String(tag), Value::Array(items)] = parts.as_slice()
        {
            return match tag.as_str() {
                "set" => {
                    let atoms: Option<Vec<Atom>> = items.iter().map(Atom::from_json).collect();
                    atoms.map(Self::set)
                }
                "map" => {
                    let pairs: Option<Vec<_>> = items.iter().map(pair_from_json).collect();
                    pairs.map(Self::map)
                }
                _ => None,
            };
        }
        Atom::from_json(value).map(Self::from)
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::One(atom) => atom.to_json(),
            Self::Set(atoms) => json!(["set", atoms.iter().map(Atom::to_json).collect::<Vec<_>>()]),
            Self::Map(pairs) => {
                let pairs = pairs.0.iter().map(|(key, value)| json!([key.to_json(), value.to_json()]));
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
        Self::String(text.into())
    }
}
impl From<&String> for Atom {
    fn from(text: &String) -> Self {
        Self::String(text.as_str().into())
    }
}
impl From<String> for Atom {
    fn from(text: String) -> Self {
        Self::String(text.into())
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
        Self::One(atom.into())
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
