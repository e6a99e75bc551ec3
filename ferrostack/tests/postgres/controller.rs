// SPDX-License-Identifier: Apache-2.0
//! A controller as an operator runs it: the binary, with a home and a configuration of its own.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::client::Client;

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Controller {
    pub address: SocketAddr,
    /// Where nodes connect, by which the others know it.
    pub nodes: SocketAddr,
    folder: TempDir,
    process: Option<Child>,
}

impl Controller {
    /// Not started yet.
    pub fn new(database: &str) -> Self {
        Self::with(database, "")
    }

    /// With more settings of `[database]`.
    pub fn with(database: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (address, nodes) = (free_address(), free_address());
        // No OVN here: what networks there shall be is recorded, and made when there is one.
        let nowhere = folder.path().join("no-such-socket");
        let settings = format!(
            "[api]\nlisten = \"{address}\"\n\
             [database]\nurl = \"{database}\"\n{settings}\
             [fleet]\nlisten = \"{nodes}\"\n\
             [network]\nrun_ovn = false\nnorthbound = \"unix:{0}\"\nsouthbound = \"unix:{0}\"\n",
            nowhere.display()
        );
        fs::write(folder.path().join("ferrostack.toml"), settings).unwrap();
        Self { address, nodes, folder, process: None }
    }

    /// Gives it what controllers of one cloud have in common besides the database: secrets, and the fleet's authority.
    pub fn share_secrets_with(&self, other: &Self) {
        for shared in ["secrets", "fleet"] {
            let copied = Command::new("cp").arg("-a").arg(self.folder.path().join(shared)).arg(other.folder.path()).status();
            assert!(copied.unwrap().success());
        }
    }

    pub fn start(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.log_file()).unwrap();
        // It ends with this test, also when that is killed.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", env!("CARGO_BIN_EXE_ferrostack"), "controller", "--home"])
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.process = Some(process.unwrap());
    }

    pub async fn answers(&mut self) {
        let nobody = Client { address: self.address, token: String::new() };
        let healthy = async {
            while !nobody.open("GET", "/healthcheck", Bytes::new()).await.is_ok_and(|answer| answer.status().is_success()) {
                let ended = self.process.as_mut().unwrap().try_wait().unwrap();
                assert!(ended.is_none(), "the controller ended: {}", fs::read_to_string(self.log_file()).unwrap());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, healthy).await.expect("the controller answers");
    }

    /// As by a power cut for this process alone.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// It stands still, with all its connections open.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.process.as_ref().unwrap().id();
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
    }

    pub async fn admin(&self) -> Client {
        let password = fs::read_to_string(self.folder.path().join("secrets/admin-password")).unwrap();
        Client::log_in(self.address, password.trim()).await
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("controller.log")
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
    }
}

/// One that was free a moment ago, below the ports that the kernel gives to whoever connects: those go fast.
fn free_address() -> SocketAddr {
    loop {
        let port = 20_000 + (uuid::Uuid::new_v4().as_u128() % 12_000) as u16;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener.local_addr().unwrap();
        }
    }
}
