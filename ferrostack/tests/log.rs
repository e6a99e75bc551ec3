// SPDX-License-Identifier: Apache-2.0
//! The log of a controller that really runs: on a full disk, and with somebody who writes into it as much as he can.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);

struct Controller {
    child: Child,
    api: SocketAddr,
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Controller {
    fn start(home: &Path, settings: &str, log: File) -> Self {
        let api = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let text = format!(
            "[api]\nlisten = \"{api}\"\n[fleet]\nlisten = \"127.0.0.1:{}\"\n[network]\nrun_ovn = false\n\
             northbound = \"unix:/nowhere/nb\"\nsouthbound = \"unix:/nowhere/sb\"\n{settings}",
            free_port()
        );
        fs::write(home.join("ferrostack.toml"), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferrostack"));
        command.arg("controller").arg("--home").arg(home).env_remove("FERROSTACK_LOG");
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let controller = Self { child, api };
        let began = Instant::now();
        while controller.status("/healthcheck") != Some(200) {
            assert!(began.elapsed() < PATIENCE, "the controller does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        controller
    }

    fn status(&self, path: &str) -> Option<u16> {
        let mut stream = TcpStream::connect(self.api).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").ok()?;
        let mut said = String::new();
        stream.read_to_string(&mut said).ok()?;
        said.split(' ').nth(1)?.parse().ok()
    }
}

#[test]
fn a_log_that_cannot_be_written_fails_nobody() {
    let home = tempfile::tempdir().unwrap();
    // Each write to it says that no space is left.
    let controller = Controller::start(home.path(), "", OpenOptions::new().write(true).open("/dev/full").unwrap());
    for _ in 0..20 {
        assert_eq!(controller.status("/healthcheck"), Some(200));
        assert_eq!(controller.status("/identity/v3/projects"), Some(401));
        assert_eq!(controller.status("/identity/v3"), Some(200));
    }
}

#[test]
fn whatever_is_asked_the_log_stays_within_its_bounds() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("controller.log");
    let log = OpenOptions::new().create(true).append(true).open(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    // Of no MiB, which is taken as the least that a file can have: 4 KiB.
    let controller = Controller::start(home.path(), "[log]\nfile_mib = 0\nfiles = 2\n", log);
    let long = format!("/identity/v3?{}", "x".repeat(8000));
    for _ in 0..300 {
        assert_eq!(controller.status(&format!("/identity/{}", "y".repeat(8000))), Some(404));
        assert_eq!(controller.status(&long), Some(200));
    }
    let logs: Vec<_> = fs::read_dir(home.path())
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("controller.log"))
        .collect();
    assert_eq!(logs.len(), 3, "{logs:?}");
    for log in &logs {
        let is = log.metadata().unwrap();
        assert!(is.len() <= 4096, "{:?} has {} bytes", log.path(), is.len());
        assert_eq!(is.permissions().mode() & 0o777, 0o640);
        for line in fs::read_to_string(log.path()).unwrap().lines().filter(|line| !line.is_empty()) {
            assert!(line.len() < 2048 && serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
        }
    }
    assert_eq!(controller.status("/healthcheck"), Some(200));
}
