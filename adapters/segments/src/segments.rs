// SPDX-License-Identifier: Apache-2.0
//! The folder as a whole.

use std::{
    fs::{DirBuilder, File},
    ops::Range,
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use contracts::{
    BoxFuture, Refusal,
    data::{Data, Incoming, Piece},
    images::Chunks,
};
use tokio::sync::Semaphore;
use types::Timestamp;

use crate::{Error, error::Doing, files::Files, lane::Lane, segment::Underway};

/// How many threads read and write at once.
const THREADS: usize = 16;
/// How long a process that ends may take to let the folder go.
const HANDOVER: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct Settings {
    /// When a segment is as large as this in bytes, the next one begins.
    pub segment: u64,
    /// How many bytes of the file system stay free, for the database may lie there too.
    pub keep_free: u64,
    /// How many segments are open as files at once.
    pub open_files: usize,
    /// How many bytes of uploads may wait in memory before they are written in smaller runs.
    pub memory: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { segment: 1 << 30, keep_free: 512 << 20, open_files: 64, memory: 32 << 20 }
    }
}

/// Bytes in the files of a folder.
#[derive(Clone)]
pub struct Segments {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub files: Arc<Files>,
    pub settings: Settings,
    pub underway: Arc<Underway>,
    /// What is small does not wait until something large is on the disk.
    pub small: Lane,
    pub large: Lane,
    pub threads: Semaphore,
    /// Bytes of uploads that wait in memory.
    pub held: AtomicU64,
}

impl Segments {
    /// Takes the folder for this process, and takes away what an earlier one left half written. It blocks.
    pub fn open(folder: PathBuf, settings: Settings) -> Result<Self, Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.doing(|| format!("make the folder {}", folder.display()))?;
        let lock = lock(&folder)?;
        let files = Arc::new(Files::new(folder, settings.open_files.max(2)));
        crate::recover::close_what_was_open(&files)?;
        let underway = Arc::new(Underway::new(files.clone(), lock)?);
        Ok(Self {
            inner: Arc::new(Inner {
                files,
                underway,
                small: Lane::default(),
                large: Lane::default(),
                threads: Semaphore::new(THREADS),
                held: AtomicU64::new(0),
                settings,
            }),
        })
    }
}

impl Inner {
    /// Runs what blocks, of which there is only so much at once.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        what: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _turn = self.threads.acquire().await.map_err(|_| Error::CutOff)?;
        let inner = self.clone();
        tokio::task::spawn_blocking(move || what(&inner)).await.map_err(|_| Error::CutOff)?
    }
}

impl Data for Segments {
    fn put<'a>(&'a self, owner: &'a str, length: Option<u64>, bytes: Incoming<'a>) -> BoxFuture<'a, Result<Vec<Piece>, Refusal>> {
        Box::pin(async move { Ok(crate::put::put(&self.inner, owner, length, bytes).await?) })
    }

    fn read(&self, pieces: Vec<Piece>, range: Range<u64>) -> Chunks {
        crate::read::read(self.inner.clone(), pieces, range)
    }

    fn give_up<'a>(&'a self, pieces: &'a [Piece]) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { Ok(crate::space::give_up(&self.inner, pieces.to_vec()).await?) })
    }

    fn abandon<'a>(&'a self, owners: &'a [String], since: Timestamp) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { Ok(crate::space::abandon(&self.inner, owners.to_vec(), since).await?) })
    }

    fn survey(&self, after: Option<(u64, u64)>, until: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Piece>, Refusal>> {
        Box::pin(async move { Ok(crate::space::survey(&self.inner, after, until, limit).await?) })
    }
}

fn lock(folder: &std::path::Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let doing = || format!("lock {}", path.display());
    let file = File::options().create(true).truncate(false).write(true).open(&path).doing(doing)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) if begun.elapsed() < HANDOVER => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(std::fs::TryLockError::WouldBlock) => return Err(Error::InUse(folder.to_owned())),
            Err(std::fs::TryLockError::Error(error)) => return Err(error).doing(doing),
        }
    }
}
