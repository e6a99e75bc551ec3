// SPDX-License-Identifier: Apache-2.0
//! The images that this host has, by the SHA-512 of their data.
//!
//! An image is fetched once however many machines wait for it, is there only when its hash was right, and never
//! changes: overlays rest on it. One in another maker's format is kept as the qcow2 image that it is converted to, in a
//! cage, once. Those that no machine rests on are dropped, the longest unused first, when they take more room than the
//! operator granted.

mod convert;
mod fetch;
mod space;

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use contracts::{BoxFuture, node::Ticket};
use disks::{Format, cage::Cage};
use futures_util::stream::BoxStream;
use tokio::sync::watch;

use crate::{
    Error, Result,
    error::{Doing, blocking},
};

const DIGITS: usize = 128;
const PARTIAL: &str = "partial";
/// Of an image that was converted, after its hash.
const CONVERTED: &str = "qcow2";

/// An image as a machine asks for it.
#[derive(Debug, Clone)]
pub(crate) struct Needed {
    pub sha512: String,
    /// Bytes to be fetched.
    pub size: u64,
    pub format: Format,
    /// Bytes that the guest will see, at least.
    pub disk: u64,
    /// By which a controller gives it.
    pub ticket: Option<Ticket>,
}

/// A file on this host that overlays can rest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ready {
    pub path: PathBuf,
    pub format: Format,
}

pub(crate) use space::{SETTLED, in_use};

/// The data of an image as it comes.
pub(crate) type Pieces = BoxStream<'static, Result<Bytes>>;

/// Where images come from.
pub(crate) trait Fetch: Send + Sync {
    fn open<'a>(&'a self, ticket: &'a Ticket) -> BoxFuture<'a, Result<Pieces>>;
}

#[derive(Clone)]
pub(crate) struct ImageCache {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    machines: PathBuf,
    /// Bytes that unused images may take.
    granted: u64,
    source: Arc<dyn Fetch>,
    cage: Cage,
    /// Fetches under way; whoever wants the same image waits for the one that runs.
    fetching: Mutex<HashMap<String, watch::Receiver<Fetched>>>,
}

/// How a fetch ended, or none while it runs. The error is shared by all who waited.
type Fetched = Option<Result<(), Arc<Error>>>;

impl ImageCache {
    /// `machines` is where their ledgers are.
    pub fn open(dir: PathBuf, machines: PathBuf, granted: u64, source: Arc<dyn Fetch>, cage: Cage) -> Result<Self> {
        for entry in fs::read_dir(&dir).doing(|| format!("list {}", dir.display()))?.flatten() {
            // Left by an agent that was killed while it fetched.
            if entry.path().extension().is_some_and(|extension| extension == PARTIAL) {
                fs::remove_file(entry.path()).doing(|| format!("remove {}", entry.path().display()))?;
            }
        }
        Ok(Self { inner: Arc::new(Inner { dir, machines, granted, source, cage, fetching: Mutex::default() }) })
    }

    /// The image's file, fetched and converted if need be. Dropping the future leaves the work running for whoever asks next.
    pub async fn ensure(&self, wanted: &Needed) -> Result<Ready> {
        let ready = self.ready(wanted)?;
        if touch(&ready.path) {
            return Ok(ready);
        }
        let mut fetched = self.fetch(wanted, &ready);
        let outcome = fetched.wait_for(Option::is_some).await.map_err(|_| Error::NotConnected)?.clone();
        match outcome {
            Some(Ok(())) => Ok(ready),
            Some(Err(error)) if error.is_transient() => {
                Err(std::io::Error::other(error.chain())).doing(|| format!("fetch the image {}", &wanted.sha512[..12]))
            }
            Some(Err(error)) => Err(Error::Unfit(error.chain())),
            None => Err(Error::NotConnected),
        }
    }

    fn fetch(&self, wanted: &Needed, ready: &Ready) -> watch::Receiver<Fetched> {
        let mut fetching = self.lock();
        if let Some(running) = fetching.get(&wanted.sha512) {
            return running.clone();
        }
        let (done, fetched) = watch::channel(None);
        fetching.insert(wanted.sha512.clone(), fetched.clone());
        let (cache, wanted, ready) = (self.clone(), wanted.clone(), ready.clone());
        tokio::spawn(async move {
            let outcome = cache.make(&wanted, &ready).await;
            cache.lock().remove(&wanted.sha512);
            done.send_replace(Some(outcome.map_err(Arc::new)));
        });
        fetched
    }

    async fn make(&self, wanted: &Needed, ready: &Ready) -> Result<()> {
        let original = self.inner.dir.join(&wanted.sha512);
        // It may be there already, from before a conversion that was cut short.
        if !touch(&original) {
            let (inner, size) = (self.inner.clone(), wanted.size);
            blocking(move || space::make_room(&inner.dir, size, || space::in_use(&inner.machines), space::SETTLED)).await?;
            // Without a ticket no controller has spoken of it since we are of this version.
            let ticket = wanted.ticket.as_ref().ok_or(Error::NotConnected)?;
            fetch::fetch(&*self.inner.source, ticket, &wanted.sha512, wanted.size, &original)
                .await
                .map_err(|error| error.if_full(&self.inner.dir, || format!("an image needs {} bytes there", wanted.size)))?;
        }
        if ready.path == original {
            return Ok(());
        }
        let converted = convert::convert(&self.inner.cage, wanted, &original, ready).await;
        converted.map_err(|error| {
            let what = || format!("an image of the format {} was to become a qcow2 image there", wanted.format);
            error.if_full(&self.inner.dir, what)
        })
    }

    /// The image's file, there or not.
    pub fn ready(&self, wanted: &Needed) -> Result<Ready> {
        if !is_hash(&wanted.sha512) {
            return Err(Error::Unfit("an image is named by the hex SHA-512 of its data".into()));
        }
        let path = self.inner.dir.join(&wanted.sha512);
        Ok(match wanted.format {
            format @ (Format::Raw | Format::Iso | Format::Qcow2) => Ready { path, format },
            _ => Ready { path: path.with_extension(CONVERTED), format: Format::Qcow2 },
        })
    }

    /// Drops what is too much and was not used for a while. `in_use` are the images that machines rest on, or are about to.
    ///
    /// Invariant: an image that a machine rests on stays (test: `images_in_use_outlive_the_limit`).
    pub async fn trim(&self, in_use: HashSet<String>, youngest: Duration) -> Result<()> {
        let inner = self.inner.clone();
        blocking(move || space::trim(&inner.dir, inner.granted, &in_use, youngest)).await
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<Fetched>>> {
        self.inner.fetching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_hash(name: &str) -> bool {
    name.len() == DIGITS && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Notes that the image is used now. False if it is not there.
fn touch(path: &Path) -> bool {
    fs::File::open(path).is_ok_and(|file| {
        let _ = file.set_modified(SystemTime::now());
        true
    })
}
