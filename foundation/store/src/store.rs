// SPDX-License-Identifier: Apache-2.0
//! The store's front: it hands closures to the engine.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinHandle;

use crate::hub::{Heeding, Hub, Wake};
use crate::job::{Call, Job};
use crate::postgres::Pace;
use crate::session::Engine;
use crate::shared::Shared;
use crate::thing::Touched;
use crate::tx::Tx;
use crate::{Error, Result, postgres, sqlite};

/// A handle to the tables; clones share one store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// The lead that writes are bound to; see [`lead`](crate::lead).
    pub(crate) term: Option<i64>,
}

struct Inner {
    /// On SQLite; PostgreSQL's comes with its connections.
    _tail: Option<Tail>,
    backend: Backend,
    shared: Arc<Shared>,
}

pub(crate) enum Backend {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

/// A job under way.
type Running<'a> = Pin<Box<dyn Future<Output = Result<bool>> + Send + 'a>>;

/// Reads the stream of a file for the hub.
struct Tail(JoinHandle<()>);

impl Drop for Tail {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Store {
    /// Runs `f` in a transaction that is durable when this returns `Ok`. An `Err` of `f` leaves nothing behind.
    ///
    /// The closure may be run again (PostgreSQL's serialization failures, a group commit that must be taken apart),
    /// so it has no effect outside of the transaction. If the returned future is dropped the transaction happens
    /// whole or not at all.
    pub async fn write<T, E>(&self, f: impl Fn(&mut Tx) -> Result<T, E> + Send + Sync + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let call = Call::new(f);
        let ran = self.run_write(call.clone(), Pace::Usual).await;
        call.outcome(ran)
    }

    /// A write that may take as long as it takes.
    pub(crate) async fn upgrade(&self, f: impl Fn(&mut Tx) -> Result<()> + Send + Sync + 'static) -> Result<()> {
        let call = Call::new(f);
        let ran = self.run_write(call.clone(), Pace::Upgrade).await;
        call.outcome(ran)
    }

    /// Runs point reads on one consistent state of the tables. On SQLite this runs inline on the calling worker:
    /// a hop to another thread costs ten times the query.
    pub async fn read<T, E>(&self, f: impl Fn(&mut Tx) -> Result<T, E> + Send + Sync + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let call = Call::new(f);
        let ran = self.run_read(call.clone()).await;
        call.outcome(ran)
    }

    /// Like [`read`](Self::read), for lists and other long reads: on a blocking thread.
    pub async fn list<T, E>(&self, f: impl Fn(&mut Tx) -> Result<T, E> + Send + Sync + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let call = Call::new(f);
        let ran = self.run_list(call.clone()).await;
        call.outcome(ran)
    }

    /// Makes the SQLite file whole by itself: what was committed before lies in it, and not in the log beside it, so that a
    /// plain copy of it is a copy of all. On PostgreSQL there is nothing to do.
    pub async fn checkpoint(&self) -> Result<()> {
        match &self.inner.backend {
            Backend::Sqlite(sqlite) => sqlite.checkpoint().await,
            Backend::Postgres(_) => Ok(()),
        }
    }

    /// How many statements closures have run since the store was opened; what tests hold against N+1 queries.
    pub fn statements(&self) -> u64 {
        self.inner.shared.counters.statements.load(Ordering::Relaxed)
    }

    /// How often PostgreSQL was waited for by closures and their commits.
    pub fn round_trips(&self) -> u64 {
        self.inner.shared.counters.round_trips.load(Ordering::Relaxed)
    }

    /// Keeps the statements that run from now on, and answers those that ran since the last call: what tests explain to find
    /// those that read more than they should.
    pub fn overhear(&self) -> Vec<(String, Vec<crate::Value>)> {
        let overheard = &self.inner.shared.counters.overheard;
        overheard.listens.store(true, Ordering::Relaxed);
        std::mem::take(&mut *overheard.statements.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// How many transactions were committed; fewer than [`writes`](Self::writes) where writers shared an fsync.
    pub fn commits(&self) -> u64 {
        self.inner.shared.counters.commits.load(Ordering::Relaxed)
    }

    /// How many calls of [`write`](Self::write) were acknowledged.
    pub fn writes(&self) -> u64 {
        self.inner.shared.counters.writes.load(Ordering::Relaxed)
    }

    /// Wakes when a committed transaction recorded an event of one of these kinds (`"*"`: of any), and says of what.
    pub fn watch(&self, kinds: &[&'static str]) -> Wake {
        self.inner.shared.hub.watch(kinds, false)
    }

    /// The same for what other controllers commit; whoever commits here tells his own process himself. On SQLite it never
    /// wakes.
    pub fn watch_others(&self, kinds: &[&'static str]) -> Wake {
        self.inner.shared.hub.watch(kinds, true)
    }

    /// Calls `hear` for what [`watch`](Self::watch) would wake for, before the commit is acknowledged, until the answer is
    /// dropped. It is called under a lock: it notes something in memory and returns.
    #[must_use]
    pub fn heed(&self, kinds: &[&'static str], hear: impl Fn(&Touched) + Send + Sync + 'static) -> Heeding {
        self.inner.shared.hub.heed(kinds, hear)
    }

    /// Returns when all that other controllers committed until a second ago is known to those who [`heed`](Self::heed) it. Usually
    /// that is at once; it fails if the database does not say so in time.
    pub async fn current(&self) -> Result<()> {
        self.hub().current().await
    }

    pub fn engine(&self) -> Engine {
        match self.inner.backend {
            Backend::Sqlite(_) => Engine::Sqlite,
            Backend::Postgres(_) => Engine::Postgres,
        }
    }
}

/// The ways to the engines, the same for all closures. Each answers whether the changes were kept. The futures are boxed, so
/// that those of the callers stay small: there are thousands of them.
impl Store {
    fn run_write(&self, job: Arc<dyn Job>, pace: Pace) -> Running<'_> {
        Box::pin(async move {
            match &self.inner.backend {
                Backend::Sqlite(sqlite) => sqlite.write(job).await,
                Backend::Postgres(postgres) => postgres.write(job, self.term, pace).await,
            }
        })
    }

    fn run_read(&self, job: Arc<dyn Job>) -> Running<'_> {
        Box::pin(async move {
            match &self.inner.backend {
                Backend::Sqlite(sqlite) => sqlite.read(&*job).await,
                Backend::Postgres(postgres) => postgres.read(job).await,
            }
        })
    }

    fn run_list(&self, job: Arc<dyn Job>) -> Running<'_> {
        Box::pin(async move {
            match &self.inner.backend {
                Backend::Sqlite(sqlite) => sqlite.list(job).await,
                Backend::Postgres(postgres) => postgres.read(job).await,
            }
        })
    }
}

impl Store {
    pub(crate) fn new(backend: Backend, shared: Arc<Shared>) -> Self {
        let tail = match &backend {
            Backend::Sqlite(sqlite) => {
                Some(Tail(tokio::spawn(sqlite::keep_tailing_the_file(Arc::clone(&shared), sqlite.lists()))))
            }
            Backend::Postgres(_) => None,
        };
        Self { inner: Arc::new(Inner { _tail: tail, backend, shared }), term: None }
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.inner.shared.hub
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.inner.backend
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("engine", &self.engine()).finish_non_exhaustive()
    }
}
