// SPDX-License-Identifier: Apache-2.0
//! A real PostgreSQL on a socket in a directory of its own.
//!
//! A guardian (`sh`, reading a pipe whose other end only this process holds) stops the server and removes its
//! directory when this process ends, however it ends: a static is never dropped, and a test runner may kill us.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::unistd::{Uid, User};

pub struct Server {
    socket_dir: PathBuf,
    port: u16,
    _guardian: Child,
}

/// A server that is reached over the network, at 127.0.0.1.
pub struct Listening<'a> {
    pub port: u16,
    /// PEM: the server's certificate, its key, and the authority of clients' certificates.
    pub tls: Option<[&'a str; 3]>,
    /// The lines of `pg_hba.conf`.
    pub access: &'a str,
}

impl Server {
    /// As durable as in production.
    pub fn start() -> Self {
        Self::start_with("fsync=on", None)
    }

    /// For tests that do not end the server: a database is made and dropped in a fraction of the time.
    pub fn start_without_fsync() -> Self {
        Self::start_with("fsync=off", None)
    }

    /// Its administrator comes over the socket, as to the others.
    pub fn start_listening(at: &Listening<'_>) -> Self {
        Self::start_with("fsync=off", Some(at))
    }

    fn start_with(setting: &str, at: Option<&Listening<'_>>) -> Self {
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
        let network = at.map_or_else(|| "-c listen_addresses=".to_owned(), |at| prepare(&data, at));
        run(unprivileged(&binaries.join("pg_ctl"))
            .args(["--wait", "--silent", "start", "--pgdata"])
            .arg(&data)
            .arg("--log")
            .arg(dir.join("log"))
            .arg("--options")
            .arg(format!(
                "{network} -c unix_socket_directories={} -c max_connections=400 -c shared_buffers=16MB -c {setting}",
                dir.display()
            )));
        Self { socket_dir: dir, port: at.map_or(5432, |at| at.port), _guardian: guardian }
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
        format!("postgres://ferrostack@{host}:{}/postgres", self.port)
    }

    /// Over the network, of a server that listens.
    pub fn url_by(&self, host: &str) -> String {
        format!("postgres://ferrostack@{host}:{}/postgres", self.port)
    }

    /// The processes that serve connections stand still with all their connections open, until [`wake_up`](Self::wake_up).
    pub fn fall_asleep(&self) {
        self.signal("STOP");
    }

    pub fn wake_up(&self) {
        self.signal("CONT");
    }

    /// To the server and its children.
    fn signal(&self, signal: &str) {
        let pid = fs::read_to_string(self.socket_dir.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        run(Command::new("kill").arg(format!("-{signal}")).arg(pid).args(children.split_whitespace()));
    }
}

/// Writes what a server needs that listens; answers its options.
fn prepare(data: &Path, at: &Listening<'_>) -> String {
    fs::write(data.join("pg_hba.conf"), format!("local all all trust\n{}\n", at.access)).unwrap();
    let mut options = format!("-c listen_addresses=127.0.0.1 -c port={}", at.port);
    if let Some(files) = at.tls {
        for (name, pem) in ["server.crt", "server.key", "clients.crt"].into_iter().zip(files) {
            let path = data.join(name);
            fs::write(&path, pem).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            if Uid::effective().is_root() {
                let owner = fs::metadata(data).unwrap();
                chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
            }
        }
        options.push_str(" -c ssl=on -c ssl_cert_file=server.crt -c ssl_key_file=server.key -c ssl_ca_file=clients.crt");
    }
    options
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
