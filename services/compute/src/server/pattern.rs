// SPDX-License-Identifier: Apache-2.0
//! The patterns by which clients look for names and addresses. Nova hands them to the database as regular expressions;
//! here they run on an automaton whose time grows with the text only, of a size with a limit, so that no pattern can
//! keep the cloud busy.

use api::Fault;
use regex_automata::meta::Regex;

use crate::input::Read;

const MOST_STATES: usize = 256 * 1024;

#[derive(Debug, Clone)]
pub(super) struct Pattern(Regex);

impl Pattern {
    pub(super) fn read(name: &str, text: &str) -> Read<Self> {
        let config = Regex::config().nfa_size_limit(Some(MOST_STATES)).hybrid(false).dfa(false).onepass(false).backtrack(false);
        // Nova's databases compare without regard to case.
        let syntax = regex_automata::util::syntax::Config::new().case_insensitive(true).nest_limit(20);
        let built = Regex::builder().configure(config).syntax(syntax).build(text);
        built.map(Self).map_err(|_| {
            Fault::bad_request(format!(
                "Invalid input for query parameters {name}. It is not a regular expression, or too large a one."
            ))
        })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// Whether the text is free of what is special in patterns: it can then be looked for as it is.
pub(super) fn is_plain(text: &str) -> bool {
    !text.contains(['.', '^', '$', '*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '\\'])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_anywhere_and_hostile_ones_are_cheap() {
        let ends = Pattern::read("name", r"^.*\-instance-[0-9]+$").unwrap();
        assert!(ends.matches("x-instance-12") && !ends.matches("x-instance-"));
        assert!(Pattern::read("name", "WEB").unwrap().matches("my-web-1"));
        for bad in ["(", "a{1000000}", "((((((((((((((((((((((a))))))))))))))))))))))"] {
            assert!(Pattern::read("name", bad).is_err(), "{bad}");
        }
        let started = std::time::Instant::now();
        assert!(!Pattern::read("name", "(a+)+$").unwrap().matches(&format!("{}b", "a".repeat(250))));
        assert!(started.elapsed().as_millis() < 500);
    }
}
