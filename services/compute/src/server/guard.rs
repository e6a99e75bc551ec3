// SPDX-License-Identifier: Apache-2.0
//! What must hold before a server is acted on: it is there for the caller, it is not locked against him, and its
//! state admits the act.

use access::{Allowed, Scope, Target};
use api::Cx;
use store::Tx;
use types::ServerId;

use super::{
    Server,
    operation::admission::{self, Act},
    table,
};
use crate::{error::Result, input::Read, server::policy};

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
        let heeds_locks = !cx.may(&policy::UNLOCK_OVERRIDE, &target);
        Ok(Self { allowed, id: ServerId::new(cx.param("id")), heeds_locks })
    }

    /// The server, to look at.
    pub(super) fn find(&self, tx: &mut Tx) -> Result<Server> {
        table::get(tx, &self.allowed, &self.id)
    }

    /// The server, if the table admits the act on it.
    pub(super) fn admit(&self, tx: &mut Tx, act: Act) -> Result<Server> {
        let server = self.find(tx)?;
        let locked = server.locked_by.is_some() && self.heeds_locks;
        admission::admit(act, &server, locked).map_err(|why| act.refusal(&server, &why))?;
        Ok(server)
    }

    pub(super) fn overrides_locks(&self) -> bool {
        !self.heeds_locks
    }
}
