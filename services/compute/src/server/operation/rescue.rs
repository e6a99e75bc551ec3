// SPDX-License-Identifier: Apache-2.0
//! Rescue: the machine boots from another image, with its own disk as a second one, until its owner is done.
//!
//! ```text
//!   rescue          node: runs from the image          unrescue         node: runs from its own disk
//!  ───────▶ Told ─────────────────────────────▶ Rescued ───────▶ Unrescuing ─────────────────────────▶ done
//! ```

use std::time::Duration;

use contracts::{BoxFuture, node::MachineObserved};
use types::NodeId;
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

pub(super) struct Rescue;

impl Course for Rescue {
    fn words(&self, operation: &Operation) -> UnderWay {
        match (operation.stage, &operation.ask) {
            (Stage::Rescued, _) => UnderWay { task_state: None, vm_state: Some("rescued") },
            (Stage::Unrescuing, _) => UnderWay { task_state: Some("unrescuing"), vm_state: Some("rescued") },
            (_, Ask::Rescue(ask)) => {
                let vm_state = ["active", "stopped", "error"].into_iter().find(|state| *state == ask.was);
                UnderWay { task_state: Some("rescuing"), vm_state }
            }
            _ => UnderWay { task_state: Some("rescuing"), vm_state: None },
        }
    }

    fn patience(&self, stage: Stage, patience: &Patience) -> Option<Duration> {
        match stage {
            Stage::Rescued => None,
            // Its image may have to be fetched first.
            Stage::Told => Some(patience.build),
            _ => Some(patience.node),
        }
    }

    fn heard(&self, operation: &Operation, server: &Server, _node: &NodeId, report: &MachineObserved) -> Heard {
        if operation.stage == Stage::Rescued || report.reboots < server.reboots {
            return Heard::Nothing;
        }
        match (power::settled(Power::Running, report), operation.stage) {
            (Heard::Done, Stage::Told) => Heard::Stage(Stage::Rescued),
            (heard, _) => heard,
        }
    }

    fn conclude(&self, _operation: &Operation, server: &mut Server) {
        server.admin_password = None;
    }

    /// What the host did, and may have done without being heard, is undone by another restart.
    fn give_up(&self, operation: &Operation, server: &mut Server, _cause: &str) -> Left {
        server.reboots += 1;
        if operation.stage == Stage::Unrescuing {
            return Left::Stage(Stage::Rescued);
        }
        if let Ask::Rescue(ask) = &operation.ask {
            server.power = ask.power;
        }
        server.admin_password = None;
        Left::Nothing
    }

    fn step<'a>(&'a self, _room: &'a Compute, _taken: Taken<'a>) -> BoxFuture<'a, Result<Step>> {
        Box::pin(async { Ok(Step::Settled) })
    }
}
