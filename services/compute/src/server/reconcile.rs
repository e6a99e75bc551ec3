// SPDX-License-Identifier: Apache-2.0
//! Brings servers to where they are going: builds them, and gives back all that they hold when they fail or go.
//!
//! One path for the happy case, the retry and the restart: read the server and its claims, take the next step
//! outward, write what is now known. A crash between two lines loses nothing, since each step is idempotent and its
//! claim is on record before it.
//!
//! Between POST and ACTIVE there is one write of ours, after the ports and before the node is told; the node's report
//! makes the next one ([`super::observe`]).

use std::{sync::Arc, time::Duration};

use contracts::{Refusal, nodes::NodeFacts};
use futures_util::future::join_all;
use serde_json::json;
use store::{Actor, Tx, params};
use types::{AllocationConsumer, NodeId, ServerId, Timestamp};
use work::{KeyedReconciler, Step, crash};

use super::{
    FaultNote, Server,
    claim::{self, Claim, Kind},
    released,
    schedule::{self, Candidate, Hosts, Placed, Refused, Sought},
    state::Phase,
    store as table,
};
use crate::{
    Compute,
    error::{Error, Result},
    instance_action::{self, Action},
};

/// Every crash point of a server's life, for tests that sweep over them.
pub const CRASH_POINTS: &[&str] = &[
    "compute.server.recorded",
    "compute.server.scheduled",
    "compute.server.allocated",
    "compute.server.ports-ensured",
    "compute.server.node-recorded",
    "compute.server.node-told",
    "compute.server.observed",
    "compute.server.deletion-recorded",
    "compute.server.machine-gone",
    "compute.server.ports-released",
    "compute.server.allocation-released",
    "compute.server.claims-removed",
];

/// On how many hosts a server is tried.
const TRIES: usize = 3;

pub(crate) struct ServerReconciler {
    pub room: Arc<Compute>,
    pub hosts: Hosts,
}

impl KeyedReconciler for ServerReconciler {
    fn name(&self) -> &'static str {
        "compute.server"
    }

    async fn pending(&self, after: &str, limit: usize) -> Result<Vec<String>, String> {
        let (after, limit) = (after.to_owned(), limit as u64);
        let too_long = ago(self.room.patience.dead_node);
        let rows = self
            .room
            .store
            .list(move |tx| -> store::Result<_> {
                tx.query(
                    "SELECT id FROM (SELECT id FROM servers WHERE deleted_at IS NULL AND deleting_at IS NOT NULL \
                     UNION SELECT id FROM servers WHERE deleted_at IS NULL AND phase <> 'built' AND phase <> 'failed' \
                     AND (phase <> 'spawning' OR phase_at < $1) \
                     UNION SELECT id FROM servers WHERE deleted_at IS NULL AND snapshot IS NOT NULL) AS unsettled \
                     WHERE id > $2 ORDER BY id LIMIT $3",
                    &params![too_long, &after, limit],
                )
            })
            .await;
        let rows = rows.map_err(|error| error.to_string())?;
        rows.iter().map(|row| row.get(0)).collect::<store::Result<_>>().map_err(|error| error.to_string())
    }

    async fn converge(&self, key: &str) -> Result<Step, String> {
        match self.converge_server(&ServerId::new(key)).await {
            Err(Error::Store(store::Error::Conflict)) => Ok(Step::Conflict),
            other => other.map_err(|error| error.to_string()),
        }
    }
}

impl ServerReconciler {
    async fn converge_server(&self, id: &ServerId) -> Result<Step> {
        let wanted = id.clone();
        let read =
            self.room.store.read(move |tx| Ok::<_, Error>((table::find(tx, &wanted)?, claim::of_server(tx, &wanted)?))).await?;
        let (Some(server), claims) = read else { return Ok(Step::Settled) };
        if server.deleted_at.is_some() {
            return Ok(Step::Settled);
        }
        if server.deleting_at.is_some() {
            return self.delete(&server, &claims).await;
        }
        match server.phase {
            Phase::Scheduling | Phase::Networking => self.build(&server, &claims).await,
            Phase::Rescheduling => self.leave_host(&server, &claims).await,
            Phase::Failing => self.fail(&server, &claims).await,
            Phase::Spawning => self.give_up_dead_node(&server).await,
            Phase::Built | Phase::Failed => match &server.snapshot {
                Some(snapshot) => self.room.converge_snapshot(&server, snapshot).await,
                None => Ok(Step::Settled),
            },
        }
    }

    /// Host, ports, and word to the node.
    async fn build(&self, server: &Server, claims: &[Claim]) -> Result<Step> {
        let chosen = match self.allocate(server).await? {
            Placed::On(candidate) => candidate,
            Placed::NotYet => return Ok(Step::Wait),
            Placed::Nowhere(refused) => return self.start_failing(server, no_valid_host(server, &refused)).await,
        };
        crash::point("compute.server.allocated");
        let nics: Vec<_> = claims.iter().filter_map(|claim| Some((claim.position, claim.nic.as_ref()?))).collect();
        let room = &self.room;
        let ensured = join_all(nics.iter().map(|(position, nic)| async {
            let facts = room.ports.ensure(&server.project_id, &server.id, &server.hostname, &chosen.node, nic).await?;
            Ok::<_, Refusal>((*position, facts))
        }))
        .await;
        crash::point("compute.server.ports-ensured");
        let ports = match ensured.into_iter().collect::<Result<Vec<_>, _>>() {
            Ok(ports) => ports,
            Err(refusal) if refusal.is_transient() => {
                self.note_networking(server, &chosen).await?;
                return Err(refusal.into());
            }
            Err(refusal) => {
                let message = format!("Build of instance {} aborted: {}", server.id, refusal.message);
                return self.start_failing(server, FaultNote::new(message, None)).await;
            }
        };
        let (built_on, before) = (chosen.clone(), server.clone());
        room.store
            .write(move |tx| -> Result<_> {
                for (position, facts) in &ports {
                    claim::set_port(tx, &before.id, *position, facts)?;
                }
                claim::insert(tx, &before.id, Kind::Machine)?;
                set_host(tx, &before, &built_on, Phase::Spawning)?;
                let after = json!({"phase": "spawning", "host": built_on.host});
                table::record(tx, &Actor::system("compute"), "server.scheduled", &before, None, after)
            })
            .await?;
        crash::point("compute.server.node-recorded");
        room.nodes.wake(&chosen.node);
        crash::point("compute.server.node-told");
        Ok(Step::Settled)
    }

    /// Room on a host: the one where it is held already, or the best that grants it.
    async fn allocate(&self, server: &Server) -> Result<Placed> {
        let consumer = AllocationConsumer::new(server.id.as_str());
        if let Some(node) = self.held_node(server, &consumer).await? {
            return Ok(Placed::On(node));
        }
        let sought = Sought { server, needs: schedule::resources(server), consumer, not_on: &[] };
        self.hosts.find_room(&self.room, &sought).await
    }

    /// Where an earlier attempt, cut short, got its allocation: only if that host would still do.
    async fn held_node(&self, server: &Server, consumer: &AllocationConsumer) -> Result<Option<Candidate>> {
        // A first attempt that was not cut short holds nothing; asking costs a read only.
        let Some(provider) = self.room.placement.held(consumer).await? else { return Ok(None) };
        let node = self.room.nodes.get(&NodeId::new(provider.as_str())).await?;
        let fits = |node: &NodeFacts| node.up && !server.tried.contains(&node.id);
        Ok(node.filter(fits).map(|node| Candidate { node: node.id.clone(), host: node.hostname.clone(), provider }))
    }

    /// So that the operator sees where it stands while ports cannot be had.
    async fn note_networking(&self, server: &Server, chosen: &Candidate) -> Result<()> {
        if server.phase == Phase::Networking && server.node_id.as_ref() == Some(&chosen.node) {
            return Ok(());
        }
        let (server, chosen) = (server.clone(), chosen.clone());
        self.room.store.write(move |tx| set_host(tx, &server, &chosen, Phase::Networking)).await
    }

    /// Gives back machine and allocation of a host that could not build it; ports move on to the next.
    async fn leave_host(&self, server: &Server, claims: &[Claim]) -> Result<Step> {
        if holds(claims, Kind::Machine) && !self.machine_is_gone(server).await? {
            return Ok(Step::Wait);
        }
        self.room.placement.release(&AllocationConsumer::new(server.id.as_str())).await?;
        crash::point("compute.server.allocation-released");
        let server = server.clone();
        self.room
            .store
            .write(move |tx| -> Result<_> {
                claim::remove(tx, &server.id, Kind::Machine)?;
                table::set_phase(tx, &server, Phase::Scheduling)?;
                forget_host(tx, &server.id)
            })
            .await?;
        Ok(Step::Again)
    }

    async fn start_failing(&self, server: &Server, fault: FaultNote) -> Result<Step> {
        tracing::warn!(server = %server.id, cause = fault.message, details = fault.details, "a server cannot be built");
        let server = server.clone();
        self.room.store.write(move |tx| -> Result<_> { fail_build(tx, &server, &fault) }).await?;
        Ok(Step::Again)
    }

    async fn fail(&self, server: &Server, claims: &[Claim]) -> Result<Step> {
        if !self.release_all(server, claims).await? {
            return Ok(Step::Wait);
        }
        let server = server.clone();
        self.room
            .store
            .write(move |tx| -> Result<_> {
                remove_claims(tx, &server.id)?;
                table::set_phase(tx, &server, Phase::Failed)?;
                forget_host(tx, &server.id)
            })
            .await?;
        crash::point("compute.server.claims-removed");
        Ok(Step::Settled)
    }

    async fn delete(&self, server: &Server, claims: &[Claim]) -> Result<Step> {
        if !self.release_all(server, claims).await? {
            return Ok(Step::Wait);
        }
        // With the machine gone nobody sends its disk any more.
        if let Some(snapshot) = &server.snapshot {
            self.room.images.release_snapshot(&snapshot.image.id).await?;
            crash::point("compute.snapshot.image-released");
        }
        let server = server.clone();
        self.room
            .store
            .write(move |tx| -> Result<_> {
                remove_claims(tx, &server.id)?;
                let now = Timestamp::now();
                tx.execute(
                    "UPDATE servers SET deleted_at = $1, updated_at = $1, admin_password = NULL, user_data = NULL, \
                     guest_password = NULL, snapshot = NULL WHERE id = $2",
                    &params![now, &server.id],
                )?;
                instance_action::fail_open(tx, &server.id, "The server was deleted.")?;
                instance_action::finish(tx, &server.id, Action::Delete)?;
                table::record(tx, &Actor::system("compute"), "server.deleted", &server, None, json!({"deleted": true}))
            })
            .await?;
        crash::point("compute.server.claims-removed");
        Ok(Step::Settled)
    }

    /// Gives back everything. False while the machine is not known to be gone; nothing else is given back before,
    /// or another machine would get an address that this one still uses.
    async fn release_all(&self, server: &Server, claims: &[Claim]) -> Result<bool> {
        if holds(claims, Kind::Machine) && !self.machine_is_gone(server).await? {
            return Ok(false);
        }
        crash::point("compute.server.machine-gone");
        let room = &self.room;
        let nics = claims.iter().filter_map(|claim| claim.nic.as_ref());
        let released = join_all(nics.map(|nic| room.ports.release(&server.id, nic))).await;
        released.into_iter().collect::<Result<Vec<()>, Refusal>>()?;
        crash::point("compute.server.ports-released");
        if holds(claims, Kind::Allocation) {
            room.placement.release(&AllocationConsumer::new(server.id.as_str())).await?;
        }
        crash::point("compute.server.allocation-released");
        Ok(true)
    }

    /// Whether the node need not be waited for: it was removed, or has been away for too long. That it shall give up the
    /// machine is written down for when it comes back. Else the node is reminded.
    async fn machine_is_gone(&self, server: &Server) -> Result<bool> {
        let Some(node_id) = &server.node_id else { return Ok(true) };
        if self.is_dead(node_id).await? {
            tracing::warn!(server = %server.id, node = %node_id, "a server is let go without word from its host, which is away");
            let (node, server) = (node_id.clone(), server.id.clone());
            self.room.store.write(move |tx| released::insert(tx, &node, &server)).await?;
            return Ok(true);
        }
        self.room.nodes.wake(node_id);
        Ok(false)
    }

    async fn is_dead(&self, node_id: &NodeId) -> Result<bool> {
        let node = self.room.nodes.get(node_id).await?;
        Ok(node.as_ref().is_none_or(|node| self.room.is_away(node, self.room.patience.dead_node)))
    }

    /// A node that took a machine on and went away for good does not leave the server building forever.
    async fn give_up_dead_node(&self, server: &Server) -> Result<Step> {
        let Some(node) = &server.node_id else { return Ok(Step::Settled) };
        if !self.is_dead(node).await? {
            return Ok(Step::Wait);
        }
        let server = server.clone();
        self.room.store.write(move |tx| try_elsewhere(tx, &server, "The host that was to build it went away.")).await?;
        Ok(Step::Again)
    }
}

/// The host failed: on to another, or to ERROR if there were enough of them.
pub(super) fn try_elsewhere(tx: &mut Tx, server: &Server, cause: &str) -> Result<()> {
    let mut tried = server.tried.clone();
    tried.extend(server.node_id.clone());
    tx.execute("UPDATE servers SET tried = $1 WHERE id = $2", &params![json!(tried), &server.id])?;
    let fault = FaultNote::new(cause, server.host.as_ref().map(|host| format!("on host {host}: {cause}")));
    if tried.len() < TRIES && server.wanted_host.is_none() {
        table::set_fault(tx, &server.id, &fault)?;
        table::set_phase(tx, server, Phase::Rescheduling)?;
        return table::record(
            tx,
            &Actor::system("compute"),
            "server.reschedule",
            server,
            None,
            json!({"cause": cause, "host": server.host}),
        );
    }
    let message = format!("Build of instance {} failed on {}: {cause}", server.id, hosts(tried.len()));
    fail_build(tx, server, &FaultNote { message, ..fault })
}

fn fail_build(tx: &mut Tx, server: &Server, fault: &FaultNote) -> Result<()> {
    table::set_fault(tx, &server.id, fault)?;
    table::set_phase(tx, server, Phase::Failing)?;
    instance_action::fail_open(tx, &server.id, &fault.message)?;
    table::record(tx, &Actor::system("compute"), "server.fail", server, None, json!({"fault": fault}))
}

fn set_host(tx: &mut Tx, server: &Server, chosen: &Candidate, phase: Phase) -> Result<()> {
    // The words of a deletion that came first stand: it is not built any more.
    Ok(tx.execute_cas(
        "UPDATE servers SET node_id = $1, host = $2, phase = $3, phase_at = $4, updated_at = $4, found = NULL \
         WHERE id = $5 AND phase = $6 AND deleting_at IS NULL AND deleted_at IS NULL",
        &params![&chosen.node, &chosen.host, phase.word(), Timestamp::now(), &server.id, server.phase.word()],
    )?)
}

fn forget_host(tx: &mut Tx, id: &ServerId) -> Result<()> {
    tx.execute("UPDATE servers SET node_id = NULL, host = NULL, found = NULL WHERE id = $1", &params![id])?;
    Ok(())
}

fn remove_claims(tx: &mut Tx, id: &ServerId) -> Result<()> {
    tx.execute("DELETE FROM server_claims WHERE server_id = $1", &params![id])?;
    Ok(())
}

fn holds(claims: &[Claim], kind: Kind) -> bool {
    claims.iter().any(|claim| claim.kind == kind)
}

fn no_valid_host(server: &Server, refused: &Refused) -> FaultNote {
    let mut message = format!("No valid host was found. There are not enough hosts available. {}", sentence(&refused.counts()));
    if let Some(last) = server.fault.as_ref().filter(|_| !server.tried.is_empty()) {
        message = format!("{message} The last attempt failed: {}", last.message);
    }
    FaultNote::new(message, Some(refused.by_host()))
}

fn hosts(count: usize) -> String {
    if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") }
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), characters.as_str()))
}

/// A moment so long ago.
fn ago(time: Duration) -> Timestamp {
    Timestamp(Timestamp::now().0.saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
}
