// SPDX-License-Identifier: Apache-2.0
//! The options of a user: exemptions from the rules for passwords and logins, and the methods that a login needs.

use access::payload::Methods;
use serde_json::Value;

use crate::{
    body::Extra,
    error::{Error, Result},
};

/// The options that are yes or no.
const FLAGS: [&str; 6] = [
    "ignore_change_password_upon_first_use",
    "ignore_password_expiry",
    "ignore_lockout_failure_attempts",
    "lock_password",
    "ignore_user_inactivity",
    "multi_factor_auth_enabled",
];
const RULES: &str = "multi_factor_auth_rules";

/// More than this nobody can want, and each login reads them.
const MOST_RULES: usize = 64;

/// The options that are set.
#[derive(Debug, Clone, Default)]
pub struct UserOptions(Extra);

impl UserOptions {
    pub fn of(kept: Extra) -> Self {
        Self(kept)
    }

    pub fn is_set(&self, flag: &str) -> bool {
        self.0.get(flag) == Some(&Value::Bool(true))
    }

    /// The sets of methods each of which is enough for a login. None: any method is.
    pub fn rules(&self) -> Option<Vec<Vec<&str>>> {
        if self.0.get("multi_factor_auth_enabled") == Some(&Value::Bool(false)) {
            return None;
        }
        // A rule of words that are no methods is nobody's to satisfy: as with Keystone it does not count.
        let rules = self.0.get(RULES)?.as_array()?;
        let rules: Vec<Vec<&str>> = rules.iter().map(words).filter(|rule| !rule.is_empty()).collect();
        (!rules.is_empty()).then_some(rules)
    }

    /// Whether a login by these methods is enough.
    pub fn admit(&self, methods: Methods) -> bool {
        let satisfied = |rule: &Vec<&str>| rule.iter().all(|word| Methods::named(word).is_some_and(|it| methods.contains(it)));
        self.rules().is_none_or(|rules| rules.iter().any(satisfied))
    }
}

/// The methods of a rule. Words that are no methods are nobody's to satisfy: as with Keystone they do not count.
fn words(rule: &Value) -> Vec<&str> {
    let words = rule.as_array().into_iter().flatten().filter_map(Value::as_str);
    words.filter(|word| Methods::named(word).is_some()).collect()
}

/// Puts what is asked for over what is kept; null takes an option away.
pub fn merge(kept: &mut Extra, asked: &Extra) -> Result<()> {
    for (name, value) in asked {
        match value {
            Value::Null if name == RULES || FLAGS.contains(&name.as_str()) => {
                kept.remove(name);
                continue;
            }
            Value::Bool(_) if FLAGS.contains(&name.as_str()) => {}
            rules if name == RULES => check_rules(rules)?,
            _ if FLAGS.contains(&name.as_str()) => return Err(invalid(name, "it is true, false or null")),
            _ => return Err(invalid(name, "there is no such option")),
        }
        kept.insert(name.clone(), value.clone());
    }
    Ok(())
}

fn check_rules(rules: &Value) -> Result<()> {
    let wrong = || invalid(RULES, "it is a list of lists of names of methods, none of them empty, nothing in any of them twice");
    let rules = rules.as_array().filter(|rules| rules.len() <= MOST_RULES).ok_or_else(wrong)?;
    for (i, rule) in rules.iter().enumerate() {
        let words = rule.as_array().filter(|words| !words.is_empty() && words.len() <= MOST_RULES).ok_or_else(wrong)?;
        let is_repeated = |j: usize| words[..j].contains(&words[j]);
        if rules[..i].contains(rule) || (0..words.len()).any(is_repeated) || !words.iter().all(Value::is_string) {
            return Err(wrong());
        }
    }
    Ok(())
}

fn invalid(name: &str, why: &str) -> Error {
    Error::Invalid(format!("Invalid input for field/attribute user.options.{name}: {why}"))
}
