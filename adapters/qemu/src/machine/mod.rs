// SPDX-License-Identifier: Apache-2.0
//! A machine: one confined QEMU process that outlives us.
//!
//! ```text
//!            start                cont / stop
//!   (none) ────────▶ prelaunch ────────────────▶ running ⇄ paused
//!      ▲                 │                          │
//!      └─── ensure_gone ─┴──────── exit ◀───────────┘   guest powers off, stop_within, kill, crash
//! ```
//! QEMU itself may hold a running guest still; [`Trouble`] says why.
//!
//! `start` leaves the guest paused, so that its ports can be wired before its first instruction. After a
//! restart of ours `adopt` finds the process again. Nothing here is remembered between the two: the process
//! itself, its lock and its command line are the record.

mod backup;
mod cgroup;
mod command_line;
pub(crate) mod confine;
mod devices;
pub(crate) mod launch;
mod layout;
pub(crate) mod process;
pub(crate) mod run_dir;
mod spec;
#[cfg(test)]
mod tests;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use uuid::Uuid;

use crate::Result;
use crate::error::Error;
use crate::qmp::{Event, Qmp, RunState, within};
pub use devices::{Devices, Unplug};
pub use layout::Layout;
pub use process::{Exit, command_line, running_below, runs_long_under_kvm};
pub use run_dir::RunDir;
pub use spec::{Datapath, DeviceName, Disk, DiskBus, DiskFormat, MachineSpec, Nic, RunAs, Volume, WatchdogAction};
pub use trouble::Trouble;

use process::Process;

/// The board that all machines have, and the one on which an accelerator is probed.
pub(crate) const MACHINE_TYPE: &str = "q35,usb=off,vmport=off,dump-guest-core=off";

/// How long QEMU may take to flush its disks after `quit` before it is killed.
const QUIT_GRACE: Duration = Duration::from_secs(10);

/// From fork to exec takes milliseconds, whatever the host is busy with.
const LOOK_DEADLINE: Duration = Duration::from_secs(10);

/// When a machine is put into its control group. The kernel holds up every fork of the host while it moves a process,
/// which at once would make a server's creation a third slower.
const SETTLED: Duration = Duration::from_secs(1);

/// A handle on a running machine. Cheap to clone; dropping it leaves the machine alone.
#[derive(Clone, Debug)]
pub struct Machine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: Uuid,
    run_dir: RunDir,
    process: Arc<Process>,
    qmp: Qmp,
}

impl Machine {
    /// Starts a machine and leaves it paused. Refused while an earlier process of it lives: adopt that.
    pub async fn start(spec: MachineSpec) -> Result<Self> {
        Ok(launch::launch(spec, std::future::pending()).await?.0)
    }

    /// The same for one whose guest runs at once if `may_run` is over before QEMU is ready. Whether it does.
    pub async fn start_and_run(spec: MachineSpec, may_run: impl Future<Output = ()>) -> Result<(Self, bool)> {
        launch::launch(spec, may_run).await
    }

    /// Takes up a machine that runs already, or `None` if it does not.
    pub async fn adopt(id: Uuid, run_dir: &RunDir) -> Result<Option<Self>> {
        let Some(process) = living(id, run_dir).await? else { return Ok(None) };
        let socket = run_dir.qmp_socket();
        let qmp = tokio::select! {
            biased;
            _ = process.ended() => return Ok(None),
            qmp = Qmp::connect(&socket) => qmp?,
        };
        run_dir.record_pid(process.pid)?;
        Ok(Some(Self::new(id, run_dir.clone(), process, qmp)))
    }

    /// Sees to it that no process of this machine is left, nor its run directory.
    pub async fn ensure_gone(id: Uuid, run_dir: &RunDir) -> Result<()> {
        while let Some(process) = living(id, run_dir).await? {
            process.kill()?;
            process.ended().await?;
        }
        cgroup::release(id);
        run_dir.remove()
    }

    fn new(id: Uuid, run_dir: RunDir, process: Process, qmp: Qmp) -> Self {
        let process = Arc::new(process);
        let watched = Arc::clone(&process);
        // A child that nobody waits for stays a zombie, also when this handle is long dropped.
        tokio::spawn(async move {
            if tokio::time::timeout(SETTLED, watched.ended()).await.is_err() {
                let pid = watched.pid;
                let _ = tokio::task::spawn_blocking(move || cgroup::enter(id, pid)).await;
            }
            if watched.ended().await.is_ok() {
                cgroup::release(id);
            }
        });
        Self { inner: Arc::new(Inner { id, run_dir, process, qmp }) }
    }

    pub fn id(&self) -> Uuid {
        self.inner.id
    }

    pub fn pid(&self) -> i32 {
        self.inner.process.pid
    }

    pub fn run_dir(&self) -> &RunDir {
        &self.inner.run_dir
    }

    /// For everything that has no verb here.
    pub fn qmp(&self) -> &Qmp {
        &self.inner.qmp
    }

    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.qmp.events()
    }

    pub async fn run_state(&self) -> Result<RunState> {
        self.inner.qmp.run_state().await
    }

    /// Lets the guest run: for the first time, or after a pause.
    pub async fn cont(&self) -> Result<()> {
        self.inner.qmp.cont().await
    }

    pub async fn pause(&self) -> Result<()> {
        self.inner.qmp.stop().await
    }

    /// Presses the reset button.
    pub async fn reset(&self) -> Result<()> {
        self.inner.qmp.system_reset().await
    }

    /// Resolves when the process has ended, for whatever reason. Any number of tasks may wait.
    pub async fn exited(&self) -> Result<Exit> {
        self.inner.process.ended().await
    }

    /// Presses the power button and waits; a guest that has not gone by then is turned off.
    pub async fn stop_within(&self, grace: Duration) -> Result<Exit> {
        match self.inner.qmp.system_powerdown().await {
            Ok(()) => match tokio::time::timeout(grace, self.exited()).await {
                Ok(exit) => exit,
                Err(_) => self.turn_off().await,
            },
            // It may just have gone, or hang: turning it off tells.
            Err(Error::Closed | Error::Deadline { .. }) => self.turn_off().await,
            Err(error) => Err(error),
        }
    }

    /// Pulls the plug, but lets QEMU flush its disks first.
    pub async fn turn_off(&self) -> Result<Exit> {
        let asked = async {
            self.inner.qmp.quit().await?;
            self.exited().await
        };
        match tokio::time::timeout(QUIT_GRACE, asked).await {
            Ok(Ok(exit)) => Ok(exit),
            Ok(Err(_)) | Err(_) => self.kill().await,
        }
    }

    pub async fn kill(&self) -> Result<Exit> {
        self.inner.process.kill()?;
        self.exited().await
    }
}

/// The process of this machine, if there is one. The lock tells at once; only if it is held is the process looked for.
async fn living(id: Uuid, run_dir: &RunDir) -> Result<Option<Process>> {
    let look = async {
        while run_dir.is_locked()? {
            if let Some(process) = process::find(id, run_dir)? {
                return Ok(Some(process));
            }
            // A child on its way to becoming QEMU: ours, or one of a start that was cut short.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(None)
    };
    within(LOOK_DEADLINE, || format!("find the process that holds the lock of machine {id}"), look).await
}
