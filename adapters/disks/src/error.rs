// SPDX-License-Identifier: Apache-2.0
//! Everything that can go wrong with disks of our own. What is wrong with a tenant's image is a
//! [`Refusal`](crate::Refusal) instead.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Format;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("cannot {doing}")]
    Io { doing: String, source: io::Error },

    #[error("{} is no {format} image: {what}", path.display())]
    NotAnImage { path: PathBuf, format: Format, what: String },

    #[error("a disk of {wanted} bytes cannot hold an image of {needed} bytes")]
    TooSmall { wanted: u64, needed: u64 },

    #[error("{0}")]
    Unusable(String),

    #[error("qemu-img failed ({exit}): {said}")]
    QemuImg { exit: String, said: String },

    #[error("qemu-img did not end within {0:?}")]
    Deadline(Duration),

    #[error("the disk is full on which {} was to be", path.display())]
    Full { path: PathBuf },
}

impl Error {
    /// What `qemu-img` says of a full disk names none, as it knows its files by numbers only.
    pub(crate) fn of_disk(self, path: &Path) -> Self {
        match self {
            Self::QemuImg { said, .. } if said.contains("No space left on device") || said.contains("Disk quota exceeded") => {
                Self::Full { path: path.to_owned() }
            }
            other => other,
        }
    }
}

/// Turns an `io::Error` into a sentence about what we were doing.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> crate::Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> crate::Result<T> {
        self.map_err(|source| Error::Io { doing: what(), source })
    }
}
