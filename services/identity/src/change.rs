// SPDX-License-Identifier: Apache-2.0
//! The event that every change of identity leaves.

use serde::Serialize;
use store::{Actor, Change, Event, Tx};

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
    let change = Change { before, after };
    let event = Event::of(actor, format!("{kind}.{}", change.verb()), (kind, id), &change)?;
    Ok(tx.record(event)?)
}
