// SPDX-License-Identifier: Apache-2.0
//! Where a store keeps its blobs: a folder of files, or a bucket of an object store. A blob is named by the sha512 of what is
//! in it, and is there as a whole or not at all.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
    pin::Pin,
};

use bounds::Threads;
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream::try_unfold};
use uuid::Uuid;

use crate::{Error, data::Received};

/// How much of a file is read, and sent, at once.
const CHUNK: usize = 512 * 1024;
const DIGITS: usize = 128;

/// The bytes of a blob, as they come.
pub type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

#[derive(Clone)]
pub enum Place {
    Folder(PathBuf),
    Bucket(InBucket),
}

#[derive(Clone)]
pub struct InBucket {
    pub bucket: s3::Bucket,
    /// Before each blob's name; what is under it belongs to this store alone.
    pub prefix: String,
    /// `s3://host/bucket`, for whoever may see where data is.
    pub url: String,
    /// Where data waits until it is whole and goes up.
    pub scratch: PathBuf,
}

impl Place {
    /// What the image API calls the kind of store.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Folder(_) => "file",
            Self::Bucket(_) => "s3",
        }
    }

    /// The folder in which files are made that become blobs here.
    pub fn scratch(&self) -> &PathBuf {
        match self {
            Self::Folder(folder) => folder,
            Self::Bucket(InBucket { scratch, .. }) => scratch,
        }
    }

    /// A name for such a file that nobody else uses.
    pub fn partial(&self) -> PathBuf {
        self.scratch().join(format!(".{}.partial", Uuid::new_v4().simple()))
    }

    /// The file of a blob, where there is one.
    pub fn file(&self, blob: &str) -> Option<PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder.join(blob)),
            Self::Bucket(_) => None,
        }
    }

    pub fn url(&self, blob: &str) -> String {
        match self {
            Self::Folder(folder) => format!("file://{}", folder.join(blob).display()),
            Self::Bucket(InBucket { url, prefix, .. }) => format!("{url}/{prefix}{blob}"),
        }
    }

    /// Takes in what was received, durably.
    pub async fn put(&self, owner: &str, received: Received) -> Result<(), Error> {
        let blob = received.facts.sha512.clone();
        match self {
            Self::Folder(folder) => {
                let path = folder.join(blob);
                Threads::for_bytes().run(owner, move || received.publish(&path)).await?
            }
            Self::Bucket(at) => Ok(at.bucket.put(&at.key(&blob), received.path(), |_| {}).await?),
        }
    }

    /// `length` bytes of a blob from `first` on, read for `owner`.
    pub async fn open(&self, owner: &str, blob: &str, first: u64, length: u64) -> Result<Chunks, Error> {
        match self {
            Self::Folder(folder) => open_file(owner, folder.join(blob), first, length).await,
            Self::Bucket(_) if length == 0 => Ok(Box::pin(futures_util::stream::empty())),
            Self::Bucket(at) => {
                let body = at.bucket.get(&at.key(blob), Some(first..=first + length - 1)).await?;
                Ok(Box::pin(body.into_stream().map_err(|error| Error::Bucket(error.into()))))
            }
        }
    }

    pub async fn has(&self, blob: &str) -> Result<bool, Error> {
        match self {
            Self::Folder(folder) => Ok(tokio::fs::try_exists(folder.join(blob)).await.unwrap_or(false)),
            Self::Bucket(at) => Ok(at.bucket.size(&at.key(blob)).await?.is_some()),
        }
    }

    /// Sees to it that a blob is gone.
    pub async fn remove(&self, blob: &str) -> Result<(), Error> {
        match self {
            Self::Folder(folder) => remove_file(folder.join(blob)).await,
            Self::Bucket(at) => Ok(at.bucket.delete(&at.key(blob)).await?),
        }
    }

    /// The names of all that is there: blobs, and in a folder whatever else.
    pub async fn names(&self) -> Result<BTreeSet<String>, Error> {
        match self {
            Self::Folder(folder) => files_in(folder).await,
            Self::Bucket(at) => {
                let keys = at.bucket.keys(&at.prefix).await?;
                // Only what is surely ours: the operator may have put other things beside it.
                let blob = |key: String| key.strip_prefix(&at.prefix).filter(|name| is_blob(name)).map(str::to_owned);
                Ok(keys.into_iter().filter_map(blob).collect())
            }
        }
    }
}

impl InBucket {
    fn key(&self, blob: &str) -> String {
        format!("{}{blob}", self.prefix)
    }
}

fn is_blob(name: &str) -> bool {
    name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `length` bytes of a file from `first` on, read for `owner`. A reader that does not come for more holds no thread.
pub async fn open_file(owner: &str, path: PathBuf, first: u64, length: u64) -> Result<Chunks, Error> {
    let named = path.clone();
    let open = move || -> std::io::Result<File> {
        let mut file = File::open(&path)?;
        file.seek(SeekFrom::Start(first))?;
        Ok(file)
    };
    let file = Threads::for_bytes().run(owner, open).await?.map_err(|cause| Error::file(&named, cause))?;
    Ok(Box::pin(try_unfold((file, owner.to_owned(), length), |(file, owner, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let wanted = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        // Into memory that nobody has cleared before, which would take as long as the reading.
        let read = move || {
            let mut buffer = Vec::with_capacity(wanted);
            (&file).take(wanted as u64).read_to_end(&mut buffer)?;
            Ok((file, Bytes::from(buffer)))
        };
        let (file, chunk) = Threads::for_bytes().run(&owner, read).await?.map_err(Error::BrokenOff)?;
        if chunk.is_empty() {
            return Err(Error::BrokenOff(std::io::ErrorKind::UnexpectedEof.into()));
        }
        let left = left - chunk.len() as u64;
        Ok(Some((chunk, (file, owner, left))))
    })))
}

pub async fn remove_file(path: PathBuf) -> Result<(), Error> {
    let removed = tokio::task::spawn_blocking(move || {
        disks::durable::remove(&path).map_err(|error| Error::file(&path, std::io::Error::other(error)))
    });
    removed.await.unwrap_or_else(|error| Err(Error::BrokenOff(std::io::Error::other(error))))
}

pub async fn files_in(folder: &std::path::Path) -> Result<BTreeSet<String>, Error> {
    let failed = |cause| Error::file(folder, cause);
    let mut entries = tokio::fs::read_dir(folder).await.map_err(failed)?;
    let mut found = BTreeSet::new();
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        if entry.file_type().await.map_err(failed)?.is_file() {
            found.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(found)
}
