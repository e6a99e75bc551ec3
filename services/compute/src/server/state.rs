// SPDX-License-Identifier: Apache-2.0
//! How a server's words come about: from how far its life has come, what is being done to it, what is wanted, and what
//! its node found. This pure function makes them; [`super::save`] writes them into the row, where lists look for them.
//!
//! ```text
//!     POST             the node has it running
//!    ─────▶ New ──────────────────────────────▶ Built ──▶ DELETE
//!            │ build: no host, refused                     all claims released
//!            └─────────────────────────────────▶ Failed ─▶
//!
//!  Built:   wanted Running, found Running            ACTIVE
//!           wanted Running, found anything less      SHUTOFF, powering-on
//!           wanted Stopped, found Running            ACTIVE, powering-off
//!           wanted Stopped, found Stopped            SHUTOFF
//!           wanted Paused,  found Paused             PAUSED
//!           found Failed on what is wanted now       ERROR
//!           found Held, wanted as it is              ERROR, until what holds its guest is gone (a disk without room)
//! ```
//!
//! What is done to it ([`super::operation`]) has the task's word, and where it rests half-way (a rescued server, one whose
//! resize is to be verified) the state's.
//!
//! Invariant: the words in the row are those that the function makes of it (test: `the_row_and_the_function_agree`).

/// One of few words, as a column has it.
pub(crate) trait Word: Copy + Sized + 'static {
    const WANTED: &'static str;
    const ALL: &'static [(Self, &'static str)];

    fn word(self) -> &'static str;

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(value, _)| *value)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $wanted:literal: $($(#[$about:meta])* $value:ident = $word:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ::serde::Serialize, ::serde::Deserialize)]
        pub(crate) enum $name { $($(#[$about])* #[serde(rename = $word)] $value),+ }

        impl $crate::server::state::Word for $name {
            const WANTED: &'static str = $wanted;
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$value, $word)),+];

            fn word(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// How far a server's life has come.
    Life, "how far a life has come":
    /// It never ran yet.
    New = "new",
    /// It ran once.
    Built = "built",
    /// It could not be built, and holds nothing any more.
    Failed = "failed",
}

words! {
    /// What is wanted of its machine.
    Power, "what a machine shall do":
    Running = "running",
    Stopped = "stopped",
    /// Its memory is kept and nothing moves.
    Paused = "paused",
}

words! {
    Reboot, "how a machine is rebooted":
    Soft = "soft",
    Hard = "hard",
}

words! {
    /// What the node found last.
    Found, "what a node found":
    Preparing = "preparing",
    Running = "running",
    Stopped = "stopped",
    Paused = "paused",
    /// It could not be made, or broke down.
    Failed = "failed",
    /// Its guest is held still for a while.
    Held = "held",
    Gone = "gone",
}

/// Everything that the words depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub life: Life,
    pub deleting: bool,
    pub deleted: bool,
    /// The operator said so, by os-resetState.
    pub marked_error: bool,
    pub power: Power,
    pub found: Option<Found>,
    /// What was found is about the generation wanted now.
    pub current: bool,
    /// What is done to it.
    pub under_way: Option<UnderWay>,
}

/// What the words need to know of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnderWay {
    pub task_state: Option<&'static str>,
    /// The state that it has meanwhile, whatever its machine does.
    pub vm_state: Option<&'static str>,
}

/// What clients see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words {
    pub status: &'static str,
    pub vm_state: &'static str,
    pub task_state: Option<&'static str>,
    /// Nova's numbers: 0 unknown, 1 running, 3 paused, 4 shut down, 6 crashed.
    pub power_state: i64,
}

/// Every status word that a server of ours can have.
pub(crate) const STATUSES: [&str; 13] = [
    "ACTIVE",
    "BUILD",
    "DELETED",
    "ERROR",
    "HARD_REBOOT",
    "PAUSED",
    "REBOOT",
    "REBUILD",
    "RESCUE",
    "RESIZE",
    "REVERT_RESIZE",
    "SHUTOFF",
    "VERIFY_RESIZE",
];

/// Status words of servers elsewhere, which clients may ask for and of which there are none here.
pub(crate) const FOREIGN_STATUSES: [&str; 7] =
    ["MIGRATING", "PASSWORD", "SHELVED", "SHELVED_OFFLOADED", "SOFT_DELETED", "SUSPENDED", "UNKNOWN"];

impl Facts {
    pub(crate) fn words(&self) -> Words {
        let vm_state = self.vm_state();
        let task_state = self.task_state(vm_state);
        Words { status: status(vm_state, task_state), vm_state, task_state, power_state: self.power_state() }
    }

    fn vm_state(&self) -> &'static str {
        if self.deleted {
            return "deleted";
        }
        let broke_down = matches!(self.found, Some(Found::Failed | Found::Held)) && self.current;
        match self.life {
            Life::Failed => return "error",
            Life::New => return self.under_way.and_then(|under_way| under_way.vm_state).unwrap_or("building"),
            Life::Built if self.marked_error || broke_down => return "error",
            Life::Built => {}
        }
        if let Some(state) = self.under_way.and_then(|under_way| under_way.vm_state) {
            return state;
        }
        match self.found {
            Some(Found::Running | Found::Held) => "active",
            Some(Found::Paused) => "paused",
            _ => "stopped",
        }
    }

    fn task_state(&self, vm_state: &str) -> Option<&'static str> {
        if self.deleted {
            return None;
        }
        if self.deleting {
            return Some("deleting");
        }
        if let Some(under_way) = self.under_way {
            return under_way.task_state;
        }
        if self.life != Life::Built || vm_state == "error" {
            return None;
        }
        // A host that starts again brings its machines back to what is wanted of them, and nobody asked it to.
        match (self.power, self.found) {
            (Power::Running, Some(Found::Running | Found::Held)) => None,
            // The guest switched itself off.
            (Power::Running, Some(Found::Stopped)) if self.current => None,
            (Power::Running, _) => Some("powering-on"),
            (Power::Stopped, Some(Found::Running | Found::Held | Found::Paused)) => Some("powering-off"),
            (Power::Paused, Some(Found::Running | Found::Held | Found::Preparing)) => Some("pausing"),
            (Power::Stopped | Power::Paused, _) => None,
        }
    }

    fn power_state(&self) -> i64 {
        if self.life != Life::Built || self.deleted {
            return 0;
        }
        match self.found {
            Some(Found::Running) => 1,
            Some(Found::Paused | Found::Held) => 3,
            Some(Found::Stopped) => 4,
            Some(Found::Failed) => 6,
            Some(Found::Preparing | Found::Gone) | None => 0,
        }
    }
}

/// Nova's table.
fn status(vm_state: &str, task_state: Option<&str>) -> &'static str {
    match (vm_state, task_state) {
        ("active", Some("rebooting")) => "REBOOT",
        ("active", Some("rebooting_hard")) => "HARD_REBOOT",
        ("active" | "stopped", Some("resize_prep" | "resize_migrating" | "resize_migrated" | "resize_finish")) => "RESIZE",
        ("active" | "stopped" | "error", Some("rebuilding")) => "REBUILD",
        ("active", _) => "ACTIVE",
        ("building", _) => "BUILD",
        ("deleted", _) => "DELETED",
        ("paused", _) => "PAUSED",
        ("rescued", _) => "RESCUE",
        ("resized", Some("resize_reverting")) => "REVERT_RESIZE",
        ("resized", _) => "VERIFY_RESIZE",
        ("stopped", _) => "SHUTOFF",
        _ => "ERROR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::operation;

    fn built(power: Power, found: Found) -> Facts {
        Facts {
            life: Life::Built,
            deleting: false,
            deleted: false,
            marked_error: false,
            power,
            found: Some(found),
            current: true,
            under_way: None,
        }
    }

    fn task(task_state: &'static str) -> Option<UnderWay> {
        Some(UnderWay { task_state: Some(task_state), vm_state: None })
    }

    fn say(facts: Facts) -> (&'static str, &'static str, Option<&'static str>, i64) {
        let words = facts.words();
        (words.status, words.vm_state, words.task_state, words.power_state)
    }

    #[test]
    fn a_life_from_create_to_delete() {
        let new = Facts { life: Life::New, found: None, under_way: task("scheduling"), ..built(Power::Running, Found::Gone) };
        assert_eq!(say(new), ("BUILD", "building", Some("scheduling"), 0));
        assert_eq!(say(Facts { under_way: task("spawning"), ..new }), ("BUILD", "building", Some("spawning"), 0));
        let running = built(Power::Running, Found::Running);
        assert_eq!(say(running), ("ACTIVE", "active", None, 1));
        let stopping = Facts { power: Power::Stopped, current: false, ..running };
        assert_eq!(say(stopping), ("ACTIVE", "active", Some("powering-off"), 1));
        let stopped = built(Power::Stopped, Found::Stopped);
        assert_eq!(say(stopped), ("SHUTOFF", "stopped", None, 4));
        let starting = Facts { power: Power::Running, current: false, ..stopped };
        assert_eq!(say(starting), ("SHUTOFF", "stopped", Some("powering-on"), 4));
        let paused = built(Power::Paused, Found::Paused);
        assert_eq!(say(paused), ("PAUSED", "paused", None, 3));
        let rebooting = Facts { under_way: task("rebooting"), current: false, ..running };
        assert_eq!(say(rebooting), ("REBOOT", "active", Some("rebooting"), 1));
        let taken = Facts { under_way: task("image_uploading"), ..running };
        assert_eq!(say(taken), ("ACTIVE", "active", Some("image_uploading"), 1));
        let verify = Some(UnderWay { task_state: None, vm_state: Some("resized") });
        assert_eq!(say(Facts { under_way: verify, ..running }), ("VERIFY_RESIZE", "resized", None, 1));
        assert_eq!(say(Facts { deleting: true, ..running }), ("ACTIVE", "active", Some("deleting"), 1));
        assert_eq!(say(Facts { deleting: true, deleted: true, ..running }), ("DELETED", "deleted", None, 0));
    }

    #[test]
    fn errors() {
        let running = built(Power::Running, Found::Running);
        assert_eq!(say(Facts { life: Life::Failed, found: None, ..running }), ("ERROR", "error", None, 0));
        assert_eq!(say(Facts { marked_error: true, ..running }), ("ERROR", "error", None, 1));
        let broken = built(Power::Running, Found::Failed);
        assert_eq!(say(broken), ("ERROR", "error", None, 6));
        let held = built(Power::Running, Found::Held);
        assert_eq!(say(held), ("ERROR", "error", None, 3));
        let stopping = Facts { power: Power::Stopped, current: false, ..held };
        assert_eq!(say(stopping), ("ACTIVE", "active", Some("powering-off"), 3));
        // A failure on what was wanted before is not one on what is wanted now.
        assert_eq!(say(Facts { current: false, ..broken }), ("SHUTOFF", "stopped", Some("powering-on"), 6));
    }

    #[test]
    fn every_state_has_known_words() {
        let founds: Vec<Option<Found>> = Found::ALL.iter().map(|(found, _)| Some(*found)).chain([None]).collect();
        let under_way: Vec<Option<UnderWay>> = operation::every_state().into_iter().map(Some).chain([None]).collect();
        let mut met = std::collections::BTreeSet::new();
        for (life, _) in Life::ALL {
            for (power, _) in Power::ALL {
                for (found, under_way) in founds.iter().flat_map(|found| under_way.iter().map(move |one| (*found, *one))) {
                    for bits in 0..16 {
                        let bit = |n: u32| bits & (1 << n) != 0;
                        let facts = Facts {
                            life: *life,
                            deleting: bit(0) || bit(1),
                            deleted: bit(1),
                            marked_error: bit(2),
                            power: *power,
                            found,
                            current: bit(3),
                            under_way,
                        };
                        let words = facts.words();
                        met.insert(words.status);
                        assert!(STATUSES.contains(&words.status), "{facts:?}");
                        assert_eq!(words.status == "DELETED", facts.deleted, "{facts:?}");
                        if facts.deleting && !facts.deleted {
                            assert_eq!(words.task_state, Some("deleting"), "{facts:?}");
                        }
                        // Who is at rest shows no task, and what is found is then what is wanted.
                        if words.status == "ACTIVE" && words.task_state.is_none() && facts.under_way.is_none() {
                            let held_before = facts.found == Some(Found::Held) && !facts.current;
                            assert!(
                                facts.power == Power::Running && (held_before || facts.found == Some(Found::Running)),
                                "{facts:?}"
                            );
                        }
                    }
                }
            }
        }
        assert_eq!(met.len(), STATUSES.len(), "every status was met: {met:?}");
    }
}
