// SPDX-License-Identifier: Apache-2.0
//! Rebuild: a new root of an image, on the same host; ports, addresses and volumes stay.
//!
//! ```text
//!   rebuild         node: runs from the new root          node: off again
//!  ────────▶ Told ──────────────────────────────▶ done, or Finishing ─────▶ done
//!                                                 if it was off before
//! ```
//!
//! The root is of a new edition, which the node makes before the next start of the machine: so one that was off starts once,
//! as in Nova. What was on the disk before is gone once the new one stands; until then it is as it was.

use std::time::Duration;

use contracts::{BoxFuture, node::MachineObserved};
use types::{NodeId, Timestamp};
use work::Step;

use super::{Ask, Course, Heard, Left, Operation, Stage, Taken, power};
use crate::{
    Compute, Patience,
    error::Result,
    server::{
        Server,
        state::{Power, UnderWay},
    },
};

pub(super) struct Rebuild;

impl Course for Rebuild {
    fn words(&self, operation: &Operation) -> UnderWay {
        if operation.stage == Stage::Finishing {
            return UnderWay { task_state: Some("powering-off"), vm_state: Some("active") };
        }
        let was = if let Ask::Rebuild(ask) = &operation.ask { ask.was.as_str() } else { "" };
        let vm_state = ["active", "stopped", "error"].into_iter().find(|state| *state == was);
        UnderWay { task_state: Some("rebuilding"), vm_state }
    }

    fn patience(&self, stage: Stage, patience: &Patience) -> Option<Duration> {
        // Its image may have to be fetched first.
        Some(if stage == Stage::Told { patience.build } else { patience.node })
    }

    fn heard(&self, operation: &Operation, server: &Server, _node: &NodeId, report: &MachineObserved) -> Heard {
        if report.reboots < server.reboots {
            return Heard::Nothing;
        }
        let was_off = matches!(&operation.ask, Ask::Rebuild(ask) if ask.power == Power::Stopped);
        match (power::settled(server.power, report), operation.stage) {
            (Heard::Done, Stage::Told) if was_off => Heard::Stage(Stage::Finishing),
            (heard, _) => heard,
        }
    }

    /// It was off before: it is off again.
    fn enter(&self, _stage: Stage, server: &mut Server) {
        server.power = Power::Stopped;
        begun_anew(server);
    }

    fn conclude(&self, operation: &Operation, server: &mut Server) {
        if operation.stage == Stage::Told {
            begun_anew(server);
        }
    }

    /// What it is to be made of stays wanted: its next start makes it.
    fn give_up(&self, operation: &Operation, server: &mut Server, _cause: &str) -> Left {
        if let Ask::Rebuild(ask) = &operation.ask {
            server.power = ask.power;
        }
        Left::Nothing
    }

    fn step<'a>(&'a self, _room: &'a Compute, _taken: Taken<'a>) -> BoxFuture<'a, Result<Step>> {
        Box::pin(async { Ok(Step::Settled) })
    }
}

/// It runs from its new root. The password has been told to the guest and is forgotten.
fn begun_anew(server: &mut Server) {
    server.launched_at = Some(Timestamp::now());
    server.admin_password = None;
    server.fault = None;
}
