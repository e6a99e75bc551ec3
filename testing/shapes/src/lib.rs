// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]
//! Answers, key by key, beside the examples of the original services' API references. `keystone.txt`, `glance.txt` and
//! `cinder.txt` say which keys those have and of which type; `shapes.py` says how they were made. A test asks for each answer, puts it
//! under the example's name, and [`Examples::compare`] tells what is missing or of another type.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub const KEYSTONE: &str = include_str!("../keystone.txt");
pub const GLANCE: &str = include_str!("../glance.txt");
pub const CINDER: &str = include_str!("../cinder.txt");

/// An example (`*` for all), a key with all below it, and why our answer deliberately is another.
pub type Exception = (&'static str, &'static str, &'static str);

/// The examples of one service, and the answers that were got.
pub struct Examples {
    table: BTreeMap<&'static str, Vec<Key<'static>>>,
    /// Where most examples lie.
    folder: &'static str,
    answers: BTreeMap<&'static str, Value>,
}

/// A key of an example.
struct Key<'a> {
    path: &'a str,
    types: Vec<&'a str>,
    /// Not every item of a list has it.
    is_optional: bool,
}

impl Examples {
    pub fn of(table: &'static str, folder: &'static str) -> Self {
        Self { table: read(table), folder, answers: BTreeMap::new() }
    }

    pub fn put(&mut self, example: &str, answer: Value) {
        let name = self.full_name(example);
        self.answers.insert(name, answer);
    }

    /// Every difference that no exception names, every exception that names none, and every example without an answer
    /// that is not among those for which `not_asked` has a reason.
    pub fn compare(&self, exceptions: &[Exception], not_asked: &[(&str, &str)]) -> Vec<String> {
        let (mut wrong, mut excused) = (vec![], BTreeSet::new());
        for (example, keys) in &self.table {
            let Some(answer) = self.answers.get(example) else {
                if !not_asked.iter().any(|(name, _)| self.full_name(name) == *example) {
                    wrong.push(format!("{example}: nothing is asked that answers so"));
                }
                continue;
            };
            for key in keys {
                let Some(problem) = problem(answer, key) else { continue };
                let excuses = |(name, path, _): &Exception| {
                    (*name == "*" || self.full_name(name) == *example)
                        && (*path == key.path || key.path.starts_with(&format!("{path}/")))
                };
                match exceptions.iter().position(excuses) {
                    Some(at) => drop(excused.insert(at)),
                    None => wrong.push(format!("{example} {}: {problem}", key.path)),
                }
            }
        }
        let idle = exceptions.iter().enumerate().filter(|(at, _)| !excused.contains(at));
        wrong.extend(idle.map(|(_, (example, key, _))| format!("{example} {key}: no exception is needed any more")));
        wrong
    }

    /// Most examples lie in one folder, and their names end alike.
    fn full_name(&self, example: &str) -> &'static str {
        let path = if example.contains('/') { example.to_owned() } else { format!("{}/{example}", self.folder) };
        let known = |name: &&&'static str| **name == format!("{path}-response.json") || **name == format!("{path}.json");
        self.table.keys().find(known).unwrap_or_else(|| panic!("there is no example {example}"))
    }
}

fn read(text: &'static str) -> BTreeMap<&'static str, Vec<Key<'static>>> {
    let mut table: BTreeMap<&str, Vec<Key>> = BTreeMap::new();
    let mut example = "";
    for line in text.lines().filter(|line| !line.starts_with(['#', '!'])) {
        if let Some(name) = line.strip_prefix("= ") {
            example = name;
            table.insert(name, vec![]);
        } else {
            let (path, types) = line.rsplit_once(' ').unwrap();
            let is_optional = types.ends_with('?');
            let types = types.trim_end_matches('?').split('|').collect();
            table.get_mut(example).unwrap().push(Key { path, types, is_optional });
        }
    }
    table
}

/// What is wrong with this key in this answer.
fn problem(answer: &Value, key: &Key<'_>) -> Option<String> {
    let (parent, name) = key.path.rsplit_once('/').unwrap();
    let parents = at(answer, parent);
    if name == "[]" && parents.iter().all(|list| list.as_array().is_some_and(Vec::is_empty)) {
        return Some("the list is empty here, so that nothing is compared".to_owned());
    }
    for parent in parents {
        let found = match name {
            "[]" | "*" => at(parent, &format!("/{name}")),
            name => match parent.get(name) {
                Some(value) => vec![value],
                None if key.is_optional => vec![],
                None => return Some("missing".to_owned()),
            },
        };
        // An example that happens to hold nothing says nothing of the type.
        let is_told = |value: &&Value| !key.types.contains(&kind(value)) && key.types != ["null"];
        if let Some(other) = found.iter().find(|value| is_told(value)) {
            return Some(format!("{}, not {}", kind(other), key.types.join(" or ")));
        }
    }
    None
}

/// All that lies at a path, in which `[]` are the items of a list and `*` the values of an object.
fn at<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    path.split('/').skip(1).fold(vec![value], |found, segment| {
        let within = |value: &'a Value| -> Vec<&'a Value> {
            match segment {
                "[]" => value.as_array().into_iter().flatten().collect(),
                "*" => value.as_object().into_iter().flatten().map(|(_, value)| value).collect(),
                name => value.get(name).into_iter().collect(),
            }
        };
        found.into_iter().flat_map(within).collect()
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn a_missing_key_and_another_type_are_told() {
    let key = |path, types: &[&'static str], is_optional| Key { path, types: types.to_vec(), is_optional };
    let answer = serde_json::json!({"users": [{"id": "a", "enabled": true}, {"id": 1}], "links": {}});
    assert_eq!(problem(&answer, &key("/users/[]/name", &["string"], false)).as_deref(), Some("missing"));
    assert_eq!(problem(&answer, &key("/users/[]/id", &["string"], false)).as_deref(), Some("number, not string"));
    assert_eq!(problem(&answer, &key("/users/[]/enabled", &["boolean"], true)), None);
    assert_eq!(problem(&answer, &key("/links", &["array", "object"], false)), None);
    assert!(problem(&serde_json::json!({"users": []}), &key("/users/[]", &["object"], false)).is_some());
}
