// SPDX-License-Identifier: Apache-2.0
//! The options that may be set, and their defaults. The list is Keystone's, closed: what is not in it is refused.

use serde_json::{Value, json};

use super::invalid;
use crate::error::Result;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Shown,
    /// Taken and never told.
    Secret,
}

/// An option and its default, which is JSON.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub name: &'static str,
    pub kind: Kind,
    default: &'static str,
}

impl Known {
    pub fn default(&self) -> Value {
        serde_json::from_str(self.default).unwrap_or(Value::Null)
    }
}

const fn shown(name: &'static str, default: &'static str) -> Known {
    Known { name, kind: Kind::Shown, default }
}

const fn secret(name: &'static str) -> Known {
    Known { name, kind: Kind::Secret, default: "null" }
}

pub const GROUPS: [(&str, &[Known]); 2] = [("identity", IDENTITY), ("ldap", LDAP)];

const IDENTITY: &[Known] = &[shown("driver", r#""sql""#), shown("list_limit", "null")];

const LDAP: &[Known] = &[
    shown("url", r#""ldap://localhost""#),
    shown("user", "null"),
    secret("password"),
    shown("suffix", r#""cn=example,cn=com""#),
    shown("query_scope", r#""one""#),
    shown("page_size", "0"),
    shown("alias_dereferencing", r#""default""#),
    shown("debug_level", "null"),
    shown("chase_referrals", "null"),
    shown("user_tree_dn", "null"),
    shown("user_filter", "null"),
    shown("user_objectclass", r#""inetOrgPerson""#),
    shown("user_id_attribute", r#""cn""#),
    shown("user_name_attribute", r#""sn""#),
    shown("user_mail_attribute", r#""mail""#),
    shown("user_description_attribute", r#""description""#),
    shown("user_pass_attribute", r#""userPassword""#),
    shown("user_enabled_attribute", r#""enabled""#),
    shown("user_enabled_invert", "false"),
    shown("user_enabled_mask", "0"),
    shown("user_enabled_default", r#""True""#),
    shown("user_attribute_ignore", r#"["default_project_id"]"#),
    shown("user_default_project_id_attribute", "null"),
    shown("user_enabled_emulation", "false"),
    shown("user_enabled_emulation_dn", "null"),
    shown("user_enabled_emulation_use_group_config", "false"),
    shown("user_additional_attribute_mapping", "[]"),
    shown("group_tree_dn", "null"),
    shown("group_filter", "null"),
    shown("group_objectclass", r#""groupOfNames""#),
    shown("group_id_attribute", r#""cn""#),
    shown("group_name_attribute", r#""ou""#),
    shown("group_members_are_ids", "false"),
    shown("group_member_attribute", r#""member""#),
    shown("group_desc_attribute", r#""description""#),
    shown("group_attribute_ignore", "[]"),
    shown("group_additional_attribute_mapping", "[]"),
    shown("tls_cacertfile", "null"),
    shown("tls_cacertdir", "null"),
    shown("use_tls", "false"),
    shown("tls_req_cert", r#""demand""#),
    shown("use_pool", "true"),
    shown("pool_size", "10"),
    shown("pool_retry_max", "3"),
    shown("pool_retry_delay", "0.1"),
    shown("pool_connection_timeout", "-1"),
    shown("pool_connection_lifetime", "600"),
    shown("use_auth_pool", "true"),
    shown("auth_pool_size", "100"),
    shown("auth_pool_connection_lifetime", "60"),
];

pub fn group(name: &str) -> Result<&'static [Known]> {
    let found = GROUPS.iter().find(|(group, _)| *group == name).map(|(_, options)| *options);
    found.ok_or_else(|| invalid(format!("Group {name} is not supported for domain specific configurations")))
}

pub fn find(group: &str, name: &str) -> Result<Known> {
    let found = self::group(group)?.iter().find(|option| option.name == name).copied();
    found.ok_or_else(|| invalid(format!("Option {name} in group {group} is not supported for domain specific configurations")))
}

/// The defaults of all options of a group that may be told.
pub fn defaults(options: &[Known]) -> Value {
    options.iter().filter(|option| option.kind == Kind::Shown).map(|option| (option.name, option.default())).collect()
}

/// The defaults of every group.
pub fn all_defaults() -> Value {
    GROUPS.iter().map(|(group, options)| (*group, defaults(options))).collect()
}

/// What a client may be told about the default of one option.
pub fn default_of(group: &str, name: &str) -> Result<Value> {
    let option = find(group, name)?;
    if option.kind == Kind::Secret {
        return Err(invalid(format!("Reading the default for option {name} in group {group} is not supported")));
    }
    Ok(json!({ name: option.default() }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_json() {
        for (group, options) in GROUPS {
            for option in options {
                let read: Result<Value, _> = serde_json::from_str(option.default);
                assert!(read.is_ok(), "{group}.{}", option.name);
            }
        }
    }
}
