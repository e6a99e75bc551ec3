// SPDX-License-Identifier: Apache-2.0
//! The stream of events: who changed what, in which request, from what to what.
//!
//! An event is written in the transaction of its change, so there is no change without one and none without its
//! change. Live views, the audit trail and notifications all read this one stream, each from the id where it stopped.
//!
//! Ids grow in the order in which events become visible. SQLite has one writer, so a counter does. On PostgreSQL a
//! sequence would not: a transaction that drew a lower number may commit later, and a reader that had gone past would
//! never see it. There the id is the transaction's number, and readers stop below the oldest transaction of the database that still runs.
//!
//! Invariant: a reader that continues from the last id it saw misses no event (test: `followers_miss_nothing_under_concurrent_writers`).

mod redact;
mod stored;

use serde::Serialize;
use types::Timestamp;

pub(crate) use stored::{COLUMNS, Top, event, page, read, top};
pub use stored::{EventFilter, EventPage, Personal, StoredEvent};

use crate::session::Engine;
use crate::thing::{News, Thing};
use crate::tx::Tx;
use crate::{Error, Result, params};

/// A change of a resource, to be recorded with [`Tx::record`].
#[derive(Clone, Debug)]
pub struct Event {
    pub actor: Actor,
    /// What was done: `server.create`.
    pub action: String,
    /// The kind of thing, as watchers name it: `server`.
    pub resource_type: &'static str,
    pub resource_id: String,
    /// The project that owns the resource.
    pub project_id: Option<String>,
    /// The resource before, if it was there.
    pub before: Option<serde_json::Value>,
    /// The resource after, if it is still there.
    pub after: Option<serde_json::Value>,
}

/// What a thing was and what it is, in its own type: who writes the thing says both, whole, so that who reads the stream can
/// show the difference and take it back. Secrets are fields of type `Secret`, which are written as blanks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<R> {
    /// None: it was not there.
    pub before: Option<R>,
    /// None: it is there no more.
    pub after: Option<R>,
}

impl<R> Change<R> {
    pub fn made(after: R) -> Self {
        Self { before: None, after: Some(after) }
    }

    pub fn changed(before: R, after: R) -> Self {
        Self { before: Some(before), after: Some(after) }
    }

    pub fn removed(before: R) -> Self {
        Self { before: Some(before), after: None }
    }

    /// What was done, in a word.
    pub fn verb(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "create",
            (Some(_), Some(_)) => "update",
            (Some(_), None) => "delete",
        }
    }
}

impl Event {
    /// The event of a change of this thing, of nobody's project.
    pub fn of<R: Serialize>(
        actor: &Actor,
        action: impl Into<String>,
        (resource_type, id): (&'static str, &str),
        change: &Change<R>,
    ) -> Result<Self> {
        let state = |state: &Option<R>| state.as_ref().map(serde_json::to_value).transpose();
        let states = state(&change.before).and_then(|before| Ok((before, state(&change.after)?)));
        // Left out it would look as if the thing had not been there.
        let (before, after) =
            states.map_err(|error| Error::Constraint { rule: format!("a state is written as JSON: {error}") })?;
        let (actor, action, resource_id) = (actor.clone(), action.into(), id.to_owned());
        Ok(Self { actor, action, resource_type, resource_id, project_id: None, before, after })
    }

    /// The thing belongs to this project.
    #[must_use]
    pub fn of_project(self, project: impl Into<String>) -> Self {
        Self { project_id: Some(project.into()), ..self }
    }
}

/// Who made a change, and in which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub request_id: String,
    pub user_id: Option<String>,
    pub project_id: Option<String>,
    pub name: String,
}

impl Actor {
    /// A part of the cloud itself, such as a reconciler; it acts in nobody's request.
    pub fn system(name: impl Into<String>) -> Self {
        Self { request_id: String::new(), user_id: None, project_id: None, name: name.into() }
    }
}

/// How many bits of a PostgreSQL event's id count the events of one transaction.
const ORDINAL_BITS: u32 = 20;

impl Tx {
    /// Writes the event of this change, in this transaction, and wakes its watchers after the commit.
    pub fn record(&mut self, event: Event) -> Result<()> {
        let thing = Thing::new(event.resource_type, &event.resource_id);
        let ordinal = self.recorded();
        let event = insert(self, event, ordinal)?;
        self.note(News { event, thing });
        Ok(())
    }
}

/// Writes `event`, the `ordinal`-th of its transaction; answers its id.
fn insert(tx: &mut Tx, event: Event, ordinal: i64) -> Result<i64> {
    let id = match tx.engine() {
        // The highest id becomes this one's plus one; pruning leaves the newest event alone, so that none is given twice.
        Engine::Sqlite => None,
        Engine::Postgres => {
            if ordinal >> ORDINAL_BITS != 0 {
                return Err(Error::Constraint { rule: "a transaction records less than a million events".to_owned() });
            }
            Some(tx.events_from(first_id_on_postgres)? + ordinal)
        }
    };
    let blanked = |state: Option<serde_json::Value>| {
        state.map(|mut state| {
            redact::redact(&mut state);
            state
        })
    };
    let params = params![
        id,
        Timestamp::now(),
        event.actor.request_id,
        event.actor.user_id,
        event.actor.project_id,
        event.actor.name,
        event.project_id,
        event.action,
        event.resource_type,
        event.resource_id,
        blanked(event.before),
        blanked(event.after),
    ];
    match id {
        Some(id) => tx.later(INSERT, &params).map(|()| id),
        None => tx.query_one(&format!("{INSERT} RETURNING id"), &params)?.get(0),
    }
}

const INSERT: &str = "INSERT INTO events (id, at, request_id, user_id, actor_project_id, actor, project_id, action, \
     resource_type, resource_id, before_state, after_state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

fn first_id_on_postgres(tx: &mut Tx) -> Result<i64> {
    let sql = "SELECT (pg_current_xact_id()::text::bigint + offset_by) << 20 FROM event_clock";
    tx.query_one(sql, &[])?.get(0)
}

/// Sees to it that new ids are above all old ones, also when PostgreSQL's transaction numbers began again.
pub(crate) fn start_clock(tx: &mut Tx) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        tx.execute(
            "UPDATE event_clock SET offset_by = 1 + (SELECT max(id) >> 20 FROM events) - pg_current_xact_id()::text::bigint \
             WHERE (SELECT max(id) >> 20 FROM events) >= pg_current_xact_id()::text::bigint + offset_by",
            &[],
        )?;
    }
    Ok(())
}

/// Sees to it that new ids are above this one, which was given out by a later state of these tables than the one that they
/// were put back to.
pub(crate) fn go_on_above(tx: &mut Tx, seen: i64) -> Result<()> {
    match tx.engine() {
        // The next id is the highest plus one.
        Engine::Sqlite => tx.execute(
            "INSERT INTO events (id, at, request_id, actor, action, resource_type, resource_id) \
             SELECT $1, $2, '', 'store', 'database.events_lost', 'database', uuid FROM database_identity",
            &params![seen, Timestamp::now()],
        ),
        Engine::Postgres => {
            tx.forget_ids();
            tx.execute(
                "UPDATE event_clock SET offset_by = $1 + 1 - pg_current_xact_id()::text::bigint",
                &params![seen >> ORDINAL_BITS],
            )
        }
    }
    .map(drop)
}

/// On PostgreSQL, the id below which no event can come any more: that of the oldest transaction that still runs. Those of other
/// databases in the same cluster share the numbers but write no events here; one that ended since the snapshot was taken
/// is not known to be theirs, so it counts.
pub(crate) const HORIZON_ON_POSTGRES: &str = "((coalesce(\
     (SELECT min(running::text::bigint) FROM pg_snapshot_xip(pg_current_snapshot()) AS running \
      WHERE NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE backend_xid = running::xid AND datname <> current_database())), \
     pg_snapshot_xmax(pg_current_snapshot())::text::bigint) + (SELECT offset_by FROM event_clock)) << 20)";
