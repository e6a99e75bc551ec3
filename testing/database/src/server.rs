// SPDX-License-Identifier: Apache-2.0
//! A real PostgreSQL on a socket in a directory of its own.
//!
//! A guardian (`sh`, reading a pipe whose other end only this process holds) stops the server and removes its
//! directory when this process ends, however it ends: a static is never dropped, and a test runner may kill us.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::unistd::{Uid, User};

pub struct Server {
    socket_dir: PathBuf,
    _guardian: Child,
}

impl Server {
    /// As durable as in production.
    pub fn start() -> Self {
        Self::start_with("fsync=on")
    }

    /// For tests that do not end the server: a database is made and dropped in a fraction of the time.
    pub fn start_without_fsync() -> Self {
        Self::start_with("fsync=off")
    }

    fn start_with(setting: &str) -> Self {
        let binaries = newest_binaries();
        let dir = tempfile::Builder::new().prefix("ferrostack-pg-").tempdir().unwrap().keep();
        if Uid::effective().is_root() {
            let user = User::from_name("postgres").unwrap().expect("Debian's package makes the user");
            chown(&dir, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        let guardian = guard(&dir);
        let data = dir.join("data");
        run(unprivileged(&binaries.join("initdb"))
            .args(["--auth=trust", "--username=ferrostack", "--encoding=UTF8", "--no-sync"])
            // A language's order, as on many installations, and not the order of bytes that tests could pass by luck.
            .args(["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"])
            .arg(&data));
        run(unprivileged(&binaries.join("pg_ctl"))
            .args(["--wait", "--silent", "start", "--pgdata"])
            .arg(&data)
            .arg("--log")
            .arg(dir.join("log"))
            .arg("--options")
            .arg(format!(
                "-c listen_addresses= -c unix_socket_directories={} -c max_connections=400 -c shared_buffers=16MB -c {setting}",
                dir.display()
            )));
        Self { socket_dir: dir, _guardian: guardian }
    }

    /// Ends it as a crash would, and starts it again.
    pub fn restart(&self) {
        let data = self.socket_dir.join("data");
        let binaries = newest_binaries();
        run(unprivileged(&binaries.join("pg_ctl"))
            .args(["--wait", "--silent", "--mode=immediate", "stop", "--pgdata"])
            .arg(&data));
        // It remembers the options with which it was started.
        run(unprivileged(&binaries.join("pg_ctl"))
            .args(["--wait", "--silent", "restart", "--pgdata"])
            .arg(&data)
            .arg("--log")
            .arg(self.socket_dir.join("log")));
    }

    /// Of the database in which nothing is kept.
    pub fn url(&self) -> String {
        let host = self.socket_dir.display().to_string().replace('/', "%2F");
        format!("postgres://ferrostack@{host}/postgres")
    }
}

fn guard(dir: &Path) -> Child {
    const ORDERS: &str = "read -r _; pid=$(head -n 1 \"$1/data/postmaster.pid\"); kill -QUIT \"$pid\"; \
         while kill -0 \"$pid\"; do sleep 0.05; done; rm -rf -- \"$1\"";
    Command::new("sh")
        .args(["-c", ORDERS, "guardian"])
        .arg(dir)
        // Out of the group that a test runner kills when a test takes too long.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn newest_binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed for the tests");
    versions.map(|entry| entry.unwrap().path().join("bin")).max().expect("PostgreSQL is installed for the tests")
}

/// PostgreSQL refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    if !Uid::effective().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program).current_dir("/");
    command
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{command:?} failed");
}
