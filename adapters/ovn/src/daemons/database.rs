// SPDX-License-Identifier: Apache-2.0
//! The files of standalone OVSDB databases: made where absent, upgraded where old, and never served when damaged.
//!
//! ovsdb-server reads a database up to the first record that it does not understand, and drops the rest at its next
//! write. That is right for the torn last record of a power failure, and quiet destruction for damage in the middle,
//! so the file is read through before a server may have it.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::program;
use crate::{Error, Result};

const RECORD: &[u8] = b"OVSDB JSON ";

/// A database file and the schema that it should have.
#[derive(Clone, Debug)]
pub(super) struct Database {
    pub(super) path: PathBuf,
    pub(super) schema: PathBuf,
}

impl Database {
    /// Makes the file fit to be served. No server may have it open.
    pub(super) async fn prepare(&self) -> Result<()> {
        match tokio::fs::try_exists(&self.path).await {
            Ok(true) => {
                self.check().await?;
                self.upgrade().await
            }
            Ok(false) => self.create().await,
            Err(source) => Err(self.failed("look at", source)),
        }
    }

    /// Under another name first, so that the name never means half a database.
    async fn create(&self) -> Result<()> {
        let fresh = self.sibling("new");
        let lock = fresh.with_file_name(format!(".{}.~lock~", name(&fresh)));
        remove(&fresh)?;
        self.tool("create").await?.arg_path(&fresh).arg_path(&self.schema).run().await?;
        std::fs::rename(&fresh, &self.path).map_err(|source| self.failed("create", source))?;
        remove(&lock)
    }

    /// Reads every record with its checksum.
    async fn check(&self) -> Result<()> {
        let Err(said) = self.tool("show-log").await?.arg_path(&self.path).run().await else {
            return Ok(());
        };
        if let Some(sound) = self.sound_length().await? {
            tracing::warn!(path = %self.path.display(), sound, "the last record of the database is torn and will be dropped");
            return Ok(());
        }
        let what = match said {
            Error::Program { output, .. } => output,
            other => return Err(other),
        };
        // A sound file of another kind fails too, but then for a reason that its own message tells.
        Err(Error::DamagedDatabase { path: self.path.clone(), what })
    }

    /// The length up to the last record, if only that one is bad: nothing follows it, and all before it is sound.
    async fn sound_length(&self) -> Result<Option<usize>> {
        let bytes = std::fs::read(&self.path).map_err(|source| self.failed("read", source))?;
        let last = last_record(&bytes);
        let torn = bytes.get(last..).unwrap_or_default();
        let more_follows = torn.get(1..).is_some_and(|rest| rest.windows(RECORD.len()).any(|window| window == RECORD));
        if last == 0 || more_follows {
            return Ok(None);
        }
        // Everything before was found record by record, but only the tool knows the checksums.
        let sound = self.sibling("check");
        std::fs::write(&sound, &bytes[..last]).map_err(|source| self.failed("copy", source))?;
        let checked = self.tool("show-log").await?.arg_path(&sound).run().await;
        remove(&sound)?;
        Ok(checked.is_ok().then_some(last))
    }

    /// Converts to a newer schema, keeping a copy. A database newer than the installed schema stays as it is: an older
    /// daemon ignores columns that it does not know, and converting back would delete them.
    async fn upgrade(&self) -> Result<()> {
        let has = self.tool("db-version").await?.arg_path(&self.path).run().await?;
        let wants = self.tool("schema-version").await?.arg_path(&self.schema).run().await?;
        if numbers(&has) >= numbers(&wants) {
            return Ok(());
        }
        let copy = self.sibling(&format!("before-{wants}"));
        std::fs::copy(&self.path, &copy).map_err(|source| self.failed("copy", source))?;
        tracing::info!(path = %self.path.display(), has, wants, copy = %copy.display(), "upgrading the database");
        self.tool("convert").await?.arg_path(&self.path).arg_path(&self.schema).run().await?;
        Ok(())
    }

    async fn tool(&self, verb: &str) -> Result<Tool> {
        let mut command = Command::new(program::find("ovsdb-tool")?);
        command.args(["-vconsole:off", verb]);
        Ok(Tool(command))
    }

    fn sibling(&self, suffix: &str) -> PathBuf {
        self.path.with_file_name(format!("{}.{suffix}", name(&self.path)))
    }

    fn failed(&self, act: &'static str, source: std::io::Error) -> Error {
        Error::File { act, path: self.path.clone(), source }
    }
}

struct Tool(Command);

impl Tool {
    fn arg_path(mut self, path: &Path) -> Self {
        self.0.arg(path);
        self
    }

    async fn run(mut self) -> Result<String> {
        program::run(&mut self.0).await
    }
}

/// Where the last record begins, or the first place that is no record.
fn last_record(bytes: &[u8]) -> usize {
    let (mut last, mut position) = (0, 0);
    while position < bytes.len() {
        last = position;
        match record_length(&bytes[position..]) {
            Some(length) => position += length,
            None => break,
        }
    }
    last
}

/// The length of a record with its header, which reads `OVSDB JSON LENGTH SHA1`.
fn record_length(bytes: &[u8]) -> Option<usize> {
    let header = bytes.iter().take(200).position(|byte| *byte == b'\n')? + 1;
    let words = std::str::from_utf8(bytes[..header].strip_prefix(RECORD)?).ok()?;
    let length: usize = words.split(' ').next()?.parse().ok()?;
    header.checked_add(length)
}

/// A version such as `20.27.0`, comparable.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or_default()).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::File { act: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
