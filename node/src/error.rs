// SPDX-License-Identifier: Apache-2.0
//! What can go wrong on a host, as sentences.

use std::{
    error::Error as StdError,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use contracts::Refusal;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("cannot {doing}")]
    Io { doing: String, source: io::Error },
    #[error("the machine's process")]
    Qemu(#[from] qemu::Error),
    #[error("the machine's disk")]
    Disk(#[from] disks::Error),
    #[error("the host's switch")]
    Switch(#[source] ovn::Error),
    #[error("make or read a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot {doing}")]
    Tls { doing: &'static str, source: Box<dyn StdError + Send + Sync> },
    #[error("there is no connection to a controller now")]
    NotConnected,
    #[error("talk to the controller")]
    Http(#[source] Box<dyn StdError + Send + Sync>),
    /// What the controller answered.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It will pass; the controller says when to ask again.
    #[error("{refusal}")]
    NotNow { refusal: Refusal, after: Duration },
    #[error("the controller did not answer in time")]
    NoAnswer,
    /// Somebody has to make room, or take the machine elsewhere.
    #[error("the disk of this host that has {} is full: {what}", path.display())]
    DiskFull { path: PathBuf, what: String },
    /// A tenant's data: nobody puts something empty into its place.
    #[error("the machine's disk was made before and is not on this host: {} is missing. Restore it there, or rebuild the server", path.display())]
    DiskMissing { path: PathBuf },
    /// As of a machine's disk.
    #[error("the volume was made before and is not on this host: {} is missing. Restore it there, or delete the volume", path.display())]
    VolumeMissing { path: PathBuf },
    #[error("the volume {volume} is not open to the machines of this host now, or another one has it")]
    Closed { volume: uuid::Uuid },
    #[error("the machine that may have the volume open is just starting or ending")]
    Busy,
    /// It is wrong as it is asked for; trying again cannot help.
    #[error("{0}")]
    Unfit(String),
}

impl Error {
    pub(crate) fn tls(doing: &'static str, source: impl StdError + Send + Sync + 'static) -> Self {
        Self::Tls { doing, source: Box::new(source) }
    }

    pub(crate) fn http(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::Http(Box::new(source))
    }

    /// An error at making something under `path`: one of a full disk is told apart, and says what for.
    pub(crate) fn if_full(self, path: &Path, what: impl FnOnce() -> String) -> Self {
        let is_full = match &self {
            Self::Io { source, .. } | Self::Disk(disks::Error::Io { source, .. }) => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Disk(disks::Error::Full { .. }) => true,
            _ => false,
        };
        if is_full { Self::DiskFull { path: path.to_owned(), what: what() } } else { self }
    }

    /// Whether the same may succeed later without anybody changing what is wanted.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Io { .. }
            | Self::NotConnected
            | Self::Http(_)
            | Self::Switch(_)
            | Self::NotNow { .. }
            | Self::NoAnswer
            | Self::Busy
            | Self::Closed { .. } => true,
            Self::Refused(refusal) => refusal.is_transient(),
            Self::Qemu(error) => {
                use qemu::Error::{Closed, DaemonDied, Deadline, Io};
                matches!(error, Io { .. } | Closed | Deadline { .. } | DaemonDied { .. })
            }
            Self::Disk(error) => matches!(error, disks::Error::Io { .. }),
            Self::Certificate(_)
            | Self::Tls { .. }
            | Self::DiskFull { .. }
            | Self::DiskMissing { .. }
            | Self::VolumeMissing { .. }
            | Self::Unfit(_) => false,
        }
    }

    /// The error with its causes, in one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

types::doing!(Error);

/// Runs what blocks (files, mounts, forks) where it holds nobody up.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> crate::Result<T> + Send + 'static) -> crate::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::Io { doing: "finish a step".into(), source: io::Error::other(error) }),
    }
}
