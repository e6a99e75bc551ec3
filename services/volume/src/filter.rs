// SPDX-License-Identifier: Apache-2.0
//! Filters of lists, as Cinder's clients write them.

use std::collections::BTreeMap;

use api::Fault;
use store::Select;
use types::Timestamp;
use words::shortened;

use crate::input::Read;

/// A filter by a text: the whole of it, or a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter {
    pub column: &'static str,
    pub condition: &'static str,
    pub is_part: bool,
}

impl Filter {
    pub(crate) fn keep(self, select: Select, value: &str) -> Select {
        if self.is_part { select.filter_contains(self.column, value) } else { select.filter(self.condition, value) }
    }
}

/// Keeps rows whose object of texts in `column` has all these items. `{'key': 'value'}` is what Python's clients send.
pub(crate) fn items(mut select: Select, column: &'static str, value: &str) -> Read<Select> {
    let refused = || Fault::bad_request(format!("The filter '{}' is no object of texts.", shortened(value, 120)));
    for (key, value) in dictionary(value).ok_or_else(refused)? {
        let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
        let item = format!("{}:{}", quoted(&key), quoted(&value));
        // An item begins the object or follows another one: quotes within texts are escaped, so nothing else looks so.
        select = select.filter_contains_any(column, &[format!("{{{item}"), format!(",{item}")]);
    }
    Ok(select)
}

/// An object of texts in JSON or as Python writes it.
fn dictionary(text: &str) -> Option<BTreeMap<String, String>> {
    if let Ok(known) = serde_json::from_str(text) {
        return Some(known);
    }
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut rest = inner.trim();
    let mut known = BTreeMap::new();
    while !rest.is_empty() {
        let (key, after) = literal(rest)?;
        let (value, after) = literal(after.trim_start().strip_prefix(':')?.trim_start())?;
        known.insert(key, value);
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(known)
}

/// A text in quotes of either kind, and what follows it.
fn literal(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('u').unwrap_or(text);
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    let mut read = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => read.push(characters.next()?.1),
            end if end == quote => return Some((read, &text[at + end.len_utf8()..])),
            other => read.push(other),
        }
    }
    None
}

/// The conditions on a column of times.
pub(crate) struct Times {
    greater: &'static str,
    at_least: &'static str,
    equal: &'static str,
    not_equal: &'static str,
    less: &'static str,
    at_most: &'static str,
}

pub(crate) const CREATED: Times = Times {
    greater: "created_at > ",
    at_least: "created_at >= ",
    equal: "created_at = ",
    not_equal: "created_at <> ",
    less: "created_at < ",
    at_most: "created_at <= ",
};
pub(crate) const UPDATED: Times = Times {
    greater: "updated_at > ",
    at_least: "updated_at >= ",
    equal: "updated_at = ",
    not_equal: "updated_at <> ",
    less: "updated_at < ",
    at_most: "updated_at <= ",
};

/// `gte:2024-01-01T00:00:00,lt:…`
pub(crate) fn times(mut select: Select, column: &Times, value: &str) -> Read<Select> {
    for part in value.split(',') {
        let (word, time) = part.split_once(':').unwrap_or(("eq", part));
        let (word, time) = if ["gt", "gte", "eq", "neq", "lt", "lte"].contains(&word) { (word, time) } else { ("eq", part) };
        let refused = || {
            Fault::bad_request(format!("'{}' is no time with one of gt, gte, eq, neq, lt, lte before it.", shortened(part, 120)))
        };
        let time = Timestamp::parse(time).ok_or_else(refused)?;
        let condition = match word {
            "gt" => column.greater,
            "gte" => column.at_least,
            "neq" => column.not_equal,
            "lt" => column.less,
            "lte" => column.at_most,
            _ => column.equal,
        };
        select = select.filter(condition, time);
    }
    Ok(select)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_read_as_json_and_as_python_writes_them() {
        let known = |text: &str| dictionary(text).map(|known| known.into_iter().collect::<Vec<_>>());
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(known(r#"{"a": "b"}"#), Some(vec![pair("a", "b")]));
        assert_eq!(known("{'a': 'b', u'c': \"d'\"}"), Some(vec![pair("a", "b"), pair("c", "d'")]));
        assert_eq!(known(r"{'a\'b': 'c\\'}"), Some(vec![pair("a'b", "c\\")]));
        assert_eq!(known("{}"), Some(vec![]));
        for broken in ["", "{", "{'a'}", "{'a': 1}", "{'a': 'b' 'c': 'd'}", "{'a': 'b}", "['a']", "{'é"] {
            assert_eq!(known(broken), None, "{broken}");
        }
    }
}
