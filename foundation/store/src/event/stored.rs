// SPDX-License-Identifier: Apache-2.0
//! Events as they lie in the table, and how they are read from it.

use serde::Serialize;
use types::Timestamp;

use super::HORIZON_ON_POSTGRES;
use crate::page::Select;
use crate::session::Engine;
use crate::thing::{News, Thing};
use crate::tx::Tx;
use crate::{Result, Row};
use std::sync::Arc;

/// An event as it was recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredEvent {
    pub id: i64,
    pub at: Timestamp,
    pub request_id: String,
    pub user_id: Option<String>,
    pub actor_project_id: Option<String>,
    pub actor: String,
    pub project_id: Option<String>,
    pub action: String,
    pub resource_type: String,
    pub resource_id: String,
    pub before: Option<serde_json::Value>,
    pub after: Option<serde_json::Value>,
}

/// Which events to read; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    pub resource_type: Option<String>,
    pub resource_id: Option<String>,
    pub project_id: Option<String>,
    /// Beside what is of that project.
    pub personal: Option<Personal>,
    pub request_id: Option<String>,
    pub user_id: Option<String>,
}

/// What is of no project: things of this kind in which this user did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personal {
    pub resource_type: String,
    pub user_id: String,
}

/// A page of the stream, as a filter shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    pub events: Vec<StoredEvent>,
    /// There are no others up to here, and none will come.
    pub through: i64,
    /// Events from where it was asked to up to this one were deleted, and may have been among them.
    pub gap: Option<i64>,
}

/// The ends of the stream.
pub(crate) struct Top {
    /// No event can come any more below this one or at it.
    pub(crate) settled: i64,
    pub(crate) pruned: i64,
}

pub(crate) const COLUMNS: &str = "id, at, request_id, user_id, actor_project_id, actor, project_id, action, resource_type, \
                       resource_id, before_state, after_state";

impl EventFilter {
    pub(crate) fn admits(&self, event: &StoredEvent) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        is(&self.resource_type, Some(&event.resource_type))
            && is(&self.resource_id, Some(&event.resource_id))
            && (is(&self.project_id, event.project_id.as_deref())
                || self.personal.as_ref().is_some_and(|personal| personal.admits(event)))
            && is(&self.request_id, Some(&event.request_id))
            && is(&self.user_id, event.user_id.as_deref())
    }

    /// What is known before the event is read.
    pub(crate) fn may_admit(&self, thing: &Thing) -> bool {
        self.resource_type.as_ref().is_none_or(|kind| *kind == thing.kind)
            && self.resource_id.as_ref().is_none_or(|id| **id == *thing.id)
    }
}

impl Personal {
    fn admits(&self, event: &StoredEvent) -> bool {
        event.project_id.is_none() && self.resource_type == event.resource_type && event.user_id.as_deref() == Some(&self.user_id)
    }
}

pub(crate) fn top(tx: &mut Tx) -> Result<Top> {
    let settled = match tx.engine() {
        // There is one writer: what can be seen is all that there is below.
        Engine::Sqlite => "coalesce((SELECT max(id) FROM events), 0)".to_owned(),
        Engine::Postgres => format!("{HORIZON_ON_POSTGRES} - 1"),
    };
    let row = tx.query_one(&format!("SELECT {settled}, through FROM events_pruned"), &[])?;
    Ok(Top { settled: row.get(0)?, pruned: row.get(1)? })
}

/// What of the stream a filter shows after this event. The end is looked up once and then counts: asked again, PostgreSQL may
/// answer another one in the same transaction.
pub(crate) fn page(tx: &mut Tx, after: i64, limit: u32, filter: &EventFilter) -> Result<EventPage> {
    let Top { settled, pruned } = top(tx)?;
    let events = read(tx, after, limit, settled, filter)?;
    let through = match events.last() {
        Some(last) if events.len() >= limit as usize => last.id,
        _ => settled,
    };
    let gap = (after > 0 && after < pruned).then_some(pruned);
    Ok(EventPage { events, through, gap })
}

pub(crate) fn read(tx: &mut Tx, after: i64, limit: u32, settled: i64, filter: &EventFilter) -> Result<Vec<StoredEvent>> {
    let mut select = Select::new("events", COLUMNS).filter("id > ", after).filter("id <= ", settled).limit(limit);
    for (condition, value) in [
        ("resource_type = ", &filter.resource_type),
        ("resource_id = ", &filter.resource_id),
        ("request_id = ", &filter.request_id),
        ("user_id = ", &filter.user_id),
    ] {
        if let Some(value) = value {
            select = select.filter(condition, value);
        }
    }
    select = match (&filter.project_id, &filter.personal) {
        (Some(project), Some(Personal { resource_type, user_id })) => select.condition_with(
            "(project_id = ? OR project_id IS NULL AND resource_type = ? AND user_id = ?)",
            vec![project.into(), resource_type.into(), user_id.into()],
        ),
        (Some(project), None) => select.filter("project_id = ", project),
        (None, _) => select,
    };
    select.rows(tx)?.iter().map(event).collect()
}

pub(crate) fn event(row: &Row) -> Result<StoredEvent> {
    Ok(StoredEvent {
        id: row.get(0)?,
        at: row.get(1)?,
        request_id: row.get(2)?,
        user_id: row.get(3)?,
        actor_project_id: row.get(4)?,
        actor: row.get(5)?,
        project_id: row.get(6)?,
        action: row.get(7)?,
        resource_type: row.get(8)?,
        resource_id: row.get(9)?,
        before: row.get(10)?,
        after: row.get(11)?,
    })
}

impl News {
    pub(crate) fn of(event: &StoredEvent) -> Self {
        let thing = Thing { kind: event.resource_type.clone().into(), id: Arc::from(event.resource_id.as_str()) };
        Self { event: event.id, thing }
    }
}
