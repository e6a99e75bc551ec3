// SPDX-License-Identifier: Apache-2.0
//! A room's closure as the engines see it: something to run in a transaction, whatever it answers.
//!
//! Rooms hand in several hundred closures, each with types of its own. Were the engines generic over them, the compiler would
//! make the queue, the threads and the second attempts anew for each: that was a quarter of the binary and of its build.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use crate::tx::Tx;
use crate::{Error, Result};

/// One call of `write`, `read` or `list`, whatever its types.
pub(crate) trait Job: Send + Sync {
    /// Runs the closure and keeps what it answers; true if its changes are to be kept, too. May be run again.
    fn run(&self, tx: &mut Tx) -> bool;
}

pub(crate) struct Call<F, T, E> {
    closure: F,
    outcome: Mutex<Option<Result<T, E>>>,
}

impl<F, T, E> Call<F, T, E>
where
    F: Fn(&mut Tx) -> Result<T, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    pub(crate) fn new(closure: F) -> Arc<Self> {
        Arc::new(Self { closure, outcome: Mutex::new(None) })
    }

    /// What the caller gets: the closure's answer, or why the engine has none.
    pub(crate) fn outcome(&self, ran: Result<bool>) -> Result<T, E> {
        ran?;
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        outcome.unwrap_or_else(|| Err(Error::Closed.into()))
    }
}

impl<F, T, E> Job for Call<F, T, E>
where
    F: Fn(&mut Tx) -> Result<T, E> + Send + Sync,
    T: Send,
    E: Send,
{
    fn run(&self, tx: &mut Tx) -> bool {
        let outcome = (self.closure)(tx);
        let keep = outcome.is_ok();
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        keep
    }
}

/// Runs a job without letting its panic take the store down: it becomes [`Error::Panicked`]. Whatever the panic left behind
/// in the transaction is rolled back by the caller, as after any other error: this is why asserting unwind safety is right.
pub(crate) fn run(job: &dyn Job, tx: &mut Tx) -> Result<bool> {
    let ran = catch_unwind(AssertUnwindSafe(|| job.run(tx)));
    let keep = ran.map_err(|payload| {
        tracing::error!("a transaction's closure panicked; it is rolled back");
        Error::panicked(payload.as_ref())
    })?;
    if keep && tx.is_broken() { Err(Error::Aborted) } else { Ok(keep) }
}
