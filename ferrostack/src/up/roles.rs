// SPDX-License-Identifier: Apache-2.0
//! The controller and the agent of this host: found as they should be, started, or replaced by those of this build.
//! Machines run on meanwhile, for none of them is a child that ends with its parent.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::json;

use super::progress::Outcome;
use crate::{
    build,
    client::Client,
    config::Config,
    daemons::{self, Started},
    home::Home,
    secrets,
    systemd::Systemd,
};

pub struct Roles<'a> {
    pub home: &'a Home,
    pub config: &'a Config,
    /// None where nobody but us starts them.
    pub systemd: Option<&'a Systemd>,
}

const START_PATIENCE: Duration = Duration::from_secs(60);
pub const STOP_PATIENCE: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(20);

impl Roles<'_> {
    pub async fn controller(&self) -> anyhow::Result<Outcome<()>> {
        let client = Client::new(&self.config.public_url(), self.config.api.certificate.as_deref())?;
        let answers = async || Ok(client.get("/healthcheck").await.is_ok());
        let silent = format!("it does not answer at {}", self.config.public_url());
        self.ensure("controller", answers, async || Ok(()), &silent).await
    }

    pub async fn node(&self, admin: &Client) -> anyhow::Result<Outcome<()>> {
        let hostname = crate::role::hostname(self.config)?;
        let is_up = async || is_up(admin, &hostname).await;
        let invite = async || {
            if self.home.node().join("identity/certificate.pem").exists() {
                return Ok(());
            }
            let made = admin.post("/operator/v1/join-tokens", json!({})).await?;
            let token = made["join_token"]["token"].as_str().context("the controller gave a join token")?;
            // By file, not by argument: arguments are seen by every user of the host.
            secrets::write(&self.home.secret(secrets::JOIN), token)
        };
        self.ensure("node", is_up, invite, "it did not connect").await
    }

    /// Finds a role as it should be, or starts it and waits until it is.
    async fn ensure(
        &self,
        role: &str,
        is_well: impl AsyncFn() -> anyhow::Result<bool>,
        prepare: impl AsyncFn() -> anyhow::Result<()>,
        silent: &str,
    ) -> anyhow::Result<Outcome<()>> {
        let replaced = self.replace(role)?;
        let runs = daemons::running(self.home, role).is_some();
        if runs && is_well().await? {
            return Ok(Outcome::Found(()));
        }
        let mut started = if runs {
            Started::elsewhere(daemons::said(self.home, role))
        } else {
            prepare().await?;
            self.start(role)?
        };
        let deadline = Instant::now() + START_PATIENCE;
        while daemons::running(self.home, role).is_none() || !is_well().await? {
            let why = if self.has_ended(role, &mut started)? {
                "it ended"
            } else if Instant::now() > deadline {
                silent
            } else {
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            bail!("{why}. Its last words:\n{}", daemons::last_words(self.home, role, started.said_before));
        }
        Ok(match replaced {
            Some(from) => Outcome::Changed((), format!("from {from} to {}", build::version())),
            None => Outcome::Made(()),
        })
    }

    /// Ends what has the role and should not: another build, or, where systemd starts our roles, one that it did not start.
    /// Returns what it was.
    fn replace(&self, role: &str) -> anyhow::Result<Option<String>> {
        let Some(process) = daemons::running(self.home, role) else { return Ok(None) };
        let other = build::other(&process);
        let is_loose = match self.systemd {
            Some(systemd) => !systemd.has_started(self.home, role, process.pid)?,
            None => false,
        };
        if other.is_none() && !is_loose {
            return Ok(None);
        }
        if let Some(systemd) = self.systemd {
            systemd.stop(self.home, role)?;
        }
        daemons::stop(self.home, role, STOP_PATIENCE)?;
        Ok(Some(other.unwrap_or_else(|| "one that systemd did not start".to_owned())))
    }

    /// Whether it is of no use to wait any longer. What we have started tells us itself, systemd knows what became of its own.
    fn has_ended(&self, role: &str, started: &mut Started) -> anyhow::Result<bool> {
        if daemons::running(self.home, role).is_some() {
            return Ok(false);
        }
        match self.systemd {
            Some(systemd) => systemd.has_failed(self.home, role),
            None => Ok(started.has_ended()),
        }
    }

    fn start(&self, role: &str) -> anyhow::Result<Started> {
        let Some(systemd) = self.systemd else {
            let namespace = self.config.node.namespace.as_deref().filter(|_| role == "node");
            return daemons::start(self.home, role, namespace);
        };
        let started = Started::elsewhere(daemons::said(self.home, role));
        systemd.start(self.home, role)?;
        Ok(started)
    }
}

async fn is_up(admin: &Client, hostname: &str) -> anyhow::Result<bool> {
    let nodes = admin.get("/operator/v1/nodes").await?;
    let nodes = nodes["nodes"].as_array().cloned().unwrap_or_default();
    Ok(nodes.iter().any(|node| node["hostname"] == hostname && node["up"] == true))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        fs,
        process::{Child, Command, Stdio},
    };

    use super::*;
    use crate::systemd::tests::Stage;

    /// A role of another build: it is known by its command line, as those of earlier builds are.
    fn stand_in(home: &Home, role: &str) -> Child {
        let mut shell = Command::new("sh");
        shell.args(["-c", "read _", role, role, "--home"]).arg(&home.state).stdin(Stdio::piped());
        let child = shell.spawn().unwrap();
        fs::write(home.run().join(format!("{role}.pid")), child.id().to_string()).unwrap();
        child
    }

    #[test]
    fn a_role_of_another_build_is_replaced_and_it_is_said_what_it_was() {
        let stage = Stage::new();
        let config = Config::default();
        let roles = Roles { home: &stage.home, config: &config, systemd: None };
        assert_eq!(roles.replace("node").unwrap(), None);
        let mut other = stand_in(&stage.home, "node");
        assert!(roles.replace("node").unwrap().unwrap().starts_with("build "));
        assert!(daemons::running(&stage.home, "node").is_none());
        other.wait().unwrap();
        // One of this very build stays.
        let _claim = daemons::claim(&stage.home, "node").unwrap();
        assert_eq!(roles.replace("node").unwrap(), None);
    }

    #[test]
    fn under_systemd_a_role_belongs_to_its_unit() {
        let stage = Stage::new();
        let config = Config::default();
        let roles = Roles { home: &stage.home, config: &config, systemd: Some(&stage.systemd) };
        stage.systemd.ensure(&crate::systemd::Plan::new(&stage.home, &config, std::path::Path::new("/bin/true"))).unwrap();
        let mut loose = stand_in(&stage.home, "node");
        stage.told();
        // Started by hand, or by a build that knew no units: the unit is to have it.
        assert!(roles.replace("node").unwrap().is_some());
        assert!(daemons::running(&stage.home, "node").is_none());
        loose.wait().unwrap();
        roles.start("node").unwrap();
        let unit = format!("ferrostack-{}-node.service", stage.home.tag());
        assert!(stage.told().contains(&format!("restart {unit}")));
        // What the unit has started, and is of this build, stays.
        let _claim = daemons::claim(&stage.home, "node").unwrap();
        stage.main_process(i32::try_from(std::process::id()).unwrap());
        assert_eq!(roles.replace("node").unwrap(), None);
        assert!(stage.told().iter().all(|told| told.starts_with("show")));
    }
}
