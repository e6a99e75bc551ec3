// SPDX-License-Identifier: Apache-2.0
//! The configuration of domains: what Keystone would ask an LDAP directory with. It is kept and shown, and that is all:
//! the users of every domain are in our tables, as on a Keystone whose domain-specific drivers are off.

pub mod api;
pub mod options;
pub mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{Error, Result};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("domain_config", api::routes).tables(&[crate::Step {
    number: 14,
    name: "domain_config",
    sql: include_str!("../../migrations/0014_domain_config.sql"),
}]);

/// Options in their groups, as a request has them.
pub type Config = BTreeMap<String, BTreeMap<String, Value>>;

/// What part of a configuration is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Whole,
    Group(String),
    Option(String, String),
}

impl Part {
    /// A part that there can be at all.
    pub fn new(group: &str, option: &str) -> Result<Self> {
        match (group, option) {
            ("", _) => Ok(Self::Whole),
            (group, "") => options::group(group).map(|_| Self::Group(group.to_owned())),
            (group, option) => options::find(group, option).map(|_| Self::Option(group.to_owned(), option.to_owned())),
        }
    }

    /// What a request says of this part, as a configuration: of an option it says only the option. What is said of
    /// any other part is refused.
    pub fn read(&self, document: Value) -> Result<Config> {
        let document = match self {
            Self::Option(group, _) => serde_json::json!({ group: document }),
            Self::Whole | Self::Group(_) => document,
        };
        let config: Config = serde_json::from_value(document)
            .map_err(|_| invalid("the value of each group is a dictionary of options".to_owned()))?;
        if config.is_empty() || config.values().any(BTreeMap::is_empty) {
            return Err(invalid("no options specified".to_owned()));
        }
        for (group, own) in &config {
            for option in own.keys() {
                options::find(group, option)?;
                if !self.admits(group, option) {
                    return Err(invalid(format!("{self}, and nothing else, is what this request may change")));
                }
            }
        }
        Ok(config)
    }

    fn admits(&self, group: &str, option: &str) -> bool {
        match self {
            Self::Whole => true,
            Self::Group(own) => own == group,
            Self::Option(own_group, own) => own_group == group && own == option,
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole => write!(f, "any options"),
            Self::Group(group) => write!(f, "group {group}"),
            Self::Option(group, option) => write!(f, "option {option} in group {group}"),
        }
    }
}

pub fn invalid(reason: String) -> Error {
    Error::Forbidden(format!("Invalid domain specific configuration: {reason}."))
}
