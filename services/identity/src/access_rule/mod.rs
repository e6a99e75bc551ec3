// SPDX-License-Identifier: Apache-2.0
//! Access rules: the requests to which a user confines his application credentials. The door keeps to them, see
//! `access::access_rule`.

pub mod api;
pub mod table;
#[cfg(test)]
mod tests;

use access::access_rule::LONGEST_PATH;
use contracts::caller::AccessRule;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("access_rule", api::routes).tables(&[crate::Step {
    number: 3,
    name: "access rules",
    sql: include_str!("../../migrations/0003_access_rules.sql"),
}]);

const METHODS: [&str; 6] = ["POST", "GET", "HEAD", "PATCH", "PUT", "DELETE"];

/// As many as one credential may have: each request of its tokens is held against them.
pub const MOST: usize = 100;

/// A rule in a request: one that is there already, by id, or what it says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleRequest {
    id: Option<String>,
    service: Option<String>,
    method: Option<String>,
    path: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Known(String),
    Said { service: String, method: String, path: String },
}

#[derive(Debug, Serialize)]
pub struct RuleView<'a> {
    pub id: &'a str,
    pub service: &'a str,
    pub method: &'a str,
    pub path: &'a str,
}

impl RuleRequest {
    pub fn check(self) -> Result<Wanted> {
        let invalid = |what: &str| Error::Invalid(format!("Invalid input for field/attribute access_rules: {what}"));
        match (self.id, self.service, self.method, self.path) {
            (Some(id), None, None, None) => Ok(Wanted::Known(id)),
            (None, Some(service), Some(method), Some(path)) => {
                if !METHODS.contains(&method.as_str()) {
                    return Err(invalid("a method is POST, GET, HEAD, PATCH, PUT or DELETE"));
                }
                if !path.starts_with('/') || path.chars().count() > LONGEST_PATH {
                    return Err(invalid(&format!("a path begins with a slash and has at most {LONGEST_PATH} characters")));
                }
                if service.is_empty() || service.chars().count() > 64 {
                    return Err(invalid("a service has 1 to 64 characters"));
                }
                Ok(Wanted::Said { service, method, path })
            }
            _ => Err(invalid("a rule is an id alone, or service, method and path together")),
        }
    }
}

pub fn view(rule: &AccessRule) -> RuleView<'_> {
    RuleView { id: &rule.id, service: &rule.service, method: &rule.method, path: &rule.path }
}
