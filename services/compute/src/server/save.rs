// SPDX-License-Identifier: Apache-2.0
//! The one writer of a server: its row, what is being done to it, the words that clients see, and the event with all of it
//! before and after, in one transaction. It says which nodes have to be told.
//!
//! Invariant: nobody writes over a change that he has not seen (test: `a_change_on_old_facts_changes_nothing`).

use contracts::node::KeptDisk;
use serde_json::{Value, json};
use store::{Actor, Event, Tx};
use types::{Generation, ImageId, NodeId, Timestamp};

use super::{
    Server, console,
    operation::{Operation, Role, Told, table},
    row,
    state::{Power, Reboot, Word as _},
};
use crate::error::Result;

/// What a change calls for.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    pub server: Server,
    /// The nodes that are told otherwise now.
    pub nodes: Vec<NodeId>,
}

/// Makes a new server, with its operation.
pub(crate) fn create(tx: &mut Tx, actor: &Actor, mut server: Server) -> Result<Server> {
    server.speak();
    row::insert(tx, &mut server)?;
    if let Some(operation) = &server.operation {
        table::insert(tx, &server.id, operation)?;
    }
    record(tx, actor, "server.create", None, &server)?;
    Ok(server)
}

/// Writes what changed, if the row is still as it was read.
pub(crate) fn save(tx: &mut Tx, actor: &Actor, verb: &str, before: &Server, mut after: Server) -> Result<Saved> {
    after.revision = before.revision + 1;
    after.updated_at = Timestamp::now();
    if is_wanted_otherwise(before, &after) {
        after.generation = after.generation.max(before.generation).next();
    }
    after.speak();
    if has_left(before, &after) {
        console::forget(tx, &after.id)?;
    }
    write_operation(tx, before, &after)?;
    row::write(tx, before, &after)?;
    record(tx, actor, verb, Some(before), &after)?;
    let nodes = told_otherwise(before, &after);
    Ok(Saved { server: after, nodes })
}

/// Its machine is another one from now on, or none: consoles were to be opened of the one that it was.
fn has_left(before: &Server, after: &Server) -> bool {
    let is_over = after.deleting_at.is_some() || after.power == Power::Stopped;
    let was_over = before.deleting_at.is_some() || before.power == Power::Stopped;
    (is_over && !was_over) || (before.node_id.is_some() && before.node_id != after.node_id)
}

impl Server {
    /// Works the words out anew.
    fn speak(&mut self) {
        let words = self.facts().words();
        self.status = words.status.to_owned();
        self.vm_state = words.vm_state.to_owned();
        self.task_state = words.task_state.map(str::to_owned);
        self.power_state = words.power_state;
    }
}

fn write_operation(tx: &mut Tx, before: &Server, after: &Server) -> Result<()> {
    match (before.open(), &after.operation) {
        (Some(before), Some(after)) if before.id == after.id => {
            if before == after {
                Ok(())
            } else {
                table::update(tx, after)
            }
        }
        (before, next) => {
            if let Some(before) = before {
                let outcome = next.as_ref().map_or("done", |next| next.kind.word());
                table::update(tx, &before.over(outcome))?;
            }
            next.as_ref().filter(|next| next.is_open()).map_or(Ok(()), |next| table::insert(tx, &after.id, next))
        }
    }
}

/// What a node's machine shall be, as far as it has to act when that changes.
type Wanted = (Power, u32, Reboot, (u32, u64), (u64, i64), Option<ImageId>, Option<KeptDisk>);

fn wanted(server: &Server) -> Wanted {
    let size = &server.flavor;
    let Told { rescue, kept, .. } = server.open().map(Operation::told).unwrap_or_default();
    let root = (server.root_size(), server.root_edition);
    (server.power, server.reboots, server.reboot_kind, (size.vcpus, size.memory_mb), root, rescue, kept)
}

/// Whether a node that has it is to do something about it: only then there is a new generation. A host that it comes to
/// later learns of it as it is by then.
fn is_wanted_otherwise(before: &Server, after: &Server) -> bool {
    let (was, is) = (before.presence(), after.presence());
    let has_another_role =
        |(node, role): &(NodeId, Role)| is.iter().find(|(on, _)| on == node).map(|(_, role)| role) != Some(role);
    !was.is_empty() && (was.iter().any(has_another_role) || wanted(before) != wanted(after))
}

/// Nodes that have to read again what they are told of it. That its first password was forgotten they hear when there is
/// something else to hear.
fn told_otherwise(before: &Server, after: &Server) -> Vec<NodeId> {
    let told = |server: &Server| {
        let text = (server.name.clone(), server.hostname.clone(), server.metadata.clone());
        (
            server.generation,
            server.presence(),
            text,
            server.guest_password.clone(),
            server.open().map(Operation::told).unwrap_or_default(),
        )
    };
    if told(before) == told(after) {
        return Vec::new();
    }
    let nodes = |server: &Server| -> Vec<NodeId> {
        let moved = server.operation.iter().flat_map(|operation| operation.from_node.iter().chain(&operation.to_node));
        moved.chain(&server.node_id).cloned().collect()
    };
    let mut all = nodes(before);
    all.extend(nodes(after));
    all.sort();
    all.dedup();
    all
}

/// The event holds the whole of it: what can be undone, and what an audit asks for.
fn record(tx: &mut Tx, actor: &Actor, verb: &str, before: Option<&Server>, after: &Server) -> Result<()> {
    tx.record(Event {
        actor: actor.clone(),
        action: verb.to_owned(),
        resource_type: "server",
        resource_id: after.id.to_string(),
        project_id: Some(after.project_id.to_string()),
        before: before.map(noted),
        after: Some(noted(after)),
    })?;
    Ok(())
}

/// A server without what nobody else may read.
fn noted(server: &Server) -> Value {
    let operation = server.open().map(|operation| {
        json!({"id": operation.id, "kind": operation.kind, "stage": operation.stage, "from_node": operation.from_node,
               "to_node": operation.to_node, "deadline": operation.deadline})
    });
    let mut noted = json!(server);
    noted["operation"] = json!(operation);
    noted["guest_password"] = json!(server.guest_password.is_some());
    noted
}

/// Beyond every generation that anybody has heard of.
pub(crate) fn beyond(server: &Server, heard: Generation) -> Generation {
    server.generation.max(heard).next()
}
