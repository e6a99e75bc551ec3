// SPDX-License-Identifier: Apache-2.0
//! Resize and migration: a server gets another flavor, another host, or both, and its user says whether it is good.
//!
//! ```text
//!  resize           room found      disk there        ports there       it runs
//! ───────▶ Placing ─────────▶ Moving ───────▶ Received ───────▶ Finishing ─────▶ Verify ──confirm──▶ Confirming ──▶ done
//!             │                  │               │                 ▲  │            │                 source given up
//!             │ on the same host │               │                 │  │            └─revert─▶ Reverting ─▶ Restoring ─▶ done
//!             ├──────────────────┼───────────────┼─────────────────┘  │                      target given up
//!             └──────────────────┴── failed ─────┴────────────────────┴─▶ Abandoning ─▶ Returning ─▶ given up
//! ```
//!
//! Until the end both sides are held: the source's room stands under the operation's name in placement, as Nova has it
//! under the migration's, the target's under the server's. At no time two nodes run it: the target is told to run only
//! after the disk was sent, which is after the source stopped; and the source only after the target has given up.
//!
//! On the same host, which is chosen if no other has room, the node keeps a copy of the disk instead.
//!
//! Invariant: a server that moves runs on one node at most, whenever a process dies (test: `a_crash_while_a_server_is_resized_ends_in_a_legal_state`).

use std::time::Duration;

use contracts::node::Feature;
use contracts::{
    BoxFuture, Refusal,
    node::{KeptDisk, MachineObserved, MachineState},
    nodes::NodeFacts,
    placement::Claim as Room,
    ports::{NicAsk, PortFacts},
};
use futures_util::future::join_all;
use types::{AllocationConsumer, NodeId, PortId, ProviderId};
use work::{Step, crash};

use super::{Ask, Course, Heard, Left, Operation, ResizeAsk, Role, Stage, Taken, power};
use crate::{
    Compute, Patience,
    error::Result,
    instance_action::{self, Action},
    server::{
        FaultNote, Server, claim,
        place::{no_valid_host, resources},
        schedule::{Placed, Reason},
        state::{Power, Reboot, UnderWay},
    },
};

/// Every crash point of a resize, for tests that sweep over them.
#[cfg(test)]
pub(crate) const CRASH_POINTS: &[&str] = &[
    "compute.operation.recorded",
    "compute.resize.set-aside",
    "compute.resize.room-held",
    "compute.resize.placed",
    "compute.resize.ports-moved",
    "compute.resize.moved",
    "compute.resize.source-gone",
    "compute.resize.room-released",
    "compute.resize.confirmed",
    "compute.resize.target-gone",
    "compute.resize.ports-back",
    "compute.resize.room-taken-back",
    "compute.resize.reverted",
];

pub(super) struct Resize;

impl Course for Resize {
    fn words(&self, operation: &Operation) -> UnderWay {
        let was = match &operation.ask {
            Ask::Resize(ask) if ask.was == "stopped" => "stopped",
            _ => "active",
        };
        let (task_state, vm_state) = match operation.stage {
            Stage::Placing => (Some("resize_prep"), was),
            Stage::Finishing => (Some("resize_finish"), was),
            Stage::Received => (Some("resize_migrated"), was),
            Stage::Verify | Stage::Confirming => (None, "resized"),
            Stage::Reverting | Stage::Restoring => (Some("resize_reverting"), "resized"),
            _ => (Some("resize_migrating"), was),
        };
        UnderWay { task_state, vm_state: Some(vm_state) }
    }

    fn patience(&self, stage: Stage, patience: &Patience) -> Option<Duration> {
        match stage {
            Stage::Moving | Stage::Received => Some(patience.transfer),
            Stage::Placing | Stage::Finishing | Stage::Restoring | Stage::Returning => Some(patience.node),
            // A user may think, and what is given back is given back however long it takes.
            _ => None,
        }
    }

    fn presence(&self, operation: &Operation, server: &Server) -> Vec<(NodeId, Role)> {
        let Some((from, to)) = operation.moves() else { return server.settled_presence() };
        match operation.stage {
            Stage::Moving => vec![(from, Role::Send), (to, Role::Receive)],
            Stage::Received if server.is_volume_backed() => vec![(from, Role::Keep)],
            Stage::Received => vec![(from, Role::Keep), (to, Role::Receive)],
            Stage::Finishing | Stage::Verify => vec![(from, Role::Keep), (to, Role::Run)],
            Stage::Confirming => vec![(to, Role::Run)],
            Stage::Reverting | Stage::Abandoning => vec![(from, Role::Keep)],
            _ => vec![(from, Role::Run)],
        }
    }

    fn heard(&self, operation: &Operation, server: &Server, node: &NodeId, report: &MachineObserved) -> Heard {
        let failed = match &report.state {
            MachineState::Failed { cause, transient: false, .. } => Some(cause.clone()),
            _ => None,
        };
        let is_at_home = server.node_id.as_ref() == Some(node);
        match (operation.stage, failed) {
            (Stage::Moving | Stage::Received, Some(cause)) => Heard::Failed { cause },
            (Stage::Moving, None) if operation.to_node.as_ref() == Some(node) && report.state == MachineState::Received => {
                Heard::Stage(Stage::Received)
            }
            (Stage::Finishing | Stage::Restoring | Stage::Returning, _) if is_at_home && report.reboots >= server.reboots => {
                match (power::settled(server.power, report), operation.stage) {
                    (Heard::Done, Stage::Finishing) => Heard::Stage(Stage::Verify),
                    (heard, _) => heard,
                }
            }
            _ => Heard::Nothing,
        }
    }

    fn finished(&self, at: Option<Stage>) -> &'static [Action] {
        match at {
            Some(Stage::Verify) => &[Action::Resize, Action::Migrate],
            None => &[Action::RevertResize],
            _ => &[],
        }
    }

    fn give_up(&self, operation: &Operation, _server: &mut Server, _cause: &str) -> Left {
        match operation.stage {
            Stage::Restoring | Stage::Returning => Left::Nothing,
            _ => Left::Stage(Stage::Abandoning),
        }
    }

    fn step<'a>(&'a self, room: &'a Compute, taken: Taken<'a>) -> BoxFuture<'a, Result<Step>> {
        Box::pin(async move {
            let Ask::Resize(ask) = &taken.operation.ask else { return Ok(Step::Settled) };
            match taken.operation.stage {
                Stage::Placing => room.find_place(&taken, ask).await,
                Stage::Received => room.move_home(&taken, ask).await,
                Stage::Confirming => room.leave_source(&taken).await,
                Stage::Reverting | Stage::Abandoning => room.go_back(&taken, ask).await,
                _ => Ok(Step::Settled),
            }
        })
    }
}

impl Operation {
    /// From where to where, if it changes its host.
    fn moves(&self) -> Option<(NodeId, NodeId)> {
        let (from, to) = (self.from_node.clone()?, self.to_node.clone()?);
        (from != to).then_some((from, to))
    }

    /// The copy of the disk by which a server that stays on its host can go back.
    pub(super) fn kept(&self) -> Option<KeptDisk> {
        let stays = self.to_node.is_some() && self.moves().is_none();
        let mark = u64::try_from(self.started_at.0).unwrap_or_default();
        match self.stage {
            _ if !stays => None,
            Stage::Finishing | Stage::Verify | Stage::Reverting | Stage::Abandoning => Some(KeptDisk { mark, back: false }),
            Stage::Restoring | Stage::Returning => Some(KeptDisk { mark, back: true }),
            _ => None,
        }
    }

    fn consumer(&self) -> AllocationConsumer {
        AllocationConsumer::new(self.id.as_str())
    }
}

/// Where a server goes.
struct Place {
    node: NodeId,
    host: String,
}

impl Compute {
    /// The source's room is held under the operation's name from now on, and the target's under the server's.
    async fn find_place(&self, taken: &Taken<'_>, ask: &ResizeAsk) -> Result<Step> {
        let Taken { server, operation, .. } = taken;
        let Some(from) = &operation.from_node else { return Ok(Step::Settled) };
        self.placement.set_aside(&AllocationConsumer::new(server.id.as_str()), &operation.consumer()).await?;
        crash::point("compute.resize.set-aside");
        let place = match self.choose(taken, ask, from).await? {
            Ok(place) => place,
            Err(Some(fault)) => {
                let cause = fault.message.clone();
                self.give_up(server, cause, move |server| server.fault = Some(fault.clone())).await?;
                return Ok(Step::Again);
            }
            Err(None) => return Ok(Step::Wait),
        };
        crash::point("compute.resize.room-held");
        let (stays, patience, to) = (place.node == *from, self.patience, ask.to.clone());
        let ask = ResizeAsk { to_host: Some(place.host), ..ask.clone() };
        let next = Operation { to_node: Some(place.node.clone()), ask: Ask::Resize(Box::new(ask)), ..(*operation).clone() };
        self.change(server, "server.resize.placed", move |tx, server| {
            if stays {
                server.become_size(&to);
                server.restart();
                server.operation = Some(next.at(Stage::Finishing, &patience));
                return Ok(());
            }
            // Without a disk of its own there is nothing to send, and the target has no part in it before it runs it.
            if server.is_volume_backed() {
                server.operation = Some(next.at(Stage::Received, &patience));
                return Ok(());
            }
            claim::insert_machine(tx, &server.id, &place.node)?;
            server.operation = Some(next.at(Stage::Moving, &patience));
            Ok(())
        })
        .await?;
        crash::point("compute.resize.placed");
        Ok(if server.is_volume_backed() && !stays { Step::Again } else { Step::Settled })
    }

    /// Another host that has room, or else its own.
    async fn choose(
        &self,
        taken: &Taken<'_>,
        ask: &ResizeAsk,
        from: &NodeId,
    ) -> Result<std::result::Result<Place, Option<FaultNote>>> {
        let (server, nodes) = (taken.server, self.nodes.list().await?);
        let has_volumes = taken.claims.iter().any(|claim| claim.volume.is_some());
        let home = nodes.iter().find(|node| node.id == *from);
        let can = |node: Option<&NodeFacts>, feature| node.is_some_and(|node: &NodeFacts| node.can(feature));
        let may_move = can(home, Feature::MoveDisk);
        let not_on: Vec<(NodeId, Reason)> = nodes
            .iter()
            .filter_map(|node| match node {
                home if home.id == *from => Some((home.id.clone(), Reason::IsItsOwn)),
                other if !may_move || !other.can(Feature::MoveDisk) => Some((other.id.clone(), Reason::MovesNoDisks)),
                _ => None,
            })
            .collect();
        let wish = Server { flavor: ask.to.size.clone(), wanted_host: ask.host.clone(), ..server.clone() };
        let needs = resources(&wish);
        let mut refused = match self.allocate(&wish, needs.clone(), has_volumes, &not_on).await? {
            Placed::On(place, ()) => return Ok(Ok(Place { node: place.node, host: place.host })),
            Placed::NotYet => return Ok(Err(None)),
            Placed::Nowhere(refused) => refused,
        };
        if let Some(home) = home.filter(|home| !ask.must_move && home.can(Feature::KeepDisk)) {
            let (consumer, provider) = (AllocationConsumer::new(server.id.as_str()), ProviderId::new(from.as_str()));
            let claimed = self.placement.claim(&consumer, &provider, &needs, &server.project_id, &server.user_id).await?;
            match claimed {
                Room::Held => return Ok(Ok(Place { node: home.id.clone(), host: home.hostname.clone() })),
                Room::Full(classes) => {
                    let class = classes.first().cloned().unwrap_or_else(|| "room".to_owned());
                    let needs = needs.get(&class).copied().unwrap_or_default();
                    refused.note_instead(&home.hostname, Reason::Lacks { class, needs, free: 0 });
                }
            }
        }
        Ok(Err(Some(no_valid_host(&wish, &refused))))
    }

    /// Its disk is there: its ports follow, and it begins to run there.
    async fn move_home(&self, taken: &Taken<'_>, ask: &ResizeAsk) -> Result<Step> {
        let Taken { server, operation, .. } = taken;
        let Some(to) = operation.to_node.clone() else { return Ok(Step::Settled) };
        // The doors of its volumes first: they move when the source has let go of them, and it has stopped by now.
        let moved =
            async { Ok::<_, Refusal>((self.open_volumes(server, taken.claims, &to).await?, self.bind_ports(taken, &to).await?)) };
        let (volumes, ports) = match moved.await {
            Ok(moved) => moved,
            Err(refusal) if refusal.is_transient() => return Err(refusal.into()),
            Err(refusal) => {
                self.give_up(server, refusal.message, |_| {}).await?;
                return Ok(Step::Again);
            }
        };
        crash::point("compute.resize.ports-moved");
        let (next, ask) = (operation.at(Stage::Finishing, &self.patience), ask.clone());
        self.change(server, "server.resize.moved", move |tx, server| {
            for (port, facts) in &ports {
                claim::set_port(tx, &server.id, port, facts)?;
            }
            claim::set_volumes(tx, &server.id, &volumes)?;
            claim::insert_machine(tx, &server.id, &to)?;
            server.come_to(&to, ask.to_host.clone());
            server.become_size(&ask.to);
            server.operation = Some(next.clone());
            Ok(())
        })
        .await?;
        crash::point("compute.resize.moved");
        Ok(Step::Settled)
    }

    /// Its user keeps it: what it left behind is given back.
    async fn leave_source(&self, taken: &Taken<'_>) -> Result<Step> {
        let Taken { server, operation, claims } = taken;
        if !self.machines_are_gone(server, claims).await? {
            return Ok(Step::Wait);
        }
        crash::point("compute.resize.source-gone");
        self.placement.release(&operation.consumer()).await?;
        crash::point("compute.resize.room-released");
        let over = operation.over("done");
        self.change(server, "server.resize.confirmed", move |tx, server| {
            claim::remove_allocation(tx, &server.id, &over.id)?;
            instance_action::finish(tx, &server.id, Action::ConfirmResize)?;
            server.operation = Some(over.clone());
            Ok(())
        })
        .await?;
        crash::point("compute.resize.confirmed");
        Ok(Step::Settled)
    }

    /// Back to where and what it was: first the target gives it up, then the ports and the room come back.
    async fn go_back(&self, taken: &Taken<'_>, ask: &ResizeAsk) -> Result<Step> {
        let Taken { server, operation, claims } = taken;
        if !self.machines_are_gone(server, claims).await? {
            return Ok(Step::Wait);
        }
        crash::point("compute.resize.target-gone");
        let Some(from) = operation.from_node.clone() else { return Ok(Step::Settled) };
        let (volumes, ports) = match operation.moves() {
            Some(_) => (self.open_volumes(server, claims, &from).await?, self.bind_ports(taken, &from).await?),
            None => Default::default(),
        };
        crash::point("compute.resize.ports-back");
        self.placement.take_back(&operation.consumer(), &AllocationConsumer::new(server.id.as_str())).await?;
        crash::point("compute.resize.room-taken-back");
        let stage = if operation.stage == Stage::Reverting { Stage::Restoring } else { Stage::Returning };
        let (next, ask) = (operation.at(stage, &self.patience), ask.clone());
        let over = operation.over(server.fault.as_ref().map_or("given up", |fault| fault.message.as_str()));
        self.change(server, "server.resize.reverted", move |tx, server| {
            claim::remove_allocation(tx, &server.id, &next.id)?;
            for (port, facts) in &ports {
                claim::set_port(tx, &server.id, port, facts)?;
            }
            claim::set_volumes(tx, &server.id, &volumes)?;
            // Without a place nothing was done to it.
            server.operation = Some(if next.to_node.is_some() { next.clone() } else { over.clone() });
            if next.moves().is_some() {
                server.come_to(&from, ask.from_host.clone());
            } else if next.to_node.is_some() {
                server.restart();
            }
            server.become_size(&ask.from);
            Ok(())
        })
        .await?;
        crash::point("compute.resize.reverted");
        Ok(Step::Settled)
    }

    async fn bind_ports(&self, taken: &Taken<'_>, node: &NodeId) -> Result<Vec<(PortId, PortFacts)>, Refusal> {
        let server = taken.server;
        let nics: Vec<&NicAsk> = taken.claims.iter().filter_map(|claim| claim.nic.as_ref()).collect();
        let bound = join_all(nics.iter().map(|nic| async {
            let facts = self.ports.ensure(&server.project_id, &server.id, &server.hostname, node, nic).await?;
            Ok((nic.port_id.clone(), facts))
        }));
        bound.await.into_iter().collect()
    }
}

impl Server {
    /// This node is where it runs from now on; what another found of it says nothing.
    fn come_to(&mut self, node: &NodeId, host: Option<String>) {
        if self.node_id.as_ref() == Some(node) {
            return;
        }
        self.node_id = Some(node.clone());
        self.host = host;
        self.found = None;
        self.found_generation = types::Generation::default();
        self.found_reboots = self.reboots;
    }

    fn become_size(&mut self, kept: &super::ask::Kept) {
        self.flavor_id = kept.id.clone();
        self.flavor = kept.size.clone();
    }

    /// A machine that runs takes its size when it starts anew.
    fn restart(&mut self) {
        if self.power != Power::Stopped {
            self.reboots += 1;
            self.reboot_kind = Reboot::Hard;
        }
    }
}
