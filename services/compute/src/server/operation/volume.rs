// SPDX-License-Identifier: Apache-2.0
//! A volume that comes to a server, or goes from it.
//!
//! ```text
//!  attach          door open               node: plugged           its room knows
//! ───────▶ Wiring ───────────▶ Plugging ───────────────▶ Settling ───────────────▶ done
//!            │ refused           │ failed, too late          ▲
//!            │                   ▼                           │ its guest keeps it: given up
//!            │   detach ───▶ Unplugging ─────────────────────┘
//!            │                   │ node: gone          door closed
//!            └───────────────────┴─▶ Unwiring ────────────────────▶ done, or given up
//! ```
//!
//! The door is closed only when the machine is without the disk, or what its guest has not written yet would be lost. A guest
//! may keep a disk: then a detachment that takes too long is given up, and the volume stays as it was.
//!
//! Invariant: what an attachment that comes to nothing took, it gives back (test: `a_volume_that_cannot_be_plugged_in_is_free_again`).

use std::time::Duration;

use contracts::{
    BoxFuture,
    node::{DeviceId, DeviceState, MachineObserved, MachineState},
};
use types::{NodeId, VolumeId};
use work::{Step, crash};

use super::{Ask, Course, Heard, Left, Operation, Stage, Taken, interface::unplugged};
use crate::{
    Compute, Patience,
    error::{Error, Result},
    instance_action::{self, Action},
    server::{FaultNote, Server, claim, state::UnderWay, volume::Attached},
};

/// Every crash point of a volume's way, for tests that sweep over them.
#[cfg(test)]
pub(crate) const CRASH_POINTS: &[&str] = &[
    "compute.volume.reserved",
    "compute.volume.opened",
    "compute.volume.told",
    "compute.volume.noted",
    "compute.volume.settled",
    "compute.volume.released",
    "compute.volume.forgotten",
];

pub(super) struct Attach;
pub(super) struct Detach;

impl Course for Attach {
    fn words(&self, _operation: &Operation) -> UnderWay {
        UnderWay { task_state: Some("attaching_volume"), vm_state: None }
    }

    fn patience(&self, stage: Stage, patience: &Patience) -> Option<Duration> {
        usual(stage, patience)
    }

    fn heard(&self, operation: &Operation, _server: &Server, _node: &NodeId, report: &MachineObserved) -> Heard {
        let Some(disk) = operation.volume().map(DeviceId::disk) else { return Heard::Nothing };
        if operation.stage != Stage::Plugging {
            return unplugged(operation, &disk, report);
        }
        match (report.device(&disk), &report.state) {
            (Some(DeviceState::Failed { cause }), _) => Heard::Failed { cause: cause.clone() },
            // One that is off has it at its next start.
            (Some(DeviceState::Plugged), _) | (_, MachineState::Stopped) => Heard::Stage(Stage::Settling),
            (_, MachineState::Failed { cause, transient: false, .. }) => Heard::Failed { cause: cause.clone() },
            _ => Heard::Nothing,
        }
    }

    fn give_up(&self, operation: &Operation, server: &mut Server, _cause: &str) -> Left {
        match operation.stage {
            // It has it; only its room does not know yet.
            Stage::Settling => Left::Stage(Stage::Settling),
            Stage::Plugging => {
                server.change_nics();
                Left::Stage(Stage::Unplugging)
            }
            _ => Left::Stage(Stage::Unwiring),
        }
    }

    fn step<'a>(&'a self, room: &'a Compute, taken: Taken<'a>) -> BoxFuture<'a, Result<Step>> {
        Box::pin(async move {
            match taken.operation.stage {
                Stage::Settling => room.settle_volume(&taken).await,
                Stage::Unwiring => room.let_volume_go(&taken).await,
                _ => match room.wire_volume(&taken).await {
                    Err(Error::Refused(refusal)) if !refusal.is_transient() => {
                        room.give_up(taken.server, refusal.message, |_| {}).await?;
                        Ok(Step::Again)
                    }
                    wired => wired.map(|()| Step::Settled),
                },
            }
        })
    }
}

impl Course for Detach {
    fn words(&self, _operation: &Operation) -> UnderWay {
        UnderWay { task_state: Some("detaching_volume"), vm_state: None }
    }

    fn patience(&self, stage: Stage, patience: &Patience) -> Option<Duration> {
        usual(stage, patience)
    }

    fn heard(&self, operation: &Operation, _server: &Server, _node: &NodeId, report: &MachineObserved) -> Heard {
        operation.volume().map_or(Heard::Nothing, |volume| unplugged(operation, &DeviceId::disk(volume), report))
    }

    /// It has its volume, as before.
    fn give_up(&self, operation: &Operation, server: &mut Server, cause: &str) -> Left {
        if operation.stage != Stage::Unplugging {
            return Left::Stage(operation.stage);
        }
        let volume = operation.volume().map(ToString::to_string).unwrap_or_default();
        let message = format!(
            "The volume {volume} stays attached: its guest has not let go of it, or its host did not say so. {cause} \
             Stop the server and detach it then."
        );
        server.fault = Some(FaultNote::new(message, None));
        server.change_nics();
        Left::Stage(Stage::Settling)
    }

    fn step<'a>(&'a self, room: &'a Compute, taken: Taken<'a>) -> BoxFuture<'a, Result<Step>> {
        Box::pin(async move {
            match taken.operation.stage {
                Stage::Settling => room.settle_volume(&taken).await,
                _ => room.let_volume_go(&taken).await,
            }
        })
    }
}

/// What is given back, and what others are to know, takes as long as it takes.
fn usual(stage: Stage, patience: &Patience) -> Option<Duration> {
    match stage {
        Stage::Unplugging => Some(patience.guest),
        Stage::Unwiring | Stage::Settling => None,
        _ => Some(patience.node),
    }
}

impl Operation {
    /// The volume that comes or goes.
    pub(crate) fn volume(&self) -> Option<&VolumeId> {
        match &self.ask {
            Ask::AttachVolume(ask) | Ask::DetachVolume(ask) => Some(&ask.volume_id),
            _ => None,
        }
    }

    /// The device that its machine is to give up.
    pub(crate) fn leaving(&self) -> Option<DeviceId> {
        let device = self.nic().map(DeviceId::nic).or_else(|| self.volume().map(DeviceId::disk));
        device.filter(|_| matches!(self.stage, Stage::Unplugging | Stage::Unwiring))
    }
}

impl Compute {
    /// Opens the door to the host; then the node is told of the disk.
    async fn wire_volume(&self, taken: &Taken<'_>) -> Result<()> {
        let Taken { server, operation, .. } = taken;
        let (Some(volume), Some(node)) = (taken.volume(), &server.node_id) else {
            return Err(Error::conflict(format!("Instance {} has no machine into which a disk could be plugged.", server.id)));
        };
        let opened = self.open_volume(server, volume, node).await?;
        crash::point("compute.volume.opened");
        let next = operation.at(Stage::Plugging, &self.patience);
        self.change(server, "server.volume.opened", move |tx, server| {
            claim::set_volumes(tx, &server.id, std::slice::from_ref(&opened))?;
            server.change_nics();
            server.operation = Some(next.clone());
            Ok(())
        })
        .await?;
        crash::point("compute.volume.told");
        Ok(())
    }

    /// The machine has it: its room is told so.
    async fn settle_volume(&self, taken: &Taken<'_>) -> Result<Step> {
        let Taken { server, operation, claims } = taken;
        self.note_plugged(&server.id, claims, operation.volume()).await?;
        crash::point("compute.volume.noted");
        let is_as_asked = matches!(operation.ask, Ask::AttachVolume(_));
        let over = self.over(server, operation, is_as_asked);
        self.change(server, "server.volume.plugged", move |tx, server| {
            if is_as_asked {
                instance_action::finish(tx, &server.id, Action::AttachVolume)?;
            }
            server.operation = Some(over.clone());
            Ok(())
        })
        .await?;
        crash::point("compute.volume.settled");
        Ok(Step::Settled)
    }

    /// Closes the door, and forgets the volume.
    async fn let_volume_go(&self, taken: &Taken<'_>) -> Result<Step> {
        let Taken { server, operation, .. } = taken;
        if let Some(volume) = taken.volume() {
            match self.volumes.release(&server.id, &volume.ask, false).await {
                Err(refusal) if refusal.is_transient() => return Ok(Step::Wait),
                released => released?,
            }
        }
        crash::point("compute.volume.released");
        let volume = operation.volume().cloned();
        let is_as_asked = matches!(operation.ask, Ask::DetachVolume(_));
        let over = self.over(server, operation, is_as_asked);
        self.change(server, "server.volume.gone", move |tx, server| {
            volume.iter().try_for_each(|volume| claim::remove_volume(tx, &server.id, volume))?;
            if is_as_asked {
                instance_action::finish(tx, &server.id, Action::DetachVolume)?;
            }
            server.operation = Some(over.clone());
            Ok(())
        })
        .await?;
        crash::point("compute.volume.forgotten");
        Ok(Step::Settled)
    }

    fn over(&self, server: &Server, operation: &Operation, is_as_asked: bool) -> Operation {
        let cause = server.fault.as_ref().map_or("given up", |fault| fault.message.as_str());
        operation.over(if is_as_asked { "done" } else { cause })
    }
}

impl Taken<'_> {
    fn volume(&self) -> Option<&Attached> {
        let volume = self.operation.volume()?;
        self.claims.iter().filter_map(|claim| claim.volume.as_ref()).find(|one| one.id() == volume)
    }
}
