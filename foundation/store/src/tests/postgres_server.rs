// SPDX-License-Identifier: Apache-2.0
//! A real PostgreSQL, one per test process, on a socket in a directory of its own.
//!
//! A guardian (`sh`, reading a pipe whose other end only this process holds) stops the server and removes its
//! directory when the test process ends, however it ends: a static is never dropped, and nextest may kill us.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::{Uid, User};
use tokio::sync::OnceCell;
use tokio_postgres::NoTls;

struct Server {
    socket_dir: PathBuf,
    _guardian: Child,
}

static SERVER: OnceCell<Server> = OnceCell::const_new();

/// The URL of a new, empty database.
pub(super) async fn fresh_database() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(|| async { start() }).await;
    let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let (client, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
    server.url(&name)
}

impl Server {
    fn url(&self, database: &str) -> String {
        let host = self.socket_dir.display().to_string().replace('/', "%2F");
        format!("postgres://ferrostack@{host}/{database}")
    }
}

fn start() -> Server {
    let binaries = newest_binaries();
    let dir = tempfile::Builder::new().prefix("ferrostack-pg-").tempdir().unwrap().keep();
    if Uid::effective().is_root() {
        let user = User::from_name("postgres").unwrap().expect("Debian's package makes the user");
        chown(&dir, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
    let data = dir.join("data");
    run(unprivileged(&binaries.join("initdb"))
        .args(["--auth=trust", "--username=ferrostack", "--encoding=UTF8", "--no-sync"])
        // A language's order, as on many installations, and not the order of bytes that tests could pass by luck.
        .args(["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"])
        .arg(&data));
    // As durable as in production: fsync stays on, the kill tests mean it.
    run(unprivileged(&binaries.join("pg_ctl"))
        .args(["--wait", "--silent", "start", "--pgdata"])
        .arg(&data)
        .arg("--log")
        .arg(dir.join("log"))
        .arg("--options")
        .arg(format!(
            "-c listen_addresses= -c unix_socket_directories={} -c max_connections=400 -c shared_buffers=16MB",
            dir.display()
        )));
    let pid = fs::read_to_string(data.join("postmaster.pid")).unwrap();
    let pid = pid.lines().next().unwrap();
    let guardian = Command::new("sh")
        .arg("-c")
        .arg("read -r _; kill -QUIT \"$1\"; while kill -0 \"$1\" 2>/dev/null; do sleep 0.05; done; rm -rf -- \"$2\"")
        .args(["guardian", pid])
        .arg(&dir)
        // Out of the group that a test runner kills when a test takes too long.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Server { socket_dir: dir, _guardian: guardian }
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
