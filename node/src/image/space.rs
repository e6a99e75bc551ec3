// SPDX-License-Identifier: Apache-2.0
//! Space for images: those that no machine rests on go, the longest unused first, when they are more than the operator
//! granted, or when another one needs their place.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use nix::sys::statvfs::statvfs;

use super::{CONVERTED, is_hash};
use crate::{
    Error, Result,
    error::Doing,
    ledger::{Found, Ledger, Wanted},
};

/// A machine that has just begun is not among those that rest on an image yet, but it has just touched its image.
pub(crate) const SETTLED: Duration = Duration::from_secs(600);

struct Unused {
    since: SystemTime,
    size: u64,
    path: PathBuf,
}

/// Images that machines rest on, or are about to, as their ledgers say.
pub(crate) fn in_use(machines: &Path) -> Result<HashSet<String>> {
    let mut images = HashSet::new();
    for (server, found) in Ledger::list(machines)? {
        match found {
            Found::Kept { wanted, recorded } => {
                if let Wanted::Machine(machine) = wanted {
                    images.extend(machine.root().into_iter().chain(machine.rescue()).map(|disk| disk.sha512.clone()));
                }
                images.extend(recorded.root.into_iter().chain(recorded.rescue).map(|disk| disk.sha512));
            }
            Found::Begun { .. } => {}
            Found::Unread { .. } => {
                let message = format!("the ledger of machine {server} is damaged, so no image is known to be unused");
                return Err(Error::Unfit(message));
            }
        }
    }
    Ok(images)
}

/// Drops what is more than `granted` bytes of unused images.
pub(super) fn trim(images: &Path, granted: u64, in_use: &HashSet<String>, youngest: Duration) -> Result<()> {
    let unused = unused(images, in_use, youngest)?;
    let mut taken: u64 = unused.iter().map(|image| image.size).sum();
    for image in unused {
        if taken <= granted {
            break;
        }
        drop_image(&image)?;
        taken -= image.size;
    }
    Ok(())
}

/// Drops unused images until an image of so many bytes has room. Fails if it has none even then: better one machine that
/// does not start than a host whose disk is full.
pub(super) fn make_room(
    images: &Path,
    wanted: u64,
    in_use: impl FnOnce() -> Result<HashSet<String>>,
    youngest: Duration,
) -> Result<()> {
    if wanted <= free(images)? {
        return Ok(());
    }
    for image in unused(images, &in_use()?, youngest)? {
        drop_image(&image)?;
        if wanted <= free(images)? {
            return Ok(());
        }
    }
    Err(no_room(images, wanted))
}

pub(super) fn no_room(images: &Path, wanted: u64) -> Error {
    let free = free(images).unwrap_or_default();
    Error::DiskFull { path: images.to_owned(), what: format!("an image needs {wanted} bytes there, and {free} are free") }
}

/// The longest unused first.
fn unused(images: &Path, in_use: &HashSet<String>, youngest: Duration) -> Result<Vec<Unused>> {
    let mut unused = Vec::new();
    for entry in fs::read_dir(images).doing(|| format!("list {}", images.display()))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(is) = entry.metadata() else { continue };
        let since = is.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let settled = since.elapsed().is_ok_and(|age| age >= youngest);
        let hash = name.strip_suffix(CONVERTED).and_then(|name| name.strip_suffix('.')).unwrap_or(&name);
        // A volume that was made of it has another name for the same file: dropping this one would give no space back.
        let is_shared = is.nlink() > 1;
        if is_hash(hash) && !is_shared && settled && !in_use.contains(hash) {
            unused.push(Unused { since, size: is.len(), path: entry.path() });
        }
    }
    unused.sort_by(|one, other| (one.since, &one.path).cmp(&(other.since, &other.path)));
    Ok(unused)
}

fn drop_image(image: &Unused) -> Result<()> {
    tracing::info!(image = %image.path.display(), bytes = image.size, "an image that no machine uses is dropped");
    fs::remove_file(&image.path).doing(|| format!("remove {}", image.path.display()))
}

fn free(path: &Path) -> Result<u64> {
    let disk = statvfs(path).doing(|| format!("look at the disk under {}", path.display()))?;
    Ok(disk.blocks_available() * disk.fragment_size())
}
