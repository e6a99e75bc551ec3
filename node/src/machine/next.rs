// SPDX-License-Identifier: Apache-2.0
//! What to do next with a machine: a pure function of what is wanted, what was done and what is there.

use contracts::node::{Power, RebootKind};

use crate::ledger::{Recorded, Wanted};

/// The machine's process, as found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    None,
    /// Started, but its guest has not run yet.
    Paused,
    Running,
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
    /// Start it anew, without KVM.
    Emulate,
    /// Its guest may be let go on.
    GoOn,
    /// Its guest stands still until somebody decides.
    StayHeld,
    RestRunning,
    RestStopped,
}

pub(crate) fn next(wanted: &Wanted, done: &Recorded, process: Process, boot_id: &str) -> Next {
    let Wanted::Machine(machine) = wanted else { return Next::Release };
    match (machine.power, process) {
        (Power::Stopped, Process::None) => Next::RestStopped,
        (Power::Stopped, _) => Next::Stop,
        (Power::Running | Power::Paused, Process::Paused) => Next::Continue,
        (Power::Running | Power::Paused, Process::Running | Process::Held(_)) if machine.reboots > done.reboots => {
            Next::Reboot(machine.reboot)
        }
        (Power::Running | Power::Paused, Process::Held(Held::ByKvm)) => Next::Emulate,
        (Power::Running | Power::Paused, Process::Held(Held::ByDisk)) => Next::GoOn,
        (Power::Running | Power::Paused, Process::Held(Held::ForGood)) => Next::StayHeld,
        (Power::Running | Power::Paused, Process::Running) => Next::RestRunning,
        (Power::Running | Power::Paused, Process::None) if machine.reboots > done.reboots => Next::Start,
        // A process that ended with its host is no halt: the machine comes up again with it.
        (Power::Running | Power::Paused, Process::None) if done.running.as_deref() == Some(boot_id) => Next::NoteHalt,
        (Power::Running | Power::Paused, Process::None) => match &done.halted {
            // What was lost, perhaps with the host itself, comes up with it again.
            Some(halted) if halted.lost.as_ref().is_some_and(|lost| lost.boot_id != boot_id) => Next::Start,
            Some(halted) if halted.known_at.is_none_or(|known_at| machine.generation <= known_at) => Next::StayHalted,
            _ => Next::Start,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ledger::{Halted, Lost};
    use contracts::node::MachineDesired;
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
        Recorded { running: running.map(str::to_owned), halted, ..Recorded::new(1, 0) }
    }

    #[test]
    fn every_pair_of_wish_and_finding_has_its_step() {
        use Process::{None as Absent, Paused, Running};
        let run = wanted(Power::Running, 5, 0);
        let stop = wanted(Power::Stopped, 5, 0);
        let reboot = wanted(Power::Running, 5, 1);
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
            (&run, done(None, None), Paused, Next::Continue),
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
            (&stop, done(None, None), Paused, Next::Stop),
            // Wanted rebooted.
            (&reboot, done(Some(BOOT), None), Running, Next::Reboot(RebootKind::Soft)),
            (&reboot, done(None, None), Absent, Next::Start),
            (&reboot, done(None, None), Paused, Next::Continue),
            (&reboot, done(None, unknown.clone()), Absent, Next::Start),
            // Wanted gone.
            (&Wanted::Gone, done(None, None), Absent, Next::Release),
            (&Wanted::Gone, done(Some(BOOT), unknown), Running, Next::Release),
            (&Wanted::Gone, done(Some(BOOT), None), held(Held::ByDisk), Next::Release),
        ];
        for (wanted, done, process, expected) in cases {
            assert_eq!(next(wanted, &done, process, BOOT), expected, "{wanted:?}, {done:?}, {process:?}");
        }
    }
}
