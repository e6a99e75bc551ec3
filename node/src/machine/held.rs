// SPDX-License-Identifier: Apache-2.0
//! A machine whose guest QEMU does not let run on, and what can be done about it.
//!
//! Where KVM failed, the machine is started anew and emulated, for as long as this boot of the host lasts. Where a disk's
//! host has no room, the guest goes on when there is some. A guest that panicked is kept as it is until somebody decides.

use std::time::Duration;

use contracts::node::{Failure, MachineState};
use nix::sys::statvfs::statvfs;
use qemu::{Accelerator, Machine, RunState, Trouble};
use tokio::time::Instant;

use super::{
    next::{Held, Process},
    task::Task,
};
use crate::{Error, Result, error::Doing};

const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A guest that ran so long since it was let go on had room.
const SETTLED: Duration = Duration::from_secs(60);
/// With less it would be held again at its next write.
const ROOM: u64 = 16 << 20;

/// What QEMU said of a guest that stands still, and when to try again.
#[derive(Default)]
pub(super) struct Standstill {
    pub trouble: Option<Trouble>,
    /// We hold it, as wanted.
    pub is_paused: bool,
    again_at: Option<Instant>,
    went_on_at: Option<Instant>,
    pause: Duration,
}

impl Standstill {
    pub fn of_a_paused_one() -> Self {
        Self { is_paused: true, ..Self::default() }
    }
}

impl Task {
    /// How the guest of a process is that was let go.
    pub(super) async fn condition(&mut self, machine: &Machine, state: RunState) -> Result<Process> {
        let trouble = machine.trouble(state).await?;
        self.standstill.is_paused = false;
        if trouble != self.standstill.trouble
            && let Some(trouble) = &trouble
        {
            tracing::warn!(server = %self.id, %trouble, "the guest stands still");
        }
        self.standstill.trouble = trouble;
        Ok(match &self.standstill.trouble {
            None => Process::Running,
            Some(Trouble::Accelerator { kind: Accelerator::Kvm, .. }) => Process::Held(Held::ByKvm),
            Some(Trouble::Disk { .. }) => Process::Held(Held::ByDisk),
            Some(_) => Process::Held(Held::ForGood),
        })
    }

    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.standstill.trouble.as_ref()
    }

    /// What is said of it meanwhile.
    pub(super) fn standing_still(&self) -> MachineState {
        let cause = self.trouble().map_or_else(|| "the guest stands still".to_owned(), ToString::to_string);
        match self.trouble() {
            Some(Trouble::Disk { .. }) => MachineState::Failed { cause, transient: false, how: Failure::Held },
            _ => crashed(&cause),
        }
    }

    /// Lets a guest go on that waits for room, if it is time to try. Whether it was let go on.
    pub(super) async fn go_on(&mut self) -> Result<bool> {
        let Some(machine) = self.machine().cloned() else { return Ok(false) };
        let now = Instant::now();
        let standstill = &mut self.standstill;
        let Some(again_at) = standstill.again_at else {
            let settled = standstill.went_on_at.is_none_or(|at| now - at >= SETTLED);
            standstill.pause = if settled { FIRST_PAUSE } else { (standstill.pause * 2).min(LONGEST_PAUSE) };
            standstill.again_at = Some(now + standstill.pause);
            return Ok(false);
        };
        if now < again_at {
            return Ok(false);
        }
        // Volumes and disks lie on one file system.
        let disk = self.ledger.dir();
        let room = statvfs(disk).doing(|| format!("look for room at {}", disk.display()))?;
        if room.blocks_available() * room.fragment_size() < ROOM {
            self.standstill.again_at = Some(now + self.standstill.pause);
            return Ok(false);
        }
        tracing::info!(server = %self.id, "there is room again: the guest goes on");
        (self.standstill.again_at, self.standstill.went_on_at) = (None, Some(now));
        machine.cont().await?;
        Ok(true)
    }

    /// When to look again although nothing happens.
    pub(super) async fn time_to_try(again_at: Option<Instant>) {
        match again_at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn again_at(&self) -> Option<Instant> {
        self.trouble().and(self.standstill.again_at)
    }

    /// Ends a process that KVM failed; the next one is emulated.
    pub(super) async fn emulate(&mut self) -> Result<()> {
        let Some(machine) = self.machine().cloned() else { return Ok(()) };
        let cause = self.trouble().map_or_else(String::new, ToString::to_string);
        self.give_kvm_up(&cause).await?;
        machine.turn_off().await?;
        self.forget_process();
        Ok(())
    }

    /// Written down before the process goes, so that it is not taken for one that was lost.
    pub(super) async fn give_kvm_up(&mut self, cause: &str) -> Result<()> {
        self.recorded.emulated = Some(self.shop.host.boot_id().to_owned());
        self.recorded.running = None;
        self.keep_recorded().await?;
        self.shop.host.kvm_failed(self.id, cause).await;
        Ok(())
    }
}

/// Of a machine that ran and is not going to by itself.
pub(super) fn crashed(cause: &str) -> MachineState {
    let cause = format!("{cause}. A hard reboot starts it again.");
    MachineState::Failed { cause, transient: false, how: Failure::Crashed }
}

/// Whether QEMU could not even begin because of KVM.
pub(super) fn is_about_kvm(error: &Error) -> bool {
    const WORDS: [&str; 4] = ["KVM", "kvm_", "initialize kvm", "kvm/kvm"];
    matches!(error, Error::Qemu(qemu::Error::Died { said, .. }) if WORDS.iter().any(|word| said.contains(word)))
}
