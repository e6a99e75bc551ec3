// SPDX-License-Identifier: Apache-2.0
//! Runs a closure of a room without letting its panic take the store down.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Error, Tx};

/// Runs `f`; a panic becomes [`Error::Panicked`]. Whatever the panic left behind in the transaction is rolled back
/// by the caller, as after any other error: this is why asserting unwind safety is right.
pub(crate) fn run<F, T, E>(f: &F, tx: &mut Tx) -> Result<T, E>
where
    F: Fn(&mut Tx) -> Result<T, E>,
    E: From<Error>,
{
    let outcome = catch_unwind(AssertUnwindSafe(|| f(tx))).unwrap_or_else(|payload| {
        tracing::error!("a transaction's closure panicked; it is rolled back");
        Err(Error::panicked(payload.as_ref()).into())
    });
    if outcome.is_ok() && tx.is_broken() {
        return Err(Error::Aborted.into());
    }
    outcome
}
