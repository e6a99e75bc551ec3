// SPDX-License-Identifier: Apache-2.0
//! Text with holes: `{0}` is the first value that the rule takes from the assertion, `{1}` the second; `{{` is a brace.

/// The values of each attribute that a rule takes over, in the order of its remote half.
pub type Taken<'a> = [Vec<&'a str>];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Hole(usize),
}

/// What names many: `{0}` for all values of an attribute, one text for one name, or a written-out list, `['a', '{1}']`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListTemplate(Vec<Template>);

impl Template {
    /// `holes`: how many values the rule takes.
    pub fn read(text: &str, holes: usize) -> Result<Self, String> {
        let mut pieces = vec![];
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after_second) = after.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after_second;
                continue;
            }
            let (number, after) = match (brace, after.split_once('}')) {
                ("{", Some(parts)) => parts,
                _ => return Err(format!("'{text}' has a brace without its other half; a brace itself is written twice")),
            };
            let hole = number
                .parse::<usize>()
                .map_err(|_| format!("'{{{number}}}' in '{text}' is no number of a value: {{0}} is the first one"))?;
            if hole >= holes {
                return Err(format!("'{text}' asks for {{{hole}}}, but the remote half of the rule takes {holes} value(s)"));
            }
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Hole(hole));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// Several values in one hole are written as Python writes a list, which is what Keystone's users see.
    pub fn fill(&self, taken: &Taken<'_>) -> String {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Hole(hole) => match taken.get(*hole).map_or(&[][..], Vec::as_slice) {
                    [] => {}
                    [one] => filled.push_str(one),
                    many => {
                        let quoted: Vec<_> = many.iter().map(|value| format!("'{value}'")).collect();
                        filled.push_str(&format!("[{}]", quoted.join(", ")));
                    }
                },
            }
        }
        filled
    }

    /// The single hole that is all there is.
    pub fn only_hole(&self) -> Option<usize> {
        match self.0.as_slice() {
            [Piece::Hole(hole)] => Some(*hole),
            _ => None,
        }
    }
}

impl ListTemplate {
    pub fn read(text: &str, holes: usize) -> Result<Self, String> {
        let written = text.trim();
        let items = match written.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) => quoted_items(inner).ok_or_else(|| format!("'{text}' is no list such as ['one', 'two']"))?,
            None => vec![text],
        };
        let items: Result<_, _> = items.into_iter().map(|item| Template::read(item, holes)).collect();
        Ok(Self(items?))
    }

    pub fn fill(&self, taken: &Taken<'_>) -> Vec<String> {
        let mut all = vec![];
        for item in &self.0 {
            match item.only_hole() {
                Some(hole) => all.extend(taken.get(hole).into_iter().flatten().map(|value| (*value).to_owned())),
                None => all.push(item.fill(taken)),
            }
        }
        all.retain(|name| !name.is_empty());
        all
    }
}

/// The texts in `'a', "b"`.
fn quoted_items(mut rest: &str) -> Option<Vec<&str>> {
    let mut items = vec![];
    loop {
        rest = rest.trim_start();
        let Some(quote) = rest.chars().next() else { return Some(items) };
        if quote != '\'' && quote != '"' {
            return None;
        }
        let (item, after) = rest[1..].split_once(quote)?;
        items.push(item);
        rest = match after.trim_start() {
            "" => return Some(items),
            more => more.strip_prefix(',')?,
        };
    }
}
