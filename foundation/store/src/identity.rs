// SPDX-License-Identifier: Apache-2.0
//! Which database this is, and whether it was put back to an earlier state.
//!
//! The tables have an id that was drawn when they were made: a copy has the same, another database another. How far its
//! stream of events had come ([`DatabaseMark`]) is remembered outside of it, by the hosts and beside the file. If somebody has
//! seen more than the tables know, they are an earlier copy, and there may be things outside that they never heard of.
//! Nothing follows from that but words: what the tables do not know is kept in any case.
//!
//! Invariant: a database that was put back to an earlier state says so, and its events go on above those that were lost
//! (test: `a_copy_that_is_older_than_what_was_seen_says_so_once`).

use serde_json::json;
use types::{DatabaseId, DatabaseMark, Timestamp};

use crate::event::{self, Actor, Event};
use crate::session::Engine;
use crate::store::Store;
use crate::tx::Tx;
use crate::{Result, migrate, params};

/// When a database was found to be an earlier copy, and what told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutBack {
    pub at: Timestamp,
    pub seen_by: String,
}

const PUT_BACK: &str = "database.put_back";

impl Store {
    /// Whether no tables were ever made in this database. To be asked before [`migrate`](Store::migrate).
    pub async fn is_new(&self) -> Result<bool> {
        self.read(|tx| {
            if !migrate::table_exists(tx, "schema_migrations")? {
                return Ok(true);
            }
            Ok(tx.query_opt("SELECT 1 FROM schema_migrations LIMIT 1", &[])?.is_none())
        })
        .await
    }

    /// The id of this database, and how far it has come.
    pub async fn mark(&self) -> Result<DatabaseMark> {
        self.read(mark).await
    }

    /// Compares what was seen of this database with what it knows. If it is an earlier copy, that is recorded, and its events
    /// go on above the one that was seen, so that it is found once and no event's id is given twice. What was seen of another
    /// database says nothing about this one. Answers whether it was news.
    pub async fn compare(&self, seen: &DatabaseMark, seen_by: &str) -> Result<bool> {
        let known = self.mark().await?;
        if known.database != seen.database || known.event >= seen.event {
            return Ok(false);
        }
        let (seen, by) = (seen.clone(), seen_by.to_owned());
        self.write(move |tx| {
            let known = mark(tx)?;
            if known.event >= seen.event {
                return Ok(false);
            }
            event::go_on_above(tx, seen.event)?;
            tx.record(Event {
                actor: Actor::system("store"),
                action: PUT_BACK.to_owned(),
                resource_type: "database",
                resource_id: seen.database.to_string(),
                project_id: None,
                before: Some(json!({"event": seen.event, "seen_by": by})),
                after: Some(json!({"event": known.event})),
            })?;
            Ok(true)
        })
        .await
    }

    /// When this database was last found to be an earlier copy of itself.
    pub async fn put_back(&self) -> Result<Option<PutBack>> {
        self.list(|tx| {
            let sql = "SELECT at, before_state FROM events WHERE resource_id = (SELECT uuid FROM database_identity) \
                       AND action = $1 ORDER BY id DESC LIMIT 1";
            let Some(row) = tx.query_opt(sql, &params![PUT_BACK])? else { return Ok(None) };
            let before: Option<serde_json::Value> = row.get(1)?;
            let seen_by = before.as_ref().and_then(|before| before["seen_by"].as_str()).unwrap_or_default().to_owned();
            Ok(Some(PutBack { at: row.get(0)?, seen_by }))
        })
        .await
    }
}

/// The same inside a transaction.
pub fn mark(tx: &mut Tx) -> Result<DatabaseMark> {
    let newest = match tx.engine() {
        Engine::Sqlite => "SELECT uuid, (SELECT coalesce(max(id), 0) FROM events) FROM database_identity".to_owned(),
        // Those that a running transaction might still precede have not been seen by anybody.
        Engine::Postgres => format!(
            "SELECT uuid, (SELECT coalesce(max(id), 0) FROM events WHERE id < {}) FROM database_identity",
            event::HORIZON_ON_POSTGRES
        ),
    };
    let row = tx.query_one(&newest, &[])?;
    Ok(DatabaseMark { database: row.get(0)?, event: row.get(1)? })
}

/// Draws the id of a database that has none yet.
pub(crate) fn ensure(tx: &mut Tx) -> Result<()> {
    let sql = "INSERT INTO database_identity (id, uuid, made_at) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING";
    tx.execute(sql, &params![DatabaseId::generate(), Timestamp::now()]).map(drop)
}
