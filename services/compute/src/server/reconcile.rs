// SPDX-License-Identifier: Apache-2.0
//! Brings servers to where they are going, and gives back all that they hold when they fail or go.
//!
//! One path for the happy case, the retry and the restart: read the server, what is done to it and its claims, take the
//! next step outward, write what is now known. A crash between two lines loses nothing, since each step is idempotent and
//! its claim is on record before it.

use std::{sync::Arc, time::Duration};

use contracts::{Refusal, node::ThingId};
use futures_util::future::join_all;
use store::{Actor, Tx, params};
use types::{NodeId, ServerId, Timestamp};
use work::{KeyedReconciler, Step, crash};

use super::{
    FaultNote, Server,
    claim::{self, Claim, Kind},
    operation::{Left, Operation, Role, Taken, Turn, stages},
    released,
    save::{Saved, save},
    table,
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
    "compute.server.changed",
    "compute.server.node-told",
    "compute.server.observed",
    "compute.server.deletion-recorded",
    "compute.server.machine-gone",
    "compute.server.ports-released",
    "compute.server.allocation-released",
    "compute.server.claims-removed",
];

pub(crate) struct ServerReconciler {
    pub room: Arc<Compute>,
}

impl KeyedReconciler for ServerReconciler {
    fn name(&self) -> &'static str {
        "compute.server"
    }

    async fn pending(&self, after: &str, limit: usize) -> Result<Vec<String>, String> {
        let (after, limit) = (after.to_owned(), limit as u64);
        let too_long = ago(self.room.patience.dead_node);
        let rows = self.room.store.list(move |tx| pending(tx, too_long, &after, limit)).await;
        rows.map_err(|error| error.to_string())
    }

    async fn converge(&self, key: &str) -> Result<Step, String> {
        match self.room.converge(&ServerId::new(key)).await {
            Err(Error::Store(store::Error::Conflict)) => Ok(Step::Conflict),
            other => other.map_err(|error| error.to_string()),
        }
    }
}

/// Deletions, operations where the turn is ours, those whose time is over, and those that wait for a node for so long that
/// somebody should look whether it is there.
fn pending(tx: &mut Tx, too_long: Timestamp, after: &str, limit: u64) -> store::Result<Vec<String>> {
    let words = |turn| stages(turn).map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
    let statement = format!(
        "SELECT id FROM (SELECT id FROM servers WHERE deleted_at IS NULL AND deleting_at IS NOT NULL \
         UNION SELECT server_id FROM server_operations WHERE finished_at IS NULL AND (stage IN ({}) \
         OR deadline <= $1 OR (stage IN ({}) AND stage_at < $2))) AS pending WHERE id > $3 ORDER BY id LIMIT $4",
        words(Turn::Ours),
        words(Turn::Nodes)
    );
    let rows = tx.query(&statement, &params![Timestamp::now(), too_long, after, limit])?;
    rows.iter().map(|row| row.get(0)).collect()
}

impl Compute {
    async fn converge(&self, id: &ServerId) -> Result<Step> {
        let wanted = id.clone();
        let read = self.store.read(move |tx| table::find_with_claims(tx, &wanted)).await?;
        let (Some(server), claims) = read else { return Ok(Step::Settled) };
        if server.deleted_at.is_some() {
            return Ok(Step::Settled);
        }
        if server.deleting_at.is_some() {
            return self.delete(&server, &claims).await;
        }
        let Some(operation) = server.open() else { return self.follow_volumes(&server, &claims).await };
        if operation.is_overdue() {
            return self.give_up(&server, overdue(operation), |_| {}).await.map(|()| Step::Again);
        }
        match operation.stage.turn() {
            Turn::Ours => {
                let taken = Taken { server: &server, operation, claims: &claims };
                operation.course().step(self, taken).await
            }
            Turn::Nodes => self.give_up_dead_node(&server, operation).await,
            Turn::Users => Ok(Step::Settled),
        }
    }

    async fn delete(&self, server: &Server, claims: &[Claim]) -> Result<Step> {
        if !self.release_all(server, claims).await? {
            return Ok(Step::Wait);
        }
        // With the machine gone nobody sends its disk any more.
        self.release_image(server).await?;
        let deleted = |tx: &mut Tx, server: &mut Server| {
            claim::remove_all(tx, &server.id)?;
            server.deleted_at = Some(Timestamp::now());
            (server.admin_password, server.user_data, server.guest_password) = (None, None, None);
            server.operation = server.open().map(|operation| operation.over("The server was deleted."));
            instance_action::fail_open(tx, &server.id, "The server was deleted.")?;
            instance_action::finish(tx, &server.id, Action::Delete)
        };
        self.change(server, "server.deleted", deleted).await?;
        crash::point("compute.server.claims-removed");
        Ok(Step::Settled)
    }

    /// Gives back everything. False while a machine is not known to be gone; nothing else is given back before,
    /// or another machine would get an address that this one still uses.
    pub(super) async fn release_all(&self, server: &Server, claims: &[Claim]) -> Result<bool> {
        if !self.machines_are_gone(server, claims).await? {
            return Ok(false);
        }
        crash::point("compute.server.machine-gone");
        let nics = claims.iter().filter_map(|claim| claim.nic.as_ref());
        let released = join_all(nics.map(|nic| self.ports.release(&server.id, nic))).await;
        released.into_iter().collect::<Result<Vec<()>, Refusal>>()?;
        crash::point("compute.server.ports-released");
        if !self.release_volumes(server, claims).await? {
            return Ok(false);
        }
        self.release_allocations(claims).await?;
        crash::point("compute.server.allocation-released");
        Ok(true)
    }

    /// Gives back the room on hosts; the claims stay for what comes next.
    pub(super) async fn release_allocations(&self, claims: &[Claim]) -> Result<()> {
        for claim in claims.iter().filter(|claim| claim.kind == Kind::Allocation) {
            self.placement.release(&claim.consumer()).await?;
        }
        Ok(())
    }

    /// Whether no node has a machine of it any more that is not to have one.
    pub(super) async fn machines_are_gone(&self, server: &Server, claims: &[Claim]) -> Result<bool> {
        let machines = claims.iter().filter(|claim| claim.kind == Kind::Machine).filter_map(|claim| claim.node_id.as_ref());
        let mut all_gone = true;
        for node in machines.filter(|node| server.role_of(node).is_none()) {
            all_gone = self.machine_is_gone(server, node).await? && all_gone;
        }
        Ok(all_gone)
    }

    /// Whether the node need not be waited for: it was removed, or has been away for too long. That it shall give up the
    /// machine is written down for when it comes back. Else the node is reminded.
    async fn machine_is_gone(&self, server: &Server, node: &NodeId) -> Result<bool> {
        if !self.is_dead(node).await? {
            self.nodes.tell(node, &[ThingId::machine(&server.id)]);
            return Ok(false);
        }
        tracing::warn!(server = %server.id, %node, "a server is let go without word from its host, which is away");
        let (node, server) = (node.clone(), server.id.clone());
        let write = self.store.write(move |tx| -> Result<_> {
            released::insert(tx, &node, &server)?;
            claim::remove_machine(tx, &server, &node)
        });
        write.await?;
        Ok(true)
    }

    async fn is_dead(&self, node_id: &NodeId) -> Result<bool> {
        let node = self.nodes.get(node_id).await?;
        Ok(node.as_ref().is_none_or(|node| self.is_away(node, self.patience.dead_node)))
    }

    /// A node that went away for good does not leave a server half-way forever.
    async fn give_up_dead_node(&self, server: &Server, operation: &Operation) -> Result<Step> {
        // Of a node that only keeps a disk nothing is waited for.
        let roles = operation.course().presence(operation, server);
        for (node, _) in roles.into_iter().filter(|(_, role)| *role != Role::Keep) {
            if self.is_dead(&node).await? {
                self.give_up(server, "The host of the server went away.".to_owned(), |_| {}).await?;
                return Ok(Step::Again);
            }
        }
        Ok(Step::Wait)
    }

    /// Gives the open operation up, for this cause.
    pub(super) async fn give_up(
        &self,
        server: &Server,
        cause: String,
        note: impl Fn(&mut Server) + Send + Sync + 'static,
    ) -> Result<()> {
        tracing::warn!(server = %server.id, cause, "what was done to a server is given up");
        let patience = self.patience;
        let change = move |tx: &mut Tx, server: &mut Server| {
            server.give_up(tx, &cause, &patience)?;
            note(server);
            Ok(())
        };
        self.change(server, "server.fail", change).await?;
        self.bell.ring_for([server.id.as_str()]);
        Ok(())
    }

    /// Changes a server as it was read, and tells the nodes that have to hear of it.
    pub(super) async fn change(
        &self,
        before: &Server,
        verb: &'static str,
        change: impl Fn(&mut Tx, &mut Server) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Saved> {
        let before = before.clone();
        let write = self.store.write(move |tx| -> Result<_> {
            let mut after = before.clone();
            change(tx, &mut after)?;
            save(tx, &Actor::system("compute"), verb, &before, after)
        });
        let saved = write.await?;
        crash::point("compute.server.changed");
        self.tell(&saved);
        Ok(saved)
    }
}

impl Server {
    /// Its open operation comes to nothing: what is wanted is legal again, and whoever asked learns why.
    pub(super) fn give_up(&mut self, tx: &mut Tx, cause: &str, patience: &crate::Patience) -> Result<()> {
        let Some(operation) = self.open().cloned() else { return Ok(()) };
        let fault = self.fault.clone();
        self.operation = Some(match operation.course().give_up(&operation, self, cause) {
            Left::Nothing => operation.over(cause),
            Left::Stage(stage) => operation.at(stage, patience),
        });
        if self.fault == fault {
            let details = self.host.as_ref().map(|host| format!("on host {host}: {cause}"));
            self.fault = Some(FaultNote::new(cause, details));
        }
        if !matches!(self.open(), Some(open) if open.goes_on_elsewhere()) {
            let message = self.fault.as_ref().map_or(cause, |fault| fault.message.as_str());
            instance_action::fail_open(tx, &self.id, message)?;
        }
        Ok(())
    }
}

fn overdue(operation: &Operation) -> String {
    let minutes = Timestamp::now().0.saturating_sub(operation.stage_at.0) / 60_000_000;
    let time = if minutes == 0 { "the time that it may take".to_owned() } else { format!("{minutes} minutes") };
    format!("It was not done within {time}.")
}

/// A moment so long ago.
fn ago(time: Duration) -> Timestamp {
    Timestamp(Timestamp::now().0.saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
}
