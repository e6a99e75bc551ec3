// SPDX-License-Identifier: Apache-2.0
//! Where everything of this agent lies, and the lock that keeps a second agent off it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Error, Result, error::Doing};

const LOCK_PATIENCE: Duration = Duration::from_secs(3);
const LOCK_AGAIN: Duration = Duration::from_millis(20);

#[derive(Debug, Clone)]
pub(crate) struct StateDir {
    root: PathBuf,
}

/// Held as long as the agent runs; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "its life is the lock")] File);

impl StateDir {
    /// Makes the directories and takes the lock; may block for a while. Machines' users may walk through to their own files, but not look around.
    pub fn open(root: &Path) -> Result<(Self, Lock)> {
        let dir = Self { root: root.to_owned() };
        let passable = [dir.root.clone(), dir.machines(), dir.images(), dir.volumes(), dir.bridges()];
        for (path, mode) in passable.into_iter().map(|path| (path, 0o711)).chain([(dir.identity(), 0o700)]) {
            make(&path, mode).doing(|| format!("make {}", path.display()))?;
        }
        let lock = dir.root.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock);
        let file = file.doing(|| format!("open {}", lock.display()))?;
        let patience = Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok((dir, Lock(file))),
                // A child that a killed agent had just forked holds all its files until it becomes QEMU.
                Err(TryLockError::WouldBlock) if Instant::now() < patience => thread::sleep(LOCK_AGAIN),
                Err(TryLockError::WouldBlock) => return Err(Error::Unfit(format!("another agent runs on {}", root.display()))),
                Err(TryLockError::Error(error)) => return Err(error).doing(|| format!("lock {}", lock.display())),
            }
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Hex digits that tell this cloud's things on the host from those of another cloud beside it.
    pub fn mark(&self) -> String {
        hex::encode(&self.hash()[..8])
    }

    /// The four of them that were all in earlier versions.
    pub fn short_mark(&self) -> String {
        hex::encode(&self.hash()[..2])
    }

    fn hash(&self) -> [u8; 32] {
        let name = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        Sha256::digest(name.as_os_str().as_encoded_bytes()).into()
    }

    pub fn identity(&self) -> PathBuf {
        self.root.join("identity")
    }

    pub fn machines(&self) -> PathBuf {
        self.root.join("machines")
    }

    pub fn machine(&self, id: Uuid) -> PathBuf {
        self.machines().join(id.to_string())
    }

    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    pub fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// By which volumes of other hosts come here.
    pub fn bridges(&self) -> PathBuf {
        self.root.join("bridges")
    }

    /// How far the cloud's database was seen to have come.
    pub fn database(&self) -> PathBuf {
        self.root.join("database.json")
    }

    /// The result of the accelerator's probe.
    pub fn accelerator(&self) -> PathBuf {
        self.root.join("accelerator.json")
    }
}

pub(crate) fn make(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}
