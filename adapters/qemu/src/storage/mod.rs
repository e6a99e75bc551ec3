// SPDX-License-Identifier: Apache-2.0
//! A storage daemon: QEMU's block layer without a machine, one process for one volume, which outlives us.
//!
//! It opens a volume and lets one other in: another host, over TLS and only with that host's certificate, or one machine of this
//! host, by a socket. Each runs as a user of its own, confined as machines are, with nothing but the sockets that it was given
//! open; the key by which it is known to other hosts lies in its memory only. So one that is lost takes no other with it.
//!
//! As with machines nothing is remembered: its lock and command line say that it is there, and QMP what it has.

mod export;
mod launch;
#[cfg(test)]
mod tests;

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::error::Error;
use crate::machine::process::{self, Process};
use crate::qmp::{Qmp, within};
use crate::{Result, RunAs, RunDir};

pub use export::Export;
pub use launch::shows;

/// The credentials, as the daemon calls them.
pub(crate) const TLS: &str = "tls";

const QUIT_GRACE: Duration = Duration::from_secs(5);
const LOOK_DEADLINE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct DaemonSpec {
    /// The volume.
    pub id: Uuid,
    pub run_dir: RunDir,
    pub run_as: RunAs,
    pub entrance: Entrance,
}

/// Where others come in.
#[derive(Debug)]
pub enum Entrance {
    None,
    /// Other hosts, who are let in only with a certificate that is for this name.
    Tls {
        listener: TcpListener,
        files: TlsFiles,
        peer: String,
    },
    /// A machine of this host. What it gets comes from another one, to which we show these.
    Machine {
        listener: UnixListener,
        files: TlsFiles,
    },
}

/// PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub key: PathBuf,
    pub certificate: PathBuf,
    pub authority: PathBuf,
}

/// A handle on a daemon that runs. Cheap to clone; dropping it leaves the daemon alone.
#[derive(Clone, Debug)]
pub struct Daemon {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    process: Arc<Process>,
    qmp: Qmp,
}

impl Daemon {
    /// Starts one. Refused while an earlier process of it lives: adopt that.
    pub async fn start(spec: DaemonSpec) -> Result<Self> {
        launch::launch(spec).await
    }

    /// Takes up one that runs already, or `None` if there is none.
    pub async fn adopt(run_dir: &RunDir) -> Result<Option<Self>> {
        let Some(process) = living(run_dir).await? else { return Ok(None) };
        let socket = run_dir.qmp_socket();
        let qmp = tokio::select! {
            biased;
            _ = process.ended() => return Ok(None),
            qmp = Qmp::connect(&socket) => qmp?,
        };
        Ok(Some(Self::new(process, qmp)))
    }

    /// Sees to it that no process of it is left, nor its run directory. What it has open is written out first, if it hears.
    pub async fn ensure_gone(run_dir: &RunDir) -> Result<()> {
        while let Some(process) = living(run_dir).await? {
            let quit = async {
                Qmp::connect(&run_dir.qmp_socket()).await?.quit().await?;
                process.ended().await
            };
            if !matches!(tokio::time::timeout(QUIT_GRACE, quit).await, Ok(Ok(_))) {
                process.kill()?;
                process.ended().await?;
            }
        }
        run_dir.remove()
    }

    fn new(process: Process, qmp: Qmp) -> Self {
        let process = Arc::new(process);
        let watched = Arc::clone(&process);
        // A child that nobody waits for stays a zombie, also when this handle is long dropped.
        tokio::spawn(async move { watched.ended().await });
        Self { inner: Arc::new(Inner { process, qmp }) }
    }

    pub fn pid(&self) -> i32 {
        self.inner.process.pid
    }

    pub fn qmp(&self) -> &Qmp {
        &self.inner.qmp
    }

    /// Resolves when it has ended, for whatever reason.
    pub async fn ended(&self) {
        let _ = self.inner.process.ended().await;
    }

    /// Ends it, after what it has open was written out.
    pub async fn stop(&self) -> Result<()> {
        let quit = async {
            self.inner.qmp.quit().await?;
            self.inner.process.ended().await
        };
        if !matches!(tokio::time::timeout(QUIT_GRACE, quit).await, Ok(Ok(_))) {
            self.inner.process.kill()?;
            self.inner.process.ended().await?;
        }
        Ok(())
    }
}

/// As of machines: the lock tells at once; only if it is held is the process looked for.
async fn living(run_dir: &RunDir) -> Result<Option<Process>> {
    let look = async {
        while run_dir.is_locked()? {
            if let Some(process) = process::find_daemon(run_dir)? {
                return Ok(Some(process));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(None)
    };
    within(LOOK_DEADLINE, || format!("find the process that holds the lock in {}", run_dir.path().display()), look).await
}

impl Entrance {
    fn files(&self) -> Option<&TlsFiles> {
        match self {
            Self::None => None,
            Self::Tls { files, .. } | Self::Machine { files, .. } => Some(files),
        }
    }
}

fn spec_error(what: impl Into<String>) -> Error {
    Error::Spec(what.into())
}
