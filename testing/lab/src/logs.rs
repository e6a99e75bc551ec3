// SPDX-License-Identifier: Apache-2.0
//! What a failed test leaves for its reader: the logs, out of the folder that is about to go.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process, thread,
};

/// A console or a log longer than this says nothing that its reader will find.
const LARGEST: u64 = 20_000_000;

/// Named after the test, which is the name of its thread.
pub(crate) fn kept_folder() -> PathBuf {
    let test = thread::current().name().unwrap_or("test").replace("::", ".");
    let place = env::var_os("CARGO_TARGET_DIR").map_or_else(env::temp_dir, Into::into);
    place.join("lab-logs").join(format!("{test}-{}", process::id()))
}

pub(crate) fn keep(folder: &Path) {
    let kept = kept_folder();
    match copy(folder, &kept) {
        Ok(()) => eprintln!("lab: the test did not pass; logs are in {}", kept.display()),
        Err(error) => eprintln!("lab: the test did not pass, and its logs cannot be kept in {}: {error}", kept.display()),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, path, target) = (entry.file_type()?, entry.path(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&path, &target)?;
        } else if kind.is_file()
            && path.extension().is_some_and(|extension| extension == "log")
            && entry.metadata()?.len() < LARGEST
        {
            fs::create_dir_all(to)?;
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
