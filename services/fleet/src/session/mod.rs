// SPDX-License-Identifier: Apache-2.0
//! The live sessions: at most one for each node.
//!
//! A session belongs to one connection. When the node connects again, perhaps before we noticed that the old
//! connection died, the new session replaces the old one, and what the old connection still says is refused.

mod driver;
mod sent;

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
    node::{Answer, Ask},
};
use tokio::sync::{mpsc, oneshot, watch};
use types::NodeId;
use work::Bell;

pub(crate) use driver::{Lines, drive};

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
    /// The desired state of the node changed.
    pub bell: Bell,
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
    pub fn begin(&self, node: NodeId, connection: u64) -> (Arc<Session>, Inbox) {
        let (asks, asked) = mpsc::channel(ASKS_AT_ONCE);
        let (over, ended) = watch::channel(false);
        let session = Arc::new(Session {
            node: node.clone(),
            connection,
            bell: Bell::new(),
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
