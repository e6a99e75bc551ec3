// SPDX-License-Identifier: Apache-2.0
//! The files of the segments, of which only so many are open, however many there are and however many uploads.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    Error,
    error::Doing,
    layout::{self, Seal},
};

/// What is being written.
pub const OPEN: &str = "open";
/// What is only read, and gets holes.
pub const CLOSED: &str = "segment";

/// A file of a segment, and what its heads repeat.
pub struct Opened {
    pub file: File,
    pub seal: Seal,
}

pub struct Files {
    folder: PathBuf,
    most: usize,
    open: Mutex<HashMap<u64, Used>>,
}

struct Used {
    opened: Arc<Opened>,
    /// Counts up with each use of any.
    last: u64,
}

impl Files {
    pub fn new(folder: PathBuf, most: usize) -> Self {
        Self { folder, most, open: Mutex::default() }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn path(&self, number: u64, ending: &str) -> PathBuf {
        self.folder.join(format!("{number:016x}.{ending}"))
    }

    /// None if there is no such segment.
    pub fn get(&self, number: u64) -> Result<Option<Arc<Opened>>, Error> {
        let mut open = self.lock();
        let last = open.values().map(|used| used.last).max().unwrap_or_default() + 1;
        if let Some(used) = open.get_mut(&number) {
            used.last = last;
            return Ok(Some(used.opened.clone()));
        }
        let Some(file) = self.find(number)? else { return Ok(None) };
        let mut head = [0; 36];
        let read = file.read_exact_at(&mut head, 0);
        let seal = read.ok().and_then(|()| layout::read_file_head(&head, number));
        let seal = seal.ok_or_else(|| Error::Foreign(self.path(number, CLOSED)))?;
        let opened = Arc::new(Opened { file, seal });
        self.keep(&mut open, number, opened.clone(), last);
        Ok(Some(opened))
    }

    /// Takes a file that was just made.
    pub fn insert(&self, number: u64, opened: Arc<Opened>) {
        let mut open = self.lock();
        let last = open.values().map(|used| used.last).max().unwrap_or_default() + 1;
        self.keep(&mut open, number, opened, last);
    }

    pub fn forget(&self, number: u64) {
        self.lock().remove(&number);
    }

    /// Who still reads or writes keeps his own hold of a file that is let go here.
    fn keep(&self, open: &mut HashMap<u64, Used>, number: u64, opened: Arc<Opened>, last: u64) {
        if open.len() >= self.most
            && let Some(oldest) = open.iter().min_by_key(|(_, used)| used.last).map(|(number, _)| *number)
        {
            open.remove(&oldest);
        }
        open.insert(number, Used { opened, last });
    }

    fn find(&self, number: u64) -> Result<Option<File>, Error> {
        // A segment is closed by a rename, which may come between the first look and the second.
        for ending in [CLOSED, OPEN, CLOSED] {
            let path = self.path(number, ending);
            match OpenOptions::new().read(true).write(true).open(&path) {
                Ok(file) => return Ok(Some(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).doing(|| format!("open {}", path.display())),
            }
        }
        Ok(None)
    }

    /// The numbers of all segments with this ending, in order.
    pub fn list(&self, ending: &str) -> Result<Vec<u64>, Error> {
        let doing = || format!("list {}", self.folder.display());
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.folder).doing(doing)? {
            let name = entry.doing(doing)?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(ending)?.strip_suffix('.'));
            numbers.extend(number.filter(|number| number.len() == 16).and_then(|number| u64::from_str_radix(number, 16).ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Makes the names in the folder survive a loss of power.
    pub fn sync_folder(&self) -> Result<(), Error> {
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        synced.doing(|| format!("sync {}", self.folder.display()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Used>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
