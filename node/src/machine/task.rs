// SPDX-License-Identifier: Apache-2.0
//! The one task that owns a machine.

use std::{sync::Arc, time::Duration};

use contracts::node::{Failure, MachineDesired, MachineObserved, MachineState, Power, Role, ThingId};
use qemu::{Devices, Exit, Machine, RunState};
use tokio::{sync::watch, time::timeout};
use types::{Generation, PortId, ServerId, VolumeId};
use uuid::Uuid;
use work::crash;

use super::{
    Workshop,
    copy::{Copying, Errand},
    disks::root_of,
    held::{Standstill, crashed},
    next::{Next, Process, next},
    running::{End, Running, lost},
    troubles::Troubles,
};
use crate::{
    Result,
    error::blocking,
    ledger::{Halted, Ledger, Lost, Recorded, Wanted},
};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const NIC: &str = "NIC";
const VOLUME: &str = "volume";

pub(crate) struct Task {
    pub(super) id: Uuid,
    pub(super) server_id: ServerId,
    pub(super) shop: Arc<Workshop>,
    pub(super) ledger: Ledger,
    pub(super) recorded: Recorded,
    wanted: watch::Receiver<Wanted>,
    /// What the ledger holds.
    pub(super) kept: Option<Wanted>,
    pub(super) process: Option<Running>,
    /// How the latest process ended that was not ended here.
    ended: Option<End>,
    pub(super) standstill: Standstill,
    /// Whether a process from before our start was looked for.
    looked: bool,
    /// There was no lease when it was decided what to do.
    was_fenced: bool,
    pub(super) copying: Option<Copying>,
    pub(super) nics: Troubles<PortId>,
    pub(super) volumes: Troubles<VolumeId>,
}

/// How the loop goes on.
enum Step {
    Again,
    /// As wanted, until something happens.
    Rest,
    Gone,
}

impl Task {
    pub fn new(id: Uuid, shop: Arc<Workshop>, recorded: Recorded, wanted: watch::Receiver<Wanted>) -> Self {
        let ledger = Ledger::new(shop.host.state().machine(id));
        let server_id = ServerId::new(id.to_string());
        let (nics, volumes) = (Troubles::of(NIC), Troubles::of(VOLUME));
        let standstill = Standstill::default();
        let (kept, process, ended, copying) = (None, None, None, None);
        Self {
            id,
            server_id,
            shop,
            ledger,
            recorded,
            wanted,
            kept,
            process,
            ended,
            standstill,
            looked: false,
            was_fenced: true,
            copying,
            nics,
            volumes,
        }
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
                    self.report(MachineState::Failed { cause: error.chain(), transient, how: Failure::Unmade });
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
        let boot_id = self.shop.host.boot_id().to_owned();
        self.was_fenced = self.shop.lease.is_over();
        let step = next(&wanted, &self.recorded, process, &boot_id, self.was_fenced);
        let Wanted::Machine(machine) = wanted else {
            self.end_copying_but(None).await;
            self.release().await?;
            return Ok(Step::Gone);
        };
        // A copy is of a disk that stays what it is.
        let errand = if step.is_rest() { Errand::of(&machine) } else { None };
        self.end_copying_but(errand.as_ref()).await;
        self.tidy_copying().await?;
        if step != Next::Receive {
            self.drop_arriving().await?;
        }
        match step {
            // Only a machine that shall be gone is released.
            Next::Release => return Ok(Step::Again),
            Next::Start => self.start(&machine).await?,
            Next::Continue => self.unleash(&machine).await?,
            Next::StartAnew => self.end_unrecorded().await?,
            Next::Stop => self.stop().await?,
            Next::Reboot(kind) => self.reboot(kind).await?,
            Next::Emulate => self.emulate().await?,
            Next::NoteHalt => self.note_halt(boot_id).await?,
            Next::Pause => self.pause().await?,
            Next::Unpause => self.unpause().await?,
            Next::AwaitLease => {
                self.report(MachineState::Preparing { step: "lease".into() });
                return Ok(Step::Rest);
            }
            Next::Receive => {
                let Role::Receive { ticket } = &machine.role else { return Ok(Step::Again) };
                self.receive(&machine, ticket).await?;
                return Ok(Step::Rest);
            }
            Next::Send => {
                self.unwire().await?;
                self.close_volumes().await?;
                self.check_that_it_is_not_missing(root_of(&machine)?)?;
                self.begin_copying(&machine);
                let state = self.sending(&machine).await?;
                self.report(state);
                return Ok(Step::Rest);
            }
            Next::StayHalted | Next::RestStopped => {
                // Its ports are down while it is; after a host's restart there is nothing to remove.
                self.unwire().await?;
                self.close_volumes().await?;
                if let Some(root) = machine.root() {
                    self.check_that_it_is_not_missing(root)?;
                }
                if machine.role == Role::Run && self.copying.is_none() {
                    self.tend_disks(&machine).await?;
                }
                self.begin_copying(&machine);
                let lost = self.recorded.halted.as_ref().and_then(|halted| halted.lost.as_ref());
                self.report(match lost.filter(|_| step == Next::StayHalted) {
                    Some(lost) => crashed(&lost.cause),
                    None => MachineState::Stopped,
                });
                return Ok(Step::Rest);
            }
            Next::GoOn | Next::StayHeld => {
                // A guest that waits for a volume of another host waits for this.
                self.keep_bridges(&machine)?;
                self.begin_copying(&machine);
                if step == Next::GoOn && self.go_on().await? {
                    return Ok(Step::Again);
                }
                self.report(self.standing_still());
                return Ok(Step::Rest);
            }
            Next::RestRunning | Next::RestPaused => {
                // An adopted machine may have been let go just before we could note it.
                if self.recorded.running.as_ref() != Some(&boot_id) {
                    self.note_running(machine.reboots, &boot_id).await?;
                }
                self.tend_nics(&machine).await?;
                self.tend_volumes(&machine).await?;
                if machine.kept.is_none() {
                    self.drop_kept().await?;
                }
                self.begin_copying(&machine);
                self.report(if step == Next::RestRunning { MachineState::Running } else { MachineState::Paused });
                return Ok(Step::Rest);
            }
        }
        Ok(Step::Again)
    }

    /// Waits for whatever may change things. None when the agent ends.
    async fn rest(&mut self) -> Option<()> {
        let halted_unknown = self.recorded.halted.as_ref().is_some_and(|halted| halted.known_at.is_none());
        let machine = self.machine().cloned();
        let again_at = self.again_at().into_iter().chain(self.nics.again_at()).chain(self.volumes.again_at()).min();
        let is_exclusive = matches!(&self.kept, Some(Wanted::Machine(machine)) if machine.exclusive);
        let (lease, was_fenced) = (self.shop.lease.clone(), self.was_fenced);
        let thing = ThingId::machine(&self.server_id);
        tokio::select! {
            // First that the controller knows of a halt, then what it wants knowing it.
            biased;
            () = self.shop.board.known(&thing), if halted_unknown => {
                let known_at = Some(self.wanted_generation());
                self.recorded.halted = self.recorded.halted.take().map(|halted| Halted { known_at, ..halted });
                if let Err(error) = self.keep_recorded().await {
                    tracing::warn!(server = %self.id, error = error.chain(), "the halt is not written down");
                }
            }
            exit = exited(machine.as_ref()) => self.note_exit(&exit),
            () = told(self.process.as_mut()) => {}
            () = Self::time_to_try(again_at) => {}
            () = advanced(self.copying.as_mut()) => {}
            () = lease.changed(was_fenced), if is_exclusive => {}
            changed = self.wanted.changed() => return changed.ok(),
        }
        Some(())
    }

    /// Writes down what is wanted before anything is done about it, and at first who the machine runs as. A directory without
    /// both was never acted on.
    async fn keep(&mut self, wanted: &Wanted) -> Result<()> {
        if self.kept.as_ref() == Some(wanted) {
            return Ok(());
        }
        let first = self.kept.is_none();
        // With the first word of a machine that is new, its ports are written down, too: to do so later is another write.
        if let (true, None, Wanted::Machine(machine)) = (first, &self.recorded.root, wanted)
            && machine.role == Role::Run
            && machine.power != Power::Stopped
        {
            // What is wrong with them is said by whoever starts it.
            let _ = self.note_ports(machine);
        }
        let (ledger, recorded, kept) = (self.ledger.clone(), self.recorded.clone(), wanted.clone());
        let other = ledger.clone();
        let wanted_is_kept = blocking(move || ledger.keep_wanted(&kept));
        let recorded_is_kept = blocking(move || if first { other.keep_recorded(&recorded) } else { Ok(()) });
        let (wanted_is_kept, recorded_is_kept) = tokio::join!(wanted_is_kept, recorded_is_kept);
        wanted_is_kept.and(recorded_is_kept)?;
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
                self.hold(machine, None);
                self.hold_volumes().await?;
            }
            self.looked = true;
        }
        let Some(machine) = self.machine().cloned() else { return Ok(Process::None) };
        tokio::select! {
            biased;
            exit = machine.exited() => {
                self.note_exit(&exit.map_err(Into::into));
                Ok(Process::None)
            }
            state = machine.run_state() => match state {
                Ok(RunState::Prelaunch) => Ok(Process::Fresh),
                Ok(RunState::Paused) => {
                    self.standstill = Standstill::of_a_paused_one();
                    Ok(Process::Paused)
                }
                Ok(state) => self.condition(&machine, state).await,
                // Its socket closes just before it ends.
                Err(qemu::Error::Closed) => {
                    let exit = machine.exited().await;
                    self.note_exit(&exit.map_err(Into::into));
                    Ok(Process::None)
                }
                Err(error) => Err(error.into()),
            }
        }
    }

    pub(super) fn hold(&mut self, machine: Machine, devices: Option<Devices>) {
        self.process = Some(Running::new(machine, devices));
        (self.nics, self.volumes) = (Troubles::of(NIC), Troubles::of(VOLUME));
        self.ended = None;
    }

    pub(super) fn machine(&self) -> Option<&Machine> {
        self.process.as_ref().map(|running| &running.machine)
    }

    /// It is gone, by our own doing.
    pub(super) fn forget_process(&mut self) {
        self.process = None;
        self.standstill = Standstill::default();
    }

    fn note_exit(&mut self, exit: &Result<Exit>) {
        self.ended = self.process.take().map(|running| running.end(exit));
        self.standstill = Standstill::default();
    }

    /// It ran, and is there no more.
    async fn note_halt(&mut self, boot_id: String) -> Result<()> {
        let unseen = || match self.ledger.run_dir().tells_of_force() {
            true => End::Lost(lost("while nobody was there to see how")),
            false => End::SwitchedOff,
        };
        let lost = match self.ended.take().unwrap_or_else(unseen) {
            End::SwitchedOff => None,
            End::Lost(cause) => Some(Lost { cause, boot_id }),
        };
        self.recorded.running = None;
        self.recorded.halted = Some(Halted { known_at: None, lost });
        self.keep_recorded().await
    }

    /// Lets the guest of a fresh process run.
    async fn unleash(&mut self, desired: &MachineDesired) -> Result<()> {
        let Some(machine) = self.machine().cloned() else { return Ok(()) };
        self.wire(desired).await?;
        crash::point("node.machine.wired");
        machine.cont().await?;
        self.has_begun(desired.reboots).await
    }

    /// Its guest runs.
    pub(super) async fn has_begun(&mut self, reboots: u32) -> Result<()> {
        crash::point("node.machine.running");
        // Said before it is written down: what a crash forgets is found again by looking.
        self.report(MachineState::Running);
        let boot_id = self.shop.host.boot_id().to_owned();
        self.note_running(reboots, &boot_id).await
    }

    async fn note_running(&mut self, reboots: u32, boot_id: &str) -> Result<()> {
        self.recorded.running = Some(boot_id.to_owned());
        self.recorded.halted = None;
        self.recorded.reboots = self.recorded.reboots.max(reboots);
        self.keep_recorded().await
    }

    /// Everything of the machine, outermost first, its directory last.
    async fn release(&mut self) -> Result<()> {
        self.forget_process();
        self.looked = true;
        Machine::ensure_gone(self.id, &self.ledger.run_dir()).await?;
        crash::point("node.machine.killed");
        self.unwire().await?;
        self.close_volumes().await?;
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

    /// Something newer is wanted than what is being done, or the agent ends.
    pub(super) fn has_changed(&self) -> bool {
        self.wanted.has_changed().unwrap_or(true)
    }

    pub(super) fn report(&self, state: MachineState) {
        self.shop.board.write(self.observed(state));
    }

    pub(super) fn observed(&self, state: MachineState) -> MachineObserved {
        let devices = match &self.kept {
            Some(Wanted::Machine(machine)) if state != MachineState::Gone => self.found(machine, &state),
            _ => Vec::new(),
        };
        MachineObserved {
            server_id: self.server_id.clone(),
            generation: self.wanted_generation(),
            reboots: self.recorded.reboots,
            state,
            snapshot: self.copying.as_ref().and_then(Copying::observed),
            devices,
        }
    }

    /// The latest generation that the task acted on.
    fn wanted_generation(&self) -> Generation {
        match &self.kept {
            Some(Wanted::Machine(machine)) => machine.generation,
            _ => Generation::default(),
        }
    }
}

async fn exited(machine: Option<&Machine>) -> Result<Exit> {
    match machine {
        Some(machine) => Ok(machine.exited().await?),
        None => std::future::pending().await,
    }
}

async fn told(process: Option<&mut Running>) {
    match process {
        Some(running) => running.told().await,
        None => std::future::pending().await,
    }
}

async fn advanced(copying: Option<&mut Copying>) {
    match copying {
        Some(copying) => copying.advanced().await,
        None => std::future::pending().await,
    }
}
