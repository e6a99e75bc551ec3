// SPDX-License-Identifier: Apache-2.0
//! From a rule's text to its tree.
//!
//! `not` binds tighter than `and`, `and` tighter than `or`. A check that cannot be read is never true, the rest of its
//! rule still counts; a rule whose structure cannot be read denies. Either way there is a complaint for someone to hear.

use super::{
    attribute::Attribute,
    check::{Check, Piece, Text},
};

/// Deep enough for any rule that a person writes; a policy file cannot exhaust the stack.
const DEEPEST: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Complaint {
    #[error("«{0}» has no colon: a check is written kind:match")]
    NoColon(String),
    #[error("the caller has no attribute «{0}»")]
    NoSuchAttribute(String),
    #[error("no rule is named «{0}»")]
    NoSuchRule(String),
    #[error("«{0}» asks another server, which is not supported")]
    Remote(String),
    #[error("«{0}» is not of the form %(name)s")]
    BadSubstitution(String),
    #[error("«{0}» is not of the form field:resource:name=value")]
    BadField(String),
    #[error("a check was expected instead of {0}")]
    ExpectedCheck(String),
    #[error("`and`, `or` or the end was expected instead of {0}")]
    ExpectedOperator(String),
    #[error("a parenthesis is not closed")]
    NotClosed,
    #[error("the rule is nested more than {DEEPEST} levels deep")]
    TooDeep,
    #[error("a rule is text, or a list of lists of checks")]
    NotARule,
}

/// Finds the place of a rule by its name.
pub type Names<'a> = &'a dyn Fn(&str) -> Option<usize>;

/// A rule as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    pub check: Check,
    pub complaints: Vec<Complaint>,
}

impl Parsed {
    pub fn deny(complaint: Complaint) -> Self {
        Self { check: Check::Never, complaints: vec![complaint] }
    }
}

/// Reads the text form. The empty text allows everybody, as oslo.policy has it.
pub fn rule(text: &str, names: Names<'_>) -> Parsed {
    if text.is_empty() {
        return Parsed { check: Check::Always, complaints: vec![] };
    }
    let mut parser = Parser { tokens: tokens(text), at: 0, depth: 0, names, complaints: vec![] };
    let whole = parser.any().and_then(|check| match parser.next() {
        None => Ok(check),
        Some(token) => Err(Complaint::ExpectedOperator(token.describe())),
    });
    match whole {
        Ok(check) => Parsed { check, complaints: parser.complaints },
        Err(complaint) => Parsed::deny(complaint),
    }
}

/// Reads the older list form: any of the outer list, all of each inner list.
pub fn list(outer: &[serde_yaml_ng::Value], names: Names<'_>) -> Parsed {
    if outer.is_empty() {
        return Parsed { check: Check::Always, complaints: vec![] };
    }
    let mut complaints = vec![];
    let mut read = |value: &serde_yaml_ng::Value| {
        value.as_str().ok_or(Complaint::NotARule).and_then(|text| one(text, names)).unwrap_or_else(|complaint| {
            complaints.push(complaint);
            Check::Unreadable
        })
    };
    let mut alternatives = vec![];
    for inner in outer {
        match inner {
            serde_yaml_ng::Value::Sequence(checks) if checks.is_empty() => {}
            serde_yaml_ng::Value::Sequence(checks) => {
                alternatives.push(single_or(checks.iter().map(&mut read).collect(), Check::All));
            }
            serde_yaml_ng::Value::String(text) if text.is_empty() => {}
            other => alternatives.push(read(other)),
        }
    }
    let check = if alternatives.is_empty() { Check::Never } else { single_or(alternatives, Check::Any) };
    Parsed { check, complaints }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token<'a> {
    Open,
    Close,
    And,
    Or,
    Not,
    Check(&'a str),
}

impl Token<'_> {
    fn describe(&self) -> String {
        match self {
            Self::Open => "«(»".to_owned(),
            Self::Close => "«)»".to_owned(),
            Self::And => "`and`".to_owned(),
            Self::Or => "`or`".to_owned(),
            Self::Not => "`not`".to_owned(),
            Self::Check(text) => format!("«{text}»"),
        }
    }
}

/// Words are separated by white space. Parentheses count at the ends of a word only, for `%(name)s` has them inside.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = vec![];
    for word in text.split_whitespace() {
        let without_open = word.trim_start_matches('(');
        tokens.extend((0..word.len() - without_open.len()).map(|_| Token::Open));
        let bare = without_open.trim_end_matches(')');
        if bare.eq_ignore_ascii_case("and") {
            tokens.push(Token::And);
        } else if bare.eq_ignore_ascii_case("or") {
            tokens.push(Token::Or);
        } else if bare.eq_ignore_ascii_case("not") {
            tokens.push(Token::Not);
        } else if !bare.is_empty() {
            tokens.push(Token::Check(bare));
        }
        tokens.extend((0..without_open.len() - bare.len()).map(|_| Token::Close));
    }
    tokens
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    names: Names<'a>,
    complaints: Vec<Complaint>,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn take(&mut self, token: &Token<'_>) -> bool {
        let found = self.tokens.get(self.at) == Some(token);
        self.at += usize::from(found);
        found
    }

    fn any(&mut self) -> Result<Check, Complaint> {
        let mut checks = vec![self.all()?];
        while self.take(&Token::Or) {
            checks.push(self.all()?);
        }
        Ok(single_or(checks, Check::Any))
    }

    fn all(&mut self) -> Result<Check, Complaint> {
        let mut checks = vec![self.term()?];
        while self.take(&Token::And) {
            checks.push(self.term()?);
        }
        Ok(single_or(checks, Check::All))
    }

    fn term(&mut self) -> Result<Check, Complaint> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Complaint::TooDeep);
        }
        let check = match self.next() {
            Some(Token::Not) => Check::Not(Box::new(self.term()?)),
            Some(Token::Check(text)) => one(text, self.names).unwrap_or_else(|complaint| {
                self.complaints.push(complaint);
                Check::Unreadable
            }),
            Some(Token::Open) => {
                let inner = self.any()?;
                if !self.take(&Token::Close) {
                    return Err(match self.next() {
                        Some(token) => Complaint::ExpectedOperator(token.describe()),
                        None => Complaint::NotClosed,
                    });
                }
                inner
            }
            Some(token) => return Err(Complaint::ExpectedCheck(token.describe())),
            None => return Err(Complaint::ExpectedCheck("the end".to_owned())),
        };
        self.depth -= 1;
        Ok(check)
    }
}

fn one(text: &str, names: Names<'_>) -> Result<Check, Complaint> {
    match text {
        "@" => return Ok(Check::Always),
        "!" => return Ok(Check::Never),
        _ => {}
    }
    let (kind, matched) = text.split_once(':').ok_or_else(|| Complaint::NoColon(text.to_owned()))?;
    match kind {
        "rule" => names(matched).map(Check::Rule).ok_or_else(|| Complaint::NoSuchRule(matched.to_owned())),
        "role" => Ok(Check::Role(substitution(matched)?)),
        "field" => field(text, matched),
        "is_admin" => is_admin(text, matched),
        "http" | "https" => Err(Complaint::Remote(text.to_owned())),
        _ => generic(kind, matched),
    }
}

/// The services compute this attribute from the role; so it is the role.
fn is_admin(text: &str, matched: &str) -> Result<Check, Complaint> {
    let admin = Check::Role(Text::Fixed("admin".to_owned()));
    match matched {
        "True" | "1" => Ok(admin),
        "False" | "0" => Ok(Check::Not(Box::new(admin))),
        _ => Err(Complaint::NoSuchAttribute(text.to_owned())),
    }
}

fn generic(kind: &str, matched: &str) -> Result<Check, Complaint> {
    let equals = substitution(matched)?;
    if let Some(literal) = literal(kind) {
        return Ok(Check::Literal { literal, equals });
    }
    let attribute = Attribute::named(kind).ok_or_else(|| Complaint::NoSuchAttribute(kind.to_owned()))?;
    Ok(Check::Caller { attribute, equals })
}

/// Python's literals as Python prints them, for that is what they are compared with.
fn literal(kind: &str) -> Option<String> {
    for quote in ['\'', '"'] {
        if let Some(inner) = kind.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return Some(inner.to_owned());
        }
    }
    match kind {
        "True" | "False" | "None" => Some(kind.to_owned()),
        _ => kind.parse::<i64>().ok().map(|number| number.to_string()),
    }
}

/// `field:networks:shared=True`: the fact stands under its own name or under `networks:shared`.
fn field(text: &str, matched: &str) -> Result<Check, Complaint> {
    let bad = || Complaint::BadField(text.to_owned());
    let (resource, rest) = matched.split_once(':').ok_or_else(bad)?;
    let (name, value) = rest.split_once('=').ok_or_else(bad)?;
    Ok(Check::Field { keys: [name.to_owned(), format!("{resource}:{name}")], equals: value.to_owned() })
}

/// Python's `%(name)s` and `%%`.
fn substitution(text: &str) -> Result<Text, Complaint> {
    let bad = || Complaint::BadSubstitution(text.to_owned());
    let mut pieces = vec![];
    let mut fixed = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        fixed.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            fixed.push('%');
            rest = after;
            continue;
        }
        let (name, after) = after.strip_prefix('(').and_then(|named| named.split_once(")s")).ok_or_else(bad)?;
        if !fixed.is_empty() {
            pieces.push(Piece::Fixed(std::mem::take(&mut fixed)));
        }
        pieces.push(Piece::Fact(name.to_owned()));
        rest = after;
    }
    fixed.push_str(rest);
    if pieces.is_empty() {
        return Ok(Text::Fixed(fixed));
    }
    if !fixed.is_empty() {
        pieces.push(Piece::Fixed(fixed));
    }
    Ok(match pieces.as_slice() {
        [Piece::Fact(name)] => Text::Fact(name.clone()),
        _ => Text::Mixed(pieces),
    })
}

fn single_or(mut checks: Vec<Check>, join: impl FnOnce(Vec<Check>) -> Check) -> Check {
    if checks.len() == 1 { checks.swap_remove(0) } else { join(checks) }
}
