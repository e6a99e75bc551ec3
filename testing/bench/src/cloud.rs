// SPDX-License-Identifier: Apache-2.0
//! A controller of our own in a temporary folder, without OVN and without hosts: what is needed to measure the API alone.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use tempfile::TempDir;

use crate::http::Connection;

const PATIENCE: Duration = Duration::from_secs(30);

/// The folder of a cloud, with its configuration.
pub struct Home {
    folder: TempDir,
    binary: PathBuf,
    pub authority: String,
}

/// A controller that runs; ends with this handle.
pub struct Controller {
    child: Child,
}

impl Home {
    pub fn make(binary: &Path, dir: &Path) -> anyhow::Result<Self> {
        Self::with(binary, dir, "")
    }

    /// With more settings, each in a section of its own. One for the network is instead of no OVN at all.
    pub fn with(binary: &Path, dir: &Path, settings: &str) -> anyhow::Result<Self> {
        ensure!(binary.exists(), "{} is not there: build it, or name it by FERROSTACK_BINARY", binary.display());
        let folder = tempfile::Builder::new().prefix("ferrostack-bench-").tempdir_in(dir)?;
        let (api, fleet) = (free_address()?, free_address()?);
        let at = folder.path().display();
        let mut text = format!("[api]\nlisten = \"{api}\"\n[fleet]\nlisten = \"{fleet}\"\n{settings}");
        if !settings.contains("[network]") {
            text.push_str(&format!(
                "[network]\nrun_ovn = false\nnorthbound = \"unix:{at}/northbound.sock\"\nsouthbound = \"unix:{at}/southbound.sock\"\n"
            ));
        }
        fs::write(folder.path().join("ferrostack.toml"), text)?;
        Ok(Self { folder, binary: binary.to_owned(), authority: api })
    }

    /// Starts the controller and waits for its first answer. Returns how long that took, in milliseconds.
    pub async fn start(&self) -> anyhow::Result<(Controller, f64)> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = Command::new(&self.binary);
        command.arg("controller").arg("--home").arg(self.folder.path());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let began = Instant::now();
        let child = command.spawn().with_context(|| format!("start {}", self.binary.display()))?;
        let mut controller = Controller { child };
        loop {
            if answers(&self.authority).await {
                return Ok((controller, began.elapsed().as_secs_f64() * 1e3));
            }
            if let Some(status) = controller.child.try_wait()? {
                bail!("the controller ended with {status}: {}", fs::read_to_string(self.log()).unwrap_or_default());
            }
            ensure!(began.elapsed() < PATIENCE, "the controller does not answer");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// A token of the operator.
    pub async fn log_in(&self) -> anyhow::Result<String> {
        log_in(&self.authority, "admin", &self.admin_password()?, "admin").await
    }

    pub fn admin_password(&self) -> anyhow::Result<String> {
        let password = fs::read_to_string(self.folder.path().join("secrets/admin-password")).context("read the password")?;
        Ok(password.trim().to_owned())
    }

    /// The database, to be touched while no controller runs.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("ferrostack.db")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("controller.log")
    }
}

impl Controller {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the controller ended with {status}");
        Ok(())
    }

    /// As if the power had been cut.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub async fn log_in(authority: &str, user: &str, password: &str, project: &str) -> anyhow::Result<String> {
    let domain = json!({"name": "Default"});
    let ask = json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {"name": user, "domain": domain, "password": password}}},
        "scope": {"project": {"name": project, "domain": domain}}}});
    let answer = Connection::open(authority).await?.post("/identity/v3/auth/tokens", &ask).await?;
    let token = answer.headers.get("x-subject-token").context("the login has no token")?;
    Ok(token.to_str()?.to_owned())
}

async fn answers(authority: &str) -> bool {
    let Ok(mut connection) = Connection::open(authority).await else { return false };
    connection.get("/healthcheck").await.is_ok()
}

fn free_address() -> anyhow::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    Ok(listener.local_addr()?.to_string())
}
