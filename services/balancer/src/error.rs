// SPDX-License-Identifier: Apache-2.0
//! What can go wrong in this room, in Octavia's words where it has some.

use std::fmt::Display;

use api::Fault;
use contracts::{Refusal, RefusalKind};
use http::StatusCode;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Refused by a rule of ours or by a neighbour; the sentence is for the person who asked.
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Denied(#[from] access::Denied),
    /// What carries the load balancer cannot do it.
    #[error("Provider '{provider}' does not support a requested option: {what}")]
    Unsupported { provider: String, what: String },
}

impl Error {
    pub(crate) fn invalid(detail: impl Display) -> Self {
        Refusal::invalid(format!("Validation failure: {detail}")).into()
    }

    pub(crate) fn missing(what: &str, id: &str) -> Self {
        Refusal::not_found(format!("{what} {id} not found.")).into()
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Refusal::conflict(message).into()
    }

    pub(crate) fn over_quota(what: &str) -> Self {
        Refusal::exhausted(format!("Quota has been met for resources: {what}")).into()
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(store::Error::MarkerNotFound) => Self::bad_request("The marker names nothing that is in this list."),
            Error::Store(error) => error.into(),
            Error::Refused(refusal) => refusal.into(),
            Error::Denied(_) => denied(),
            unsupported @ Error::Unsupported { .. } => Self::new(StatusCode::NOT_IMPLEMENTED, unsupported.to_string()),
        }
    }
}

/// What Octavia tells everybody who may not, and no more.
pub(crate) fn denied() -> Fault {
    Fault::forbidden("Policy does not allow this request to be performed.")
}

/// For who asks in a loop: the error as a refusal.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal,
            Error::Store(error) => {
                tracing::error!(%error, "the tables of load balancers do not answer");
                Refusal::new(RefusalKind::Unavailable, "The tables of the load balancer service do not answer now.")
            }
            other => Refusal::invalid(other.to_string()),
        }
    }
}
