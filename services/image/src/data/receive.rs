// SPDX-License-Identifier: Apache-2.0
//! Takes data that streams in. Three lanes share the work: one judges and writes, two hash. A lane is on a thread while there
//! is something in it, and on none while the sender is silent.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use bounds::{Lost, Threads};
use bytes::Bytes;
use disks::{
    Format,
    inspect::{Container, ContainerInspector, Inspector, Limits},
};
use futures_util::{Stream, StreamExt};
use md5::{Digest, Md5};
use sha2::Sha512;
use tokio::{sync::mpsc, task::JoinHandle};

use super::{Meter, Received};
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

/// Streams `chunks` into `path`, within what the meter grants, if there is one. When it returns, the file is synced but does not
/// have its final name yet. The work is done for `owner`, beside that for others.
pub async fn receive(
    owner: &str,
    path: PathBuf,
    judge: Judge,
    meter: Option<&mut Meter>,
    chunks: impl Stream<Item = Result<Bytes, Error>> + Unpin,
) -> Result<Received, Error> {
    let guard = Received::begun(path.clone());
    let first = Threads::for_bytes().run(owner, move || Writing::begin(path, judge)).await??;
    take_in(owner, guard, first, meter, chunks).await
}

/// Takes a file as received that is there already, whole and synced: it is read once, and judged and hashed on the way.
pub async fn survey(owner: &str, path: PathBuf, judge: Judge) -> Result<Received, Error> {
    let guard = Received::begun(path.clone());
    let is = tokio::fs::metadata(&path).await.map_err(|cause| Error::file(&path, cause))?;
    let chunks = open_file(owner, path, 0, is.len()).await?;
    take_in(owner, guard, Looking::begin(judge), None, chunks).await
}

async fn take_in(
    owner: &str,
    mut guard: Received,
    first: impl Lane<Out = Seen>,
    meter: Option<&mut Meter>,
    chunks: impl Stream<Item = Result<Bytes, Error>> + Unpin,
) -> Result<Received, Error> {
    let (writer, written) = start(owner, first);
    let (md5, md5_done) = start(owner, Md5::new());
    let (sha512, sha512_done) = start(owner, Sha512::new());
    let fed = feed(chunks, meter, &[&writer, &md5, &sha512]).await;
    drop((writer, md5, sha512));
    // The lanes are waited for whatever happened, so that none of them still writes when the file is removed.
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
    /// A lane stopped taking: its reason is the one that counts.
    HungUp,
    Broken(Error),
}

async fn feed(
    mut chunks: impl Stream<Item = Result<Bytes, Error>> + Unpin,
    mut meter: Option<&mut Meter>,
    lanes: &[&mpsc::Sender<Bytes>],
) -> Result<(), Fed> {
    let mut total = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(Fed::Broken)?;
        total += chunk.len() as u64;
        if let Some(meter) = &mut meter {
            meter.grant(total).await.map_err(Fed::Broken)?;
        }
        for lane in lanes {
            lane.send(chunk.clone()).await.map_err(|_| Fed::HungUp)?;
        }
    }
    Ok(())
}

/// What is done to each chunk in turn, and what comes of it.
trait Lane: Sized + Send + 'static {
    type Out: Send + 'static;

    fn take(&mut self, chunk: &[u8]) -> Result<(), Error>;

    /// Without it, what was half done is dropped.
    fn end(self) -> Result<Self::Out, Error>;
}

fn start<L: Lane>(owner: &str, lane: L) -> (mpsc::Sender<Bytes>, JoinHandle<Result<L::Out, Error>>) {
    let (sender, chunks) = mpsc::channel(IN_FLIGHT);
    (sender, tokio::spawn(run(owner.to_owned(), lane, chunks)))
}

async fn run<L: Lane>(owner: String, mut lane: L, mut chunks: mpsc::Receiver<Bytes>) -> Result<L::Out, Error> {
    let threads = Threads::for_bytes();
    let mut waiting = Vec::with_capacity(IN_FLIGHT);
    while chunks.recv_many(&mut waiting, IN_FLIGHT).await > 0 {
        let batch = std::mem::take(&mut waiting);
        let piece = move || {
            for chunk in batch {
                lane.take(&chunk)?;
            }
            Ok::<_, Error>(lane)
        };
        lane = threads.run(&owner, piece).await??;
    }
    threads.run(&owner, move || lane.end()).await?
}

async fn end<T>(lane: JoinHandle<Result<T, Error>>) -> Result<T, Error> {
    lane.await.unwrap_or_else(|error| Err(Error::BrokenOff(std::io::Error::other(error))))
}

impl From<Lost> for Error {
    fn from(lost: Lost) -> Self {
        Self::BrokenOff(lost.into())
    }
}

macro_rules! digest {
    ($digest:ty) => {
        impl Lane for $digest {
            type Out = String;

            fn take(&mut self, chunk: &[u8]) -> Result<(), Error> {
                self.update(chunk);
                Ok(())
            }

            fn end(self) -> Result<String, Error> {
                Ok(hex::encode(self.finalize()))
            }
        }
    };
}

digest!(Md5);
digest!(Sha512);

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

struct Writing {
    file: File,
    path: PathBuf,
    looking: Looking,
}

impl Writing {
    fn begin(path: PathBuf, judge: Judge) -> Result<Self, Error> {
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = opened.map_err(|cause| Error::file(&path, cause))?;
        Ok(Self { file, path, looking: Looking::begin(judge) })
    }
}

impl Lane for Writing {
    type Out = Seen;

    fn take(&mut self, chunk: &[u8]) -> Result<(), Error> {
        self.looking.take(chunk)?;
        self.file.write_all(chunk).map_err(|cause| Error::file(&self.path, cause))
    }

    fn end(self) -> Result<Seen, Error> {
        let seen = self.looking.end()?;
        self.file.sync_all().map_err(|cause| Error::file(&self.path, cause))?;
        Ok(seen)
    }
}

/// The same of what need not be written.
struct Looking {
    judging: Judging,
    size: u64,
}

impl Looking {
    fn begin(judge: Judge) -> Self {
        Self { judging: Judging::new(judge), size: 0 }
    }
}

impl Lane for Looking {
    type Out = Seen;

    fn take(&mut self, chunk: &[u8]) -> Result<(), Error> {
        self.size += chunk.len() as u64;
        self.judging.feed(chunk)
    }

    fn end(self) -> Result<Seen, Error> {
        Ok(Seen { size: self.size, found: self.judging.finish()? })
    }
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
