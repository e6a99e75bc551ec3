// SPDX-License-Identifier: Apache-2.0
//! What a rule demands of an attribute's values: to be among some, or to match some patterns.
//!
//! Patterns are matched in time linear in the value (no backtracking, hence no look-around), and one that would be
//! large once compiled is refused when it is written.

use regex::{RegexSet, RegexSetBuilder};

/// What all patterns of one condition may take when compiled.
const LARGEST: usize = 512 * 1024;
const DEEPEST: u32 = 50;
/// Values in one condition.
const MOST: usize = 1000;
/// Patterns in one condition.
const MOST_PATTERNS: usize = 32;

#[derive(Debug)]
pub enum Condition {
    /// The attribute is there; its values are taken.
    Present,
    AnyOneOf(Values),
    NotAnyOf(Values),
    /// The values that are among these are taken.
    Whitelist(Values),
    /// The values that are not among these are taken.
    Blacklist(Values),
}

#[derive(Debug)]
pub enum Values {
    Exact(Vec<String>),
    Patterns(RegexSet),
}

impl Condition {
    /// Whether values go on to the local half. Those that only decide are not numbered there.
    pub fn takes(&self) -> bool {
        matches!(self, Self::Present | Self::Whitelist(_) | Self::Blacklist(_))
    }

    /// The values that are taken; `None` if the rule does not apply.
    pub fn judge<'a>(&self, values: &'a [String]) -> Option<Vec<&'a str>> {
        let matching = |set: &Values, wanted: bool| -> Vec<&'a str> {
            values.iter().map(String::as_str).filter(|value| set.holds(value) == wanted).collect()
        };
        match self {
            Self::Present => Some(values.iter().map(String::as_str).collect()),
            Self::AnyOneOf(set) => (!matching(set, true).is_empty()).then(Vec::new),
            Self::NotAnyOf(set) => matching(set, true).is_empty().then(Vec::new),
            Self::Whitelist(set) => Some(matching(set, true)),
            Self::Blacklist(set) => Some(matching(set, false)),
        }
    }
}

impl Values {
    pub fn exact(values: Vec<String>) -> Result<Self, String> {
        if values.len() > MOST {
            return Err(format!("a condition has at most {MOST} values"));
        }
        Ok(Self::Exact(values))
    }

    pub fn patterns(patterns: &[String]) -> Result<Self, String> {
        if patterns.len() > MOST_PATTERNS {
            return Err(format!("a condition has at most {MOST_PATTERNS} patterns"));
        }
        let set = RegexSetBuilder::new(patterns).size_limit(LARGEST).dfa_size_limit(LARGEST).nest_limit(DEEPEST).build();
        set.map(Self::Patterns).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "the patterns are too large when compiled".to_owned(),
            other => format!("a pattern cannot be read: {}", last_line(&other.to_string())),
        })
    }

    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Exact(values) => values.iter().any(|own| own == value),
            Self::Patterns(set) => set.is_match(value),
        }
    }
}

/// The cause; the lines before it draw the pattern.
fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim_start_matches("error: ")
}
