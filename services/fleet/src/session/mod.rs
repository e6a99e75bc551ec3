// SPDX-License-Identifier: Apache-2.0
//! The live sessions: at most one for each node.
//!
//! A session belongs to one connection. When the node connects again, perhaps before we noticed that the old
//! connection died, the new session replaces the old one, and what the old connection still says is refused.

mod driver;
mod earlier;
pub(crate) mod lease;
mod lines;
mod told;
mod touched;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use contracts::{
    Refusal,
    node::{Answer, Ask, Observed, ThingId},
    nodes::ObservedSink,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use types::NodeId;

use crate::source;
use told::Told;
use touched::Ears;

pub(crate) use driver::{BEAT, Said, drive};
pub(crate) use lines::Lines;

pub(crate) const TABLES: &[::store::Step] =
    &[::store::Step { number: 2, name: "sessions", sql: include_str!("../../migrations/0002_sessions.sql") }];

/// How long an asked node may take.
const PATIENCE: Duration = Duration::from_secs(30);
const ASKS_AT_ONCE: usize = 64;

#[derive(Default)]
pub(crate) struct Sessions {
    by_node: Mutex<HashMap<NodeId, Arc<Session>>>,
}

pub(crate) struct Session {
    pub node: NodeId,
    connection: u64,
    /// The version in which both sides speak.
    pub protocol: u32,
    began: Instant,
    /// What is wanted of the node and may have changed.
    pub touched: Ears,
    told: Mutex<Told>,
    /// Reports are taken in one after the other.
    reports: tokio::sync::Mutex<()>,
    strays: Mutex<Vec<ThingId>>,
    asks: mpsc::Sender<(u64, Ask)>,
    next_ask: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    over: watch::Sender<bool>,
}

/// What the task that drives a session listens to.
pub(crate) struct Inbox {
    asks: mpsc::Receiver<(u64, Ask)>,
    over: watch::Receiver<bool>,
}

impl Sessions {
    /// Begins a session on this connection, ending the one that the node had.
    pub fn begin(&self, node: NodeId, connection: u64, protocol: u32) -> (Arc<Session>, Inbox) {
        let (asks, asked) = mpsc::channel(ASKS_AT_ONCE);
        let (over, ended) = watch::channel(false);
        let session = Arc::new(Session {
            node: node.clone(),
            connection,
            protocol,
            began: Instant::now(),
            touched: Ears::new(),
            told: Mutex::default(),
            reports: tokio::sync::Mutex::default(),
            strays: Mutex::default(),
            asks,
            next_ask: AtomicU64::new(1),
            waiting: Mutex::default(),
            over,
        });
        if let Some(old) = self.lock().insert(node, session.clone()) {
            tracing::info!(node = %old.node, "the node connected again; its older session ends");
            old.end();
        }
        (session, Inbox { asks: asked, over: ended })
    }

    pub fn of(&self, node: &NodeId) -> Option<Arc<Session>> {
        self.lock().get(node).cloned()
    }

    /// The session that this connection may speak for.
    ///
    /// Invariant: a replaced session is not listened to (test: `a_second_session_replaces_the_first`).
    pub fn on_connection(&self, node: &NodeId, connection: u64) -> Result<Arc<Session>, Refusal> {
        let session = self.of(node).filter(|session| session.connection == connection);
        session.ok_or_else(|| Refusal::conflict("this connection has no session, or another took its place: connect again"))
    }

    /// Forgets the session, unless another took its place. True if the node is without one now.
    pub fn finish(&self, session: &Arc<Session>) -> bool {
        session.end();
        let mut by_node = self.lock();
        let current = by_node.get(&session.node).is_some_and(|current| Arc::ptr_eq(current, session));
        if current {
            by_node.remove(&session.node);
        }
        current
    }

    pub fn end_those(&self, which: impl Fn(&NodeId) -> bool) {
        for session in self.lock().values().filter(|session| which(&session.node)) {
            session.end();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, Arc<Session>>> {
        self.by_node.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    pub fn end(&self) {
        self.over.send_replace(true);
        // Whoever waits for an answer learns at once that none will come.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_strays(&self, strays: Vec<ThingId>) {
        if !strays.is_empty() {
            let named: Vec<String> = strays.iter().map(ToString::to_string).collect();
            tracing::warn!(node = %self.node, strays = named.join(", "), "the node has what these tables do not know; it is kept");
        }
        *self.strays.lock().unwrap_or_else(PoisonError::into_inner) = strays;
    }

    /// Things that the node has and was told nothing of.
    pub fn strays(&self) -> Vec<ThingId> {
        self.strays.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it is the report that was taken in last, and says nothing else than then.
    pub fn has_taken(&self, report: &[u8]) -> bool {
        self.told().has_taken(report)
    }

    /// Passes on what is news in this report, and notes it when it was taken.
    pub async fn take_in(&self, report: &[u8], observed: Observed, rooms: &[Arc<dyn ObservedSink>]) -> Result<(), Refusal> {
        let _turn = self.reports.lock().await;
        let mut news = self.told().news(observed);
        if let Some(strays) = news.strays.take().filter(|strays| *strays != self.strays()) {
            self.set_strays(strays);
        }
        if !news.is_empty() {
            source::observed(rooms, &self.node, &news.report).await?;
        }
        self.told().note(report, news);
        Ok(())
    }

    pub async fn ask(&self, ask: Ask) -> Result<Answer, Refusal> {
        let gone = || Refusal::unavailable(format!("node {} lost its connection before it answered", self.node));
        let id = self.next_ask.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, answer);
        let asked = async {
            self.asks.send((id, ask)).await.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())
        };
        let outcome = tokio::time::timeout(PATIENCE, asked).await;
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        outcome.unwrap_or_else(|_| Err(Refusal::unavailable(format!("node {} did not answer in time", self.node))))
    }

    /// Hands an answer to whoever waits; nobody may, if it came late.
    pub fn answered(&self, id: u64, answer: Answer) {
        if let Some(waiting) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id) {
            let _ = waiting.send(answer);
        }
    }
}
