// SPDX-License-Identifier: Apache-2.0
//! What the image room refuses, and why.

use api::Fault;
use contracts::{Refusal, RefusalKind};
use http::StatusCode;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("No image found with ID {0}")]
    NotFound(String),
    #[error("{0}")]
    NoSuch(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Forbidden(String),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    OverLimit(String),
    #[error("The image was deleted while its data came in.")]
    Gone,
    #[error("The data was refused: {0}.")]
    Refused(#[from] disks::inspect::Refusal),
    #[error("The data is larger than the {0} bytes that an image may hold.")]
    TooLarge(u64),
    #[error("The upload broke off before its end: {0}. The image waits for its data again.")]
    BrokenOff(std::io::Error),
    #[error("The data could not be fetched: {0}.")]
    Fetch(#[from] web::Error),
    #[error("The data could not be converted: {0}.")]
    Conversion(#[source] disks::Error),
    #[error(
        "image.import.conversion is set, but qemu-img cannot be used here; install QEMU's tools (qemu-utils), or leave the setting out"
    )]
    NoConverter(#[source] disks::Error),
    #[error("The object store that keeps this data cannot be used now. Try again later.")]
    Bucket(#[from] s3::Error),
    #[error("The disk of the image store is full. Nothing was kept; free some space and try again.")]
    Full,
    #[error("The controller's disk under {folder} has no room for the {wanted} bytes of this image, which a host waits for.")]
    NoRoomNear { folder: String, wanted: u64 },
    #[error("keep image data in {path}: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    pub fn file(path: &std::path::Path, cause: std::io::Error) -> Self {
        if cause.kind() == std::io::ErrorKind::StorageFull {
            Self::Full
        } else {
            Self::File { path: path.display().to_string(), cause }
        }
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::BrokenOff(cause) if cause.kind() == std::io::ErrorKind::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::NotFound(_) | Self::NoSuch(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) | Self::Refused(_) | Self::BrokenOff(_) | Self::Fetch(_) => StatusCode::BAD_REQUEST,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Gone => StatusCode::GONE,
            Self::TooLarge(_) | Self::OverLimit(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Full | Self::NoRoomNear { .. } => StatusCode::INSUFFICIENT_STORAGE,
            Self::Bucket(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::File { .. } | Self::Store(_) | Self::Conversion(_) | Self::NoConverter(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The error with its causes, in one line, for the operator.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    /// For whoever owns the image: what he can act on, and nothing of the cloud's inside.
    pub fn for_tenant(&self) -> String {
        match self {
            Self::File { .. } | Self::Store(_) | Self::Conversion(disks::Error::Io { .. }) => {
                "An error of the cloud itself; the operator's log has it.".to_owned()
            }
            other => other.to_string(),
        }
    }
}

impl From<disks::Error> for Error {
    fn from(error: disks::Error) -> Self {
        match error {
            disks::Error::Full { .. } => Self::Full,
            disks::Error::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => Self::Full,
            other => Self::Conversion(other),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let (status, message) = (error.status(), error.to_string());
        match error {
            Error::File { .. } | Error::Conversion(_) | Error::NoConverter(_) => Fault::internal(message),
            Error::Bucket(cause) => {
                tracing::error!(error = &cause as &dyn std::error::Error, "an object store failed");
                Fault::new(status, message)
            }
            Error::Store(error) => error.into(),
            _ => Fault::new(status, message),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(_) => Refusal::not_found(error.to_string()),
            Error::Store(error) => Refusal::unavailable(format!("the image room cannot use its tables: {error}")),
            Error::Bucket(_) => Refusal::unavailable(error.to_string()),
            Error::NoRoomNear { .. } | Error::OverLimit(_) | Error::Full => Refusal::exhausted(error.to_string()),
            Error::Gone => Refusal::not_found(error.to_string()),
            Error::Invalid(_) | Error::Refused(_) | Error::TooLarge(_) => Refusal::invalid(error.to_string()),
            Error::Forbidden(_) => Refusal::new(RefusalKind::Forbidden, error.to_string()),
            Error::Conflict(_) => Refusal::conflict(error.to_string()),
            Error::BrokenOff(_) => Refusal::unavailable(error.to_string()),
            other => Refusal::internal(other.to_string()),
        }
    }
}
