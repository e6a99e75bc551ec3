// SPDX-License-Identifier: Apache-2.0
//! Keeps daemons running: notices a death at once, by pidfd, and starts the dead again, slower each time they die young.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::daemon::{Daemon, LARGE_LOG};
use super::process::Running;
use crate::{Error, Result};

const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// How often the size of a log is looked at.
const LOGS_EVERY: Duration = Duration::from_secs(60);
/// One that has lived so long has not died of its start.
const OLD_ENOUGH: Duration = Duration::from_secs(60);

/// Keeps daemons running for as long as it exists. The daemons outlive it.
#[derive(Debug)]
pub struct Supervisor {
    health: watch::Receiver<BTreeMap<&'static str, Health>>,
    /// Aborted when dropped.
    _keepers: JoinSet<()>,
}

/// How a daemon is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Running {
        pid: i32,
    },
    /// It does not run, and will be tried again.
    Failed {
        why: String,
    },
}

impl Supervisor {
    /// Starts or adopts daemons in the order given, as later ones may need earlier ones, and keeps each of them running.
    pub async fn start(daemons: Vec<Daemon>) -> Self {
        let (report, health) = watch::channel(BTreeMap::new());
        let mut keepers = JoinSet::new();
        for daemon in daemons {
            let first = daemon.ensure_running().await;
            let report = report.clone();
            note(&report, &daemon, &first);
            keepers.spawn(keep(daemon, first, report));
        }
        Self { health, _keepers: keepers }
    }

    /// The daemons by name, and how they are.
    pub fn health(&self) -> watch::Receiver<BTreeMap<&'static str, Health>> {
        self.health.clone()
    }

    /// Waits until all daemons run, and otherwise says which does not and why.
    pub async fn ready(&self, deadline: Instant) -> Result<()> {
        let mut health = self.health.clone();
        let all_run = |all: &BTreeMap<_, Health>| all.values().all(|one| matches!(one, Health::Running { .. }));
        if let Ok(Ok(_)) = tokio::time::timeout_at(deadline, health.wait_for(all_run)).await {
            return Ok(());
        }
        let failed = self.health.borrow().iter().find_map(|(name, health)| match health {
            Health::Failed { why } => Some((*name, why.clone())),
            Health::Running { .. } => None,
        });
        let (program, output) = failed.unwrap_or(("supervision", "it was not ready in time".to_owned()));
        Err(Error::Program { program: program.to_owned(), output })
    }
}

async fn keep(daemon: Daemon, first: Result<Running>, report: watch::Sender<BTreeMap<&'static str, Health>>) {
    let mut retry = FIRST_RETRY;
    let mut attempt = first;
    loop {
        if let Ok(running) = &attempt {
            let since = Instant::now();
            if let Err(error) = ended(&daemon, running).await {
                tracing::error!(daemon = daemon.name(), %error, "cannot watch the daemon");
            } else {
                tracing::error!(daemon = daemon.name(), pid = running.pid(), log = %daemon.log_file().display(), "the daemon died");
            }
            if since.elapsed() > OLD_ENOUGH {
                retry = FIRST_RETRY;
            }
            report.send_modify(|all| {
                all.insert(daemon.name(), Health::Failed { why: "it died".to_owned() });
            });
        }
        tokio::time::sleep(retry).await;
        retry = (retry * 2).min(LAST_RETRY);
        attempt = daemon.ensure_running().await;
        note(&report, &daemon, &attempt);
    }
}

/// Waits until it has ended, and bounds its log meanwhile.
async fn ended(daemon: &Daemon, running: &Running) -> Result<()> {
    loop {
        if let Ok(ended) = tokio::time::timeout(LOGS_EVERY, running.ended()).await {
            return ended;
        }
        if let Err(error) = daemon.bound_log(running, LARGE_LOG).await {
            tracing::warn!(daemon = daemon.name(), error = &error as &dyn std::error::Error, "the daemon's log is not put aside");
        }
    }
}

fn note(report: &watch::Sender<BTreeMap<&'static str, Health>>, daemon: &Daemon, attempt: &Result<Running>) {
    let health = match attempt {
        Ok(running) => Health::Running { pid: running.pid() },
        Err(error) => {
            tracing::error!(daemon = daemon.name(), error = error as &dyn std::error::Error, "cannot start the daemon");
            Health::Failed { why: error.to_string() }
        }
    };
    report.send_modify(|all| {
        all.insert(daemon.name(), health);
    });
}
