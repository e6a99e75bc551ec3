// SPDX-License-Identifier: Apache-2.0
//! The images that this host has, by the SHA-512 of their data.
//!
//! An image is fetched once however many machines wait for it, is there only when its hash was right, and never
//! changes: overlays rest on it. One in another maker's format is kept as the qcow2 image that it is converted to, in a
//! cage, once. Those that no machine rests on are dropped, the longest unused first, when they take more room than the
//! operator granted.

mod convert;
mod fetch;

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use disks::{Format, cage::Cage};
use tokio::sync::watch;

use crate::{
    Error, Result,
    error::{Doing, blocking},
    link::Link,
};

const DIGITS: usize = 128;
const PARTIAL: &str = "partial";
/// Of an image that was converted, after its hash.
const CONVERTED: &str = "qcow2";

/// An image as a machine asks for it.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub sha512: String,
    /// Bytes to be fetched.
    pub size: u64,
    pub format: Format,
    /// Bytes that the guest will see, at least.
    pub disk: u64,
}

/// A file on this host that overlays can rest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ready {
    pub path: PathBuf,
    pub format: Format,
}

#[derive(Clone)]
pub(crate) struct ImageCache {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    room: u64,
    link: Link,
    cage: Cage,
    /// Fetches under way; whoever wants the same image waits for the one that runs.
    fetching: Mutex<HashMap<String, watch::Receiver<Fetched>>>,
}

/// How a fetch ended, or none while it runs. The error is shared by all who waited.
type Fetched = Option<Result<(), Arc<Error>>>;

impl ImageCache {
    pub fn open(dir: PathBuf, room: u64, link: Link, cage: Cage) -> Result<Self> {
        for entry in fs::read_dir(&dir).doing(|| format!("list {}", dir.display()))?.flatten() {
            // Left by an agent that was killed while it fetched.
            if entry.path().extension().is_some_and(|extension| extension == PARTIAL) {
                fs::remove_file(entry.path()).doing(|| format!("remove {}", entry.path().display()))?;
            }
        }
        Ok(Self { inner: Arc::new(Inner { dir, room, link, cage, fetching: Mutex::default() }) })
    }

    /// The image's file, fetched and converted if need be. Dropping the future leaves the work running for whoever asks next.
    pub async fn ensure(&self, wanted: &Wanted) -> Result<Ready> {
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

    fn fetch(&self, wanted: &Wanted, ready: &Ready) -> watch::Receiver<Fetched> {
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

    async fn make(&self, wanted: &Wanted, ready: &Ready) -> Result<()> {
        let original = self.inner.dir.join(&wanted.sha512);
        // It may be there already, from before a conversion that was cut short.
        if !touch(&original) {
            fetch::fetch(&self.inner.link.client()?, &wanted.sha512, wanted.size, &original).await?;
        }
        if ready.path == original {
            return Ok(());
        }
        convert::convert(&self.inner.cage, wanted, &original, ready).await
    }

    fn ready(&self, wanted: &Wanted) -> Result<Ready> {
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
        blocking(move || {
            let mut unused: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
            for entry in fs::read_dir(&inner.dir).doing(|| format!("list {}", inner.dir.display()))?.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let Ok(is) = entry.metadata() else { continue };
                let used = is.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                // A machine that began while we were looking is not among those in use, but it has just touched its image.
                let settled = used.elapsed().is_ok_and(|age| age >= youngest);
                let hash = name.strip_suffix(CONVERTED).and_then(|name| name.strip_suffix('.')).unwrap_or(&name);
                if is_hash(hash) && settled && !in_use.contains(hash) {
                    unused.push((used, is.len(), entry.path()));
                }
            }
            unused.sort();
            let mut taken: u64 = unused.iter().map(|(_, size, _)| size).sum();
            for (_, size, path) in unused {
                if taken <= inner.room {
                    break;
                }
                fs::remove_file(&path).doing(|| format!("remove {}", path.display()))?;
                taken -= size;
            }
            Ok(())
        })
        .await
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
