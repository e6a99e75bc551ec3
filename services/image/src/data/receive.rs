// SPDX-License-Identifier: Apache-2.0
//! Takes data that streams in. Three threads share the work: one judges and writes, two hash.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use disks::{
    Format,
    inspect::{Container, ContainerInspector, Inspector, Limits},
};
use futures_util::{Stream, StreamExt};
use md5::{Digest, Md5};
use sha2::Sha512;
use tokio::{sync::mpsc, task::JoinHandle};

use super::Meter;
use crate::{Error, image::DataFacts, stores::place::open_file};

/// Chunks that wait between the connection and the disk: enough to keep both busy, and flat in memory.
const IN_FLIGHT: usize = 8;

/// What comes in is said to be this; it is looked into now, or when it is imported.
#[derive(Debug, Clone, Copy)]
pub enum Judge {
    Disk(Format, Limits),
    /// Nobody said what it is; it is looked into as what it turns out to be.
    Anything(Limits),
    Container(Container),
    Later,
}

/// A file of its own until it is whole; removed when dropped before that.
#[derive(Debug)]
pub struct Received {
    path: PathBuf,
    kept: bool,
    pub facts: DataFacts,
    /// What it turned out to be, if it was looked into and is a disk.
    pub format: Option<Format>,
}

/// Streams `chunks` into `path`, within what the meter grants, if there is one. When it returns, the file is synced but does not have its final name yet.
pub async fn receive(
    path: PathBuf,
    judge: Judge,
    meter: Option<&mut Meter>,
    chunks: impl Stream<Item = Result<Bytes, Error>> + Unpin,
) -> Result<Received, Error> {
    let guard = Received { path: path.clone(), kept: false, facts: DataFacts::nothing(), format: None };
    take_in(guard, move |chunks| write(&path, judge, chunks), meter, chunks).await
}

/// Takes a file as received that is there already, whole and synced: it is read once, and judged and hashed on the way.
pub async fn survey(path: PathBuf, judge: Judge) -> Result<Received, Error> {
    let guard = Received { path: path.clone(), kept: false, facts: DataFacts::nothing(), format: None };
    let is = tokio::fs::metadata(&path).await.map_err(|cause| Error::file(&path, cause))?;
    let chunks = open_file(path, 0, is.len()).await?;
    take_in(guard, move |chunks| look(judge, chunks), None, chunks).await
}

async fn take_in(
    mut guard: Received,
    first: impl FnOnce(mpsc::Receiver<Bytes>) -> Result<Seen, Error> + Send + 'static,
    meter: Option<&mut Meter>,
    chunks: impl Stream<Item = Result<Bytes, Error>> + Unpin,
) -> Result<Received, Error> {
    let (writer, written) = worker(first);
    let (md5, md5_done) = worker(|chunks| Ok(digest::<Md5>(chunks)));
    let (sha512, sha512_done) = worker(|chunks| Ok(digest::<Sha512>(chunks)));
    let fed = feed(chunks, meter, &[&writer, &md5, &sha512]).await;
    drop((writer, md5, sha512));
    // The threads are waited for whatever happened, so that none of them still writes when the file is removed.
    let (written, md5, sha512) = (end(written).await, end(md5_done).await, end(sha512_done).await);
    match fed {
        Ok(()) | Err(Fed::HungUp) => {}
        Err(Fed::Broken(error)) => return Err(error),
    }
    let Seen { size, found: Found { virtual_size, format } } = written?;
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    guard.facts = DataFacts { size: whole(size), virtual_size: whole(virtual_size), md5: md5?, sha512: sha512? };
    guard.format = format;
    Ok(guard)
}

enum Fed {
    /// A thread stopped taking: its reason is the one that counts.
    HungUp,
    Broken(Error),
}

async fn feed(
    mut chunks: impl Stream<Item = Result<Bytes, Error>> + Unpin,
    mut meter: Option<&mut Meter>,
    workers: &[&mpsc::Sender<Bytes>],
) -> Result<(), Fed> {
    let mut total = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(Fed::Broken)?;
        total += chunk.len() as u64;
        if let Some(meter) = &mut meter {
            meter.grant(total).await.map_err(Fed::Broken)?;
        }
        for worker in workers {
            worker.send(chunk.clone()).await.map_err(|_| Fed::HungUp)?;
        }
    }
    Ok(())
}

fn worker<T: Send + 'static>(
    work: impl FnOnce(mpsc::Receiver<Bytes>) -> Result<T, Error> + Send + 'static,
) -> (mpsc::Sender<Bytes>, JoinHandle<Result<T, Error>>) {
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    (sender, tokio::task::spawn_blocking(move || work(receiver)))
}

async fn end<T>(worker: JoinHandle<Result<T, Error>>) -> Result<T, Error> {
    worker.await.unwrap_or_else(|error| Err(Error::BrokenOff(std::io::Error::other(error))))
}

fn digest<D: Digest>(mut chunks: mpsc::Receiver<Bytes>) -> String {
    let mut digest = D::new();
    while let Some(chunk) = chunks.blocking_recv() {
        digest.update(&chunk);
    }
    hex::encode(digest.finalize())
}

struct Seen {
    size: u64,
    found: Found,
}

/// What a look into the data told.
#[derive(Default)]
struct Found {
    /// How many bytes a guest sees; none are known of what is in a container.
    virtual_size: u64,
    format: Option<Format>,
}

fn write(path: &Path, judge: Judge, mut chunks: mpsc::Receiver<Bytes>) -> Result<Seen, Error> {
    let failed = |cause| Error::file(path, cause);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let (mut judging, mut size) = (Judging::new(judge), 0);
    while let Some(chunk) = chunks.blocking_recv() {
        size += chunk.len() as u64;
        judging.feed(&chunk)?;
        file.write_all(&chunk).map_err(failed)?;
    }
    let found = judging.finish()?;
    file.sync_all().map_err(failed)?;
    Ok(Seen { size, found })
}

/// The same of what need not be written.
fn look(judge: Judge, mut chunks: mpsc::Receiver<Bytes>) -> Result<Seen, Error> {
    let (mut judging, mut size) = (Judging::new(judge), 0);
    while let Some(chunk) = chunks.blocking_recv() {
        size += chunk.len() as u64;
        judging.feed(&chunk)?;
    }
    Ok(Seen { size, found: judging.finish()? })
}

enum Judging {
    Disk(Box<Inspector>),
    Container(Box<ContainerInspector>),
    Later,
}

impl Judging {
    fn new(judge: Judge) -> Self {
        match judge {
            Judge::Disk(format, limits) => Self::Disk(Box::new(Inspector::new(format, limits))),
            Judge::Anything(limits) => Self::Disk(Box::new(Inspector::of_anything(limits))),
            Judge::Container(container) => Self::Container(Box::new(ContainerInspector::new(container))),
            Judge::Later => Self::Later,
        }
    }

    fn feed(&mut self, chunk: &[u8]) -> Result<(), Error> {
        match self {
            Self::Disk(inspector) => Ok(inspector.feed(chunk)?),
            Self::Container(inspector) => Ok(inspector.feed(chunk)?),
            Self::Later => Ok(()),
        }
    }

    fn finish(self) -> Result<Found, Error> {
        match self {
            Self::Disk(inspector) => {
                let seen = inspector.finish()?;
                Ok(Found { virtual_size: seen.virtual_size, format: Some(seen.format) })
            }
            Self::Container(inspector) => Ok(inspector.finish().map(|()| Found::default())?),
            Self::Later => Ok(Found::default()),
        }
    }
}

impl Received {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, for good.
    pub fn publish(mut self, path: &Path) -> Result<(), Error> {
        disks::durable::publish(&self.path, path).map_err(|error| Error::file(path, std::io::Error::other(error)))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "a broken upload stays until the next start");
        }
    }
}

impl DataFacts {
    fn nothing() -> Self {
        Self { size: 0, virtual_size: 0, md5: String::new(), sha512: String::new() }
    }
}
