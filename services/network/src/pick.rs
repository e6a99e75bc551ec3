// SPDX-License-Identifier: Apache-2.0
//! The filters of lists that are in no table: by the same rules as those that are (see [`crate::listing`]).

use api::Cx;
use serde_json::Value;

use crate::{Error, Result, input::read_flag, listing::NOT_FILTERS};

/// A filter: an attribute of an item, or of one of the things in a list of it.
#[derive(Clone, Copy)]
pub struct Pick {
    name: &'static str,
    is_flag: bool,
    within: Option<&'static str>,
}

impl Pick {
    pub const fn text(name: &'static str) -> Self {
        Self { name, is_flag: false, within: None }
    }

    pub const fn flag(name: &'static str) -> Self {
        Self { name, is_flag: true, within: None }
    }

    pub const fn within(self, list: &'static str) -> Self {
        Self { within: Some(list), ..self }
    }

    /// Whether an item has this value.
    fn test(self, wanted: &str) -> Result<impl Fn(&Value) -> bool + use<>> {
        let refuse = || Error::bad(format!("'{wanted}' is not a value that {} can have", self.name));
        let flag = if self.is_flag { Some(read_flag(wanted).ok_or_else(refuse)?) } else { None };
        let text = wanted.to_owned();
        let has = move |item: &Value| match (&item[self.name], flag) {
            (found, Some(flag)) => *found == flag,
            (Value::Number(number), None) => number.to_string() == text,
            (found, None) => *found == text,
        };
        Ok(move |item: &Value| match self.within {
            None => has(item),
            Some(list) => item[list].as_array().is_some_and(|parts| parts.iter().any(&has)),
        })
    }
}

/// The items that have, of each filter of the query, one of its values.
pub fn all(cx: &Cx, filters: &[Pick], items: Vec<Value>) -> Result<Vec<Value>> {
    let mut names: Vec<&str> = cx.query().pairs().map(|(name, _)| name).filter(|name| !NOT_FILTERS.contains(name)).collect();
    names.sort_unstable();
    names.dedup();
    let mut left = items;
    for name in names {
        let filter = filters.iter().find(|filter| filter.name == name);
        let filter = filter.ok_or_else(|| Error::bad(format!("'{name}' is an invalid attribute for filtering")))?;
        let tests = cx.query().all(name).map(|wanted| filter.test(wanted)).collect::<Result<Vec<_>>>()?;
        left.retain(|item| tests.iter().any(|has| has(item)));
    }
    Ok(left)
}
