// SPDX-License-Identifier: Apache-2.0
//! How a server's words come about: from what is wanted, how far its life has come, and what its node found.
//! No word is stored; this pure function makes them, and [`STATUS_SQL`] says the same to the database for filters.
//!
//! ```text
//!            POST
//!              │
//!              ▼        host chosen, ports not yet       node told
//!         Scheduling ──────────► Networking ──────────► Spawning ──────────► Built
//!            ▲   │                   │                     │      Running
//!            │   │ no valid host     │ refused             │ Failed, not transient; node dead
//!            │   ▼                   ▼                     ▼
//!            │ Failing ◄─────────────┘◄─third time── Rescheduling ──┐
//!            │   │ all claims released                              │ machine and allocation released
//!            │   ▼                                                  │
//!            │ Failed (listed until deleted)                        │
//!            └──────────────────────────────────────────────────────┘
//!
//!  DELETE in any phase: `deleting` is set, all claims are released, `deleted` is set.
//!
//!  Built:   wanted Running, found Running            ACTIVE
//!           wanted Running, found anything less      SHUTOFF, powering-on (or REBOOT while a reboot is pending)
//!           wanted Stopped, found Running            ACTIVE, powering-off
//!           wanted Stopped, found Stopped            SHUTOFF
//!           found Failed on what is wanted now       ERROR
//!           found Held, wanted as it is              ERROR, until what holds its guest is gone (a disk without room)
//! ```
//!
//! Invariant: the status that the database filters by is the one that clients see (test: `the_database_and_the_function_agree`).

use contracts::node::{Power, RebootKind};

use super::snapshot::Stage;

/// How far a server's life has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Scheduling,
    /// A host was chosen; its ports could not be had at the first try.
    Networking,
    Spawning,
    /// This host could not do it: its machine and allocation are given back, then another is chosen.
    Rescheduling,
    /// It ran once.
    Built,
    /// It cannot be built: all claims are being released.
    Failing,
    Failed,
}

/// What the node found last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Preparing,
    Running,
    Stopped,
    /// It could not be made, or broke down.
    Failed,
    /// Its guest is held still for a while.
    Held,
    Gone,
}

/// Everything that the words depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub phase: Phase,
    pub deleting: bool,
    pub deleted: bool,
    /// The operator said so, by os-resetState.
    pub marked_error: bool,
    pub power: Power,
    pub found: Option<Found>,
    /// What was found is about the generation wanted now.
    pub current: bool,
    /// A reboot that the node has not done yet.
    pub reboot: Option<RebootKind>,
    /// How far a snapshot is that is being taken.
    pub snapshot: Option<Stage>,
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
pub(crate) const STATUSES: [&str; 7] = ["ACTIVE", "BUILD", "DELETED", "ERROR", "HARD_REBOOT", "REBOOT", "SHUTOFF"];

/// Status words of servers elsewhere, which clients may ask for and of which there are none here.
pub(crate) const FOREIGN_STATUSES: [&str; 13] = [
    "MIGRATING",
    "PASSWORD",
    "PAUSED",
    "REBUILD",
    "RESCUE",
    "RESIZE",
    "REVERT_RESIZE",
    "SHELVED",
    "SHELVED_OFFLOADED",
    "SOFT_DELETED",
    "SUSPENDED",
    "UNKNOWN",
    "VERIFY_RESIZE",
];

impl Phase {
    pub(crate) const ALL: [Phase; 7] =
        [Phase::Scheduling, Phase::Networking, Phase::Spawning, Phase::Rescheduling, Phase::Built, Phase::Failing, Phase::Failed];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Scheduling => "scheduling",
            Self::Networking => "networking",
            Self::Spawning => "spawning",
            Self::Rescheduling => "rescheduling",
            Self::Built => "built",
            Self::Failing => "failing",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.word() == word)
    }

    /// The node of a server in this phase shall have its machine.
    pub(crate) fn wants_machine(self) -> bool {
        matches!(self, Self::Spawning | Self::Built)
    }

    fn is_building(self) -> bool {
        matches!(self, Self::Scheduling | Self::Networking | Self::Spawning | Self::Rescheduling)
    }
}

impl Found {
    pub(crate) const ALL: [Found; 6] =
        [Found::Preparing, Found::Running, Found::Stopped, Found::Failed, Found::Held, Found::Gone];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Gone => "gone",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|found| found.word() == word)
    }
}

impl Facts {
    pub(crate) fn words(&self) -> Words {
        let vm_state = self.vm_state();
        let task_state = self.task_state(vm_state);
        Words { status: status(vm_state, task_state), vm_state, task_state, power_state: self.power_state(vm_state) }
    }

    fn vm_state(&self) -> &'static str {
        if self.deleted {
            return "deleted";
        }
        if self.phase.is_building() {
            return "building";
        }
        let failed_now = matches!(self.found, Some(Found::Failed | Found::Held)) && self.current;
        if self.phase != Phase::Built || self.marked_error || failed_now {
            return "error";
        }
        match self.found {
            Some(Found::Running | Found::Held) => "active",
            // Between its two lives a machine that reboots is still an active one.
            Some(Found::Preparing) if self.reboot.is_some() && self.power == Power::Running => "active",
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
        match self.phase {
            Phase::Scheduling | Phase::Rescheduling => return Some("scheduling"),
            Phase::Networking => return Some("networking"),
            Phase::Spawning => return Some("spawning"),
            Phase::Failing | Phase::Failed => return None,
            Phase::Built => {}
        }
        if vm_state == "error" {
            return None;
        }
        let moving = match (self.power, self.reboot, self.found) {
            (Power::Running | Power::Paused, Some(RebootKind::Soft), _) => Some("rebooting"),
            (Power::Running | Power::Paused, Some(RebootKind::Hard), _) => Some("rebooting_hard"),
            (Power::Running, None, Some(Found::Running | Found::Held)) => None,
            // The guest switched itself off.
            (Power::Running, None, Some(Found::Stopped)) if self.current => None,
            (Power::Running | Power::Paused, None, _) => Some("powering-on"),
            (Power::Stopped, _, Some(Found::Running | Found::Held)) => Some("powering-off"),
            (Power::Stopped, ..) => None,
        };
        moving.or(self.snapshot.map(Stage::task_state))
    }

    fn power_state(&self, vm_state: &str) -> i64 {
        if self.phase != Phase::Built || vm_state == "deleted" {
            return 0;
        }
        match self.found {
            Some(Found::Running) => 1,
            Some(Found::Held) => 3,
            Some(Found::Stopped) => 4,
            Some(Found::Failed) => 6,
            Some(Found::Preparing | Found::Gone) | None => 0,
        }
    }
}

fn status(vm_state: &str, task_state: Option<&str>) -> &'static str {
    match (vm_state, task_state) {
        ("active", Some("rebooting")) => "REBOOT",
        ("active", Some("rebooting_hard")) => "HARD_REBOOT",
        ("active", _) => "ACTIVE",
        ("building", _) => "BUILD",
        ("deleted", _) => "DELETED",
        ("stopped", _) => "SHUTOFF",
        _ => "ERROR",
    }
}

/// [`Facts::words`]'s vm_state as an expression over the table `servers`.
pub(crate) const VM_STATE_SQL: &str = "CASE \
    WHEN deleted_at IS NOT NULL THEN 'deleted' \
    WHEN phase IN ('scheduling', 'networking', 'spawning', 'rescheduling') THEN 'building' \
    WHEN phase <> 'built' OR marked_error = 1 OR (coalesce(found, '') IN ('failed', 'held') AND found_current = 1) THEN 'error' \
    WHEN coalesce(found, '') IN ('running', 'held') THEN 'active' \
    WHEN coalesce(found, '') = 'preparing' AND power = 'running' AND found_reboots < reboots THEN 'active' \
    ELSE 'stopped' END";

/// And its status.
pub(crate) const STATUS_SQL: &str = "CASE \
    WHEN deleted_at IS NOT NULL THEN 'DELETED' \
    WHEN phase IN ('scheduling', 'networking', 'spawning', 'rescheduling') THEN 'BUILD' \
    WHEN phase <> 'built' OR marked_error = 1 OR (coalesce(found, '') IN ('failed', 'held') AND found_current = 1) THEN 'ERROR' \
    WHEN coalesce(found, '') IN ('running', 'held') OR (coalesce(found, '') = 'preparing' AND power = 'running' AND found_reboots < reboots) THEN \
        CASE WHEN deleting_at IS NULL AND power = 'running' AND found_reboots < reboots \
             THEN CASE WHEN reboot_kind = 'hard' THEN 'HARD_REBOOT' ELSE 'REBOOT' END \
             ELSE 'ACTIVE' END \
    ELSE 'SHUTOFF' END";

/// And its task_state, empty for none.
pub(crate) const TASK_STATE_SQL: &str = "CASE \
    WHEN deleted_at IS NOT NULL THEN '' \
    WHEN deleting_at IS NOT NULL THEN 'deleting' \
    WHEN phase IN ('scheduling', 'rescheduling') THEN 'scheduling' \
    WHEN phase IN ('networking', 'spawning') THEN phase \
    WHEN phase <> 'built' OR marked_error = 1 OR (coalesce(found, '') IN ('failed', 'held') AND found_current = 1) THEN '' \
    WHEN power = 'running' AND found_reboots < reboots THEN CASE WHEN reboot_kind = 'hard' THEN 'rebooting_hard' ELSE 'rebooting' END \
    WHEN power = 'running' AND coalesce(found, '') NOT IN ('running', 'held') AND NOT (coalesce(found, '') = 'stopped' AND found_current = 1) \
        THEN 'powering-on' \
    WHEN power = 'stopped' AND coalesce(found, '') IN ('running', 'held') THEN 'powering-off' \
    WHEN snapshot LIKE '%\"stage\":\"asked\"}' THEN 'image_snapshot_pending' \
    WHEN snapshot LIKE '%\"stage\":\"copied\"}' THEN 'image_pending_upload' \
    WHEN snapshot LIKE '%\"stage\":\"sending\"}' THEN 'image_uploading' \
    WHEN snapshot IS NOT NULL THEN 'image_snapshot' \
    ELSE '' END";

/// And its power_state, as a condition on the number that follows.
pub(crate) const POWER_STATE_IS: &str = "CAST(CASE \
    WHEN deleted_at IS NOT NULL OR phase <> 'built' THEN 0 \
    WHEN coalesce(found, '') = 'running' THEN 1 \
    WHEN coalesce(found, '') = 'stopped' THEN 4 \
    WHEN coalesce(found, '') = 'held' THEN 3 \
    WHEN coalesce(found, '') = 'failed' THEN 6 \
    ELSE 0 END AS BIGINT) = ";

#[cfg(test)]
pub(super) fn all_facts() -> Vec<Facts> {
    let mut all = Vec::new();
    let founds = Found::ALL.into_iter().map(Some).chain([None]);
    for (phase, found) in Phase::ALL.into_iter().flat_map(|phase| founds.clone().map(move |found| (phase, found))) {
        for bits in 0..32 {
            let bit = |n: u32| bits & (1 << n) != 0;
            for reboot in [None, Some(RebootKind::Soft), Some(RebootKind::Hard)] {
                all.push(Facts {
                    phase,
                    found,
                    deleting: bit(0) || bit(1),
                    deleted: bit(1),
                    marked_error: bit(2),
                    power: if bit(3) { Power::Stopped } else { Power::Running },
                    current: bit(4),
                    reboot,
                    snapshot: None,
                });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(power: Power, found: Found) -> Facts {
        Facts {
            phase: Phase::Built,
            deleting: false,
            deleted: false,
            marked_error: false,
            power,
            found: Some(found),
            current: true,
            reboot: None,
            snapshot: None,
        }
    }

    fn say(facts: Facts) -> (&'static str, &'static str, Option<&'static str>, i64) {
        let words = facts.words();
        (words.status, words.vm_state, words.task_state, words.power_state)
    }

    #[test]
    fn a_life_from_create_to_delete() {
        let new = Facts { phase: Phase::Scheduling, found: None, ..built(Power::Running, Found::Gone) };
        assert_eq!(say(new), ("BUILD", "building", Some("scheduling"), 0));
        assert_eq!(say(Facts { phase: Phase::Spawning, ..new }), ("BUILD", "building", Some("spawning"), 0));
        let running = built(Power::Running, Found::Running);
        assert_eq!(say(running), ("ACTIVE", "active", None, 1));
        let stopping = Facts { power: Power::Stopped, current: false, ..running };
        assert_eq!(say(stopping), ("ACTIVE", "active", Some("powering-off"), 1));
        let stopped = built(Power::Stopped, Found::Stopped);
        assert_eq!(say(stopped), ("SHUTOFF", "stopped", None, 4));
        let starting = Facts { power: Power::Running, current: false, ..stopped };
        assert_eq!(say(starting), ("SHUTOFF", "stopped", Some("powering-on"), 4));
        let rebooting = Facts { reboot: Some(RebootKind::Soft), current: false, ..running };
        assert_eq!(say(rebooting), ("REBOOT", "active", Some("rebooting"), 1));
        let between = Facts { found: Some(Found::Preparing), reboot: Some(RebootKind::Hard), ..rebooting };
        assert_eq!(say(between), ("HARD_REBOOT", "active", Some("rebooting_hard"), 0));
        let taken = Facts { snapshot: Some(Stage::Sending), ..running };
        assert_eq!(say(taken), ("ACTIVE", "active", Some("image_uploading"), 1));
        let rebooted_meanwhile = Facts { reboot: Some(RebootKind::Hard), ..taken };
        assert_eq!(say(rebooted_meanwhile), ("HARD_REBOOT", "active", Some("rebooting_hard"), 1));
        assert_eq!(say(Facts { deleting: true, ..running }), ("ACTIVE", "active", Some("deleting"), 1));
        assert_eq!(say(Facts { deleting: true, deleted: true, ..running }), ("DELETED", "deleted", None, 0));
    }

    #[test]
    fn errors() {
        let running = built(Power::Running, Found::Running);
        assert_eq!(say(Facts { phase: Phase::Failing, found: None, ..running }), ("ERROR", "error", None, 0));
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
    fn every_pair_has_known_words() {
        for facts in all_facts() {
            let words = facts.words();
            assert!(STATUSES.contains(&words.status), "{facts:?}");
            assert_eq!(words.status == "DELETED", facts.deleted, "{facts:?}");
            assert_eq!(words.vm_state == "building", facts.phase.is_building() && !facts.deleted, "{facts:?}");
            if facts.deleting && !facts.deleted {
                assert_eq!(words.task_state, Some("deleting"), "{facts:?}");
            }
            // Who is at rest shows no task, and what is found is then what is wanted.
            if words.status == "ACTIVE" && words.task_state.is_none() {
                let held_before = facts.found == Some(Found::Held) && !facts.current;
                assert!(facts.power == Power::Running && (held_before || facts.found == Some(Found::Running)), "{facts:?}");
            }
        }
    }
}
