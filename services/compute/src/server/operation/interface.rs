// SPDX-License-Identifier: Apache-2.0
//! A NIC that comes to a server, or goes from it.
//!
//! ```text
//!  attach          port made, bound         node: plugged
//! ───────▶ Wiring ─────────────────▶ Plugging ───────────▶ done
//!            │ refused                  │ failed, too late
//!            │                          ▼       node: gone           port given back
//!            │   detach ────────▶ Unplugging ─────────────▶ Unwiring ───────────────▶ done, or given up
//!            └─────────────────────────────────────────────────▲
//! ```
//!
//! A port is given back only when the machine is without its NIC, or another machine would get an address that this one
//! uses. A guest may keep its card: a detachment that takes too long is given up, and the NIC stays as it was. An
//! attachment that is undone does not wait for it for ever: its port is taken from under the card.
//!
//! Invariant: what an attachment that comes to nothing took, it gives back (test: `an_interface_that_cannot_be_plugged_in_leaves_nothing`).

use std::time::Duration;

use contracts::{
    BoxFuture,
    node::{DeviceId, DeviceState, MachineObserved, MachineState},
    ports::NicAsk,
};
use store::{Actor, Tx};
use types::{NodeId, PortId};
use work::{Step, crash};

use super::{Ask, Course, Heard, InterfaceAsk, Left, Operation, Stage, Taken};
use crate::{
    Compute, Patience,
    error::{Error, Result},
    instance_action::{self, Action},
    server::{FaultNote, Server, claim, state::UnderWay},
};

/// Every crash point of a NIC's way, for tests that sweep over them.
#[cfg(test)]
pub(crate) const CRASH_POINTS: &[&str] =
    &["compute.interface.bound", "compute.interface.told", "compute.interface.released", "compute.interface.forgotten"];

pub(super) struct Attach;
pub(super) struct Detach;

impl Course for Attach {
    fn words(&self, _operation: &Operation) -> UnderWay {
        UnderWay { task_state: Some("attaching_interface"), vm_state: None }
    }

    fn patience(&self, stage: Stage, patience: &Patience) -> Option<Duration> {
        if stage == Stage::Unplugging { Some(patience.guest) } else { usual(stage, patience) }
    }

    fn heard(&self, operation: &Operation, _server: &Server, _node: &NodeId, report: &MachineObserved) -> Heard {
        let Some(port) = operation.nic() else { return Heard::Nothing };
        if operation.stage != Stage::Plugging {
            return unplugged(operation, &DeviceId::nic(port), report);
        }
        match (report.device(&DeviceId::nic(port)), &report.state) {
            (Some(DeviceState::Failed { cause }), _) => Heard::Failed { cause: cause.clone() },
            (Some(DeviceState::Plugged), _) => Heard::Done,
            // It has it at its next start.
            (_, MachineState::Stopped) => Heard::Done,
            (_, MachineState::Failed { cause, transient: false, .. }) => Heard::Failed { cause: cause.clone() },
            _ => Heard::Nothing,
        }
    }

    fn finished(&self, at: Option<Stage>) -> &'static [Action] {
        if at.is_none() { &[Action::AttachInterface] } else { &[] }
    }

    fn give_up(&self, operation: &Operation, server: &mut Server, _cause: &str) -> Left {
        if operation.stage != Stage::Plugging {
            return Left::Stage(Stage::Unwiring);
        }
        server.change_nics();
        Left::Stage(Stage::Unplugging)
    }

    fn step<'a>(&'a self, room: &'a Compute, taken: Taken<'a>) -> BoxFuture<'a, Result<Step>> {
        Box::pin(async move {
            if taken.operation.stage == Stage::Unwiring {
                return room.unwire(&taken).await;
            }
            match room.wire(&taken).await {
                Err(Error::Refused(refusal)) if !refusal.is_transient() => {
                    room.give_up(taken.server, refusal.message, |_| {}).await?;
                    Ok(Step::Again)
                }
                wired => wired.map(|()| Step::Settled),
            }
        })
    }
}

impl Course for Detach {
    fn words(&self, _operation: &Operation) -> UnderWay {
        UnderWay { task_state: Some("detaching_interface"), vm_state: None }
    }

    fn patience(&self, stage: Stage, patience: &Patience) -> Option<Duration> {
        if stage == Stage::Unplugging { Some(patience.guest) } else { usual(stage, patience) }
    }

    fn heard(&self, operation: &Operation, _server: &Server, _node: &NodeId, report: &MachineObserved) -> Heard {
        operation.nic().map_or(Heard::Nothing, |port| unplugged(operation, &DeviceId::nic(port), report))
    }

    /// It has its NIC, as before.
    fn give_up(&self, operation: &Operation, server: &mut Server, cause: &str) -> Left {
        let is_lost = matches!(&operation.ask, Ask::Detach(ask) if ask.is_lost);
        if operation.stage == Stage::Unwiring || is_lost {
            return Left::Stage(Stage::Unwiring);
        }
        let port = operation.nic().map(ToString::to_string).unwrap_or_default();
        let message = format!(
            "The interface {port} stays attached: its guest has not let go of it, or its host did not say so. {cause} \
             Stop the server and detach it then."
        );
        server.fault = Some(FaultNote::new(message, None));
        server.change_nics();
        Left::Nothing
    }

    fn step<'a>(&'a self, room: &'a Compute, taken: Taken<'a>) -> BoxFuture<'a, Result<Step>> {
        Box::pin(async move { room.unwire(&taken).await })
    }
}

/// What is given back is given back however long it takes.
fn usual(stage: Stage, patience: &Patience) -> Option<Duration> {
    (stage != Stage::Unwiring).then_some(patience.node)
}

/// Whether the machine is without the device, from a report on what is wanted now. Of one of which nothing is known nothing
/// follows.
pub(super) fn unplugged(operation: &Operation, device: &DeviceId, report: &MachineObserved) -> Heard {
    let is_known = matches!(report.state, MachineState::Running | MachineState::Paused | MachineState::Stopped);
    match report.device(device) {
        None if operation.stage == Stage::Unplugging && is_known => Heard::Stage(Stage::Unwiring),
        _ => Heard::Nothing,
    }
}

impl Operation {
    /// The NIC that comes or goes.
    pub(crate) fn nic(&self) -> Option<&PortId> {
        match &self.ask {
            Ask::Attach(ask) | Ask::Detach(ask) => Some(&ask.port_id),
            _ => None,
        }
    }
}

impl Server {
    /// Its NICs and volumes stand in its claims, where the writer of its row does not see that they change.
    pub(crate) fn change_nics(&mut self) {
        self.generation = self.generation.next();
    }
}

impl Compute {
    /// Makes or adopts the port and binds it to the host; then the node is told of the NIC.
    pub(crate) async fn wire(&self, taken: &Taken<'_>) -> Result<()> {
        let Taken { server, operation, .. } = taken;
        let (Some(nic), Some(node)) = (taken.nic(), &server.node_id) else {
            return Err(Error::conflict(format!(
                "Instance {} has no machine into which an interface could be plugged.",
                server.id
            )));
        };
        let facts = self.ports.ensure(&server.project_id, &server.id, &server.hostname, node, nic).await?;
        crash::point("compute.interface.bound");
        let (port, next) = (nic.port_id.clone(), operation.at(Stage::Plugging, &self.patience));
        self.change(server, "server.interface.bound", move |tx, server| {
            claim::set_port(tx, &server.id, &port, &facts)?;
            server.change_nics();
            server.operation = Some(next.clone());
            Ok(())
        })
        .await?;
        crash::point("compute.interface.told");
        Ok(())
    }

    /// Detaches NICs whose ports were deleted, as Nova does on network's word. A server to which something else is being done
    /// is looked at again after that: its nodes are reminded of each change.
    pub(crate) async fn let_go_of(&self, lost: Vec<(Server, PortId)>) {
        for (server, port) in lost.into_iter().filter(|(server, _)| server.open().is_none() && server.deleting_at.is_none()) {
            let (patience, id) = (self.patience, server.id.clone());
            let change = move |tx: &mut Tx, server: &mut Server| {
                let actor = Actor::system("compute");
                let ask = Ask::Detach(InterfaceAsk { port_id: port.clone(), is_lost: true });
                server.change_nics();
                server.operation = Some(Operation::begin(ask, Stage::Unplugging, &actor, &patience));
                instance_action::begin(tx, &actor, server, Action::DetachInterface, None)
            };
            match self.change(&server, "server.interface.lost", change).await {
                Ok(_) | Err(Error::Store(store::Error::Conflict)) => {}
                Err(error) => tracing::warn!(server = %id, %error, "a NIC without a port is detached at the next look"),
            }
        }
    }

    /// Gives the port back, as it was before, and forgets the NIC.
    async fn unwire(&self, taken: &Taken<'_>) -> Result<Step> {
        let Taken { server, operation, .. } = taken;
        if let Some(nic) = taken.nic() {
            self.ports.release(&server.id, nic).await?;
        }
        crash::point("compute.interface.released");
        let port = operation.nic().cloned();
        let is_as_asked = matches!(operation.ask, Ask::Detach(_));
        let cause = server.fault.as_ref().map_or("given up", |fault| fault.message.as_str());
        let over = operation.over(if is_as_asked { "done" } else { cause });
        self.change(server, "server.interface.gone", move |tx, server| {
            port.iter().try_for_each(|port| claim::remove_nic(tx, &server.id, port))?;
            if is_as_asked {
                instance_action::finish(tx, &server.id, Action::DetachInterface)?;
            }
            server.operation = Some(over.clone());
            Ok(())
        })
        .await?;
        crash::point("compute.interface.forgotten");
        Ok(Step::Settled)
    }
}

impl Taken<'_> {
    fn nic(&self) -> Option<&NicAsk> {
        let port = self.operation.nic()?;
        self.claims.iter().filter_map(|claim| claim.nic.as_ref()).find(|nic| nic.port_id == *port)
    }
}
