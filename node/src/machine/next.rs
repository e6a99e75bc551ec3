// SPDX-License-Identifier: Apache-2.0
//! What to do next with a machine: a pure function of what is wanted, what was done and what is there.

use contracts::node::{MachineDesired, Power, RebootKind, Role};

use crate::ledger::{Recorded, Wanted};

/// The machine's process, as found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    None,
    /// Started, but its guest has not run yet.
    Fresh,
    Running,
    /// Its guest is held still by us.
    Paused,
    /// QEMU does not let its guest run on.
    Held(Held),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// KVM cannot run it on; the emulator can.
    ByKvm,
    /// A disk has no room, or fails, for now.
    ByDisk,
    ForGood,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Release,
    /// From nothing to a process whose guest has not run.
    Start,
    /// Wire what is not wired yet and let the guest run.
    Continue,
    /// Its start was cut short before its disk was on record: the next start would make another.
    StartAnew,
    /// Hold the guest still.
    Pause,
    /// Let a guest go on that we hold.
    Unpause,
    Stop,
    Reboot(RebootKind),
    /// It ran, nobody stopped it, and it is not there any more.
    NoteHalt,
    /// A halted machine stays halted until something newer is wanted.
    StayHalted,
    /// Start it anew, without KVM.
    Emulate,
    /// Its guest may be let go on.
    GoOn,
    /// Its guest stands still until somebody decides.
    StayHeld,
    /// Take its disk from another node.
    Receive,
    /// Offer its disk to another node.
    Send,
    /// Nothing is begun without a lease.
    AwaitLease,
    RestRunning,
    RestPaused,
    RestStopped,
}

impl Next {
    /// The disk stays what it is: in use by this very process, or by none.
    pub fn is_rest(self) -> bool {
        use Next::{GoOn, RestPaused, RestRunning, RestStopped, Send, StayHalted, StayHeld};
        matches!(self, RestRunning | RestPaused | RestStopped | StayHalted | StayHeld | GoOn | Send)
    }
}

/// `is_fenced` says that what must not run in two places must not run here now.
pub(crate) fn next(wanted: &Wanted, done: &Recorded, process: Process, boot_id: &str, is_fenced: bool) -> Next {
    let Wanted::Machine(machine) = wanted else { return Next::Release };
    let power = match &machine.role {
        Role::Run => machine.power,
        // With another role it does not run, whatever its power is meant to be elsewhere.
        Role::Receive { .. } | Role::Send { .. } | Role::KeepDisk => Power::Stopped,
    };
    let is_fenced = is_fenced && machine.exclusive;
    let is_rebooted = machine.reboots > done.reboots;
    match (power, process) {
        (Power::Stopped, Process::None) => match &machine.role {
            Role::Receive { .. } => Next::Receive,
            Role::Send { .. } => Next::Send,
            Role::KeepDisk | Role::Run => Next::RestStopped,
        },
        (Power::Stopped, _) => Next::Stop,
        (_, Process::Running) if is_fenced => Next::Pause,
        (_, Process::Paused | Process::Held(_)) if is_fenced => Next::RestPaused,
        (_, Process::Fresh) if !has_its_disk_on_record(machine, done) => Next::StartAnew,
        (_, Process::Fresh) if is_fenced => Next::AwaitLease,
        (_, Process::Fresh) => Next::Continue,
        (_, Process::Running | Process::Paused | Process::Held(_)) if is_rebooted => Next::Reboot(machine.reboot),
        (Power::Paused, Process::Running) => Next::Pause,
        (Power::Paused, Process::Paused) => Next::RestPaused,
        (Power::Running, Process::Paused) => Next::Unpause,
        (_, Process::Held(Held::ByKvm)) => Next::Emulate,
        (Power::Running, Process::Held(Held::ByDisk)) => Next::GoOn,
        (_, Process::Held(_)) => Next::StayHeld,
        (Power::Running, Process::Running) => Next::RestRunning,
        (_, Process::None) => match without_a_process(machine, done, boot_id, is_rebooted) {
            Next::Start if is_fenced => Next::AwaitLease,
            next => next,
        },
    }
}

fn has_its_disk_on_record(machine: &MachineDesired, done: &Recorded) -> bool {
    machine.root().is_none_or(|root| done.has_root(root))
}

fn without_a_process(machine: &MachineDesired, done: &Recorded, boot_id: &str, is_rebooted: bool) -> Next {
    if is_rebooted {
        return Next::Start;
    }
    match (&done.running, &done.halted) {
        // A process that ended with its host is no halt: the machine comes up again with it. What was in the memory of one that
        // was held still is lost, however: that is for its owner to know, before it runs.
        (Some(_), _) if machine.power == Power::Paused => Next::NoteHalt,
        (Some(boot), _) if boot == boot_id => Next::NoteHalt,
        // What was lost, perhaps with the host itself, comes up with it again.
        (_, Some(halted)) if halted.lost.as_ref().is_some_and(|lost| lost.boot_id != boot_id) => Next::Start,
        (_, Some(halted)) if halted.known_at.is_none_or(|known_at| machine.generation <= known_at) => Next::StayHalted,
        _ => Next::Start,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ledger::{Halted, Lost};
    use contracts::node::Ticket;
    use types::Generation;

    const BOOT: &str = "this boot";

    fn wanted(power: Power, generation: i64, reboots: u32) -> Wanted {
        let json = serde_json::json!({
            "server_id": "s", "generation": generation, "project_id": "p", "power": power, "reboots": reboots,
            "reboot": "soft", "vcpus": 1, "memory_mb": 1,
            "devices": [{ "device": "root", "image_id": "i", "sha512": "", "format": "raw", "image_size": 0, "size": 0 }],
            "metadata": {
                "hostname": "", "name": "", "availability_zone": "", "launch_index": 0, "flavor": "", "public_keys": {},
                "meta": {}, "user_data": null, "admin_password": null, "floating_ips": [], "reservation_id": "",
                "security_groups": [],
            },
        });
        Wanted::Machine(Box::new(serde_json::from_value::<MachineDesired>(json).unwrap()))
    }

    fn done(running: Option<&str>, halted: Option<Halted>) -> Recorded {
        let Wanted::Machine(machine) = wanted(Power::Running, 5, 0) else { unreachable!() };
        Recorded { running: running.map(str::to_owned), halted, root: machine.root().cloned(), ..Recorded::new(1, 0) }
    }

    fn in_role(role: Role) -> Wanted {
        let Wanted::Machine(machine) = wanted(Power::Running, 5, 0) else { unreachable!() };
        Wanted::Machine(Box::new(MachineDesired { role, ..*machine }))
    }

    #[test]
    fn what_is_exclusive_stands_still_without_a_lease_and_goes_on_with_one() {
        let Wanted::Machine(run) = wanted(Power::Running, 5, 0) else { unreachable!() };
        let run = Wanted::Machine(Box::new(MachineDesired { exclusive: true, ..*run }));
        let ran = done(Some(BOOT), None);
        let cases = [
            (Process::None, &done(None, None), Next::AwaitLease, Next::Start),
            (Process::Fresh, &ran, Next::AwaitLease, Next::Continue),
            (Process::Running, &ran, Next::Pause, Next::RestRunning),
            (Process::Paused, &ran, Next::RestPaused, Next::Unpause),
            (Process::Held(Held::ByDisk), &ran, Next::RestPaused, Next::GoOn),
        ];
        for (process, done, without, with) in cases {
            assert_eq!(next(&run, done, process, BOOT, true), without, "{process:?}");
            assert_eq!(next(&run, done, process, BOOT, false), with, "{process:?}");
        }
        assert_eq!(next(&Wanted::Gone, &ran, Process::Running, BOOT, true), Next::Release);
    }

    #[test]
    fn every_pair_of_wish_and_finding_has_its_step() {
        use Process::{Fresh, None as Absent, Paused, Running};
        let run = wanted(Power::Running, 5, 0);
        let stop = wanted(Power::Stopped, 5, 0);
        let reboot = wanted(Power::Running, 5, 1);
        let pause = wanted(Power::Paused, 5, 0);
        let ticket = || Ticket::new("by this".into());
        let send = in_role(Role::Send { ticket: ticket() });
        let receive = in_role(Role::Receive { ticket: ticket() });
        let keep = in_role(Role::KeepDisk);
        let at = |generation| Some(Halted { known_at: Some(Generation(generation)), lost: None });
        let unknown = Some(Halted { known_at: None, lost: None });
        let lost = |boot: &str| {
            let lost = Lost { cause: "killed".into(), boot_id: boot.into() };
            Some(Halted { known_at: Some(Generation(5)), lost: Some(lost) })
        };
        let held = Process::Held;
        let cases = [
            // Wanted running.
            (&run, done(None, None), Absent, Next::Start),
            (&run, done(None, None), Fresh, Next::Continue),
            (&run, Recorded::new(1, 0), Fresh, Next::StartAnew),
            (&run, done(Some(BOOT), None), Paused, Next::Unpause),
            (&run, done(None, None), Running, Next::RestRunning),
            (&run, done(Some(BOOT), None), Running, Next::RestRunning),
            (&run, done(Some(BOOT), None), Absent, Next::NoteHalt),
            (&run, done(Some("the boot before"), None), Absent, Next::Start),
            // It halted: whatever the controller wants without knowing so is no wish to start it again.
            (&run, done(None, unknown.clone()), Absent, Next::StayHalted),
            (&run, done(None, at(5)), Absent, Next::StayHalted),
            (&run, done(None, at(4)), Absent, Next::Start),
            (&run, done(None, lost(BOOT)), Absent, Next::StayHalted),
            (&run, done(None, lost("the boot before")), Absent, Next::Start),
            // QEMU does not let it run on.
            (&run, done(Some(BOOT), None), held(Held::ByKvm), Next::Emulate),
            (&run, done(Some(BOOT), None), held(Held::ByDisk), Next::GoOn),
            (&run, done(Some(BOOT), None), held(Held::ForGood), Next::StayHeld),
            (&reboot, done(Some(BOOT), None), held(Held::ForGood), Next::Reboot(RebootKind::Soft)),
            (&stop, done(Some(BOOT), None), held(Held::ByKvm), Next::Stop),
            // Wanted stopped.
            (&stop, done(None, None), Absent, Next::RestStopped),
            (&stop, done(Some(BOOT), None), Absent, Next::RestStopped),
            (&stop, done(None, unknown.clone()), Absent, Next::RestStopped),
            (&stop, done(Some(BOOT), None), Running, Next::Stop),
            (&stop, done(None, None), Fresh, Next::Stop),
            (&stop, done(Some(BOOT), None), Paused, Next::Stop),
            // Wanted rebooted.
            (&reboot, done(Some(BOOT), None), Running, Next::Reboot(RebootKind::Soft)),
            (&reboot, done(None, None), Absent, Next::Start),
            (&reboot, done(None, None), Fresh, Next::Continue),
            (&reboot, done(Some(BOOT), None), Paused, Next::Reboot(RebootKind::Soft)),
            (&reboot, done(None, unknown.clone()), Absent, Next::Start),
            // Wanted held still.
            (&pause, done(None, None), Absent, Next::Start),
            (&pause, done(None, None), Fresh, Next::Continue),
            (&pause, done(Some(BOOT), None), Running, Next::Pause),
            (&pause, done(Some(BOOT), None), Paused, Next::RestPaused),
            (&pause, done(Some(BOOT), None), held(Held::ByDisk), Next::StayHeld),
            // What was in its memory is lost.
            (&pause, done(Some(BOOT), None), Absent, Next::NoteHalt),
            (&pause, done(Some("the boot before"), None), Absent, Next::NoteHalt),
            // On its way to another node, or from one.
            (&send, done(Some(BOOT), None), Running, Next::Stop),
            (&send, done(None, None), Absent, Next::Send),
            (&receive, done(None, None), Absent, Next::Receive),
            (&keep, done(Some(BOOT), None), Paused, Next::Stop),
            (&keep, done(None, None), Absent, Next::RestStopped),
            // Wanted gone.
            (&Wanted::Gone, done(None, None), Absent, Next::Release),
            (&Wanted::Gone, done(Some(BOOT), unknown), Running, Next::Release),
            (&Wanted::Gone, done(Some(BOOT), None), held(Held::ByDisk), Next::Release),
        ];
        for (wanted, done, process, expected) in cases {
            assert_eq!(next(wanted, &done, process, BOOT, true), expected, "{wanted:?}, {done:?}, {process:?}");
        }
    }
}
