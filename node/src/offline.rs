// SPDX-License-Identifier: Apache-2.0
//! What is done on a host whose agent does not run: stop all its machines, and take its devices away for good.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use qemu::{Machine, RunDir, tap};
use serde::Deserialize;
use types::PortId;
use uuid::Uuid;

use crate::{Result, error::Doing, metadata, state_dir::StateDir};

/// Stops the machines of this state directory: asks each guest to power off, and turns off those that did not in time.
/// They stay wanted, so an agent that starts later starts them again. Returns how many ran.
pub async fn stop_machines(state_dir: &Path, grace: Duration) -> Result<usize> {
    let folder = state_dir.join("machines");
    let running = qemu::running_below(&folder)?;
    let mut stopping = Vec::new();
    for (id, _) in &running {
        let (id, run_dir) = (*id, run_dir(&folder, *id));
        stopping.push(tokio::spawn(async move { stop(id, &run_dir, grace).await }));
    }
    for task in stopping {
        if let Ok(outcome) = task.await {
            outcome?;
        }
    }
    Ok(running.len())
}

async fn stop(id: Uuid, run_dir: &RunDir, grace: Duration) -> Result<()> {
    if !grace.is_zero()
        && let Some(machine) = Machine::adopt(id, run_dir).await?
    {
        machine.stop_within(grace).await?;
    }
    Ok(Machine::ensure_gone(id, run_dir).await?)
}

/// Takes away the taps of this state directory's machines, its metadata namespaces and the bridges named. For a cloud that
/// is being destroyed; its Open vSwitch has been stopped.
pub fn forget_host(state_dir: &Path, bridges: &[String]) -> Result<()> {
    for port in ports_of_machines(&state_dir.join("machines"))? {
        if let Ok(id) = Uuid::parse_str(port.as_str()) {
            tap::release(&tap::name_of(id))?;
        }
    }
    let (state, _lock) = StateDir::open(state_dir)?;
    for name in metadata::namespaces(&state.tag())? {
        let _ = Command::new("ip").args(["netns", "delete", &name]).output();
    }
    for bridge in bridges {
        // Gone with vswitchd in userspace; a kernel datapath keeps it.
        let _ = Command::new("ip").args(["link", "delete", bridge]).output();
    }
    Ok(())
}

/// Of a machine's record, what tells which taps it has.
#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    ports: Vec<PortId>,
}

fn ports_of_machines(folder: &Path) -> Result<Vec<PortId>> {
    let mut ports = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(ports) };
    for entry in entries {
        let path: PathBuf = entry.doing(|| format!("list {}", folder.display()))?.path().join("recorded.json");
        if let Some(record) = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok()) {
            ports.extend(record.ports);
        }
    }
    Ok(ports)
}

fn run_dir(machines: &Path, id: Uuid) -> RunDir {
    RunDir::new(machines.join(id.to_string()).join("run"))
}
