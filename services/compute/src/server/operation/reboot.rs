// SPDX-License-Identifier: Apache-2.0
//! Reboots: the count that is wanted grows by one, and it is done when the node reports that count.

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
        state::{Power, Reboot as How, UnderWay},
    },
};

pub(super) struct Reboot;

impl Course for Reboot {
    fn words(&self, operation: &Operation) -> UnderWay {
        let Ask::Reboot(ask) = &operation.ask else { return UnderWay { task_state: None, vm_state: None } };
        let task_state = match ask.kind {
            How::Soft => "rebooting",
            How::Hard => "rebooting_hard",
        };
        // Between its two lives it is what it was before.
        let vm_state = ["active", "stopped", "paused", "error"].into_iter().find(|state| *state == ask.was);
        UnderWay { task_state: Some(task_state), vm_state }
    }

    fn patience(&self, _stage: Stage, patience: &Patience) -> Option<Duration> {
        Some(patience.node)
    }

    fn heard(&self, _operation: &Operation, server: &Server, _node: &NodeId, report: &MachineObserved) -> Heard {
        if report.reboots < server.reboots {
            return Heard::Nothing;
        }
        power::settled(Power::Running, report)
    }

    /// What the node has not done it shall not do later, when nobody thinks of it any more.
    fn give_up(&self, operation: &Operation, server: &mut Server, _cause: &str) -> Left {
        server.reboots = server.reboots.min(server.found_reboots);
        if matches!(&operation.ask, Ask::Reboot(ask) if ask.was == "stopped") {
            server.power = Power::Stopped;
        }
        Left::Nothing
    }

    fn step<'a>(&'a self, _room: &'a Compute, _taken: Taken<'a>) -> BoxFuture<'a, Result<Step>> {
        Box::pin(async { Ok(Step::Settled) })
    }
}
