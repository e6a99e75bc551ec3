// SPDX-License-Identifier: Apache-2.0
//! OVN's two databases, each with a server of its own, and ovn-northd between them.

use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

const PATIENCE: Duration = Duration::from_secs(20);

/// A process that ends with this handle.
pub struct Daemon(Child);

impl Daemon {
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // What it holds is thrown away with its folder.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn socket(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.sock"))
}

/// Makes an empty database and serves it.
pub fn serve(folder: &Path, name: &str, schema: &str) -> anyhow::Result<Daemon> {
    let file = folder.join(format!("{name}.db"));
    let made = Command::new("ovsdb-tool").arg("create").arg(&file).arg(schema).status().context("run ovsdb-tool")?;
    ensure!(made.success(), "ovsdb-tool does not make a database of {schema}");
    let socket = socket(folder, name);
    let child = Command::new("ovsdb-server")
        .arg(&file)
        .arg(format!("--remote=punix:{}", socket.display()))
        .arg(format!("--unixctl={}", folder.join(format!("{name}.ctl")).display()))
        .env("OVS_RUNDIR", folder)
        .env("OVS_DBDIR", folder)
        .stderr(Stdio::null())
        .spawn()
        .context("start ovsdb-server")?;
    let daemon = Daemon(child);
    let began = Instant::now();
    while UnixStream::connect(&socket).is_err() {
        ensure!(began.elapsed() < PATIENCE, "ovsdb-server does not serve {}", socket.display());
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(daemon)
}

pub fn northd(folder: &Path) -> anyhow::Result<Daemon> {
    let child = Command::new("ovn-northd")
        .arg(format!("--ovnnb-db=unix:{}", socket(folder, "north").display()))
        .arg(format!("--ovnsb-db=unix:{}", socket(folder, "south").display()))
        .arg(format!("--unixctl={}", folder.join("northd.ctl").display()))
        .arg(format!("--log-file={}", folder.join("northd.log").display()))
        .env("OVN_RUNDIR", folder)
        .stderr(Stdio::null())
        .spawn()
        .context("start ovn-northd")?;
    Ok(Daemon(child))
}
