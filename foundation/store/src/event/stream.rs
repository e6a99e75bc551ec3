// SPDX-License-Identifier: Apache-2.0
//! Reading the stream: a page of it, following it, and pruning it.

use std::time::Duration;

use serde::Serialize;
use types::Timestamp;

use super::SETTLED_ON_POSTGRES;
use crate::{Engine, Error, Result, Row, Select, Store, Tx, Wake, params};

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
    pub request_id: Option<String>,
    pub user_id: Option<String>,
}

/// A reader of the stream that waits for what comes; see [`Store::follow`].
pub struct Follow {
    store: Store,
    after: i64,
    filter: EventFilter,
    wake: Wake,
}

const COLUMNS: &str = "id, at, request_id, user_id, actor_project_id, actor, project_id, action, resource_type, \
                       resource_id, before_state, after_state";

/// How many events [`Follow::next`] returns at most.
const PAGE: u32 = 500;

/// How many events one transaction prunes, so that writers never wait long for it.
const PRUNED_AT_ONCE: i64 = 2000;

impl Store {
    /// The events after the one with id `after` (0: from the beginning), oldest first.
    pub async fn events(&self, after: i64, limit: u32, filter: EventFilter) -> Result<Vec<StoredEvent>> {
        self.list(move |tx| read(tx, after, limit, &filter)).await
    }

    /// The id of the newest event, from which to follow what happens from now on.
    pub async fn last_event_id(&self) -> Result<i64> {
        self.read(|tx| {
            let sql = match tx.engine() {
                Engine::Sqlite => "SELECT coalesce(max(id), 0) FROM events".to_owned(),
                Engine::Postgres => {
                    format!("SELECT coalesce(max(id), 0) FROM events WHERE {SETTLED_ON_POSTGRES}")
                }
            };
            tx.query_one(&sql, &[])?.get(0)
        })
        .await
    }

    /// Follows the stream from after the event with id `after`.
    pub fn follow(&self, after: i64, filter: EventFilter) -> Follow {
        Follow { store: self.clone(), after, filter, wake: self.watch(&["*"]) }
    }

    /// Deletes events from the stream's beginning: those recorded before `older_than`, and those beyond the newest
    /// `keep_at_most`. The newest event always stays. Answers how many went.
    pub async fn prune_events(&self, older_than: Option<Timestamp>, keep_at_most: Option<u64>) -> Result<u64> {
        let mut pruned = 0;
        loop {
            let some = self.write(move |tx| prune_some(tx, older_than, keep_at_most)).await?;
            pruned += some;
            if some == 0 {
                return Ok(pruned);
            }
        }
    }
}

impl Follow {
    /// The next events, at least one; waits until there are any.
    pub async fn next(&mut self) -> Result<Vec<StoredEvent>> {
        // On PostgreSQL another controller may have written, or a slow transaction held events back: look again soon.
        let patience = match self.store.engine() {
            Engine::Sqlite => Duration::from_secs(10),
            Engine::Postgres => Duration::from_millis(250),
        };
        loop {
            let events = self.store.events(self.after, PAGE, self.filter.clone()).await?;
            if let Some(last) = events.last() {
                self.after = last.id;
                return Ok(events);
            }
            let _ = tokio::time::timeout(patience, self.wake.wait()).await;
        }
    }
}

fn read(tx: &mut Tx, after: i64, limit: u32, filter: &EventFilter) -> Result<Vec<StoredEvent>> {
    let mut select = Select::new("events", COLUMNS).filter("id > ", after).limit(limit);
    if tx.engine() == Engine::Postgres {
        select = select.condition(SETTLED_ON_POSTGRES);
    }
    for (condition, value) in [
        ("resource_type = ", &filter.resource_type),
        ("resource_id = ", &filter.resource_id),
        ("project_id = ", &filter.project_id),
        ("request_id = ", &filter.request_id),
        ("user_id = ", &filter.user_id),
    ] {
        if let Some(value) = value {
            select = select.filter(condition, value);
        }
    }
    select.rows(tx)?.iter().map(event).collect()
}

fn event(row: &Row) -> Result<StoredEvent> {
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

fn prune_some(tx: &mut Tx, older_than: Option<Timestamp>, keep_at_most: Option<u64>) -> Result<u64, Error> {
    // Everything below the boundary goes.
    let newest = tx.query_one("SELECT coalesce(max(id), 0) FROM events", &[])?;
    let newest: i64 = newest.get(0)?;
    let mut boundary = 0;
    if let Some(time) = older_than {
        let sql = "SELECT id FROM events WHERE at >= $1 ORDER BY id LIMIT 1";
        let row = tx.query_opt(sql, &params![time])?;
        boundary = row.map_or(Ok(newest), |row| row.get(0))?;
    }
    if let Some(keep) = keep_at_most {
        let sql = "SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET $1";
        let row = tx.query_opt(sql, &params![keep.saturating_sub(1)])?;
        let by_count: i64 = row.map_or(Ok(0), |row| row.get(0))?;
        boundary = boundary.max(by_count);
    }
    tx.execute(
        "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE id < $1 ORDER BY id LIMIT $2)",
        &params![boundary, PRUNED_AT_ONCE],
    )
}
