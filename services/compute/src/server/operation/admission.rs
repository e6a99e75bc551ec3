// SPDX-License-Identifier: Apache-2.0
//! What may be done to a server in which state: Nova's table of `check_instance_state` and `check_instance_lock`, in one
//! place. Whatever acts on a server asks here, by its [`Guard`](super::super::guard::Guard).

use crate::error::Error;

use super::super::Server;

/// What can be asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Delete,
    Start,
    Stop,
    SoftReboot,
    HardReboot,
    Pause,
    Unpause,
    Rebuild,
    Rescue,
    Unrescue,
    Resize,
    Migrate,
    ConfirmResize,
    RevertResize,
    CreateImage,
    AttachInterface,
    DetachInterface,
    AttachVolume,
    DetachVolume,
    UpdateVolume,
    ChangePassword,
    UpdateMetadata,
    DeleteMetadata,
    UpdateTags,
    DeleteTag,
    Update,
    Unlock,
    Lock,
    ResetState,
    ConsoleOutput,
    Console,
}

/// What must be so.
#[derive(Debug)]
pub(crate) struct Rule {
    pub act: Act,
    /// As the refusal names it.
    pub word: &'static str,
    /// Its lock counts.
    pub heeds_lock: bool,
    pub vm_states: States,
    pub task_states: States,
    /// It must have run once.
    pub has_run: bool,
}

#[derive(Debug)]
pub(crate) enum States {
    Any,
    These(&'static [&'static str]),
}

/// No task is under way.
const REST: States = States::These(&[""]);
const ACTIVE: States = States::These(&["active"]);
const PLUGGABLE: States = States::These(&["active", "paused", "stopped"]);
/// Between its two hosts nothing can be plugged in: for a resized server the table says less than Nova's.
const HOLDING: States = PLUGGABLE;
/// Nova hears from the host that there is no machine to look at.
const WITH_PROCESS: States = States::These(&["active", "paused", "rescued", "resized"]);
const USUAL: States = States::These(&["active", "paused", "suspended", "stopped"]);
/// Nova's `ALLOW_REBOOT`, as far as there are such tasks here.
const REBOOTABLE: States = States::These(&["", "rebooting", "rebooting_hard", "pausing", "unpausing", "resuming", "suspending"]);

const LOCKED: bool = true;
const UNLOCKED: bool = false;

/// Of a rule: the act and its word, whether a lock counts, the states, the tasks, whether it must have run.
const fn rule(act: Act, word: &'static str, heeds_lock: bool, vm_states: States, task_states: States, has_run: bool) -> Rule {
    Rule { act, word, heeds_lock, vm_states, task_states, has_run }
}

pub(crate) static TABLE: &[Rule] = &[
    rule(Act::Delete, "delete", LOCKED, States::Any, States::Any, false),
    rule(Act::Start, "start", LOCKED, States::These(&["stopped"]), REST, true),
    rule(Act::Stop, "stop", LOCKED, States::These(&["active", "error"]), REST, true),
    rule(Act::SoftReboot, "reboot", LOCKED, ACTIVE, REST, true),
    rule(
        Act::HardReboot,
        "reboot",
        LOCKED,
        States::These(&["active", "stopped", "paused", "suspended", "error"]),
        REBOOTABLE,
        true,
    ),
    rule(Act::Pause, "pause", LOCKED, ACTIVE, REST, true),
    rule(Act::Unpause, "unpause", LOCKED, States::These(&["paused"]), REST, true),
    rule(Act::Rebuild, "rebuild", LOCKED, States::These(&["active", "stopped", "error"]), REST, true),
    rule(Act::Rescue, "rescue", LOCKED, States::These(&["active", "stopped", "error"]), REST, true),
    rule(Act::Unrescue, "unrescue", LOCKED, States::These(&["rescued"]), REST, true),
    rule(Act::Resize, "resize", LOCKED, States::These(&["active", "stopped"]), REST, true),
    rule(Act::Migrate, "migrate", LOCKED, States::These(&["active", "stopped"]), REST, true),
    rule(Act::ConfirmResize, "confirmResize", LOCKED, States::These(&["resized"]), REST, true),
    rule(Act::RevertResize, "revertResize", LOCKED, States::These(&["resized"]), REST, true),
    rule(Act::CreateImage, "createImage", UNLOCKED, USUAL, REST, true),
    rule(Act::AttachInterface, "attach_interface", LOCKED, PLUGGABLE, REST, true),
    rule(Act::DetachInterface, "detach_interface", LOCKED, PLUGGABLE, REST, true),
    rule(Act::AttachVolume, "attach_volume", LOCKED, HOLDING, REST, true),
    rule(Act::DetachVolume, "detach_volume", LOCKED, HOLDING, REST, true),
    rule(Act::UpdateVolume, "update volume", UNLOCKED, States::Any, States::Any, false),
    rule(Act::ChangePassword, "changePassword", LOCKED, ACTIVE, REST, true),
    rule(Act::UpdateMetadata, "update metadata", LOCKED, USUAL, States::Any, true),
    rule(Act::DeleteMetadata, "delete metadata", LOCKED, USUAL, States::Any, true),
    rule(Act::UpdateTags, "update tags", UNLOCKED, USUAL, States::Any, false),
    rule(Act::DeleteTag, "delete tag", UNLOCKED, USUAL, States::Any, false),
    rule(Act::Update, "update", UNLOCKED, States::Any, States::Any, false),
    rule(Act::Lock, "lock", UNLOCKED, States::Any, States::Any, false),
    rule(Act::Unlock, "unlock", UNLOCKED, States::Any, States::Any, false),
    rule(Act::ResetState, "os-resetState", UNLOCKED, States::Any, States::Any, false),
    rule(Act::ConsoleOutput, "os-getConsoleOutput", UNLOCKED, States::Any, States::Any, false),
    rule(Act::Console, "open a console of", UNLOCKED, WITH_PROCESS, States::Any, false),
];

impl States {
    fn have(&self, state: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(states) => states.contains(&state),
        }
    }
}

/// Why something may not be done, in Nova's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inadmissible {
    Locked,
    Is { attribute: &'static str, state: String },
    NeverRan,
}

/// Whether the table admits it; `locked` says whether a lock holds for who asks.
pub(crate) fn admit(act: Act, server: &Server, locked: bool) -> Result<(), Inadmissible> {
    let Some(rule) = TABLE.iter().find(|rule| rule.act == act) else { return Ok(()) };
    if rule.heeds_lock && locked {
        return Err(Inadmissible::Locked);
    }
    if !rule.vm_states.have(&server.vm_state) {
        return Err(Inadmissible::Is { attribute: "vm_state", state: server.vm_state.clone() });
    }
    let task = server.task_state.as_deref().unwrap_or_default();
    if !rule.task_states.have(task) {
        return Err(Inadmissible::Is { attribute: "task_state", state: task.to_owned() });
    }
    if rule.has_run && server.launched_at.is_none() {
        return Err(Inadmissible::NeverRan);
    }
    Ok(())
}

impl Act {
    pub(crate) fn word(self) -> &'static str {
        TABLE.iter().find(|rule| rule.act == self).map_or("", |rule| rule.word)
    }

    pub(crate) fn refusal(self, server: &Server, why: &Inadmissible) -> Error {
        let (word, id) = (self.word(), &server.id);
        Error::conflict(match why {
            Inadmissible::Locked => format!("Instance {id} is locked"),
            Inadmissible::Is { attribute, state } => format!("Cannot '{word}' instance {id} while it is in {attribute} {state}"),
            Inadmissible::NeverRan => format!("Instance {id} is in an invalid state for '{word}'"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VM_STATES: [&str; 10] =
        ["active", "building", "paused", "suspended", "stopped", "rescued", "resized", "error", "shelved", "deleted"];
    const TASKS: [&str; 6] = ["", "rebooting", "powering-off", "pausing", "image_snapshot", "deleting"];

    /// Which states of ten and which tasks of six admit each act: `x` yes, `.` no; then whether its lock counts and whether
    /// it must have run. As Nova's decorators in `nova/compute/api.py` say it.
    const NOVA: &str = "\
        Delete          xxxxxxxxxx xxxxxx lock
        Start           ....x..... x..... lock ran
        Stop            x......x.. x..... lock ran
        SoftReboot      x......... x..... lock ran
        HardReboot      x.xxx..x.. xx.x.. lock ran
        Pause           x......... x..... lock ran
        Unpause         ..x....... x..... lock ran
        Rebuild         x...x..x.. x..... lock ran
        Rescue          x...x..x.. x..... lock ran
        Unrescue        .....x.... x..... lock ran
        Resize          x...x..... x..... lock ran
        Migrate         x...x..... x..... lock ran
        ConfirmResize   ......x... x..... lock ran
        RevertResize    ......x... x..... lock ran
        CreateImage     x.xxx..... x..... ran
        AttachInterface x.x.x..... x..... lock ran
        DetachInterface x.x.x..... x..... lock ran
        AttachVolume    x.x.x..... x..... lock ran
        DetachVolume    x.x.x..... x..... lock ran
        UpdateVolume    xxxxxxxxxx xxxxxx
        ChangePassword  x......... x..... lock ran
        UpdateMetadata  x.xxx..... xxxxxx lock ran
        DeleteMetadata  x.xxx..... xxxxxx lock ran
        UpdateTags      x.xxx..... xxxxxx
        DeleteTag       x.xxx..... xxxxxx
        Update          xxxxxxxxxx xxxxxx
        Lock            xxxxxxxxxx xxxxxx
        Unlock          xxxxxxxxxx xxxxxx
        ResetState      xxxxxxxxxx xxxxxx
        ConsoleOutput   xxxxxxxxxx xxxxxx
        Console         x.x..xx... xxxxxx
";

    #[test]
    fn the_matrix_is_novas() {
        let mark = |yes: bool| if yes { 'x' } else { '.' };
        let mut matrix = String::new();
        for rule in TABLE {
            let states: String = VM_STATES.iter().map(|state| mark(rule.vm_states.have(state))).collect();
            let tasks: String = TASKS.iter().map(|task| mark(rule.task_states.have(task))).collect();
            let lock = if rule.heeds_lock { " lock" } else { "" };
            let ran = if rule.has_run { " ran" } else { "" };
            matrix.push_str(&format!("        {:<15} {states} {tasks}{lock}{ran}\n", format!("{:?}", rule.act)));
        }
        assert_eq!(matrix.trim_start(), NOVA, "\n{matrix}");
    }
}
