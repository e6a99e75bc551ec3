// SPDX-License-Identifier: Apache-2.0
//! What to do next with a machine: a pure function of what is wanted, what was done and what is there.

use contracts::node::{Power, RebootKind};

use super::{Recorded, Wanted};

/// The machine's process, as found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    None,
    /// Started, but its guest has not run yet.
    Paused,
    Running,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Release,
    /// From nothing to a paused process.
    Start,
    /// Wire what is not wired yet and let the guest run.
    Continue,
    Stop,
    Reboot(RebootKind),
    /// It ran, nobody stopped it, and it is not there any more.
    NoteHalt,
    /// A halted machine stays halted until something newer is wanted.
    StayHalted,
    RestRunning,
    RestStopped,
}

pub(crate) fn next(wanted: &Wanted, done: &Recorded, process: Process, boot_id: &str) -> Next {
    let Wanted::Machine(machine) = wanted else { return Next::Release };
    match (machine.power, process) {
        (Power::Stopped, Process::None) => Next::RestStopped,
        (Power::Stopped, _) => Next::Stop,
        (Power::Running, Process::Paused) => Next::Continue,
        (Power::Running, Process::Running) if machine.reboots > done.reboots => Next::Reboot(machine.reboot),
        (Power::Running, Process::Running) => Next::RestRunning,
        (Power::Running, Process::None) if machine.reboots > done.reboots => Next::Start,
        // A process that ended with its host is no halt: the machine comes up again with it.
        (Power::Running, Process::None) if done.running.as_deref() == Some(boot_id) => Next::NoteHalt,
        (Power::Running, Process::None) => match done.halted {
            Some(halted) if halted.known_at.is_none_or(|known_at| machine.generation <= known_at) => Next::StayHalted,
            _ => Next::Start,
        },
    }
}
