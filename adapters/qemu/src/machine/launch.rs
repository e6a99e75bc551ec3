// SPDX-License-Identifier: Apache-2.0
//! From a spec to a machine that answers: paused, or running if by then it may.
//!
//! The sockets listen before QEMU is spawned and are handed to it open, so its greeting is the event that says
//! it is ready: nothing is polled, and QEMU needs no rights to the directory that they are in.

use std::os::fd::{AsRawFd, RawFd};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::command_line::{Handles, command_line};
use super::confine::{Confinement, Reach};
use super::process::Process;
use super::run_dir::{hand_over, open_log};
use super::{Machine, MachineSpec};
use crate::error::{Doing, Error};
use crate::qmp::{Answer, Qmp, within};
use crate::{Accelerator, EMULATOR, Result, sys};

/// QEMU answers within 0.1 s; a host that swaps may need longer.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// As much of QEMU's last words as fits into an error.
const LAST_WORDS: usize = 1000;

pub(super) async fn launch(spec: MachineSpec, may_run: impl Future<Output = ()>) -> Result<(Machine, bool)> {
    let (id, run_dir) = (spec.id, spec.run_dir.clone());
    // Fork, mounts and files block, and must not hold up the other machines of this host.
    let spawned = tokio::task::spawn_blocking(move || spawn(&spec)).await;
    let (pid, said_before) = spawned.map_err(|error| Error::Spec(error.to_string()))??;
    // Killed on the way out of here unless it answered: also when our caller is cancelled.
    let mut guard = KillUnlessReady(Some(Process::open(pid).doing(|| format!("watch process {pid}"))?));
    let Some(process) = guard.0.as_ref() else {
        return Err(Error::Closed);
    };

    let socket = run_dir.qmp_socket();
    let greeting = async {
        let stream = crate::socket::connect(&socket).await.doing(|| format!("connect to {}", socket.display()))?;
        let (qmp, negotiated) = Qmp::begin(stream).await?;
        let runs = ready(&qmp, negotiated, may_run).await?;
        Ok((qmp, runs))
    };
    let answered = tokio::select! {
        biased;
        answered = within(START_DEADLINE, || "hear from QEMU".into(), greeting) => answered,
        exit = process.ended() => Err(died(id, exit?, &run_dir.log(), said_before)),
    };
    let (qmp, runs) = match answered {
        // A closed socket is how its death is mostly seen first; the process tells more.
        Err(Error::Closed | Error::Io { .. }) => {
            process.kill()?;
            return Err(died(id, process.ended().await?, &run_dir.log(), said_before));
        }
        answered => answered?,
    };
    let process = guard.0.take().ok_or(Error::Closed)?;
    Ok((Machine::new(id, run_dir, process, qmp), runs))
}

/// Waits until QEMU is ready. If the guest may run by then, that has been said already: each question that is put only when the
/// one before was answered costs a turn of QEMU's main loop, which has most to do just now.
async fn ready(qmp: &Qmp, negotiated: Answer, may_run: impl Future<Output = ()>) -> Result<bool> {
    let mut negotiated = pin!(negotiated.get());
    tokio::select! {
        biased;
        () = may_run => {}
        negotiated = &mut negotiated => return negotiated.map(|_| false),
    }
    let let_go = qmp.send("cont", Value::Null)?;
    negotiated.await?;
    // One that was refused stands still, which whoever looks at it sees.
    match let_go.get().await {
        Err(Error::Refused { .. }) => Ok(false),
        answer => answer.map(|_| true),
    }
}

struct KillUnlessReady(Option<Process>);

impl Drop for KillUnlessReady {
    fn drop(&mut self) {
        let Some(process) = self.0.take() else { return };
        if let Err(error) = process.kill() {
            tracing::error!(%error, "a machine that did not start is left over");
        }
        // Reaped by whoever is left; a process that was killed ends at once.
        tokio::spawn(async move { process.ended().await });
    }
}

/// Returns the process number, and how long QEMU's log was before.
fn spawn(spec: &MachineSpec) -> Result<(i32, u64)> {
    let run_dir = &spec.run_dir;
    run_dir.ensure(spec.run_as)?;
    let lock = run_dir.lock()?.ok_or(Error::AlreadyRunning { id: spec.id })?;
    for disk in spec.disks.iter().filter(|disk| !disk.read_only && disk.bus == super::DiskBus::Virtio) {
        hand_over(&disk.path, spec.run_as)?;
    }
    let qmp = run_dir.listen(&run_dir.qmp_socket())?;
    let serial = run_dir.listen(&run_dir.serial_socket())?;
    let console_log = open_log(&spec.console_log)?;
    let log = open_log(&run_dir.log())?;
    let said_before = log.metadata().doing(|| "look at QEMU's log".into())?.len();

    let handles = Handles { qmp: qmp.as_raw_fd(), serial: serial.as_raw_fd(), console_log: console_log.as_raw_fd() };
    let inherited: Vec<RawFd> = vec![handles.qmp, handles.serial, handles.console_log, lock.as_raw_fd()];
    let arguments = command_line(spec, handles)?;
    let starting = || format!("start {EMULATOR} for machine {}", spec.id);
    let confinement = Confinement::new(spec.run_as, devices_of(spec), inherited, Reach::Host).doing(starting)?;

    let mut command = Command::new(EMULATOR);
    command.args(arguments).current_dir(run_dir.path()).env_clear().env("PATH", search_path());
    command.stdin(Stdio::null()).stdout(log.try_clone().doing(starting)?).stderr(log);
    sys::before_exec(&mut command, move || confinement.enter());
    let child = command.spawn().doing(starting)?;
    let pid = child.id().cast_signed();
    run_dir.record_pid(pid)?;
    Ok((pid, said_before))
}

/// Devices made for the machine's user alone, whatever their mode is on the host.
fn devices_of(spec: &MachineSpec) -> impl Iterator<Item = &'static str> {
    let kvm = (spec.accelerator == Accelerator::Kvm).then_some("kvm");
    // Also without cards: one may be plugged in later. Without privileges it opens the machine's own taps and no others.
    kvm.into_iter().chain(["net/tun"])
}

pub(crate) fn search_path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into())
}

fn died(id: Uuid, exit: super::Exit, log: &std::path::Path, said_before: u64) -> Error {
    Error::Died { id, exit: exit.to_string(), said: last_words(log, said_before) }
}

/// What was added to a log.
pub(crate) fn last_words(log: &std::path::Path, said_before: u64) -> String {
    let log = std::fs::read(log).unwrap_or_default();
    let said = log.get(usize::try_from(said_before).unwrap_or(0)..).unwrap_or_default();
    let said = String::from_utf8_lossy(&said[said.len().saturating_sub(LAST_WORDS)..]).trim().to_owned();
    if said.is_empty() { "it said nothing".into() } else { said }
}
