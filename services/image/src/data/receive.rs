// SPDX-License-Identifier: Apache-2.0
//! Takes an upload: a thread hashes, judges and writes what the connection delivers.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use disks::{
    Format,
    inspect::{Inspection, Inspector},
};
use futures_util::{Stream, StreamExt};
use md5::{Digest as _, Md5};
use sha2::Sha512;
use tokio::sync::mpsc;

use crate::{Error, UploadLimits, image::DataFacts};

/// A file of its own until it is whole; removed when dropped before that.
pub struct Received {
    path: PathBuf,
    kept: bool,
    pub facts: DataFacts,
}

/// Streams `chunks` into `path`. When it returns, the file is synced but does not have its final name yet.
pub async fn receive(
    path: PathBuf,
    format: Format,
    limits: UploadLimits,
    mut chunks: impl Stream<Item = std::io::Result<Bytes>> + Unpin,
) -> Result<Received, Error> {
    // A few chunks in flight keep the disk busy while the network delivers the next ones; memory stays flat.
    let (sender, receiver) = mpsc::channel(8);
    let target = path.clone();
    let writer = tokio::task::spawn_blocking(move || write(&target, format, limits, receiver));
    let mut broken = None;
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(chunk) => {
                // The writer hangs up when it refuses; its reason is asked for below.
                if sender.send(chunk).await.is_err() {
                    break;
                }
            }
            Err(cause) => {
                broken = Some(cause);
                break;
            }
        }
    }
    drop(sender);
    let written = writer.await.unwrap_or_else(|error| Err(Error::Invalid(format!("the upload ended abnormally: {error}"))));
    let received = written.map(|facts| Received { path: path.clone(), kept: false, facts });
    match (received, broken) {
        (Ok(received), None) => Ok(received),
        (_, Some(cause)) => {
            discard(&path);
            Err(Error::BrokenOff(cause))
        }
        (Err(error), None) => {
            discard(&path);
            Err(error)
        }
    }
}

impl Received {
    /// Gives the file its name, for good.
    pub fn keep(mut self, path: &Path) -> Result<DataFacts, Error> {
        disks::durable::publish(&self.path, path).map_err(|error| Error::file(path, std::io::Error::other(error)))?;
        self.kept = true;
        Ok(self.facts.clone())
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.kept {
            discard(&self.path);
        }
    }
}

fn write(path: &Path, format: Format, limits: UploadLimits, mut chunks: mpsc::Receiver<Bytes>) -> Result<DataFacts, Error> {
    let failed = |cause| Error::file(path, cause);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let mut inspector = Inspector::new(format, limits.disk);
    let (mut md5, mut sha512, mut size) = (Md5::new(), Sha512::new(), 0u64);
    while let Some(chunk) = chunks.blocking_recv() {
        size += chunk.len() as u64;
        if size > limits.bytes {
            return Err(Error::TooLarge(limits.bytes));
        }
        inspector.feed(&chunk)?;
        md5.update(&chunk);
        sha512.update(&chunk);
        file.write_all(&chunk).map_err(failed)?;
    }
    let inspection = inspector.finish()?;
    sync(&file).map_err(failed)?;
    Ok(facts(&inspection, &md5.finalize(), &sha512.finalize()))
}

fn facts(inspection: &Inspection, md5: &[u8], sha512: &[u8]) -> DataFacts {
    DataFacts {
        size: i64::try_from(inspection.length).unwrap_or(i64::MAX),
        virtual_size: i64::try_from(inspection.virtual_size).unwrap_or(i64::MAX),
        md5: hex::encode(md5),
        sha512: hex::encode(sha512),
    }
}

fn sync(file: &File) -> std::io::Result<()> {
    file.sync_all()
}

fn discard(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a broken upload stays until the next start");
    }
}
