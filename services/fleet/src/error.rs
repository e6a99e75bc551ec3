// SPDX-License-Identifier: Apache-2.0
//! What can go wrong in the fleet room, and what a caller or a peer is told of it.

use contracts::{Refusal, RefusalKind};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{doing}")]
    Io {
        doing: String,
        #[source]
        source: std::io::Error,
    },
    #[error("make or read a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("{doing}")]
    Tls {
        doing: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("use the node tables")]
    Store(#[from] store::Error),
    /// For whoever asked, as it stands.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Error {
    pub(crate) fn tls(doing: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Tls { doing, source: Box::new(source) }
    }

    /// What the other side is told: a refusal whole, our own trouble only by its kind.
    pub(crate) fn into_refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Store(store::Error::NotLeading) => Refusal::unavailable("this controller has lost the lead: try another"),
            Self::Store(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the node tables do not answer");
                Refusal::unavailable("the controller's tables do not answer now")
            }
            other => {
                tracing::error!(error = &other as &dyn std::error::Error, "the fleet room failed");
                Refusal::internal("the controller failed; its log says why")
            }
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        error.into_refusal()
    }
}

pub(crate) fn forbidden(message: impl Into<String>) -> Error {
    Refusal::new(RefusalKind::Forbidden, message).into()
}

types::doing!(Error);
