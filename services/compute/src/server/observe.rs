// SPDX-License-Identifier: Apache-2.0
//! Takes in what nodes found. A report is written down in one transaction, durable before the node's call is answered.
//!
//! Invariant: a report on an older generation never overwrites a newer one (test: `an_older_report_changes_nothing`).

use std::collections::HashMap;

use contracts::{
    BoxFuture, Refusal,
    node::{Failure, Found as Said, MachineObserved, MachineState, Power, ThingId},
    nodes::{NodeFacts, ObservedSink, Report},
};
use serde_json::json;
use store::{Actor, Tx, params};
use types::{NodeId, ServerId, Timestamp};
use work::crash;

use super::{
    FaultNote, Server,
    claim::{self, Kind},
    reconcile::try_elsewhere,
    released,
    row::COLUMNS,
    snapshot,
    state::{Found, Phase},
    store as table,
};
use crate::{
    Compute,
    error::Result,
    instance_action::{self, Action},
};

impl ObservedSink for Compute {
    fn observed<'a>(&'a self, node: &'a NodeId, report: &'a Report) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let (of, report) = (node.clone(), report.clone());
            let steps = self.store.write(move |tx| take_in(tx, &of, &report)).await?;
            crash::point("compute.server.observed");
            if steps.converge {
                self.bell.ring();
            }
            if !steps.tell.is_empty() {
                self.nodes.tell(node, &steps.tell);
            }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Nothing,
    /// The reconciler has something to do.
    Converge,
    /// Something else is wanted of the node now.
    TellNode,
}

/// What all that a report says calls for together.
#[derive(Debug, Default)]
struct NextSteps {
    converge: bool,
    tell: Vec<ThingId>,
}

impl NextSteps {
    fn add(&mut self, server: &ServerId, step: Next) {
        match step {
            Next::Nothing => {}
            Next::Converge => self.converge = true,
            Next::TellNode => self.tell.push(ThingId::machine(server)),
        }
    }
}

/// Writes a report down. What it costs grows with what it says, and with nothing else.
fn take_in(tx: &mut Tx, node: &NodeId, report: &Report) -> Result<NextSteps> {
    let reports: HashMap<&ServerId, &MachineObserved> =
        report.found.iter().map(|Said::Machine(machine)| (&machine.server_id, machine)).collect();
    let absent: Vec<ServerId> = report.absent.iter().filter_map(ThingId::server).collect();
    let servers = listed(tx, node, reports.keys().copied().chain(&absent))?;
    let mut steps = NextSteps::default();
    forget_released(tx, node, &reports, &absent)?;
    for server in deleted_and_there(tx, &reports)? {
        released::insert(tx, node, &server)?;
        steps.add(&server, Next::TellNode);
    }
    for server in &servers {
        let next = match reports.get(&server.id) {
            Some(report) => {
                if snapshot::take_step(tx, server, report)? {
                    steps.add(&server.id, Next::Converge);
                }
                take_report(tx, server, report)?
            }
            // It was told of it before it looked, and does not have it.
            None => take_absence(tx, server)?,
        };
        steps.add(&server.id, next);
    }
    Ok(steps)
}

/// What the node has given up need not be said any more.
fn forget_released(
    tx: &mut Tx,
    node: &NodeId,
    reports: &HashMap<&ServerId, &MachineObserved>,
    absent: &[ServerId],
) -> Result<()> {
    let gone = reports.values().filter(|report| report.state == MachineState::Gone).map(|report| &report.server_id);
    Ok(released::forget(tx, node, gone.chain(absent))?)
}

/// Machines of servers that were deleted to the end, found nevertheless: as on a host that was put back to an earlier state.
fn deleted_and_there(tx: &mut Tx, reports: &HashMap<&ServerId, &MachineObserved>) -> Result<Vec<ServerId>> {
    let there = reports.values().filter(|report| report.state != MachineState::Gone).map(|report| &report.server_id);
    let select = store::Select::new("servers", "id").condition("deleted_at IS NOT NULL").filter_in("id", there);
    Ok(select.rows(tx)?.iter().map(|row| row.get(0)).collect::<store::Result<_>>()?)
}

fn listed<'a>(tx: &mut Tx, node: &NodeId, ids: impl Iterator<Item = &'a ServerId>) -> Result<Vec<Server>> {
    let select = store::Select::new("servers", COLUMNS).filter("node_id = ", node).condition("deleted_at IS NULL");
    table::rows(&select.filter_in("id", ids).rows(tx)?)
}

fn take_report(tx: &mut Tx, server: &Server, report: &MachineObserved) -> Result<Next> {
    if report.state == MachineState::Gone {
        return take_absence(tx, server);
    }
    if report.generation < server.found_generation || !server.wants_machine() {
        return Ok(Next::Nothing);
    }
    if report.generation > server.generation || report.reboots > server.reboots {
        return overtake(tx, server, report);
    }
    let found = match &report.state {
        MachineState::Preparing { .. } => Found::Preparing,
        MachineState::Running | MachineState::Paused => Found::Running,
        MachineState::Stopped => Found::Stopped,
        // The node goes on trying.
        MachineState::Failed { transient: true, cause, .. } => {
            tracing::info!(server = %server.id, cause, "a host has trouble with a server and goes on trying");
            Found::Preparing
        }
        MachineState::Failed { how: Failure::Held, .. } => Found::Held,
        MachineState::Failed { .. } => Found::Failed,
        // Of a move between nodes, which nobody wants of them yet.
        MachineState::Received | MachineState::Sent | MachineState::Gone => return Ok(Next::Nothing),
    };
    let is_current = report.generation >= server.generation;
    let is_news =
        server.found != Some(found) || server.found_generation < report.generation || server.found_reboots < report.reboots;
    if !is_news {
        return Ok(Next::Nothing);
    }
    note(tx, server, found, report, is_current)?;
    match (server.phase, &report.state) {
        (Phase::Spawning, MachineState::Running | MachineState::Stopped) => built(tx, server, report),
        (Phase::Spawning, MachineState::Failed { cause, transient: false, how: Failure::Unmade }) => {
            try_elsewhere(tx, server, cause)?;
            Ok(Next::Converge)
        }
        (Phase::Spawning, MachineState::Failed { cause, transient: false, how }) => {
            // It did run, if only for a moment.
            built(tx, server, report)?;
            broke_down(tx, server, cause, *how)
        }
        (Phase::Built, MachineState::Failed { cause, transient: false, how }) if is_current => {
            if *how == Failure::Unmade || server.found != Some(found) {
                return broke_down(tx, server, cause, *how);
            }
            Ok(Next::Nothing)
        }
        (Phase::Built, MachineState::Running | MachineState::Stopped) => at_rest(tx, server, found, report, is_current),
        _ => Ok(Next::Nothing),
    }
}

/// The node was told more than the tables know: they were put back to an earlier state. What they want counts all the same,
/// and goes on from there, or the node would not listen to it.
fn overtake(tx: &mut Tx, server: &Server, report: &MachineObserved) -> Result<Next> {
    let generation = server.generation.max(report.generation).next();
    let (reboots, done) = (server.reboots.max(report.reboots), report.reboots);
    tx.execute_cas(
        "UPDATE servers SET generation = $1, reboots = $2, found_reboots = $3, found_current = 0, updated_at = $4 \
         WHERE id = $5 AND generation = $6",
        &params![generation.0, reboots, done, Timestamp::now(), &server.id, server.generation.0],
    )?;
    let (before, after) = (json!({"generation": server.generation.0}), json!({"generation": generation.0}));
    table::record(tx, &Actor::system("compute"), "server.overtake", server, Some(before), after)?;
    Ok(Next::TellNode)
}

/// What was found, with its generation and count of reboots.
fn note(tx: &mut Tx, server: &Server, found: Found, report: &MachineObserved, is_current: bool) -> Result<()> {
    tx.execute(
        "UPDATE servers SET found = $1, found_generation = $2, found_reboots = $3, found_current = $4, updated_at = $5 WHERE id = $6",
        &params![found.word(), report.generation.0, report.reboots, is_current, Timestamp::now(), &server.id],
    )?;
    Ok(())
}

/// It runs for the first time. The password has been told to the guest and is forgotten.
fn built(tx: &mut Tx, server: &Server, report: &MachineObserved) -> Result<Next> {
    table::set_phase(tx, server, Phase::Built)?;
    tx.execute(
        "UPDATE servers SET launched_at = coalesce(launched_at, $1), admin_password = NULL, fault = NULL WHERE id = $2",
        &params![Timestamp::now(), &server.id],
    )?;
    instance_action::finish_through(tx, &server.id, report.generation, server.host.as_deref())?;
    table::record(tx, &Actor::system("compute"), "server.active", server, None, json!({"host": server.host}))?;
    if report.state == MachineState::Stopped { guest_switched_off(tx, server) } else { Ok(Next::Nothing) }
}

/// It is as was wanted on some generation, or its guest switched it off.
fn at_rest(tx: &mut Tx, server: &Server, found: Found, report: &MachineObserved, is_current: bool) -> Result<Next> {
    instance_action::finish_through(tx, &server.id, report.generation, server.host.as_deref())?;
    if is_current && matches!(server.found, Some(Found::Failed | Found::Held)) {
        tx.execute("UPDATE servers SET fault = NULL WHERE id = $1", &params![&server.id])?;
    }
    let reboot_pending = report.reboots < server.reboots;
    if found == Found::Stopped && server.power == Power::Running && is_current && !reboot_pending {
        return guest_switched_off(tx, server);
    }
    let words = Server { found: Some(found), found_generation: report.generation, ..server.clone() }.facts().words();
    table::record(tx, &Actor::system("compute"), "server.found", server, None, json!({"status": words.status}))?;
    Ok(Next::Nothing)
}

/// It is not as it should be, and everybody who looks learns why. What was under way failed. Of a machine that ran, the action
/// is written down, too, by which Nova would have followed it.
fn broke_down(tx: &mut Tx, server: &Server, cause: &str, how: Failure) -> Result<Next> {
    let details = server.host.as_ref().map(|host| format!("on host {host}: {cause}"));
    table::set_fault(tx, &server.id, &FaultNote::new(cause, details))?;
    instance_action::fail_open(tx, &server.id, cause)?;
    let actor = Actor::system("compute");
    let action = match how {
        Failure::Unmade => None,
        Failure::Crashed => Some(Action::Stop),
        Failure::Held => Some(Action::Pause),
    };
    if let Some(action) = action {
        instance_action::failed(tx, &actor, server, action, cause)?;
    }
    table::record(tx, &actor, "server.fail", server, None, json!({"cause": cause, "how": how}))?;
    Ok(Next::Nothing)
}

/// Off is then what is wanted: a restart of the host does not start it again.
fn guest_switched_off(tx: &mut Tx, server: &Server) -> Result<Next> {
    let generation = table::bump(tx, server)?;
    tx.execute("UPDATE servers SET power = 'stopped' WHERE id = $1", &params![&server.id])?;
    let actor = Actor::system("guest");
    instance_action::begin(tx, &actor, server, Action::Stop, Some(generation))?;
    table::record(tx, &actor, "server.stop", server, Some(json!({"power": "running"})), json!({"power": "stopped"}))?;
    Ok(Next::TellNode)
}

/// The node has no machine of this server.
fn take_absence(tx: &mut Tx, server: &Server) -> Result<Next> {
    if !server.wants_machine() {
        // This is what it waits for.
        claim::remove(tx, &server.id, Kind::Machine)?;
        return Ok(Next::Converge);
    }
    if server.phase == Phase::Built && server.found != Some(Found::Gone) {
        tx.execute("UPDATE servers SET found = 'gone', updated_at = $1 WHERE id = $2", &params![Timestamp::now(), &server.id])?;
        let after = json!({"found": "gone"});
        table::record(tx, &Actor::system("compute"), "server.found", server, None, after)?;
    }
    Ok(Next::Nothing)
}
