// SPDX-License-Identifier: Apache-2.0
//! What can go wrong with bytes on a disk, in words for the operator and for who asked.

use std::{io, path::PathBuf};

use contracts::Refusal;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no space left for objects in {}; free some, or give it a larger disk", .0.display())]
    Full(PathBuf),
    #[error("cannot {doing}")]
    Io { doing: String, source: io::Error },
    #[error("the folder {} is in use by another process; only one keeps objects there at a time", .0.display())]
    InUse(PathBuf),
    #[error("{} is not a segment of objects, although it is named like one; move it elsewhere", .0.display())]
    Foreign(PathBuf),
    #[error("the data of an object at {offset} in segment {segment:016x} does not agree with its checksum; put the object again")]
    Damaged { segment: u64, offset: u64 },
    #[error("the data of an object at {offset} in segment {segment:016x} is missing; put the object again")]
    Missing { segment: u64, offset: u64 },
    #[error("the bytes broke off: {0}")]
    BrokeOff(io::Error),
    #[error("the bucket of objects could not be used")]
    Bucket(#[from] s3::Error),
    #[error("'{0}' cannot own data: it is longer than 60 bytes")]
    Owner(String),
    #[error("what was being done with the data was cut off")]
    CutOff,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let text = with_causes(&error);
        match error {
            Error::Full(_) => Self::exhausted(text),
            Error::BrokeOff(_) => Self::invalid(text),
            Error::Bucket(_) => Self::unavailable(text),
            _ => Self::internal(text),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Damaged { .. } => io::ErrorKind::InvalidData,
            Error::Missing { .. } => io::ErrorKind::NotFound,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|error| Error::Io { doing: what(), source: error.into() })
    }
}
