// SPDX-License-Identifier: Apache-2.0
//! The tree of a rule and its evaluation.
//!
//! Evaluation knows three answers. Over a target of which only some facts are fixed ("any thing in this project") it is
//! yes only where the rule holds whatever the other facts are, so that how far a caller may see can be read from the
//! rule itself, also when the rule contains `not`. Over one real target it is yes or no, save for what cannot be read.

use std::collections::BTreeSet;

use contracts::caller::Caller;

use super::attribute::Attribute;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    Always,
    Never,
    /// A check that could not be read. It is never yes, and neither is its opposite.
    Unreadable,
    Not(Box<Check>),
    All(Vec<Check>),
    Any(Vec<Check>),
    /// Another rule, by its place in the table.
    Rule(usize),
    Role(Text),
    /// `project_id:%(project_id)s`
    Caller {
        attribute: Attribute,
        equals: Text,
    },
    /// `True:%(enabled)s`
    Literal {
        literal: String,
        equals: Text,
    },
    /// `field:networks:shared=True`
    Field {
        keys: [String; 2],
        equals: String,
    },
}

/// The right side of a check: text with facts of the target in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    Fixed(String),
    /// The common case: nothing but one fact.
    Fact(String),
    Mixed(Vec<Piece>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Fixed(String),
    Fact(String),
}

impl Check {
    /// The names of the facts of the target that this check itself asks for; the rules that it refers to are not followed.
    pub(crate) fn facts_asked(&self, facts: &mut BTreeSet<String>) {
        match self {
            Self::Not(inner) => inner.facts_asked(facts),
            Self::All(checks) | Self::Any(checks) => checks.iter().for_each(|check| check.facts_asked(facts)),
            Self::Role(text) | Self::Caller { equals: text, .. } | Self::Literal { equals: text, .. } => match text {
                Text::Fixed(_) => {}
                Text::Fact(name) => _ = facts.insert(name.clone()),
                Text::Mixed(pieces) => {
                    facts.extend(pieces.iter().filter_map(|piece| match piece {
                        Piece::Fact(name) => Some(name.clone()),
                        Piece::Fixed(_) => None,
                    }));
                }
            },
            Self::Field { keys, .. } => _ = facts.insert(keys[1].clone()),
            Self::Always | Self::Never | Self::Unreadable | Self::Rule(_) => {}
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    No,
    /// It depends on something not known: facts that this target leaves open, a check that could not be read.
    Open,
    Yes,
}

/// What a target says under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact<'a> {
    Text(&'a str),
    /// The key is there, its value is not: oslo.policy writes `None`.
    Null,
    /// There is no such key: the check fails.
    Missing,
    /// Anything at all.
    Open,
}

pub trait Facts {
    fn fact(&self, key: &str) -> Fact<'_>;
}

pub(crate) struct Evaluation<'a, F> {
    pub caller: &'a Caller,
    pub target: &'a F,
    /// All rules; `Check::Rule` points into them. They contain no cycle.
    pub rules: &'a [Check],
    /// Role names to evaluate with beside the caller's own, for the question which role would help.
    pub further_roles: &'a [&'a str],
}

impl<F: Facts> Evaluation<'_, F> {
    pub fn answer(&self, check: &Check) -> Answer {
        match check {
            Check::Always => Answer::Yes,
            Check::Never => Answer::No,
            Check::Unreadable => Answer::Open,
            Check::Not(inner) => self.answer(inner).inverse(),
            Check::All(checks) => {
                let mut answer = Answer::Yes;
                for check in checks {
                    match self.answer(check) {
                        Answer::No => return Answer::No,
                        Answer::Open => answer = Answer::Open,
                        Answer::Yes => {}
                    }
                }
                answer
            }
            Check::Any(checks) => {
                let mut answer = Answer::No;
                for check in checks {
                    match self.answer(check) {
                        Answer::Yes => return Answer::Yes,
                        Answer::Open => answer = Answer::Open,
                        Answer::No => {}
                    }
                }
                answer
            }
            Check::Rule(index) => self.rules.get(*index).map_or(Answer::No, |check| self.answer(check)),
            Check::Role(name) => self.compare(name, |name| self.has_role(name)),
            Check::Caller { attribute, equals } => self.caller_is(*attribute, equals),
            Check::Literal { literal, equals } => self.compare(equals, |text| text == literal),
            Check::Field { keys, equals } => self.field_is(keys, equals),
        }
    }

    fn has_role(&self, name: &str) -> bool {
        self.caller.has_role(name) || self.further_roles.iter().any(|role| role.eq_ignore_ascii_case(name))
    }

    fn caller_is(&self, attribute: Attribute, equals: &Text) -> Answer {
        if let Text::Fixed(text) = equals
            && text == "None"
        {
            return Answer::from(attribute.is_absent(self.caller));
        }
        // A caller without the attribute equals no target, whatever the target leaves open.
        if attribute.is_absent(self.caller) {
            return Answer::No;
        }
        self.compare(equals, |text| attribute.is(self.caller, text))
    }

    fn field_is(&self, keys: &[String; 2], equals: &str) -> Answer {
        let found = keys.iter().map(|key| self.target.fact(key)).find(|fact| *fact != Fact::Missing);
        match found {
            Some(Fact::Text(text)) => Answer::from(text == equals),
            Some(Fact::Null) => Answer::from(equals == "None"),
            Some(Fact::Open) => Answer::Open,
            Some(Fact::Missing) | None => Answer::No,
        }
    }

    /// Only the mixed form allocates.
    fn compare(&self, text: &Text, is_equal: impl Fn(&str) -> bool) -> Answer {
        match text {
            Text::Fixed(text) => Answer::from(is_equal(text)),
            Text::Fact(key) => match self.target.fact(key) {
                Fact::Text(text) => Answer::from(is_equal(text)),
                Fact::Null => Answer::from(is_equal("None")),
                Fact::Missing => Answer::No,
                Fact::Open => Answer::Open,
            },
            Text::Mixed(pieces) => {
                let mut whole = String::new();
                let mut open = false;
                for piece in pieces {
                    match piece {
                        Piece::Fixed(text) => whole.push_str(text),
                        Piece::Fact(key) => match self.target.fact(key) {
                            Fact::Text(text) => whole.push_str(text),
                            Fact::Null => whole.push_str("None"),
                            Fact::Missing => return Answer::No,
                            Fact::Open => open = true,
                        },
                    }
                }
                if open { Answer::Open } else { Answer::from(is_equal(&whole)) }
            }
        }
    }
}

impl Answer {
    fn inverse(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Open => Self::Open,
            Self::Yes => Self::No,
        }
    }
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}
