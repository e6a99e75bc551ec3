// SPDX-License-Identifier: Apache-2.0
//! The stock `openstack` client, in a host, as a user of a project or with any other way of logging in.

use anyhow::{Context, Result, bail, ensure};
use lab::{Host, Python};
use serde_json::Value;

use crate::Api;

pub struct OpenStack {
    python: Python,
    host: Host,
    /// What the client reads about whom to be.
    environment: Vec<(String, String)>,
}

impl OpenStack {
    pub fn new(host: &Host, api: &Api) -> Result<Self> {
        let account = api.account()?;
        let environment = [
            ("OS_USERNAME", account.user.as_str()),
            ("OS_PASSWORD", &account.password),
            ("OS_PROJECT_NAME", &account.project),
            ("OS_USER_DOMAIN_NAME", "Default"),
            ("OS_PROJECT_DOMAIN_NAME", "Default"),
        ];
        Self::logging_in_with(host, api, &environment)
    }

    /// A client that these variables tell who it is, and how it proves that.
    pub fn logging_in_with(host: &Host, api: &Api, environment: &[(&str, &str)]) -> Result<Self> {
        let common = [("OS_AUTH_URL", format!("{}/identity/v3", api.url())), ("OS_IDENTITY_API_VERSION", "3".to_owned())];
        let own = environment.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let environment = common.into_iter().chain(own).map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Self { python: Python::ensure()?, host: host.clone(), environment })
    }

    /// A line of words, as one would type it. Its standard output.
    pub fn run(&self, line: &str) -> Result<String> {
        self.program("openstack", line.split_whitespace().map(str::to_owned).collect())
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

    /// A line that must be refused; what the client says then.
    pub fn refused(&self, line: &str) -> Result<String> {
        match self.run(line) {
            Ok(said) => bail!("openstack {line} was not refused: {said}"),
            Err(refusal) => Ok(format!("{refusal:#}")),
        }
    }

    /// A script for the Python that has the stock clients. Its standard output.
    pub fn python(&self, script: &str, arguments: &[&str]) -> Result<String> {
        let words = ["-c", script].into_iter().chain(arguments.iter().copied());
        self.program("python", words.map(str::to_owned).collect())
    }

    fn program(&self, name: &str, mut words: Vec<String>) -> Result<String> {
        words.insert(0, self.python.program(name).display().to_string());
        let mut command = self.host.command([&["timeout".to_owned(), "180".to_owned()], words.as_slice()].concat());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = command.output().with_context(|| format!("running {name}"))?;
        ensure!(
            output.status.success(),
            "{name} {}: {}\n{}",
            words[1..].join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
