// SPDX-License-Identifier: Apache-2.0
//! The images that this host has, by the SHA-512 of their data.
//!
//! An image is fetched once however many machines wait for it, is there only when its hash was right, and never
//! changes: overlays rest on it. Those that no machine rests on are dropped, the longest unused first, when they
//! take more room than the operator granted.

mod fetch;

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::sync::watch;

use crate::{
    Error, Result,
    error::{Doing, blocking},
    link::Link,
};

const DIGITS: usize = 128;
const PARTIAL: &str = "partial";

#[derive(Clone)]
pub(crate) struct ImageCache {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    room: u64,
    link: Link,
    /// Fetches under way; whoever wants the same image waits for the one that runs.
    fetching: Mutex<HashMap<String, watch::Receiver<Fetched>>>,
}

/// How a fetch ended, or none while it runs. The error is shared by all who waited.
type Fetched = Option<Result<(), Arc<Error>>>;

impl ImageCache {
    pub fn open(dir: PathBuf, room: u64, link: Link) -> Result<Self> {
        for entry in fs::read_dir(&dir).doing(|| format!("list {}", dir.display()))?.flatten() {
            // Left by an agent that was killed while it fetched.
            if entry.path().extension().is_some_and(|extension| extension == PARTIAL) {
                fs::remove_file(entry.path()).doing(|| format!("remove {}", entry.path().display()))?;
            }
        }
        Ok(Self { inner: Arc::new(Inner { dir, room, link, fetching: Mutex::default() }) })
    }

    /// The image's file, fetched if need be. Dropping the future leaves the fetch running for whoever asks next.
    pub async fn ensure(&self, sha512: &str, size: u64) -> Result<PathBuf> {
        let path = self.path(sha512)?;
        if touch(&path) {
            return Ok(path);
        }
        let mut fetched = self.fetch(sha512, size, &path);
        let outcome = fetched.wait_for(Option::is_some).await.map_err(|_| Error::NotConnected)?.clone();
        match outcome {
            Some(Ok(())) => Ok(path),
            Some(Err(error)) if error.is_transient() => {
                Err(std::io::Error::other(error.chain())).doing(|| format!("fetch the image {}", &sha512[..12]))
            }
            Some(Err(error)) => Err(Error::Unfit(error.chain())),
            None => Err(Error::NotConnected),
        }
    }

    fn fetch(&self, sha512: &str, size: u64, path: &Path) -> watch::Receiver<Fetched> {
        let mut fetching = self.lock();
        if let Some(running) = fetching.get(sha512) {
            return running.clone();
        }
        let (done, fetched) = watch::channel(None);
        fetching.insert(sha512.to_owned(), fetched.clone());
        let (cache, sha512, path) = (self.clone(), sha512.to_owned(), path.to_owned());
        tokio::spawn(async move {
            let outcome = match cache.inner.link.client() {
                Ok(client) => fetch::fetch(&client, &sha512, size, &path).await,
                Err(error) => Err(error),
            };
            cache.lock().remove(&sha512);
            done.send_replace(Some(outcome.map_err(Arc::new)));
        });
        fetched
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
                if name.len() == DIGITS && settled && !in_use.contains(&name) {
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

    fn path(&self, sha512: &str) -> Result<PathBuf> {
        if sha512.len() == DIGITS && sha512.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(self.inner.dir.join(sha512))
        } else {
            Err(Error::Unfit("an image is named by the hex SHA-512 of its data".into()))
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<Fetched>>> {
        self.inner.fetching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes that the image is used now. False if it is not there.
fn touch(path: &Path) -> bool {
    fs::File::open(path).is_ok_and(|file| {
        let _ = file.set_modified(SystemTime::now());
        true
    })
}
