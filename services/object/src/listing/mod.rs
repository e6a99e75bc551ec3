// SPDX-License-Identifier: Apache-2.0
//! Lists of containers and of objects: what was asked for, and which names answer it. A list reads its page and little more,
//! however much there is.

mod asked;
pub mod render;

use std::fmt::Write;

pub use asked::{Asked, Format};

use crate::Error;
pub use crate::limits::LISTING as MOST;

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry<T> {
    One(T),
    /// All that begins so, as one.
    Subdir(String),
}

/// A stretch of names. What is none is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    pub above: Option<String>,
    pub from: Option<String>,
    pub below: Option<String>,
    pub reverse: bool,
    pub limit: usize,
}

impl Span {
    /// ` AND name > $2 … ORDER BY name LIMIT $3`: numbered from `first` on, and filled by [`Span::values`].
    pub fn conditions(&self, column: &'static str, first: usize) -> String {
        let mut sql = String::new();
        let mut number = first;
        for (is_asked, comparison) in [(self.above.is_some(), ">"), (self.from.is_some(), ">="), (self.below.is_some(), "<")] {
            if is_asked {
                let _ = write!(sql, " AND {column} {comparison} ${number}");
                number += 1;
            }
        }
        let order = if self.reverse { "DESC" } else { "ASC" };
        let _ = write!(sql, " ORDER BY {column} {order} LIMIT ${number}");
        sql
    }

    pub fn values(&self) -> impl Iterator<Item = store::Value> {
        let names = [&self.above, &self.from, &self.below].into_iter().flatten().map(store::Value::from);
        names.chain([store::Value::from(self.limit)])
    }
}

/// Rows that are read at once where many may fold into one entry.
const FOLDED: usize = 256;

/// The page that was asked for. `read` answers names in order, each with what it is the name of.
pub fn page<T>(asked: &Asked, mut read: impl FnMut(&Span) -> Result<Vec<(String, T)>, Error>) -> Result<Vec<Entry<T>>, Error> {
    let mut entries = Vec::new();
    let mut span = asked.span();
    while entries.len() < asked.limit {
        span.limit = asked.limit - entries.len();
        if asked.delimiter.is_some() {
            span.limit = span.limit.min(FOLDED);
        }
        let rows = read(&span)?;
        let is_last = rows.len() < span.limit;
        let mut inside: Option<String> = None;
        for (name, row) in rows {
            if inside.as_ref().is_some_and(|dir| name.starts_with(dir)) {
                continue;
            }
            inside = asked.subdir(&name);
            advance(&mut span, &name, inside.as_deref());
            match &inside {
                // Whoever asks for what comes after it has had it.
                Some(dir) if asked.path.is_none() && asked.marker.as_ref() != Some(dir) => {
                    entries.push(Entry::Subdir(dir.clone()))
                }
                Some(_) => {}
                None if asked.path.as_ref() == Some(&name) => {}
                None => entries.push(Entry::One(row)),
            }
            if entries.len() == asked.limit {
                return Ok(entries);
            }
        }
        if is_last {
            break;
        }
    }
    Ok(entries)
}

/// Goes on behind this name, and behind all that is folded with it.
fn advance(span: &mut Span, name: &str, folded: Option<&str>) {
    match (span.reverse, folded) {
        (false, None) => (span.above, span.from) = (Some(name.to_owned()), None),
        (false, Some(dir)) => match after_all(dir) {
            Some(next) => (span.above, span.from) = (None, Some(next)),
            None => span.above = Some(name.to_owned()),
        },
        (true, None) => span.below = Some(name.to_owned()),
        // The one that is called as the folder itself comes last of it.
        (true, Some(dir)) => span.below = Some(dir.to_owned()),
    }
}

/// The first text behind all that begin so, in the order of their bytes; none if there is none.
pub fn after_all(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NAMES: [&str; 9] = ["a", "a/1", "a/2", "a/b/1", "b", "c/1", "c/2", "d", "é/1"];

    fn listed(query: &str) -> Vec<String> {
        let asked = Asked::of_query(&api::Query::parse(Some(query)), Format::Text).unwrap();
        let entries = page(&asked, |span| {
            let within = |name: &&str| {
                span.above.as_deref().is_none_or(|above| *name > above)
                    && span.from.as_deref().is_none_or(|from| *name >= from)
                    && span.below.as_deref().is_none_or(|below| *name < below)
            };
            let mut names: Vec<&str> = NAMES.into_iter().filter(within).collect();
            if span.reverse {
                names.reverse();
            }
            Ok(names.into_iter().take(span.limit).map(|name| (name.to_owned(), name.to_owned())).collect())
        });
        let text = |entry| match entry {
            Entry::One(name) => name,
            Entry::Subdir(dir) => format!("[{dir}]"),
        };
        entries.unwrap().into_iter().map(text).collect()
    }

    #[test]
    fn pages_hold_what_was_asked_for() {
        assert_eq!(listed(""), NAMES);
        assert_eq!(listed("limit=2&marker=a/1"), ["a/2", "a/b/1"]);
        assert_eq!(listed("prefix=a/&end_marker=a/b"), ["a/1", "a/2"]);
        assert_eq!(listed("delimiter=/"), ["a", "[a/]", "b", "[c/]", "d", "[é/]"]);
        assert_eq!(listed("delimiter=/&limit=1&marker=a/"), ["b"]);
        assert_eq!(listed("delimiter=/&limit=2&marker=a"), ["[a/]", "b"]);
        assert_eq!(listed("delimiter=/&prefix=a/"), ["a/1", "a/2", "[a/b/]"]);
        assert_eq!(listed("reverse=on&delimiter=/"), ["[é/]", "d", "[c/]", "b", "[a/]", "a"]);
        assert_eq!(listed("reverse=on&marker=c/2&end_marker=a/2"), ["c/1", "b", "a/b/1"]);
        assert_eq!(listed("path=a"), ["a/1", "a/2"]);
        assert_eq!(listed("path="), ["a", "b", "d"]);
    }

    #[test]
    fn what_comes_after_a_prefix_is_found_at_the_edges_of_unicode() {
        assert_eq!(after_all("a/").unwrap(), "a0");
        assert_eq!(after_all("\u{D7FF}").unwrap(), "\u{E000}");
        assert_eq!(after_all("a\u{10FFFF}").unwrap(), "b");
        assert_eq!(after_all("\u{10FFFF}"), None);
    }
}
