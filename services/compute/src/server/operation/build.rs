// SPDX-License-Identifier: Apache-2.0
//! Builds a server: a host is chosen, its ports are made, the node is told.
//!
//! ```text
//!            POST
//!              │
//!              ▼        host chosen, ports not yet       node told            it runs
//!         Scheduling ──────────► Networking ──────────► Spawning ──────────────────► done: Built
//!            ▲   │                   │                     │
//!            │   │ no valid host     │ refused             │ Failed, not transient; node dead
//!            │   ▼                   ▼                     ▼
//!            │ Failing ◄─────────────┘◄─third time──── Leaving ─────┐
//!            │   │ all claims released                              │ machine and allocation released
//!            │   ▼                                                  │
//!            │ given up: Failed (listed until deleted)              │
//!            └──────────────────────────────────────────────────────┘
//! ```
//!
//! Room and ports are asked for at once. Between POST and ACTIVE there is one write of ours, after them and before the node is
//! told; the node's report makes the next one ([`super::super::observe`]).

use std::time::Duration;

use contracts::{
    BoxFuture, Refusal,
    node::{Failure, MachineObserved, MachineState},
    ports::PortFacts,
};
use futures_util::future::join_all;
use store::Tx;
use types::{NodeId, Timestamp};
use work::{Step, crash};

use super::{Ask, Course, Heard, Left, Operation, Role, Stage, Taken};
use crate::{
    Compute, Patience,
    error::Result,
    instance_action::{self, Action},
    server::{
        FaultNote, Server,
        claim::{self, Claim},
        place::{no_valid_host, resources},
        schedule::{Candidate, Placed},
        state::{Life, UnderWay},
    },
};

/// On how many hosts a server is tried.
const TRIES: usize = 3;

pub(crate) struct Build;

impl Course for Build {
    fn words(&self, operation: &Operation) -> UnderWay {
        let (task_state, vm_state) = match operation.stage {
            Stage::Networking => (Some("networking"), "building"),
            Stage::Mapping => (Some("block_device_mapping"), "building"),
            Stage::Spawning | Stage::Settling => (Some("spawning"), "building"),
            Stage::Failing => (None, "error"),
            _ => (Some("scheduling"), "building"),
        };
        UnderWay { task_state, vm_state: Some(vm_state) }
    }

    fn patience(&self, stage: Stage, patience: &Patience) -> Option<Duration> {
        match stage {
            // What is given back is given back however long it takes.
            Stage::Leaving | Stage::Failing | Stage::Settling => None,
            _ => Some(patience.build),
        }
    }

    fn presence(&self, operation: &Operation, server: &Server) -> Vec<(NodeId, Role)> {
        let spawns = matches!(operation.stage, Stage::Spawning | Stage::Settling);
        server.node_id.iter().filter(|_| spawns).map(|node| (node.clone(), Role::Run)).collect()
    }

    fn heard(&self, operation: &Operation, _server: &Server, _node: &NodeId, report: &MachineObserved) -> Heard {
        match &report.state {
            _ if operation.stage != Stage::Spawning => Heard::Nothing,
            MachineState::Running | MachineState::Stopped | MachineState::Paused => done(operation),
            MachineState::Failed { cause, transient: false, how: Failure::Unmade } => Heard::Failed { cause: cause.clone() },
            // It did run, if only for a moment.
            MachineState::Failed { transient: false, .. } => done(operation),
            _ => Heard::Nothing,
        }
    }

    /// It runs for the first time. The password has been told to the guest and is forgotten.
    fn conclude(&self, _operation: &Operation, server: &mut Server) {
        server.life = Life::Built;
        server.launched_at.get_or_insert_with(Timestamp::now);
        server.admin_password = None;
        server.fault = None;
        server.tried.clear();
    }

    /// The host failed: on to another, or to ERROR if there were enough of them.
    fn give_up(&self, operation: &Operation, server: &mut Server, cause: &str) -> Left {
        let details = server.host.as_ref().map(|host| format!("on host {host}: {cause}"));
        if operation.stage == Stage::Settling {
            return Left::Stage(Stage::Settling);
        }
        if operation.stage != Stage::Spawning {
            server.fault = Some(FaultNote::new(cause, server.fault.take().and_then(|fault| fault.details)));
            return Left::Stage(Stage::Failing);
        }
        server.tried.extend(server.node_id.clone());
        let fault = FaultNote::new(cause, details);
        if server.tried.len() < TRIES && server.wanted_host.is_none() && !operation.is_overdue() {
            server.fault = Some(fault);
            return Left::Stage(Stage::Leaving);
        }
        let message = format!("Build of instance {} failed on {}: {cause}", server.id, hosts(server.tried.len()));
        server.fault = Some(FaultNote { message, ..fault });
        Left::Stage(Stage::Failing)
    }

    fn step<'a>(&'a self, room: &'a Compute, taken: Taken<'a>) -> BoxFuture<'a, Result<Step>> {
        Box::pin(async move {
            match taken.operation.stage {
                Stage::Leaving => room.leave_host(taken).await,
                Stage::Failing => room.fail_build(taken).await,
                Stage::Settling => room.settle_build(taken).await,
                _ => room.build(taken).await,
            }
        })
    }
}

/// It runs. Is anybody else to be told so before it counts?
fn done(operation: &Operation) -> Heard {
    match &operation.ask {
        Ask::Build(ask) if ask.has_volumes => Heard::Stage(Stage::Settling),
        _ => Heard::Done,
    }
}

impl Compute {
    /// Host, ports, volumes, and word to the node.
    async fn build(&self, taken: Taken<'_>) -> Result<Step> {
        let Taken { server, operation, claims } = taken;
        let has_volumes = claims.iter().any(|claim| claim.volume.is_some());
        let ensure = |node: NodeId| async move { self.ensure_ports(server, claims, &node).await };
        let (chosen, ensured) = match self.allocate_and(server, resources(server), has_volumes, &[], ensure).await? {
            Placed::On(candidate, ports) => (candidate, ports),
            Placed::NotYet => return Ok(Step::Wait),
            Placed::Nowhere(refused) => return self.start_failing(server, no_valid_host(server, &refused)).await,
        };
        crash::point("compute.server.allocated");
        crash::point("compute.server.ports-ensured");
        let ports = match ensured {
            Ok(ports) => ports,
            Err(refusal) if refusal.is_transient() => {
                self.note_waiting(server, operation, &chosen, Stage::Networking).await?;
                return Err(refusal.into());
            }
            Err(refusal) => {
                let message = format!("Build of instance {} aborted: {}", server.id, refusal.message);
                return self.start_failing(server, FaultNote::new(message, None)).await;
            }
        };
        let volumes = match self.open_volumes(server, claims, &chosen.node).await {
            Ok(volumes) => volumes,
            Err(refusal) if refusal.is_transient() => {
                self.note_waiting(server, operation, &chosen, Stage::Mapping).await?;
                return Err(refusal.into());
            }
            Err(refusal) => {
                let message = format!("Build of instance {} aborted: {}", server.id, refusal.message);
                return self.start_failing(server, FaultNote::new(message, None)).await;
            }
        };
        crash::point("compute.server.volumes-opened");
        let (patience, next) = (self.patience, operation.clone());
        self.change(server, "server.scheduled", move |tx, server| {
            ports.iter().try_for_each(|(claim, facts)| claim::set_facts(tx, claim, facts))?;
            claim::set_volumes(tx, &server.id, &volumes)?;
            claim::insert_machine(tx, &server.id, &chosen.node)?;
            set_host(server, &chosen);
            server.operation = Some(next.at(Stage::Spawning, &patience));
            Ok(())
        })
        .await?;
        crash::point("compute.server.node-told");
        Ok(Step::Settled)
    }

    /// The ports of its NICs, there, each with its claim.
    async fn ensure_ports(&self, server: &Server, claims: &[Claim], node: &NodeId) -> Result<Vec<(String, PortFacts)>, Refusal> {
        let nics = claims.iter().filter_map(|claim| Some((claim, claim.nic.as_ref()?)));
        let ensured = join_all(nics.map(|(claim, nic)| async {
            let facts = self.ports.ensure(&server.project_id, &server.id, &server.hostname, node, nic).await?;
            Ok::<_, Refusal>((claim.id.clone(), facts))
        }));
        // To the end, so that each is where it was going when another is refused.
        ensured.await.into_iter().collect()
    }

    /// So that the operator sees where it stands while ports or volumes cannot be had.
    async fn note_waiting(&self, server: &Server, operation: &Operation, chosen: &Candidate, stage: Stage) -> Result<()> {
        if operation.stage == stage && server.node_id.as_ref() == Some(&chosen.node) {
            return Ok(());
        }
        let (chosen, next) = (chosen.clone(), operation.at(stage, &self.patience));
        // That it takes long does not make it take longer.
        let next = Operation { deadline: operation.deadline, ..next };
        let change = move |_: &mut Tx, server: &mut Server| {
            set_host(server, &chosen);
            server.operation = Some(next.clone());
            Ok(())
        };
        self.change(server, "server.waiting", change).await.map(drop)
    }

    /// It runs, and has its volumes.
    async fn settle_build(&self, taken: Taken<'_>) -> Result<Step> {
        let Taken { server, operation, claims } = taken;
        self.note_plugged(&server.id, claims, None).await?;
        crash::point("compute.server.volumes-noted");
        let over = operation.over("done");
        self.change(server, "server.active", move |tx, server| {
            Build.conclude(&over, server);
            server.operation = Some(over.clone());
            instance_action::finish(tx, &server.id, Action::Create)
        })
        .await?;
        Ok(Step::Settled)
    }

    async fn start_failing(&self, server: &Server, fault: FaultNote) -> Result<Step> {
        tracing::warn!(server = %server.id, cause = fault.message, details = fault.details, "a server cannot be built");
        let cause = fault.message.clone();
        self.give_up(server, cause, move |server| server.fault = Some(fault.clone())).await?;
        Ok(Step::Again)
    }

    /// Gives back machine and allocation of a host that could not build it; ports move on to the next.
    async fn leave_host(&self, taken: Taken<'_>) -> Result<Step> {
        let Taken { server, operation, claims } = taken;
        if !self.machines_are_gone(server, claims).await? {
            return Ok(Step::Wait);
        }
        self.release_allocations(claims).await?;
        crash::point("compute.server.allocation-released");
        let next = operation.at(Stage::Scheduling, &self.patience);
        self.change(server, "server.reschedule", move |_, server| {
            forget_host(server);
            server.operation = Some(next.clone());
            Ok(())
        })
        .await?;
        Ok(Step::Again)
    }

    async fn fail_build(&self, taken: Taken<'_>) -> Result<Step> {
        let Taken { server, operation, claims } = taken;
        if !self.release_all(server, claims).await? {
            return Ok(Step::Wait);
        }
        let over = operation.over(server.fault.as_ref().map_or("failed", |fault| fault.message.as_str()));
        self.change(server, "server.failed", move |tx, server| {
            claim::remove_all(tx, &server.id)?;
            forget_host(server);
            server.life = Life::Failed;
            server.operation = Some(over.clone());
            Ok(())
        })
        .await?;
        crash::point("compute.server.claims-removed");
        Ok(Step::Settled)
    }
}

fn set_host(server: &mut Server, chosen: &Candidate) {
    server.node_id = Some(chosen.node.clone());
    server.host = Some(chosen.host.clone());
    server.found = None;
}

fn forget_host(server: &mut Server) {
    (server.node_id, server.host, server.found) = (None, None, None);
}

fn hosts(count: usize) -> String {
    if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") }
}
