// SPDX-License-Identifier: Apache-2.0
//! The table `nodes`.

use ::store::{Actor, Change, Event, Row as StoreRow, Tx, params};
use contracts::{
    Refusal,
    node::{Hello, ThingId},
    nodes::NodeFacts,
};
use serde::Serialize;
use types::{NodeId, Timestamp};

use crate::{
    Result,
    session::{Session, lease},
};

/// A node without what only the live session knows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
    pub id: NodeId,
    pub hostname: String,
    pub disabled: bool,
    pub disabled_reason: Option<String>,
    pub joined_at: Timestamp,
    pub seen_at: Timestamp,
    pub hello: Option<Hello>,
    pub session: SessionSaid,
}

/// What the tables say of a node's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionSaid {
    /// The controller that leads now has it.
    Held,
    Lost,
    /// An earlier lead had it, and did not come to say that it ended.
    LeftBehind,
}

fn lease_from(granted: Timestamp) -> Timestamp {
    granted.plus(lease::LENGTH)
}

const COLUMNS: &str = "id, hostname, disabled, disabled_reason, joined_at, seen_at, hello, session_lead, \
     (SELECT generation FROM lead)";

impl Row {
    fn read(row: &StoreRow) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            hostname: row.get(1)?,
            disabled: row.get(2)?,
            disabled_reason: row.get(3)?,
            joined_at: row.get(4)?,
            seen_at: row.get(5)?,
            hello: row.json(6)?,
            session: match (row.get::<Option<i64>>(7)?, row.get::<i64>(8)?) {
                (None, _) => SessionSaid::Lost,
                (Some(lead), current) if lead == current => SessionSaid::Held,
                (Some(_), _) => SessionSaid::LeftBehind,
            },
        })
    }

    /// As the tables alone tell them.
    pub fn into_facts(self) -> NodeFacts {
        let (up, lease_until) = match self.session {
            SessionSaid::Held => (true, lease_from(Timestamp::now())),
            SessionSaid::Lost => (false, lease_from(self.seen_at)),
            // When it ended, whoever leads knows best.
            SessionSaid::LeftBehind => (false, lease_from(Timestamp::now())),
        };
        self.facts(up, lease_until, Vec::new())
    }

    /// As the controller knows them that leads since then, and has this session with the node.
    pub fn into_facts_of_lead(self, session: Option<&Session>, since: Timestamp) -> NodeFacts {
        let lease_until = match (session, self.session) {
            (Some(_), _) => lease_from(Timestamp::now()),
            (None, SessionSaid::Lost) => lease_from(self.seen_at),
            // It ended with an earlier lead, or ends at this moment.
            (None, SessionSaid::LeftBehind) => lease_from(since),
            (None, SessionSaid::Held) => lease_from(Timestamp::now()),
        };
        self.facts(session.is_some(), lease_until, session.map(Session::strays).unwrap_or_default())
    }

    fn facts(self, up: bool, lease_until: Timestamp, strays: Vec<ThingId>) -> NodeFacts {
        NodeFacts {
            lease_until,
            strays,
            id: self.id,
            hostname: self.hostname,
            up,
            disabled: self.disabled,
            disabled_reason: self.disabled_reason,
            joined_at: self.joined_at,
            // Whoever is connected was heard of within the last seconds.
            seen_at: if up { Timestamp::now() } else { self.seen_at },
            hello: self.hello,
        }
    }
}

/// Makes a change of a node, and records the whole before and after.
pub(crate) fn changing<T>(
    tx: &mut Tx,
    actor: &Actor,
    action: &str,
    id: &NodeId,
    change: impl FnOnce(&mut Tx) -> Result<T>,
) -> Result<T> {
    let before = find(tx, id)?;
    let done = change(tx)?;
    let change = Change { before, after: find(tx, id)? };
    tx.record(Event::of(actor, action, ("node", id.as_str()), &change)?)?;
    Ok(done)
}

pub(crate) fn all(tx: &mut Tx) -> Result<Vec<Row>> {
    tx.query(&format!("SELECT {COLUMNS} FROM nodes ORDER BY hostname"), &[])?.iter().map(Row::read).collect()
}

pub(crate) fn find(tx: &mut Tx, id: &NodeId) -> Result<Option<Row>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM nodes WHERE id = $1"), &params![id])?;
    row.as_ref().map(Row::read).transpose()
}

pub(crate) fn get(tx: &mut Tx, id: &NodeId) -> Result<Row> {
    find(tx, id)?.ok_or_else(|| Refusal::not_found(format!("there is no node {id}")).into())
}

pub(crate) fn insert(tx: &mut Tx, id: &NodeId, hostname: &str) -> Result<()> {
    let now = Timestamp::now();
    let inserted = tx.execute(
        "INSERT INTO nodes (id, hostname, joined_at, seen_at) VALUES ($1, $2, $3, $3) ON CONFLICT (hostname) DO NOTHING",
        &params![id, hostname, now],
    )?;
    if inserted == 0 {
        let message = format!("a node called {hostname} is in the cloud already; remove it first if this host replaces it");
        return Err(Refusal::conflict(message).into());
    }
    Ok(())
}

pub(crate) fn set_hello(tx: &mut Tx, id: &NodeId, hello: &Hello) -> Result<()> {
    let json = serde_json::to_value(hello).unwrap_or_default();
    tx.execute(
        "UPDATE nodes SET hello = $1, seen_at = $2, session_lead = (SELECT generation FROM lead) WHERE id = $3",
        &params![json, Timestamp::now(), id],
    )?;
    Ok(())
}

/// The node has no session any more. False if there is no such node.
pub(crate) fn set_lost(tx: &mut Tx, id: &NodeId) -> Result<bool> {
    let touched =
        tx.execute("UPDATE nodes SET seen_at = $1, session_lead = NULL WHERE id = $2", &params![Timestamp::now(), id])?;
    Ok(touched > 0)
}

pub(crate) fn set_disabled(tx: &mut Tx, id: &NodeId, reason: Option<&str>, disabled: bool) -> Result<()> {
    let sql = "UPDATE nodes SET disabled = $1, disabled_reason = $2 WHERE id = $3";
    tx.execute(sql, &params![disabled, reason.filter(|_| disabled), id])?;
    Ok(())
}

pub(crate) fn delete(tx: &mut Tx, id: &NodeId) -> Result<()> {
    tx.execute("DELETE FROM nodes WHERE id = $1", &params![id])?;
    Ok(())
}
