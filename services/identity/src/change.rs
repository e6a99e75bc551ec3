// SPDX-License-Identifier: Apache-2.0
//! The event that every change of identity leaves.

use serde::Serialize;
use store::{Actor, Event, Tx};

use crate::error::Result;

/// Records that something was created, updated (`before` and `after`) or deleted.
pub fn record<T: Serialize>(
    tx: &mut Tx,
    actor: &Actor,
    kind: &'static str,
    id: &str,
    before: Option<&T>,
    after: Option<&T>,
) -> Result<()> {
    let verb = match (before, after) {
        (None, _) => "create",
        (Some(_), Some(_)) => "update",
        (Some(_), None) => "delete",
    };
    let state = |item: &T| serde_json::to_value(item).unwrap_or_default();
    tx.record(Event {
        actor: actor.clone(),
        action: format!("{kind}.{verb}"),
        resource_type: kind,
        resource_id: id.to_owned(),
        project_id: None,
        before: before.map(state),
        after: after.map(state),
    })?;
    Ok(())
}
