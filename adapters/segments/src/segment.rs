// SPDX-License-Identifier: Apache-2.0
//! A segment that is being written. It is closed when nobody writes to it any more.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use types::Timestamp;

use crate::{
    Error,
    error::Doing,
    files::{CLOSED, Files, OPEN, Opened},
    layout::{self, PAGE, Seal},
    scan,
};

/// The segments that are being written.
pub struct Underway {
    files: Arc<Files>,
    numbers: Mutex<HashSet<u64>>,
    last: AtomicU64,
    /// How often the disk was asked for a sync of what was written.
    pub syncs: AtomicU64,
    /// Nobody else has the folder as long as something is written there.
    _lock: File,
}

pub struct Segment {
    pub number: u64,
    pub seal: Seal,
    underway: Arc<Underway>,
    /// Where the next piece begins.
    end: AtomicU64,
    /// Nothing more is written to it once a write or a sync of it has failed: what the kernel still holds is not known.
    broken: AtomicBool,
    /// How many asked for it to be on the disk, and how many of them it was done for.
    asked: AtomicU64,
    synced: tokio::sync::Mutex<u64>,
}

impl Underway {
    pub fn new(files: Arc<Files>, lock: File) -> Result<Self, Error> {
        let last = files.list(CLOSED)?.last().copied().unwrap_or_default();
        Ok(Self { files, numbers: Mutex::default(), last: AtomicU64::new(last), syncs: AtomicU64::new(0), _lock: lock })
    }

    /// Makes a new segment, whose number no other had or will have: it is the time, so that also a folder that was emptied
    /// gives no number twice.
    pub fn begin(self: &Arc<Self>) -> Result<Arc<Segment>, Error> {
        let now = Timestamp::now().micros().unsigned_abs();
        let next = |last: u64| Some(now.max(last + 1));
        let before = self.last.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).unwrap_or_else(|last| last);
        let number = now.max(before + 1);
        let mut seal = Seal::default();
        getrandom::fill(&mut seal).map_err(io::Error::other).doing(|| "get chance from the kernel".into())?;
        let path = self.files.path(number, OPEN);
        let file = begin_file(&path, &layout::file_head(number, &seal)).map_err(|error| {
            // Half a head is worth nothing; if this fails too, the next start removes it.
            let _ = std::fs::remove_file(&path);
            trouble(&self.files, number, error)
        })?;
        self.files.insert(number, Arc::new(Opened { file, seal }));
        self.lock().insert(number);
        Ok(Arc::new(Segment {
            number,
            seal,
            underway: self.clone(),
            end: AtomicU64::new(PAGE),
            broken: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            synced: tokio::sync::Mutex::default(),
        }))
    }

    /// Removes a segment that is nothing but hole, unless it is being written.
    pub fn remove_if_empty(&self, number: u64) -> Result<bool, Error> {
        let numbers = self.lock();
        if numbers.contains(&number) {
            return Ok(false);
        }
        self.remove_closed_if_empty(number)
    }

    fn remove_closed_if_empty(&self, number: u64) -> Result<bool, Error> {
        let Some(opened) = self.files.get(number)? else { return Ok(false) };
        if scan::data_from(&opened.file, PAGE)?.is_some() {
            return Ok(false);
        }
        self.files.forget(number);
        let path = self.files.path(number, CLOSED);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).doing(|| format!("remove {}", path.display())),
            _ => Ok(true),
        }
    }

    fn close(&self, number: u64) -> Result<(), Error> {
        let mut numbers = self.lock();
        numbers.remove(&number);
        let (from, to) = (self.files.path(number, OPEN), self.files.path(number, CLOSED));
        std::fs::rename(&from, &to).doing(|| format!("close {}", from.display()))?;
        self.remove_closed_if_empty(number).map(drop)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Segment {
    /// Takes so many bytes of the file; none if that would be over the most that a segment takes, or it broke.
    pub fn take(&self, bytes: u64, most: u64) -> Option<u64> {
        if self.broken.load(Ordering::SeqCst) {
            return None;
        }
        let within = |end: u64| (end == PAGE || end + bytes <= most).then_some(end + bytes);
        self.end.fetch_update(Ordering::SeqCst, Ordering::SeqCst, within).ok()
    }

    pub fn file(&self) -> Result<Arc<Opened>, Error> {
        self.underway.files.get(self.number)?.ok_or(Error::Missing { segment: self.number, offset: 0 })
    }

    /// What a failed write or sync means for it.
    pub fn failed(&self, error: io::Error) -> Error {
        self.broken.store(true, Ordering::SeqCst);
        trouble(&self.underway.files, self.number, error)
    }

    /// Returns when all that was written before is on the disk. Who comes while it is being done waits for the next time,
    /// which is done once for all of them.
    pub async fn durable(self: &Arc<Self>) -> Result<(), Error> {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut synced = self.synced.lock().await;
        if *synced >= mine {
            return Ok(());
        }
        let all = self.asked.load(Ordering::SeqCst);
        let segment = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let opened = segment.file()?;
            segment.underway.syncs.fetch_add(1, Ordering::Relaxed);
            opened.file.sync_data().map_err(|error| segment.failed(error))
        });
        done.await.map_err(|_| Error::CutOff)??;
        *synced = all;
        Ok(())
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if let Err(error) = self.underway.close(self.number) {
            // The next start closes it.
            tracing::warn!(segment = %format!("{:016x}", self.number), %error, "a segment of objects stays open");
        }
    }
}

/// A file whose head and name are on the disk.
fn begin_file(path: &Path, head: &[u8]) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all_at(head, 0)?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())?;
    Ok(file)
}

fn trouble(files: &Files, number: u64, error: io::Error) -> Error {
    let folder = files.folder();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full(folder.to_owned()),
        _ => Error::Io { doing: format!("write to segment {number:016x} in {}", folder.display()), source: error },
    }
}
