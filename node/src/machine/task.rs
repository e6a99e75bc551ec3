// SPDX-License-Identifier: Apache-2.0
//! The one task that owns a machine.

use std::{sync::Arc, time::Duration};

use contracts::node::{MachineDesired, MachineObserved, MachineState, RebootKind};
use qemu::{Event, Exit, Machine, RunState};
use tokio::{
    sync::{broadcast, watch},
    time::{Instant, timeout},
};
use types::{Generation, ServerId};
use uuid::Uuid;
use work::crash;

use super::{
    Ledger, Recorded, Wanted,
    ledger::Halted,
    next::{Next, Process, next},
    snapshot::Copying,
};
use crate::{Result, error::blocking, host::Host};

const PRESS_EVERY: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

pub(crate) struct Task {
    pub(super) id: Uuid,
    pub(super) server_id: ServerId,
    pub(super) host: Arc<Host>,
    pub(super) ledger: Ledger,
    pub(super) recorded: Recorded,
    wanted: watch::Receiver<Wanted>,
    /// What the ledger holds.
    kept: Option<Wanted>,
    process: Option<Running>,
    /// Whether a process from before our start was looked for.
    looked: bool,
    pub(super) copying: Option<Copying>,
}

/// The machine's process and what it said.
pub(super) struct Running {
    pub machine: Machine,
    events: broadcast::Receiver<Event>,
}

/// How the loop goes on.
enum Step {
    Again,
    /// As wanted, until something happens.
    Rest,
    Gone,
}

impl Task {
    pub fn new(id: Uuid, host: Arc<Host>, recorded: Recorded, wanted: watch::Receiver<Wanted>) -> Self {
        let ledger = Ledger::new(host.state().machine(id));
        let server_id = ServerId::new(id.to_string());
        Self { id, server_id, host, ledger, recorded, wanted, kept: None, process: None, looked: false, copying: None }
    }

    /// Runs until the machine is gone and `retire`, which decides it under the registry's lock, says that nobody
    /// wants it again.
    pub async fn run(mut self, retire: impl Fn() -> bool) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.step().await {
                Ok(Step::Again) => pause = FIRST_PAUSE,
                Ok(Step::Rest) => {
                    pause = FIRST_PAUSE;
                    if self.rest().await.is_none() {
                        return;
                    }
                }
                Ok(Step::Gone) => {
                    self.report(MachineState::Gone);
                    if retire() {
                        return;
                    }
                    self.begin_anew();
                }
                Err(error) => {
                    let transient = error.is_transient();
                    tracing::warn!(server = %self.id, error = error.chain(), transient, "the machine is not as desired");
                    self.report(MachineState::Failed { cause: error.chain(), transient });
                    let longest = if transient { pause } else { Duration::MAX };
                    if let Ok(Err(_)) = timeout(longest, self.wanted.changed()).await {
                        return;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Step> {
        let wanted = self.wanted.borrow_and_update().clone();
        self.keep(&wanted).await?;
        let process = self.look().await?;
        let boot_id = self.host.boot_id().to_owned();
        let step = next(&wanted, &self.recorded, process, &boot_id);
        let rests = matches!(step, Next::RestRunning | Next::RestStopped | Next::StayHalted);
        // A copy is of a disk that stays what it is: in use by this very process, or by none.
        let snapshot = if rests { wanted.snapshot().cloned() } else { None };
        self.end_copying_but(snapshot.as_ref()).await;
        let Wanted::Machine(machine) = wanted else {
            self.release().await?;
            return Ok(Step::Gone);
        };
        self.tidy_copying().await?;
        match step {
            Next::Release => unreachable!("only a machine that shall be gone is released"),
            Next::Start => self.start(&machine).await?,
            Next::Continue => self.unleash(&machine, &boot_id).await?,
            Next::Stop => self.stop().await?,
            Next::Reboot(kind) => self.reboot(kind).await?,
            Next::NoteHalt => {
                self.recorded.running = None;
                self.recorded.halted = Some(Halted { known_at: None });
                self.keep_recorded().await?;
            }
            Next::StayHalted | Next::RestStopped => {
                // Its ports are down while it is; after a host's restart there is nothing to remove.
                self.unwire().await?;
                self.begin_copying(&machine);
                self.report(MachineState::Stopped);
                return Ok(Step::Rest);
            }
            Next::RestRunning => {
                // An adopted machine may have been let go just before we could note it.
                if self.recorded.running.as_ref() != Some(&boot_id) {
                    self.note_running(machine.reboots, &boot_id).await?;
                }
                self.begin_copying(&machine);
                self.report(MachineState::Running);
                return Ok(Step::Rest);
            }
        }
        Ok(Step::Again)
    }

    /// Waits for whatever may change things. None when the agent ends.
    async fn rest(&mut self) -> Option<()> {
        let halted_unknown = self.recorded.halted.is_some_and(|halted| halted.known_at.is_none());
        tokio::select! {
            // First that the controller knows of a halt, then what it wants knowing it.
            biased;
            () = self.host.board().known(&self.server_id), if halted_unknown => {
                self.recorded.halted = Some(Halted { known_at: Some(self.wanted_generation()) });
                if let Err(error) = self.keep_recorded().await {
                    tracing::warn!(server = %self.id, error = error.chain(), "the halt is not written down");
                }
            }
            exit = exited(self.process.as_ref()) => self.note_exit(exit),
            () = advanced(self.copying.as_mut()) => {}
            changed = self.wanted.changed() => return changed.ok(),
        }
        Some(())
    }

    /// Writes down what is wanted before anything is done about it. Who the machine runs as comes first, because
    /// a directory without it was never acted on.
    async fn keep(&mut self, wanted: &Wanted) -> Result<()> {
        if self.kept.as_ref() == Some(wanted) {
            return Ok(());
        }
        let (ledger, recorded, kept) = (self.ledger.clone(), self.recorded.clone(), wanted.clone());
        let first = self.kept.is_none();
        blocking(move || {
            if first {
                ledger.keep_recorded(&recorded)?;
            }
            ledger.keep_wanted(&kept)
        })
        .await?;
        self.kept = Some(wanted.clone());
        crash::point("node.machine.kept");
        Ok(())
    }

    pub(super) async fn keep_recorded(&self) -> Result<()> {
        let (ledger, recorded) = (self.ledger.clone(), self.recorded.clone());
        blocking(move || ledger.keep_recorded(&recorded)).await
    }

    /// The machine's process as it is now, adopted if it is from before our start.
    async fn look(&mut self) -> Result<Process> {
        if !self.looked {
            if let Some(machine) = Machine::adopt(self.id, &self.ledger.run_dir()).await? {
                tracing::info!(server = %self.id, pid = machine.pid(), "adopted the machine's process");
                self.hold(machine);
            }
            self.looked = true;
        }
        let Some(running) = &self.process else { return Ok(Process::None) };
        tokio::select! {
            biased;
            exit = running.machine.exited() => {
                self.note_exit(exit.map_err(Into::into));
                Ok(Process::None)
            }
            state = running.machine.run_state() => match state {
                Ok(RunState::Prelaunch) => Ok(Process::Paused),
                Ok(_) => Ok(Process::Running),
                // Its socket closes just before it ends.
                Err(qemu::Error::Closed) => {
                    let exit = running.machine.exited().await;
                    self.note_exit(exit.map_err(Into::into));
                    Ok(Process::None)
                }
                Err(error) => Err(error.into()),
            }
        }
    }

    pub(super) fn hold(&mut self, machine: Machine) {
        self.process = Some(Running { events: machine.events(), machine });
    }

    pub(super) fn machine(&self) -> Option<&Machine> {
        self.process.as_ref().map(|running| &running.machine)
    }

    fn note_exit(&mut self, exit: Result<Exit>) {
        let Some(mut running) = self.process.take() else { return };
        let mut by_guest = false;
        while let Ok(event) = running.events.try_recv() {
            by_guest |= matches!(event, Event::Shutdown { by_guest: true, .. });
        }
        match exit {
            _ if by_guest => tracing::info!(server = %self.id, "the guest powered itself off"),
            Ok(exit) => tracing::warn!(server = %self.id, %exit, "the machine's process ended"),
            Err(error) => tracing::warn!(server = %self.id, error = error.chain(), "the machine's process ended"),
        }
    }

    async fn stop(&mut self) -> Result<()> {
        let grace = self.host.config().stop_grace();
        if let Some(machine) = self.machine().cloned() {
            crash::point("node.machine.stopping");
            // Something newer may be wanted before the guest is done; it is looked at then.
            if self.unless_changed(power_off(&machine, grace)).await.transpose()?.is_none() {
                return Ok(());
            }
            self.process = None;
            crash::point("node.machine.stopped");
        }
        self.recorded.running = None;
        self.recorded.halted = None;
        if let Some(Wanted::Machine(machine)) = &self.kept {
            self.recorded.reboots = machine.reboots;
        }
        self.keep_recorded().await
    }

    /// Ends the process; that the count of reboots is behind then starts it again.
    async fn reboot(&mut self, kind: RebootKind) -> Result<()> {
        let Some(machine) = self.machine().cloned() else { return Ok(()) };
        if self.recorded.running.take().is_some() {
            self.keep_recorded().await?;
        }
        crash::point("node.machine.rebooting");
        match kind {
            RebootKind::Hard => drop(machine.turn_off().await?),
            RebootKind::Soft => {
                let grace = self.host.config().stop_grace();
                if self.unless_changed(power_off(&machine, grace)).await.transpose()?.is_none() {
                    return Ok(());
                }
            }
        }
        self.process = None;
        Ok(())
    }

    /// Lets the guest of a paused process run.
    async fn unleash(&mut self, desired: &MachineDesired, boot_id: &str) -> Result<()> {
        let Some(machine) = self.machine().cloned() else { return Ok(()) };
        self.report(MachineState::Preparing { step: "ports".into() });
        self.wire(desired).await?;
        crash::point("node.machine.wired");
        machine.cont().await?;
        crash::point("node.machine.running");
        // Said before it is written down: what a crash forgets is found again by looking.
        self.report(MachineState::Running);
        self.note_running(desired.reboots, boot_id).await
    }

    async fn note_running(&mut self, reboots: u32, boot_id: &str) -> Result<()> {
        self.recorded.running = Some(boot_id.to_owned());
        self.recorded.halted = None;
        self.recorded.reboots = self.recorded.reboots.max(reboots);
        self.keep_recorded().await
    }

    /// Everything of the machine, outermost first, its directory last.
    async fn release(&mut self) -> Result<()> {
        self.process = None;
        self.looked = true;
        Machine::ensure_gone(self.id, &self.ledger.run_dir()).await?;
        crash::point("node.machine.killed");
        self.unwire().await?;
        crash::point("node.machine.unwired");
        let ledger = self.ledger.clone();
        blocking(move || ledger.remove()).await?;
        crash::point("node.machine.removed");
        Ok(())
    }

    /// The machine is wanted again after it was gone.
    fn begin_anew(&mut self) {
        self.recorded = Recorded::new(self.recorded.uid, 0);
        self.kept = None;
        if let Wanted::Machine(machine) = &*self.wanted.borrow() {
            self.recorded.reboots = machine.reboots;
        }
    }

    /// The outcome, unless what is wanted changes first.
    pub(super) async fn unless_changed<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut wanted = self.wanted.clone();
        tokio::select! {
            biased;
            outcome = work => Some(outcome),
            _ = wanted.changed() => None,
        }
    }

    pub(super) fn report(&self, state: MachineState) {
        self.host.board().write(MachineObserved {
            server_id: self.server_id.clone(),
            generation: self.wanted_generation(),
            reboots: self.recorded.reboots,
            state,
            snapshot: self.copying.as_ref().map(Copying::observed),
        });
    }

    /// The latest generation that the task acted on.
    fn wanted_generation(&self) -> Generation {
        match &self.kept {
            Some(Wanted::Machine(machine)) => machine.generation,
            _ => Generation::default(),
        }
    }
}

/// Presses the power button, again and again as a guest that is still booting does not hear it, and turns the machine
/// off when its time is over.
async fn power_off(machine: &Machine, grace: Duration) -> Result<Exit> {
    let over = Instant::now() + grace;
    loop {
        let left = over.saturating_duration_since(Instant::now());
        if left <= PRESS_EVERY {
            return Ok(machine.stop_within(left).await?);
        }
        if machine.qmp().system_powerdown().await.is_err() {
            return Ok(machine.turn_off().await?);
        }
        if let Ok(exit) = timeout(PRESS_EVERY, machine.exited()).await {
            return Ok(exit?);
        }
    }
}

async fn exited(process: Option<&Running>) -> Result<Exit> {
    match process {
        Some(running) => Ok(running.machine.exited().await?),
        None => std::future::pending().await,
    }
}

async fn advanced(copying: Option<&mut Copying>) {
    match copying {
        Some(copying) => copying.advanced().await,
        None => std::future::pending().await,
    }
}
