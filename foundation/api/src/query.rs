// SPDX-License-Identifier: Apache-2.0
//! The query string, decoded once.

use crate::Fault;

#[derive(Debug, Clone, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Names and values that one query holds at most.
    pub const MOST: usize = 512;

    /// The query of a request. More filters than anybody writes by hand would only make statements too large to be run.
    pub fn read(raw: Option<&str>) -> Result<Self, Fault> {
        let query = Self::parse(raw);
        if query.pairs.len() > Self::MOST {
            let message =
                format!("The query holds {} parameters; {} is the most. Ask for fewer at once.", query.pairs.len(), Self::MOST);
            return Err(Fault::bad_request(message));
        }
        if query.pairs().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(Fault::bad_request("A query cannot hold the NUL character."));
        }
        Ok(query)
    }

    pub fn parse(raw: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(raw.unwrap_or_default().as_bytes()).into_owned().collect();
        Self { pairs }
    }

    /// The last value of a name, as most OpenStack services take it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// `true`, `1`, `yes`, `on`, … as oslo's `bool_from_string` reads them; anything else is a 400.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let flag = words::flag::oslo(text).map(Some);
        flag.ok_or_else(|| Fault::bad_request(format!("'{name}' is true or false, not '{text}'.")))
    }

    /// The query again, with one name set to another value: for `next` links.
    pub fn with(&self, name: &str, value: &str) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        for (key, old) in self.pairs.iter().filter(|(key, _)| key != name) {
            out.append_pair(key, old);
        }
        out.append_pair(name, value);
        out.finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn last_value_wins_and_all_are_there() {
        let query = Query::parse(Some("a=1&b=%20x&a=2&c"));
        assert_eq!(query.get("a"), Some("2"));
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.get("b"), Some(" x"));
        assert_eq!(query.get("c"), Some(""));
        assert_eq!(query.with("a", "9 9"), "b=+x&c=&a=9+9");
    }

    #[test]
    fn flags_are_strict() {
        assert_eq!(Query::parse(Some("x=Yes")).flag("x").unwrap(), Some(true));
        assert!(Query::parse(Some("x=maybe")).flag("x").is_err());
    }
}
