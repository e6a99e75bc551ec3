// SPDX-License-Identifier: Apache-2.0
//! What the object room refuses, and why. The sentences are this room's own; the statuses are Swift's.

use api::Fault;
use contracts::{Refusal, RefusalKind};
use http::{HeaderValue, StatusCode, header};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Invalid(String),
    /// Nobody, or somebody whose token is not good.
    #[error("This server could not verify that you are authorized to access the document you requested.")]
    Unauthorized,
    /// A form that is not signed, or no more. Its words are read by the pages of clients.
    #[error("FormPost: {0}")]
    Form(&'static str),
    #[error("Access was denied to this resource.")]
    Forbidden,
    #[error("{0}")]
    ForbiddenBecause(String),
    #[error("The resource could not be found.")]
    NotFound,
    #[error("{0}")]
    Conflict(String),
    /// A younger object of the name is there.
    #[error("A younger object of this name is there, and stays.")]
    Superseded,
    #[error("{0}")]
    Precondition(String),
    #[error("The request needs the header Content-Length, or comes in chunks.")]
    LengthRequired,
    #[error("The method is not allowed for this resource.")]
    NoSuchMethod(&'static str),
    #[error("{0}")]
    TooLarge(String),
    #[error("{0}")]
    Unprocessable(String),
    #[error("{0}")]
    NotAcceptable(String),
    #[error("The range cannot be satisfied: the object has {0} bytes.")]
    Range(u64),
    #[error("The body of the request broke off: {0}.")]
    BrokenOff(std::io::Error),
    #[error(transparent)]
    Data(#[from] Refusal),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::BrokenOff(cause) if cause.kind() == std::io::ErrorKind::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::Invalid(_) | Self::BrokenOff(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized | Self::Form(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::ForbiddenBecause(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict(_) | Self::Superseded => StatusCode::CONFLICT,
            Self::Precondition(_) => StatusCode::PRECONDITION_FAILED,
            Self::NoSuchMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::LengthRequired => StatusCode::LENGTH_REQUIRED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotAcceptable(_) => StatusCode::NOT_ACCEPTABLE,
            Self::Range(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Data(refusal) => match refusal.kind {
                RefusalKind::Exhausted => StatusCode::INSUFFICIENT_STORAGE,
                RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let (status, message) = (error.status(), error.to_string());
        match error {
            Error::Unauthorized | Error::Form(_) => {
                Fault::new(status, message).header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Swift realm=\"unknown\""))
            }
            Error::NoSuchMethod(methods) => Fault::new(status, message).header(header::ALLOW, HeaderValue::from_static(methods)),
            Error::Range(size) => {
                let range = HeaderValue::from_str(&format!("bytes */{size}")).unwrap_or(HeaderValue::from_static("bytes */*"));
                Fault::new(status, message).header(header::CONTENT_RANGE, range)
            }
            Error::Data(refusal) => match refusal.kind {
                RefusalKind::Exhausted => {
                    tracing::error!(cause = %refusal, "the object store is full");
                    Fault::new(
                        status,
                        "The object store is full. Nothing was kept; it works again when its operator has made room.",
                    )
                }
                RefusalKind::Unavailable => Fault::unavailable(refusal.message),
                _ => Fault::internal(refusal.message),
            },
            Error::Store(error) => error.into(),
            _ => Fault::new(status, message),
        }
    }
}
