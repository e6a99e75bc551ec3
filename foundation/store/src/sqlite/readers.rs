// SPDX-License-Identifier: Apache-2.0
//! A few connections that read, opened when first needed and then kept.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::open;
use crate::session::Session as AnySession;
use crate::session::sqlite::Session;
use crate::shared::Shared;
use crate::tx::Tx;
use crate::{
    Error, Result,
    job::{self, Job},
};

pub(crate) struct Readers {
    path: PathBuf,
    shared: Arc<Shared>,
    /// A stack: the connection used last has the warmest cache, and the others stay small.
    idle: Mutex<Vec<Tx>>,
    permits: Arc<Semaphore>,
}

/// A connection on loan.
pub(super) struct Reader {
    tx: Option<Tx>,
    home: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub(super) fn new(path: PathBuf, shared: Arc<Shared>, limit: usize) -> Self {
        Self { path, shared, idle: Mutex::new(Vec::new()), permits: Arc::new(Semaphore::new(limit)) }
    }

    pub(super) async fn take(self: Arc<Self>) -> Result<Reader> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::Closed)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let tx = match idle {
            Some(tx) => tx,
            None => {
                let session = open::reader(&self.path)?;
                Tx::new(AnySession::Sqlite(session), Arc::clone(&self.shared.counters))
            }
        };
        Ok(Reader { tx: Some(tx), home: self, _permit: permit })
    }
}

impl Reader {
    /// Runs a job on one snapshot of the database.
    pub(super) fn run(&mut self, job: &dyn Job) -> Result<bool> {
        let tx = self.tx.as_mut().ok_or(Error::Closed)?;
        session(tx)?.control("BEGIN")?;
        let ran = job::run(job, tx);
        tx.reset();
        session(tx)?.rollback();
        ran
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(tx) = self.tx.take() {
            self.home.idle.lock().unwrap_or_else(PoisonError::into_inner).push(tx);
        }
    }
}

/// The SQLite connection under a transaction of this engine.
pub(super) fn session(tx: &mut Tx) -> Result<&mut Session> {
    match tx.session() {
        AnySession::Sqlite(session) => Ok(session),
        AnySession::Postgres(_) => Err(Error::Closed),
    }
}
