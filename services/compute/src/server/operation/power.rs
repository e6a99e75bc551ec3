// SPDX-License-Identifier: Apache-2.0
//! Start, stop, pause, unpause: another power is wanted, and done when the node reports on it.

use std::time::Duration;

use contracts::{
    BoxFuture,
    node::{Failure, MachineObserved, MachineState},
};
use types::NodeId;
use work::Step;

use super::{Ask, Course, Heard, Left, Operation, Stage, Taken};
use crate::{
    Compute, Patience,
    error::Result,
    server::{
        Server,
        state::{Power, UnderWay},
    },
};

pub(super) struct Change {
    task_state: &'static str,
    to: Power,
}

pub(super) static START: Change = Change { task_state: "powering-on", to: Power::Running };
pub(super) static STOP: Change = Change { task_state: "powering-off", to: Power::Stopped };

pub(super) static PAUSE: Change = Change { task_state: "pausing", to: Power::Paused };
pub(super) static UNPAUSE: Change = Change { task_state: "unpausing", to: Power::Running };

impl Course for Change {
    fn words(&self, _operation: &Operation) -> UnderWay {
        UnderWay { task_state: Some(self.task_state), vm_state: None }
    }

    fn patience(&self, _stage: Stage, patience: &Patience) -> Option<Duration> {
        Some(patience.node)
    }

    fn heard(&self, _operation: &Operation, _server: &Server, _node: &NodeId, report: &MachineObserved) -> Heard {
        settled(self.to, report)
    }

    fn give_up(&self, operation: &Operation, server: &mut Server, _cause: &str) -> Left {
        if let Ask::Start(ask) | Ask::Stop(ask) | Ask::Pause(ask) | Ask::Unpause(ask) = &operation.ask {
            server.power = ask.was;
        }
        Left::Nothing
    }

    fn step<'a>(&'a self, _room: &'a Compute, _taken: Taken<'a>) -> BoxFuture<'a, Result<Step>> {
        Box::pin(async { Ok(Step::Settled) })
    }
}

/// Whether a machine is as it shall be, from a report on what is wanted now.
pub(super) fn settled(power: Power, report: &MachineObserved) -> Heard {
    match (power, &report.state) {
        (Power::Running, MachineState::Running)
        | (Power::Stopped, MachineState::Stopped)
        | (Power::Paused, MachineState::Paused) => Heard::Done,
        // It was started, and its guest switched it off.
        (Power::Running, MachineState::Stopped) => Heard::Done,
        (Power::Paused, MachineState::Stopped) => Heard::Failed { cause: "Its guest switched itself off.".to_owned() },
        (_, MachineState::Failed { cause, transient: false, how }) if *how != Failure::Held => {
            Heard::Failed { cause: cause.clone() }
        }
        _ => Heard::Nothing,
    }
}
