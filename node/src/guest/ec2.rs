// SPDX-License-Identifier: Apache-2.0
//! EC2's documents: a tree of short texts, for guests that know no other cloud.

use std::collections::BTreeMap;

use contracts::node::MachineDesired;
use serde_json::{Value, json};

/// The versions that Nova answers; what they hold is the same.
pub(crate) const VERSIONS: [&str; 10] = [
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "latest",
];

/// The tree below `meta-data/`.
#[derive(Debug)]
pub(crate) struct Ec2(BTreeMap<&'static str, Value>);

impl Ec2 {
    pub fn of(machine: &MachineDesired) -> Self {
        let facts = &machine.metadata;
        let fixed = machine.nics().flat_map(|nic| &nic.fixed_ips).map(|fixed| fixed.address).find(|ip| ip.is_ipv4());
        let public = facts.floating_ips.first();
        let short = |prefix: &str, id: &str| format!("{prefix}-{}", id.chars().take(8).collect::<String>());
        let address = |ip: Option<String>| json!(ip.unwrap_or_default());
        let mut tree = BTreeMap::from([
            ("ami-id", json!(short("ami", machine.root().map_or("", |root| root.image_id.as_str())))),
            ("ami-launch-index", json!(facts.launch_index)),
            ("ami-manifest-path", json!("n/a")),
            ("block-device-mapping", json!({ "ami": "vda", "root": "/dev/vda" })),
            ("hostname", json!(facts.hostname)),
            ("instance-action", json!("none")),
            ("instance-id", json!(short("i", machine.server_id.as_str()))),
            ("instance-type", json!(facts.flavor)),
            ("local-hostname", json!(facts.hostname)),
            ("local-ipv4", address(fixed.map(|ip| ip.to_string()))),
            ("placement", json!({ "availability-zone": facts.availability_zone })),
            ("public-hostname", json!(facts.hostname)),
            ("public-ipv4", address(public.map(ToString::to_string))),
            ("reservation-id", json!(facts.reservation_id)),
            ("security-groups", json!(facts.security_groups.join("\n"))),
        ]);
        if !facts.public_keys.is_empty() {
            let keys = facts.public_keys.iter().enumerate();
            let keys = keys.map(|(number, (name, key))| (number.to_string(), json!({ "_name": name, "openssh-key": key })));
            tree.insert("public-keys", Value::Object(keys.collect()));
        }
        Self(tree)
    }

    pub fn json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).unwrap_or_default()
    }

    /// What stands at a path below `meta-data/`: a text, or the list of what is below it.
    pub fn at(&self, path: &[&str]) -> Option<String> {
        let Some((first, rest)) = path.split_first() else {
            return Some(list(self.0.iter().map(|(name, value)| (*name, value))));
        };
        let mut value = self.0.get(first)?;
        for name in rest {
            value = value.as_object()?.get(*name).filter(|_| *name != "_name")?;
        }
        match value {
            Value::Object(below) => Some(list(below.iter().map(|(name, value)| (name.as_str(), value)))),
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

/// Directories end in a slash, and a public key is listed with its name, as in EC2.
fn list<'a>(entries: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    let lines = entries.filter(|(name, _)| *name != "_name").map(|(name, value)| match value {
        Value::Object(below) => match below.get("_name").and_then(Value::as_str) {
            Some(key_name) => format!("{name}={key_name}"),
            None => format!("{name}/"),
        },
        _ => name.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}
