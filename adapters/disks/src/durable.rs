// SPDX-License-Identifier: Apache-2.0
//! Files that are either wholly there or not at all, also after a power cut.
//!
//! The content goes to a sibling first, is synced, and takes its name by a rename, which is synced in turn. A
//! reader never sees half a file; a crash leaves at most a sibling, which the next attempt overwrites.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::error::{Doing, Error};

/// Makes `path` by letting `fill` write it. What stood there before is replaced.
pub fn write(path: &Path, mode: u32, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let (partial, file) = write_partial(path, mode, fill)?;
    file.sync_all().doing(|| format!("write {}", path.display()))?;
    publish(&partial, path)
}

/// The same for what need not outlive a power cut before [`settle`] has returned: for a process that is killed it is wholly there
/// or not at all.
pub fn write_unsettled(path: &Path, mode: u32, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let (partial, _) = write_partial(path, mode, fill)?;
    rename(&partial, path)
}

/// What was written is on the disk when this returns, under its name.
pub fn settle(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).doing(|| format!("sync {}", path.display()))?;
    sync_directory_of(path)
}

fn write_partial(path: &Path, mode: u32, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<(PathBuf, File)> {
    let partial = partial_name(path)?;
    let mut file = OpenOptions::new();
    file.write(true).read(true).create(true).truncate(true).mode(mode).custom_flags(libc::O_NOFOLLOW);
    let mut file = file.open(&partial).doing(|| format!("write {}", path.display()))?;
    fill(&mut file)?;
    Ok((partial, file))
}

/// Gives a synced file its name, for good.
pub fn publish(partial: &Path, path: &Path) -> Result<()> {
    rename(partial, path)?;
    sync_directory_of(path)
}

fn rename(partial: &Path, path: &Path) -> Result<()> {
    std::fs::rename(partial, path).doing(|| format!("rename {} to {}", partial.display(), path.display()))
}

/// Sees to it that `path` is gone, for good.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => sync_directory_of(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).doing(|| format!("remove {}", path.display())),
    }
}

/// Where a file stands while it is being made.
pub fn partial_name(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| Error::Unusable(format!("{} names no file", path.display())))?;
    let mut partial = OsString::from(".");
    partial.push(name);
    partial.push(".partial");
    Ok(path.with_file_name(partial))
}

fn sync_directory_of(path: &Path) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|directory| directory.sync_all()).doing(|| format!("sync {}", parent.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::io::Write;

    use super::*;

    #[test]
    fn a_failed_write_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write(&path, 0o600, |file| file.write_all(b"one").doing(|| "write".into())).unwrap();
        let failed = write(&path, 0o600, |file| {
            file.write_all(b"tw").doing(|| "write".into())?;
            Err(Error::Unusable("stop".into()))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write(&path, 0o600, |file| file.write_all(b"three").doing(|| "write".into())).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }
}
