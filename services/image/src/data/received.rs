// SPDX-License-Identifier: Apache-2.0
//! Data that has come in and has no name yet.

use std::path::{Path, PathBuf};

use disks::Format;

use crate::{Error, image::DataFacts};

/// A file of its own until it is whole; removed when dropped before that.
#[derive(Debug)]
pub struct Received {
    path: PathBuf,
    kept: bool,
    pub facts: DataFacts,
    /// What it turned out to be, if it was looked into and is a disk.
    pub format: Option<Format>,
}

impl Received {
    pub fn begun(path: PathBuf) -> Self {
        Self { path, kept: false, facts: DataFacts::nothing(), format: None }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, for good.
    pub fn publish(mut self, path: &Path) -> Result<(), Error> {
        disks::durable::publish(&self.path, path).map_err(|error| Error::file(path, std::io::Error::other(error)))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "a broken upload stays until the next start");
        }
    }
}

impl DataFacts {
    fn nothing() -> Self {
        Self { size: 0, virtual_size: 0, md5: String::new(), sha512: String::new() }
    }
}
