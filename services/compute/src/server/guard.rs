// SPDX-License-Identifier: Apache-2.0
//! What must hold before a server is acted on: it is there for the caller, it is not locked against him, and its
//! state admits the act.

use access::{Allowed, Scope, Target};
use api::Cx;
use store::Tx;
use types::ServerId;

use super::{Server, state::Words, store as table};
use crate::{
    error::{Error, Result},
    input::Read,
    policy,
};

/// Who acts on which server: what a transaction needs to know of the request.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    allowed: Allowed<Scope>,
    pub id: ServerId,
    /// Whether a lock holds for him: not for who may override it.
    heeds_locks: bool,
}

impl Guard {
    pub(super) fn of(cx: &Cx) -> Read<Self> {
        let allowed = cx.allowed()?.clone();
        let target = cx.caller()?.project_id().map_or_else(Target::new, Target::in_project);
        let heeds_locks = !cx.may(&policy::SERVER_UNLOCK_OVERRIDE, &target);
        Ok(Self { allowed, id: ServerId::new(cx.param("id")), heeds_locks })
    }

    /// The server, locked or not.
    pub(super) fn find(&self, tx: &mut Tx) -> Result<Server> {
        table::get(tx, &self.allowed, &self.id)
    }

    /// The server, if it may be changed.
    pub(super) fn open(&self, tx: &mut Tx) -> Result<Server> {
        let server = self.find(tx)?;
        if server.locked_by.is_some() && self.heeds_locks {
            return Err(Error::conflict(format!("Instance {} is locked", server.id)));
        }
        Ok(server)
    }

    /// The server, if it may be changed and is in one of these states with nothing under way.
    pub(super) fn at_rest(&self, tx: &mut Tx, action: &str, vm_states: &[&str]) -> Result<Server> {
        let server = self.open(tx)?;
        let words = server.facts().words();
        if !vm_states.contains(&words.vm_state) {
            return Err(in_the_way(&server, action, "vm_state", words.vm_state));
        }
        if let Some(task) = words.task_state {
            return Err(in_the_way(&server, action, "task_state", task));
        }
        Ok(server)
    }

    /// The server, if it may be changed and is not being deleted.
    pub(super) fn not_deleting(&self, tx: &mut Tx, action: &str) -> Result<Server> {
        let server = self.open(tx)?;
        match server.facts().words() {
            Words { task_state: Some("deleting"), .. } => Err(in_the_way(&server, action, "task_state", "deleting")),
            _ => Ok(server),
        }
    }

    pub(super) fn overrides_locks(&self) -> bool {
        !self.heeds_locks
    }
}

fn in_the_way(server: &Server, action: &str, attribute: &str, state: &str) -> Error {
    Error::conflict(format!("Cannot '{action}' instance {} while it is in {attribute} {state}", server.id))
}
