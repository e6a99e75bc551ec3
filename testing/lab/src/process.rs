// SPDX-License-Identifier: Apache-2.0
//! A process that runs in a host, seen from outside: its log, its number, its death.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::wait_for;

/// Ends with this handle; what it has started in the background goes on until its host ends.
pub struct Process {
    name: String,
    log: PathBuf,
    /// `nsenter`, which waits for the process itself and passes on how it ended.
    door: Child,
    pid: Pid,
}

impl Process {
    pub(crate) fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log).with_context(|| format!("opening {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let mut door = command.spawn().with_context(|| format!("starting {name}"))?;
        let pid = wait_for(&format!("{name} to start"), Duration::from_secs(10), || {
            if let Some(status) = door.try_wait()? {
                bail!("{name} ended at once with {status}; its log is {}", log.display());
            }
            only_child(door.id())
        })?;
        Ok(Self { name: name.to_owned(), log: log.to_owned(), door, pid })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it has written to standard output and error.
    pub fn log(&self) -> Result<String> {
        let bytes = std::fs::read(&self.log).with_context(|| format!("reading {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The number by which this machine knows it; inside the host it has another.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    pub fn is_alive(&mut self) -> Result<bool> {
        Ok(self.door.try_wait()?.is_none())
    }

    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.door.wait()?)
    }

    /// As if the power had been cut for this process alone.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::SIGKILL)?;
        self.door.wait()?;
        Ok(())
    }

    /// Asks it to end in its own way, and waits until it has.
    pub fn stop(&mut self, within: Duration) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        wait_for(&format!("{} to stop", self.name), within, || Ok(self.door.try_wait()?))
    }

    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if !self.is_alive()? {
            return Ok(());
        }
        let sent = kill(self.pid, signal);
        if signal != Signal::SIGSTOP {
            // `nsenter` stops when its process does, and goes on only when it is told to.
            let _ = kill(Pid::from_raw(self.door.id().cast_signed()), Signal::SIGCONT);
        }
        match sent {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("sending {signal} to {}", self.name)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// The child of a process that has one, as soon as it has it.
pub(crate) fn only_child(parent: u32) -> Result<Option<Pid>> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    Ok(children.split_whitespace().next().map(|pid| pid.parse().map(Pid::from_raw)).transpose()?)
}
