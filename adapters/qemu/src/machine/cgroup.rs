// SPDX-License-Identifier: Apache-2.0
//! A control group (v2) for each machine, where the host has a hierarchy that we may write.
//!
//! It takes the machine out of the group that we run in: a service manager that stops us by our group leaves the
//! machine alone, and what each machine uses can be read from the kernel. A host without v2 goes without.

use std::fs;
use std::io;
use std::path::PathBuf;

use uuid::Uuid;

/// All of ours, below the root of the hierarchy.
const OURS: &str = "ferrostack.machines";

/// What is counted for each machine, as far as the host offers it. Nothing is limited by memory: QEMU needs more than its
/// guest has, by an amount that nobody knows, and the guest would pay for a wrong guess.
const CONTROLLERS: [&str; 4] = ["+cpu", "+memory", "+io", "+pids"];

/// More than QEMU's threads of a large machine, fewer than it takes to hurt the host.
const MOST_THREADS: &str = "2048";

/// Moves a process into its machine's group. That it cannot be done is said in the log and is no reason to stop.
pub(super) fn enter(machine: Uuid, pid: i32) {
    let Some(group) = group_of(machine) else { return };
    if let Err(error) = move_into(&group, pid) {
        tracing::debug!(%error, group = %group.display(), "a machine runs outside a control group of its own");
    }
}

/// Removes the group of a machine that is gone.
pub(super) fn release(machine: Uuid) {
    let Some(group) = group_of(machine) else { return };
    match fs::remove_dir(&group) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::debug!(%error, group = %group.display(), "the control group of a machine is left over");
        }
        _ => {}
    }
}

pub(super) fn group_of(machine: Uuid) -> Option<PathBuf> {
    Some(hierarchy()?.join(OURS).join(machine.to_string()))
}

fn move_into(group: &std::path::Path, pid: i32) -> io::Result<()> {
    let all = group.parent().unwrap_or(group);
    fs::create_dir_all(all)?;
    for above in [all.parent().unwrap_or(all), all] {
        for controller in CONTROLLERS {
            // One that the host does not offer, or offers to v1, is done without.
            let _ = fs::write(above.join("cgroup.subtree_control"), controller);
        }
    }
    match fs::create_dir(group) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let _ = fs::write(group.join("pids.max"), MOST_THREADS);
    fs::write(group.join("cgroup.procs"), pid.to_string()).inspect_err(|_| {
        // It may just have ended, and then nobody comes to remove what was made for it.
        let _ = fs::remove_dir(group);
    })
}

/// Where the version 2 hierarchy is mounted, be it alone or beside version 1.
fn hierarchy() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind) = (fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(place))
    })
}
