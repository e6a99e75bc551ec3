// SPDX-License-Identifier: Apache-2.0
//! The key repository: a directory of numbered Fernet keys, laid out as Keystone's.
//!
//! `0` is staged (the next primary, so that every controller knows it before it is used), the highest number is the
//! primary that seals, those between only open what they once sealed.
//!
//! Invariant: a token lives to its own expiry through any number of rotations (test: `rotating_logs_nobody_out`).

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use types::Timestamp;

use crate::fernet::{self, BadToken, Key, Opened};

/// Staged, primary, and the one before: what Keystone keeps by default.
pub const DEFAULT_ACTIVE_KEYS: usize = 3;

const STAGED: u32 = 0;

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("use the key repository {path}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{0} is not a Fernet key: it must hold 32 bytes in URL-safe base64")]
    BadKey(PathBuf),
    #[error("the key repository {0} holds no primary key")]
    NoPrimary(PathBuf),
    #[error("draw random bytes")]
    Random(#[from] getrandom::Error),
}

/// The keys as last loaded. Sealing and opening take no lock beyond copying an `Arc`.
pub struct KeyRepository {
    directory: PathBuf,
    active_keys: usize,
    ring: RwLock<Arc<KeyRing>>,
    /// When the directory had last changed when the ring was loaded.
    loaded: Mutex<Option<SystemTime>>,
}

pub struct KeyRing {
    /// Newest first; the first one seals.
    keys: Vec<Key>,
}

impl KeyRepository {
    /// Opens the repository, and makes it with a staged and a primary key where there is none.
    pub fn open(directory: impl Into<PathBuf>, active_keys: usize) -> Result<Self, KeyError> {
        let directory = directory.into();
        let at = |source| KeyError::Io { path: directory.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(at)?;

        let present = numbered_files(&directory)?;
        if !present.keys().any(|number| *number != STAGED) {
            write_key(&directory, 1)?;
        }
        if !present.contains_key(&STAGED) {
            write_key(&directory, STAGED)?;
        }
        let loaded = Mutex::new(changed(&directory));
        let ring = RwLock::new(Arc::new(load(&directory)?));
        Ok(Self { directory, active_keys: active_keys.max(2), ring, loaded })
    }

    pub fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the directory again, after another controller or a tool rotated it.
    pub fn reload(&self) -> Result<(), KeyError> {
        // Before the keys are read: what changes meanwhile is read again next time.
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = changed(&self.directory);
        let ring = Arc::new(load(&self.directory)?);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(())
    }

    /// Reads the directory again if a file came or went since. Says whether it did.
    pub fn reload_if_changed(&self) -> Result<bool, KeyError> {
        let is_new = *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) != changed(&self.directory);
        if is_new {
            self.reload()?;
        }
        Ok(is_new)
    }

    /// Makes the staged key primary and stages a new one. Keys beyond the number to keep are removed, but only
    /// once nothing that they sealed can still be valid: `longest_token` after their successor took over.
    pub fn rotate(&self, longest_token: Duration) -> Result<(), KeyError> {
        let at = |source| KeyError::Io { path: self.directory.clone(), source };
        let present = numbered_files(&self.directory)?;
        let primary = present.keys().next_back().copied().unwrap_or(STAGED) + 1;
        let staged = self.directory.join(STAGED.to_string());
        if !present.contains_key(&STAGED) {
            write_key(&self.directory, STAGED)?;
        }
        // The time of the file says from when on this key sealed: the rename below keeps it.
        File::options().write(true).open(&staged).and_then(|file| file.set_modified(SystemTime::now())).map_err(at)?;
        fs::rename(&staged, self.directory.join(primary.to_string())).map_err(at)?;
        write_key(&self.directory, STAGED)?;

        let numbered: Vec<(u32, PathBuf)> = numbered_files(&self.directory)?.into_iter().filter(|(n, _)| *n != STAGED).collect();
        let excess = (numbered.len() + 1).saturating_sub(self.active_keys);
        for pair in numbered.windows(2).take(excess) {
            let [(_, key), (_, successor)] = pair else { continue };
            let took_over = fs::metadata(successor).and_then(|m| m.modified()).map_err(at)?;
            if took_over.elapsed().unwrap_or_default() > longest_token {
                fs::remove_file(key).map_err(at)?;
            }
        }
        sync_directory(&self.directory).map_err(at)?;
        self.reload()
    }
}

impl KeyRing {
    pub fn seal(&self, message: &[u8], at: Timestamp) -> Result<String, KeyError> {
        Ok(self.primary().seal(message, at)?)
    }

    pub fn open(&self, token: &str) -> Result<Opened, BadToken> {
        self.open_bytes(&fernet::decode(token)?)
    }

    /// Opens what lies sealed in our own tables, however long it is.
    pub fn open_kept(&self, sealed: &str) -> Result<Opened, BadToken> {
        self.open_bytes(&fernet::decode_any_length(sealed)?)
    }

    /// Names the key that seals.
    pub fn primary_hash(&self) -> String {
        self.primary().hash()
    }

    fn primary(&self) -> &Key {
        self.keys.first().expect("a ring is loaded only with a primary key")
    }

    fn open_bytes(&self, bytes: &[u8]) -> Result<Opened, BadToken> {
        self.keys.iter().find_map(|key| key.open_bytes(bytes).ok()).ok_or(BadToken)
    }
}

fn changed(directory: &Path) -> Option<SystemTime> {
    fs::metadata(directory).and_then(|metadata| metadata.modified()).ok()
}

fn load(directory: &Path) -> Result<KeyRing, KeyError> {
    let files = numbered_files(directory)?;
    let mut keys = Vec::with_capacity(files.len());
    for path in files.values().rev() {
        let text = fs::read_to_string(path).map_err(|source| KeyError::Io { path: path.clone(), source })?;
        keys.push(Key::parse(&text).ok_or_else(|| KeyError::BadKey(path.clone()))?);
        warn_if_readable_by_others(path);
    }
    if keys.is_empty() {
        return Err(KeyError::NoPrimary(directory.to_path_buf()));
    }
    Ok(KeyRing { keys })
}

fn numbered_files(directory: &Path) -> Result<BTreeMap<u32, PathBuf>, KeyError> {
    let at = |source| KeyError::Io { path: directory.to_path_buf(), source };
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(at)? {
        let entry = entry.map_err(at)?;
        if let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            files.insert(number, entry.path());
        }
    }
    Ok(files)
}

/// Written beside its place, synced, and renamed: a crash leaves no half key under a number.
fn write_key(directory: &Path, number: u32) -> Result<(), KeyError> {
    let at = |source| KeyError::Io { path: directory.to_path_buf(), source };
    let key = Key::generate()?;
    let unfinished = directory.join(format!("{number}.tmp"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished).map_err(at)?;
    file.write_all(key.to_text().as_bytes()).map_err(at)?;
    file.sync_all().map_err(at)?;
    fs::rename(&unfinished, directory.join(number.to_string())).map_err(at)?;
    sync_directory(directory).map_err(at)
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn warn_if_readable_by_others(path: &Path) {
    let open = fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o007 != 0);
    if open {
        tracing::warn!(key = %path.display(), "others can read this key, and so forge tokens: chmod 600 it");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn names(directory: &Path) -> Vec<u32> {
        numbered_files(directory).unwrap().into_keys().collect()
    }

    #[test]
    fn a_new_repository_has_a_staged_and_a_primary_key_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let repository = KeyRepository::open(&path, DEFAULT_ACTIVE_KEYS).unwrap();
        assert_eq!(names(&path), [0, 1]);
        for number in ["0", "1"] {
            assert_eq!(fs::metadata(path.join(number)).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let token = repository.ring().seal(b"hello", Timestamp::now()).unwrap();
        let again = KeyRepository::open(&path, DEFAULT_ACTIVE_KEYS).unwrap();
        assert_eq!(again.ring().open(&token).unwrap().message, b"hello");
    }

    #[test]
    fn rotating_logs_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let repository = KeyRepository::open(dir.path(), DEFAULT_ACTIVE_KEYS).unwrap();
        let mut tokens = vec![];
        for _ in 0..6 {
            tokens.push(repository.ring().seal(b"hello", Timestamp::now()).unwrap());
            repository.rotate(HOUR).unwrap();
        }
        for token in &tokens {
            assert!(repository.ring().open(token).is_ok());
        }
    }

    #[test]
    fn old_keys_go_when_nothing_of_theirs_can_be_valid() {
        let dir = tempfile::tempdir().unwrap();
        let repository = KeyRepository::open(dir.path(), DEFAULT_ACTIVE_KEYS).unwrap();
        let old = repository.ring().seal(b"hello", Timestamp::now()).unwrap();
        for _ in 0..6 {
            repository.rotate(Duration::ZERO).unwrap();
        }
        assert_eq!(names(dir.path()), [0, 6, 7]);
        assert!(repository.ring().open(&old).is_err());
    }

    #[test]
    fn the_staged_key_becomes_primary_and_other_controllers_know_it_already() {
        let dir = tempfile::tempdir().unwrap();
        let here = KeyRepository::open(dir.path(), DEFAULT_ACTIVE_KEYS).unwrap();
        let elsewhere = KeyRepository::open(dir.path(), DEFAULT_ACTIVE_KEYS).unwrap();
        here.rotate(HOUR).unwrap();
        let token = here.ring().seal(b"hello", Timestamp::now()).unwrap();
        assert!(elsewhere.ring().open(&token).is_ok(), "sealed with what was staged when it loaded");
    }

    #[test]
    fn a_spoiled_key_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("4"), "not a key").unwrap();
        let refused = KeyRepository::open(dir.path(), DEFAULT_ACTIVE_KEYS).err().unwrap();
        assert!(refused.to_string().contains("/4 is not a Fernet key"), "{refused}");
    }
}
