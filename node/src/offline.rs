// SPDX-License-Identifier: Apache-2.0
//! What is done on a host whose agent does not run: stop all its machines, and take its devices away for good.

use std::{collections::HashMap, path::Path, process::Command, time::Duration};

use qemu::{Machine, tap};
use uuid::Uuid;

use crate::{
    Result,
    ledger::{Found, Ledger, Recorded},
    metadata,
    state_dir::StateDir,
};

/// Stops the machines of this state directory: asks each guest to power off, and turns off those that did not in time.
/// They stay wanted, so an agent that starts later starts them again. Returns how many ran.
pub async fn stop_machines(state_dir: &Path, grace: Duration) -> Result<usize> {
    let folder = state_dir.join("machines");
    let running = qemu::running_below(&folder)?;
    let mut stopping = Vec::new();
    let mut records: HashMap<Uuid, Recorded> = records(&folder)?.into_iter().collect();
    for (id, _) in &running {
        let ledger = Ledger::new(folder.join(id.to_string()));
        stopping.push(tokio::spawn(stop(*id, ledger, records.remove(id), grace)));
    }
    for task in stopping {
        if let Ok(outcome) = task.await {
            outcome?;
        }
    }
    Ok(running.len())
}

async fn stop(id: Uuid, ledger: Ledger, recorded: Option<Recorded>, grace: Duration) -> Result<()> {
    // Before it stops: an agent that found it gone would take it for a guest that switched itself off.
    if let Some(recorded) = recorded {
        ledger.keep_recorded(&Recorded { running: None, ..recorded })?;
    }
    let run_dir = ledger.run_dir();
    if !grace.is_zero()
        && let Some(machine) = Machine::adopt(id, &run_dir).await?
    {
        machine.stop_within(grace).await?;
    }
    Ok(Machine::ensure_gone(id, &run_dir).await?)
}

/// Takes away the taps of this state directory's machines, its metadata namespaces and the bridges named. For a cloud that
/// is being destroyed; its Open vSwitch has been stopped.
pub fn forget_host(state_dir: &Path, bridges: &[String]) -> Result<()> {
    for (_, recorded) in records(&state_dir.join("machines"))? {
        for port in recorded.ports {
            if let Ok(id) = Uuid::parse_str(port.as_str()) {
                tap::release(&tap::name_of(id))?;
            }
        }
    }
    let (state, _lock) = StateDir::open(state_dir)?;
    for name in metadata::namespaces(&state)? {
        let _ = Command::new("ip").args(["netns", "delete", &name]).output();
    }
    for bridge in bridges {
        // Gone with vswitchd in userspace; a kernel datapath keeps it.
        let _ = Command::new("ip").args(["link", "delete", bridge]).output();
    }
    Ok(())
}

fn records(folder: &Path) -> Result<Vec<(Uuid, Recorded)>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let listed = Ledger::list(folder)?;
    let recorded = |found| match found {
        Found::Kept { recorded, .. } | Found::Begun { recorded: Some(recorded) } => Some(*recorded),
        Found::Begun { recorded: None } | Found::Unread { .. } => None,
    };
    Ok(listed.into_iter().filter_map(|(id, found)| Some((id, recorded(found)?))).collect())
}
