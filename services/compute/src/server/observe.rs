// SPDX-License-Identifier: Apache-2.0
//! Takes in what nodes found. A report is written down in one transaction, durable before the node's call is answered.
//!
//! Invariant: a report on an older generation never overwrites a newer one (test: `an_older_report_changes_nothing`).

use std::collections::HashMap;

use contracts::{
    BoxFuture, Refusal,
    node::{self, Failure, Found as Said, MachineObserved, MachineState, ThingId},
    nodes::{NodeFacts, ObservedSink, Report},
};
use store::{Actor, Select, Tx};
use types::{NodeId, ServerId};
use work::crash;

use super::{
    FaultNote, Server, claim,
    operation::{Heard, Operation, Stage, Turn},
    released,
    save::{Saved, beyond, save},
    state::{Found, Life, Power},
    table,
};
use crate::{
    Compute, Patience,
    error::Result,
    instance_action::{self, Action},
};

impl ObservedSink for Compute {
    fn kind(&self) -> node::Kind {
        node::Kind::Machine
    }

    fn observed<'a>(&'a self, node: &'a NodeId, report: &'a Report) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let (of, report, patience) = (node.clone(), report.clone(), self.patience);
            let next = self.store.write(move |tx| take_in(tx, &of, &report, &patience)).await?;
            crash::point("compute.server.observed");
            if !next.converge.is_empty() {
                self.bell.ring_for(next.converge.iter().map(ServerId::as_str));
            }
            for (node, server) in &next.tell {
                self.nodes.tell(node, &[ThingId::machine(server)]);
            }
            next.saved.iter().for_each(|saved| self.tell(saved));
            Ok(())
        })
    }

    fn node_changed<'a>(&'a self, _node: &'a NodeFacts) -> BoxFuture<'a, Result<(), Refusal>> {
        // Servers that wait for a host, or for word from one, are looked at again.
        self.bell.ring();
        Box::pin(async { Ok(()) })
    }
}

/// What a report calls for.
#[derive(Debug, Default)]
struct Next {
    /// For these the reconciler has something to do.
    converge: Vec<ServerId>,
    /// What was changed by it.
    saved: Vec<Saved>,
    /// Something else is wanted of these nodes now.
    tell: Vec<(NodeId, ServerId)>,
}

/// Writes a report down. What it costs grows with what it says, and with nothing else.
fn take_in(tx: &mut Tx, node: &NodeId, report: &Report, patience: &Patience) -> Result<Next> {
    let reports: HashMap<&ServerId, &MachineObserved> =
        report.found.iter().filter_map(Said::as_machine).map(|machine| (&machine.server_id, machine)).collect();
    let absent: Vec<ServerId> = report.absent.iter().filter_map(ThingId::server).collect();
    let named: Vec<ServerId> = reports.keys().copied().chain(&absent).cloned().collect();
    let (servers, [deleted]) = table::claimed_by_and(tx, node, &named, [&deleted_and_there(&reports)])?;
    let mut next = Next::default();
    let gone = reports.values().filter(|report| report.state == MachineState::Gone).map(|report| &report.server_id);
    // What the node has given up need not be said any more.
    released::forget(tx, node, gone.chain(&absent))?;
    for row in &deleted {
        let server: ServerId = row.get(0)?;
        released::insert(tx, node, &server)?;
        next.tell.push((node.clone(), server));
    }
    for server in &servers {
        let taker = Taker { tx, node, server, patience, next: &mut next };
        match reports.get(&server.id) {
            Some(report) => taker.report(report)?,
            // It was told of it before it looked, and does not have it.
            None => taker.absence()?,
        }
    }
    Ok(next)
}

/// Machines of servers that were deleted to the end, found nevertheless: as on a host that was put back to an earlier state.
fn deleted_and_there(reports: &HashMap<&ServerId, &MachineObserved>) -> Select {
    let there = reports.values().filter(|report| report.state != MachineState::Gone).map(|report| &report.server_id);
    Select::new("servers", "id").condition("deleted_at IS NOT NULL").filter_in("id", there)
}

/// One report on one server by one of its nodes.
struct Taker<'a> {
    tx: &'a mut Tx,
    node: &'a NodeId,
    server: &'a Server,
    patience: &'a Patience,
    next: &'a mut Next,
}

impl Taker<'_> {
    fn report(self, report: &MachineObserved) -> Result<()> {
        if report.state == MachineState::Gone {
            return self.absence();
        }
        let server = self.server;
        if server.role_of(self.node).is_none() {
            return Ok(());
        }
        // Only the node where it is wanted to run says what it is.
        let is_at_home = server.node_id.as_ref() == Some(self.node);
        if is_at_home && (report.generation > server.generation || report.reboots > server.reboots) {
            return self.overtaken(report);
        }
        if is_at_home && report.generation < server.found_generation {
            return Ok(());
        }
        let is_current = report.generation >= server.generation;
        let mut after = server.clone();
        // Of a new one that it is being made says its operation; how far that is nobody is shown.
        let is_being_made = server.life == Life::New && server.found.is_none();
        let found = found(server, report).filter(|found| !(is_being_made && *found == Found::Preparing));
        if is_at_home && let Some(found) = found {
            after.found = Some(found);
            after.found_generation = report.generation;
            after.found_reboots = report.reboots;
        }
        let heard = match server.open() {
            Some(operation) if is_current => operation.course().heard(operation, &after, self.node, report),
            _ => Heard::Nothing,
        };
        let is_news = (after.found, after.found_generation, after.found_reboots)
            != (server.found, server.found_generation, server.found_reboots);
        if !is_news && matches!(heard, Heard::Nothing | Heard::Look) {
            if heard == Heard::Look {
                self.next.converge.push(server.id.clone());
            }
            return Ok(());
        }
        self.settle(after, &heard, report, is_at_home && is_news)
    }

    /// Writes down what it means.
    fn settle(self, mut after: Server, heard: &Heard, report: &MachineObserved, is_news: bool) -> Result<()> {
        let (tx, server) = (self.tx, self.server);
        let actor = Actor::system("compute");
        let mut verb = "server.found";
        match (heard, server.open()) {
            (Heard::Done, Some(operation)) => {
                verb = if server.life == Life::New { "server.active" } else { "server.done" };
                operation.course().conclude(operation, &mut after);
                after.operation = Some(operation.over("done"));
                finish(tx, server, operation, None)?;
            }
            (Heard::Stage(stage), Some(operation)) => {
                operation.course().enter(*stage, &mut after);
                after.operation = Some(operation.at(*stage, self.patience));
                finish(tx, server, operation, Some(*stage))?;
            }
            (Heard::Failed { cause }, Some(_)) => {
                verb = "server.fail";
                after.give_up(tx, cause, self.patience)?;
            }
            _ => {}
        }
        if *heard == Heard::Look || after.open().is_some_and(|open| open.stage.turn() == Turn::Ours) {
            self.next.converge.push(server.id.clone());
        }
        if is_news && after.life == Life::Built {
            if broke_down(tx, server, &mut after, report)? {
                verb = "server.fail";
            } else if matches!(report.state, MachineState::Running | MachineState::Stopped | MachineState::Paused) {
                instance_action::finish_through(tx, &server.id, report.generation, after.host.as_deref())?;
                if matches!(server.found, Some(Found::Failed | Found::Held)) && report.generation >= server.generation {
                    after.fault = None;
                }
            }
        }
        let switched_off = after.life == Life::Built
            && is_news
            && after.found == Some(Found::Stopped)
            && after.power == Power::Running
            && after.found_generation >= after.generation
            && after.found_reboots >= after.reboots
            && after.open().is_none();
        let saved = save(tx, &actor, verb, server, after)?;
        let stopped = if switched_off { Some(guest_switched_off(tx, &saved.server)?) } else { None };
        self.next.saved.extend([Some(saved), stopped].into_iter().flatten());
        Ok(())
    }

    /// The node was told more than the tables know: they were put back to an earlier state. What they want counts all the same,
    /// and goes on from there, or the node would not listen to it.
    fn overtaken(self, report: &MachineObserved) -> Result<()> {
        let mut after = self.server.clone();
        after.generation = beyond(self.server, report.generation);
        after.reboots = self.server.reboots.max(report.reboots);
        after.found_reboots = report.reboots;
        self.next.saved.push(save(self.tx, &Actor::system("compute"), "server.overtake", self.server, after)?);
        self.next.tell.push((self.node.clone(), self.server.id.clone()));
        Ok(())
    }

    /// The node has no machine of this server.
    fn absence(self) -> Result<()> {
        let server = self.server;
        if server.role_of(self.node).is_none() {
            // This is what it waits for.
            claim::remove_machine(self.tx, &server.id, self.node)?;
            self.next.converge.push(server.id.clone());
            return Ok(());
        }
        let is_at_home = server.node_id.as_ref() == Some(self.node);
        if is_at_home && server.life == Life::Built && server.found != Some(Found::Gone) {
            let after = Server { found: Some(Found::Gone), ..server.clone() };
            self.next.saved.push(save(self.tx, &Actor::system("compute"), "server.found", server, after)?);
        }
        Ok(())
    }
}

fn finish(tx: &mut Tx, server: &Server, operation: &Operation, at: Option<Stage>) -> Result<()> {
    operation.course().finished(at).iter().try_for_each(|action| instance_action::finish(tx, &server.id, *action))
}

/// What the node found, in our words.
fn found(server: &Server, report: &MachineObserved) -> Option<Found> {
    Some(match &report.state {
        MachineState::Preparing { .. } => Found::Preparing,
        MachineState::Running => Found::Running,
        MachineState::Stopped | MachineState::Sent => Found::Stopped,
        MachineState::Paused => Found::Paused,
        // The node goes on trying.
        MachineState::Failed { transient: true, cause, .. } => {
            tracing::info!(server = %server.id, cause, "a host has trouble with a server and goes on trying");
            Found::Preparing
        }
        MachineState::Failed { how: Failure::Held, .. } => Found::Held,
        MachineState::Failed { .. } => Found::Failed,
        // It is not at home there yet.
        MachineState::Received | MachineState::Gone => return None,
    })
}

/// It is not as it should be, and everybody who looks learns why. What was under way failed. Of a machine that ran, the action
/// is written down, too, by which Nova would have followed it.
fn broke_down(tx: &mut Tx, before: &Server, after: &mut Server, report: &MachineObserved) -> Result<bool> {
    let MachineState::Failed { cause, transient: false, how } = &report.state else { return Ok(false) };
    let is_news = *how == Failure::Unmade || before.found != after.found || before.life == Life::New;
    if report.generation < before.generation || !is_news {
        return Ok(false);
    }
    let details = after.host.as_ref().map(|host| format!("on host {host}: {cause}"));
    after.fault = Some(FaultNote::new(cause, details));
    instance_action::fail_open(tx, &after.id, cause)?;
    let action = match how {
        Failure::Unmade => None,
        Failure::Crashed => Some(Action::Stop),
        Failure::Held => Some(Action::Pause),
    };
    if let Some(action) = action {
        instance_action::failed(tx, &Actor::system("compute"), after, action, cause)?;
    }
    Ok(true)
}

/// Off is then what is wanted: a restart of the host does not start it again.
fn guest_switched_off(tx: &mut Tx, before: &Server) -> Result<Saved> {
    let actor = Actor::system("guest");
    let saved = save(tx, &actor, "server.stop", before, Server { power: Power::Stopped, ..before.clone() })?;
    instance_action::begin(tx, &actor, &saved.server, Action::Stop, Some(saved.server.generation))?;
    Ok(saved)
}
