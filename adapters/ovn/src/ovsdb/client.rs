// SPDX-License-Identifier: Apache-2.0
//! The handle to a database: many callers, one connection, one replica.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::follow::{Follower, Followers, Interest};
use super::remote::Remote;
use super::replica::{Indexes, Replica};
use super::session::{self, Ended};
use super::transaction::{Outcome, Transaction};
use crate::{Error, Result};

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(8);
/// A busy cluster may elect a leader before it answers.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What to keep a replica of.
#[derive(Clone, Debug)]
pub struct Watched {
    pub(crate) database: &'static str,
    /// Tables, each with the columns to watch; no columns means all of them.
    pub(crate) tables: BTreeMap<&'static str, &'static [&'static str]>,
    pub(crate) indexes: Indexes,
    /// How long the server may take for an answer before the connection is given up for another.
    pub(crate) answer_within: Duration,
}

/// A connection to a database. Clones share it; it closes when the last one is dropped.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    calls: mpsc::UnboundedSender<Call>,
}

pub(crate) struct Shared {
    pub(crate) watched: Watched,
    remotes: Vec<Remote>,
    replica: RwLock<Replica>,
    pub(crate) followers: Followers,
    /// Why there is no connection, or none if there is one and the replica is current.
    down: RwLock<Option<String>>,
    /// Counts changes of the replica and of the connection.
    changes: watch::Sender<u64>,
}

pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) params: Value,
    pub(crate) reply: oneshot::Sender<Result<std::result::Result<Value, Value>>>,
}

impl Watched {
    pub fn new(database: &'static str) -> Self {
        Self { database, tables: BTreeMap::new(), indexes: Indexes::default(), answer_within: ANSWER_WITHIN }
    }

    /// Watches all columns of a table.
    pub fn table(self, table: &'static str) -> Self {
        self.columns(table, &[])
    }

    /// Watches some columns of a table.
    pub fn columns(mut self, table: &'static str, columns: &'static [&'static str]) -> Self {
        self.tables.insert(table, columns);
        self
    }

    /// Gives the connection up for another when an answer takes longer.
    pub fn answered_within(mut self, time: Duration) -> Self {
        self.answer_within = time;
        self
    }

    /// Indexes rows by what they hold under this key of `external_ids`.
    pub fn keyed_by(mut self, key: &'static str) -> Self {
        self.indexes.key_name = Some(key);
        self
    }

    /// Of these columns alone it is kept where they point to.
    pub fn pointing(mut self, columns: fn(table: &str, column: &str) -> bool) -> Self {
        self.indexes.pointing = Some(columns);
        self
    }
}

impl Client {
    /// Starts connecting and returns at once. Several remotes are the members of one cluster: any will do.
    pub fn connect(remotes: Vec<Remote>, watched: Watched) -> Self {
        let (calls, inbox) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            watched,
            remotes,
            replica: RwLock::default(),
            followers: Followers::default(),
            down: RwLock::new(Some("not connected yet".to_owned())),
            changes: watch::Sender::new(0),
        });
        tokio::spawn(keep_connected(shared.clone(), inbox));
        Self { shared, calls }
    }

    /// Waits until the replica is current.
    pub async fn ready(&self, deadline: Instant) -> Result<()> {
        self.wait_until("the database", deadline, |_| Some(())).await
    }

    /// Whether the replica is current: connected, and everything watched has arrived.
    pub fn is_current(&self) -> bool {
        self.shared.down().is_none()
    }

    /// Why the replica is not current, in a sentence for an operator.
    pub fn why_not_current(&self) -> Option<String> {
        self.shared.down().map(|why| self.shared.unavailable(why).to_string())
    }

    /// Looks at the replica. Be brief: notifications wait meanwhile. After a lost connection this is the last known state.
    pub fn read<T>(&self, look: impl FnOnce(&Replica) -> T) -> T {
        look(&self.shared.replica.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the replica only while it is current.
    pub fn read_current<T>(&self, look: impl FnOnce(&Replica) -> T) -> Result<T> {
        match self.shared.down() {
            Some(why) => Err(self.shared.unavailable(why)),
            None => Ok(self.read(look)),
        }
    }

    /// Hears from now on which keys are touched.
    pub(crate) fn follow(&self, interest: Interest) -> Follower {
        self.shared.followers.add(interest)
    }

    /// Looks whether these names are as they should be, and tells those who doubt it, if there are any.
    pub(crate) fn confirm<'a>(&self, names: impl Iterator<Item = &'a str> + Clone, look: impl FnOnce(&Replica) -> bool) {
        if self.shared.followers.doubt() {
            self.read(|replica| self.shared.followers.confirm(names, look(replica)));
        }
    }

    /// A counter that moves with every change of the replica and of the connection.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Waits for the replica to show something, woken by each change, until the deadline.
    pub async fn wait_until<T>(
        &self,
        what: impl fmt::Display,
        deadline: Instant,
        mut look: impl FnMut(&Replica) -> Option<T>,
    ) -> Result<T> {
        let mut changes = self.changes();
        loop {
            changes.borrow_and_update();
            if self.is_current()
                && let Some(found) = self.read(&mut look)
            {
                return Ok(found);
            }
            // The sender lives as long as `self`, so only the deadline can end this.
            if tokio::time::timeout_at(deadline, changes.changed()).await.is_err() {
                return Err(match self.shared.down() {
                    Some(why) => self.shared.unavailable(why),
                    None => Error::DeadlinePassed { what: what.to_string() },
                });
            }
        }
    }

    /// Runs a transaction. When it returns, the replica already shows its effects.
    pub async fn transact(&self, transaction: &Transaction) -> Result<Outcome> {
        let database = self.shared.watched.database;
        let answer = self.call("transact", transaction.params(database)).await?;
        match answer {
            Ok(results) => transaction.outcome(database, results),
            Err(error) => Err(Error::Refused {
                database: database.to_owned(),
                operation: "the transaction".to_owned(),
                error: error["error"].as_str().unwrap_or("error").to_owned(),
                details: error.to_string(),
            }),
        }
    }

    async fn call(&self, method: &'static str, params: Value) -> Result<std::result::Result<Value, Value>> {
        if let Some(why) = self.shared.down() {
            return Err(self.shared.unavailable(why));
        }
        let (reply, answer) = oneshot::channel();
        let call = Call { method, params, reply };
        if self.calls.send(call).is_err() {
            return Err(self.shared.unavailable("the connection task ended".to_owned()));
        }
        // The session has the same deadline for what it sent; this one is for what waits to be sent.
        let answer = tokio::time::timeout(self.shared.watched.answer_within * 2, answer).await;
        answer.map_err(|_| self.shared.interrupted())?.map_err(|_| self.shared.interrupted())?
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Client")
            .field("database", &self.shared.watched.database)
            .field("remotes", &self.shared.remotes)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Replica) -> T) -> T {
        let result = change(&mut self.replica.write().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|count| *count += 1);
        result
    }

    pub(crate) fn set_down(&self, why: Option<String>) {
        *self.down.write().unwrap_or_else(PoisonError::into_inner) = why;
        self.changes.send_modify(|count| *count += 1);
    }

    fn down(&self) -> Option<String> {
        self.down.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn interrupted(&self) -> Error {
        Error::Interrupted { remote: self.name() }
    }

    fn unavailable(&self, why: String) -> Error {
        Error::Unavailable { remote: self.name(), why }
    }

    fn name(&self) -> String {
        let remotes: Vec<String> = self.remotes.iter().map(Remote::to_string).collect();
        format!("{} at {}", self.watched.database, remotes.join(","))
    }
}

/// Connects, serves, and connects again, for as long as somebody holds the client.
async fn keep_connected(shared: Arc<Shared>, mut calls: mpsc::UnboundedReceiver<Call>) {
    let mut retry = FIRST_RETRY;
    let mut last_transaction = None;
    for remote in shared.remotes.iter().cycle() {
        let ended = session::run(&shared, remote, &mut calls, &mut last_transaction).await;
        let why = match ended {
            Ended::Abandoned => return,
            Ended::Broken { why, served } => {
                if served {
                    retry = FIRST_RETRY;
                }
                why
            }
        };
        tracing::warn!(database = shared.watched.database, %remote, why, retry_ms = retry.as_millis(), "lost the database");
        shared.set_down(Some(why.clone()));
        let again = Instant::now() + retry;
        retry = (retry * 2).min(LAST_RETRY);
        loop {
            match tokio::time::timeout_at(again, calls.recv()).await {
                Err(_) => break,
                Ok(None) => return,
                Ok(Some(call)) => {
                    // A caller that has gone away needs no answer.
                    call.reply.send(Err(shared.unavailable(why.clone()))).ok();
                }
            }
        }
    }
}
