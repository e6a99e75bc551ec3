// SPDX-License-Identifier: Apache-2.0
//! The stock `openstack` client, in a host, as a user of a project.

use anyhow::{Context, Result, ensure};
use lab::{Host, Python};
use serde_json::Value;

use crate::{Account, Api};

pub struct OpenStack {
    python: Python,
    host: Host,
    url: String,
    account: Account,
}

impl OpenStack {
    pub fn new(host: &Host, api: &Api) -> Result<Self> {
        Ok(Self { python: Python::ensure()?, host: host.clone(), url: api.url(), account: api.account()?.clone() })
    }

    /// A line of words, as one would type it. Its standard output.
    pub fn run(&self, line: &str) -> Result<String> {
        let mut words = line.split_whitespace().map(str::to_owned).collect();
        self.run_words(&mut words)
    }

    /// The same, read as JSON.
    pub fn json(&self, line: &str) -> Result<Value> {
        let said = self.run(&format!("{line} -f json"))?;
        serde_json::from_str(&said).with_context(|| format!("openstack {line} said no JSON: {said}"))
    }

    /// A single column of a single thing.
    pub fn value(&self, line: &str, column: &str) -> Result<String> {
        Ok(self.run(&format!("{line} -f value -c {column}"))?.trim().to_owned())
    }

    fn run_words(&self, words: &mut Vec<String>) -> Result<String> {
        words.insert(0, self.python.program("openstack").display().to_string());
        let mut command = self.host.command([&["timeout".to_owned(), "180".to_owned()], words.as_slice()].concat());
        for (name, value) in [
            ("OS_AUTH_URL", format!("{}/identity/v3", self.url)),
            ("OS_IDENTITY_API_VERSION", "3".to_owned()),
            ("OS_USERNAME", self.account.user.clone()),
            ("OS_PASSWORD", self.account.password.clone()),
            ("OS_PROJECT_NAME", self.account.project.clone()),
            ("OS_USER_DOMAIN_NAME", "Default".to_owned()),
            ("OS_PROJECT_DOMAIN_NAME", "Default".to_owned()),
        ] {
            command.env(name, value);
        }
        let output = command.output().context("running the openstack client")?;
        ensure!(
            output.status.success(),
            "openstack {}: {}\n{}",
            words[1..].join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
