// SPDX-License-Identifier: Apache-2.0
//! The embedded engine: one file in WAL mode, one writer thread, a few readers.
//!
//! SQLite allows one writer at a time, so there is exactly one, and it commits whatever waits in one group: writers
//! share the fsync instead of queueing for one each.

mod open;
mod readers;
mod tail;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Weak};

use crate::Result;
use crate::job::Job;
use crate::shared::{Shared, on_blocking_thread};

use readers::Readers;
pub(crate) use tail::keep_tailing_the_file;
use writer::Writer;

/// The open database. Fields are dropped in this order: the writer closes last, so that it can fold the write-ahead
/// log back into the file, and only then gives up the lock.
pub(crate) struct Sqlite {
    points: Arc<Readers>,
    lists: Arc<Readers>,
    writer: Writer,
}

impl Sqlite {
    pub(crate) fn open(path: PathBuf, shared: Arc<Shared>) -> Result<Self> {
        let (session, lock) = open::open(&path)?;
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let readers = |limit| Arc::new(Readers::new(path.clone(), Arc::clone(&shared), limit));
        Ok(Self {
            points: readers(cores.clamp(2, 8)),
            lists: readers(cores.clamp(2, 4)),
            writer: Writer::start(session, lock, shared)?,
        })
    }

    pub(crate) async fn write(&self, job: Arc<dyn Job>) -> Result<bool> {
        self.writer.write(job).await
    }

    pub(crate) async fn read(&self, job: &dyn Job) -> Result<bool> {
        Arc::clone(&self.points).take().await?.run(job)
    }

    pub(crate) async fn list(&self, job: Arc<dyn Job>) -> Result<bool> {
        list(Arc::clone(&self.lists), job).await
    }

    /// For who reads beside the store, and must not keep it open.
    pub(crate) fn lists(&self) -> Weak<Readers> {
        Arc::downgrade(&self.lists)
    }

    /// Folds the write-ahead log into the file and empties it, once all accepted before is committed.
    pub(crate) async fn checkpoint(&self) -> Result<()> {
        self.writer.checkpoint().await
    }
}

async fn list(readers: Arc<Readers>, job: Arc<dyn Job>) -> Result<bool> {
    let mut reader = readers.take().await?;
    on_blocking_thread(move || reader.run(&*job)).await?
}
