// SPDX-License-Identifier: Apache-2.0
//! A folder for one test. Whatever runs with its files ends with it; if the test is killed, the next one sees to that.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

const PREFIX: &str = "ferro-node-";
const DAEMONS: [&str; 6] = ["ovsdb-server", "ovs-vswitchd", "ovn-northd", "ovn-controller", qemu::EMULATOR, qemu::STORAGE_DAEMON];

pub(super) struct Scratch {
    dir: TempDir,
    /// Held as long as the test lives.
    _lock: File,
}

impl Scratch {
    pub fn new() -> Self {
        sweep();
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir().unwrap();
        // Locked before it has the name that others look for.
        let fresh = dir.path().join("fresh");
        let lock = File::create(&fresh).unwrap();
        lock.lock().unwrap();
        fs::rename(fresh, dir.path().join("alive")).unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o711)).unwrap();
        Self { dir, _lock: lock }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        end_processes_below(self.path());
    }
}

/// Clears up after tests that were killed.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // A folder without the file is one that is just being made.
        if ours && File::open(entry.path().join("alive")).is_ok_and(|file| file.try_lock().is_ok()) {
            end_processes_below(&entry.path());
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn end_processes_below(dir: &Path) {
    let below = format!("{}/", dir.display());
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let program = line.split('\0').next().unwrap_or_default();
        if DAEMONS.iter().any(|name| program.ends_with(name)) && line.contains(&below) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
