// SPDX-License-Identifier: Apache-2.0
//! What can go wrong in this room.

use api::Fault;
use contracts::{Refusal, RefusalKind};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Refused by a rule of ours or by a neighbour; the sentence is for the person who asked.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Error {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Refusal::invalid(message).into()
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Refusal::not_found(message).into()
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Refusal::conflict(message).into()
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Refusal::new(RefusalKind::Forbidden, message).into()
    }

    pub(crate) fn over_quota(message: impl Into<String>) -> Self {
        Refusal::exhausted(message).into()
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(store::Error::MarkerNotFound) => Fault::bad_request("The marker names nothing in this list."),
            Error::Store(error) => error.into(),
            Error::Refused(refusal) => refusal.into(),
        }
    }
}

/// For the doors that other rooms use: what is wrong with our tables is not theirs to know in detail.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(store::Error::Conflict) => Refusal::conflict("Another change came first."),
            Error::Store(error) => {
                tracing::error!(%error, "the tables of compute do not answer");
                Refusal::new(RefusalKind::Unavailable, "The tables of the compute service do not answer now.")
            }
            Error::Refused(refusal) => refusal,
        }
    }
}
