// SPDX-License-Identifier: Apache-2.0
//! Why a request to identity failed, in Keystone's words.

use access::{Allowed, Scope};
use api::Fault;
use evidence::{
    password,
    signature::{BadSignature, oauth1::Unreadable},
};
use http::StatusCode;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Could not find {kind}: {id}.")]
    NotFound { kind: &'static str, id: String },
    #[error("Could not find the token: it is malformed, expired or revoked.")]
    NoSuchToken,
    #[error("Conflict occurred attempting to store {kind} - {detail}.")]
    Conflict { kind: &'static str, detail: String },
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Forbidden(String),
    /// The policy refuses this thing, and does not say whether it is there.
    #[error(
        "You are not authorized to perform the requested action: {0}. What it is about is not within what your token is for, or is not there."
    )]
    Denied(&'static str),
    /// Why is not said: neither which of name and password was wrong, nor whether the user or the project exists.
    #[error("The request you have made requires authentication.")]
    Unauthorized,
    #[error("The password is expired and needs to be changed for user: {0}.")]
    PasswordExpired(String),
    #[error("use the identity tables")]
    Store(#[from] store::Error),
    #[error("use the token keys")]
    Keys(#[from] access::keys::KeyError),
    #[error("open a credential that none of the credential keys sealed")]
    Sealed,
    #[error(transparent)]
    Password(#[from] password::Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn not_found(kind: &'static str, id: impl Into<String>) -> Self {
        Self::NotFound { kind, id: id.into() }
    }

    /// What is said of a thing that the caller cannot reach. Keystone asks its policy before it says what there is: whoever
    /// could reach all things of the kind learns that this one is not there; all others are refused, whether it is there
    /// or not, so that ids cannot be probed.
    ///
    /// Invariant: what one may not see is refused as what is not there (test: `ids_cannot_be_probed`).
    pub fn out_of_reach(allowed: &Allowed<Scope>, kind: &'static str, id: impl Into<String>) -> Self {
        if allowed.scope().is_all() { Self::not_found(kind, id) } else { Self::Denied(allowed.to()) }
    }

    pub fn conflict(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict { kind, detail: detail.into() }
    }

    /// What a body names and is not there is the body's mistake, not the address's.
    pub fn in_body(self) -> Self {
        match self {
            Self::NotFound { .. } => Self::Invalid(self.to_string()),
            other => other,
        }
    }

    /// Says so when the reason was that the name is taken.
    pub fn name_taken(error: store::Error, kind: &'static str, name: &str, within: &str) -> Self {
        if error.is_unique("name") {
            return Self::conflict(kind, format!("Duplicate entry found with name {name}{within}"));
        }
        Self::Store(error)
    }
}

impl From<BadSignature> for Error {
    fn from(BadSignature: BadSignature) -> Self {
        Self::Unauthorized
    }
}

impl From<Unreadable> for Error {
    fn from(why: Unreadable) -> Self {
        Self::Invalid(why.to_string())
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound { .. } | Error::NoSuchToken => Self::not_found(error.to_string()),
            Error::Conflict { .. } => Self::conflict(error.to_string()),
            Error::Invalid(message) => Self::bad_request(message),
            Error::Forbidden(message) => Self::forbidden(message),
            Error::Denied(_) => Self::forbidden(error.to_string()),
            Error::Unauthorized => Self::unauthorized(),
            Error::Password(password::Error::Busy) => Self::unavailable(error.to_string()),
            Error::PasswordExpired(_) => Self::new(StatusCode::UNAUTHORIZED, error.to_string()),
            Error::Store(store::Error::MarkerNotFound) => Self::not_found("The marker of this page names nothing in the list."),
            Error::Store(store::Error::Constraint { rule }) => Self::bad_request(format!("A value cannot be kept: {rule}.")),
            Error::Store(error) => error.into(),
            Error::Keys(_) | Error::Sealed | Error::Password(password::Error::Hash(_)) => {
                Self::internal(format_args!("{error:?}"))
            }
        }
    }
}
