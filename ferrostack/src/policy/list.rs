// SPDX-License-Identifier: Apache-2.0
//! Every policy with its rule, in the form in which `policy.yaml` overrides it.

use std::{collections::BTreeMap, fmt::Write};

use access::{Enforcer, Policy};
use serde_json::json;

use crate::controller;

pub fn list(enforcer: &Enforcer, as_json: bool) -> anyhow::Result<String> {
    let policies: BTreeMap<&str, &Policy> = controller::policies().into_iter().map(|policy| (policy.name, policy)).collect();
    let in_force = |name| enforcer.rule(name).unwrap_or("!");
    if as_json {
        let one = |policy: &&Policy| {
            json!({
                "name": policy.name,
                "about": policy.about,
                "rule": in_force(policy.name),
                "default": policy.check,
                "scopes": policy.scopes.to_string(),
            })
        };
        return Ok(serde_json::to_string_pretty(&policies.values().map(one).collect::<Vec<_>>())? + "\n");
    }
    let mut text = String::from("# Named rules, to which the policies below refer.\n");
    for (name, _) in controller::rules() {
        writeln!(text, "{}: {}", quoted(name), quoted(in_force(name)))?;
    }
    for policy in policies.values() {
        writeln!(text, "\n# {}. For tokens of: {}.", policy.about.trim_end_matches('.'), policy.scopes)?;
        writeln!(text, "{}: {}", quoted(policy.name), quoted(in_force(policy.name)))?;
    }
    Ok(text)
}

/// A JSON string is a YAML string.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}
