// SPDX-License-Identifier: Apache-2.0
//! The embedded engine: one file in WAL mode, one writer thread, a few readers.
//!
//! SQLite allows one writer at a time, so there is exactly one, and it commits whatever waits in one group: writers
//! share the fsync instead of queueing for one each.

mod open;
mod readers;
mod session;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use crate::store::{Shared, on_blocking_thread};
use crate::{Error, Result, Tx};

use readers::Readers;
pub(crate) use session::Session;
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

    pub(crate) async fn write<F, T, E>(&self, f: F) -> Result<T, E>
    where
        F: Fn(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.write(f).await
    }

    pub(crate) async fn read<F, T, E>(&self, f: F) -> Result<T, E>
    where
        F: Fn(&mut Tx) -> Result<T, E>,
        E: From<Error>,
    {
        Arc::clone(&self.points).take().await?.run(&f)
    }

    pub(crate) async fn list<F, T, E>(&self, f: F) -> Result<T, E>
    where
        F: Fn(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let mut reader = Arc::clone(&self.lists).take().await?;
        on_blocking_thread(move || reader.run(&f)).await?
    }
}
