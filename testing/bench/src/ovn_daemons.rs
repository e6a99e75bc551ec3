// SPDX-License-Identifier: Apache-2.0
//! OVN's two databases, each with a server of its own, and ovn-northd between them. They are the bench's and end with it: those
//! that a controller runs outlive it, as they shall.

use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

const SCHEMAS: &str = "/usr/share/ovn";
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

/// The two databases, empty at first.
pub struct Ovn {
    _daemons: [Daemon; 2],
    folder: TempDir,
}

impl Ovn {
    pub fn start(dir: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("ferrostack-bench-ovn-").tempdir_in(dir)?;
        let at = folder.path();
        let daemons = [
            serve(at, "north", &format!("{SCHEMAS}/ovn-nb.ovsschema"))?,
            serve(at, "south", &format!("{SCHEMAS}/ovn-sb.ovsschema"))?,
        ];
        Ok(Self { _daemons: daemons, folder })
    }

    pub fn northbound(&self) -> PathBuf {
        socket(self.folder.path(), "north")
    }

    /// What a controller's configuration says of them.
    pub fn settings(&self) -> String {
        let (north, south) = (self.northbound(), socket(self.folder.path(), "south"));
        format!(
            "[network]\nrun_ovn = false\nnorthbound = \"unix:{}\"\nsouthbound = \"unix:{}\"\n",
            north.display(),
            south.display()
        )
    }

    pub fn northd(&self) -> anyhow::Result<Daemon> {
        northd(self.folder.path())
    }
}

fn socket(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.sock"))
}

/// Makes an empty database and serves it.
fn serve(folder: &Path, name: &str, schema: &str) -> anyhow::Result<Daemon> {
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

fn northd(folder: &Path) -> anyhow::Result<Daemon> {
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
