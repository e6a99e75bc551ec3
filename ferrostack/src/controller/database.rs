// SPDX-License-Identifier: Apache-2.0
//! Opening the cloud's database: an empty one is never put in the place of one that is missing, and another one never taken
//! for it.
//!
//! What a cloud has outside of its tables (keys, certificates, images, disks) makes no sense without them. So a start that
//! finds such things and no tables is refused, with the ways out; see [`set_aside`](crate::set_aside).
//!
//! Invariant: beside what an earlier start left, a cloud comes up on the same database or not at all
//! (test: `a_missing_database_is_not_replaced_by_an_empty_one`).

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use store::Store;
use types::DatabaseMark;
use work::durable;

use super::migrations;
use crate::{config::Config, home::Home};

/// How often it is written down how far the database has come.
const REMEMBER_EVERY: Duration = Duration::from_secs(60);

/// What shows that there was a cloud: each is made after the tables were.
const TRACES: &[&str] = &[
    "database.json",
    "secrets/fernet-keys",
    "secrets/credential-keys",
    "fleet/authority",
    "images/file",
    "objects",
    "node/machines",
];

pub async fn open(home: &Home, config: &Config) -> anyhow::Result<Store> {
    let url = config.database_url(home);
    let traces = traces(home);
    if let Some(path) = url.strip_prefix("sqlite:").map(Path::new)
        && let Some(state) = lost(path)
    {
        refuse_to_begin(home, &traces, &format!("the database {} {state}", path.display()))?;
    }
    let settings = config.database.settings()?;
    let store = Store::open_with(&url, &settings).await.with_context(|| format!("open the database; {}", ways_out(home)))?;
    if store.is_new().await.context("look into the database")? {
        let name = url.split('@').next_back().unwrap_or_default();
        let name =
            url.strip_prefix("sqlite:").map_or_else(|| format!("the database at {name}"), |path| format!("the database {path}"));
        refuse_to_begin(home, &traces, &format!("{name} has no tables"))?;
    }
    store.migrate(&migrations()).await.context("bring the tables up to date")?;
    compare(home, &store).await?;
    Ok(store)
}

/// Writes down from time to time how far the database has come, until it is dropped.
pub async fn keep_remembering(home: Home, store: Store) {
    loop {
        tokio::time::sleep(REMEMBER_EVERY).await;
        if let Err(error) = remember(&home, &store).await {
            tracing::warn!(%error, "how far the database has come is not written down");
        }
    }
}

pub async fn remember(home: &Home, store: &Store) -> anyhow::Result<()> {
    let (path, mark) = (note(home), store.mark().await?);
    if read_note(&path)?.as_ref() == Some(&mark) {
        return Ok(());
    }
    let json = serde_json::to_vec_pretty(&mark)?;
    tokio::task::spawn_blocking(move || durable::write(&path, &json).with_context(|| format!("write {}", path.display()))).await?
}

/// Where it stands which database this cloud has.
pub fn note(home: &Home) -> PathBuf {
    home.state.join("database.json")
}

/// Refuses another database than the one that this cloud began with, and notices an earlier copy of it.
async fn compare(home: &Home, store: &Store) -> anyhow::Result<()> {
    if let Some(seen) = read_note(&note(home))? {
        let found = store.mark().await?;
        if seen.database != found.database {
            bail!(
                "this is the database {}, but the cloud in {} has the database {}: set database.url right; {}",
                found.database,
                home.state.display(),
                seen.database,
                ways_out(home)
            );
        }
        if store.compare(&seen, "this controller").await? {
            tracing::warn!(
                "the database was put back to an earlier state. What it does not know of is kept; `ferrostack strays` lists it"
            );
        }
    }
    remember(home, store).await
}

fn read_note(path: &Path) -> anyhow::Result<Option<DatabaseMark>> {
    match fs::read(path) {
        Ok(json) => Ok(Some(serde_json::from_slice(&json).with_context(|| format!("understand {}", path.display()))?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

/// Why there is nothing to open.
fn lost(path: &Path) -> Option<&'static str> {
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some("is not there"),
        Ok(file) if file.len() == 0 => Some("is an empty file"),
        _ => None,
    }
}

fn refuse_to_begin(home: &Home, traces: &[&str], lost: &str) -> anyhow::Result<()> {
    if traces.is_empty() {
        return Ok(());
    }
    bail!("{lost}, but of an earlier start there is {} in {}: {}", traces.join(", "), home.state.display(), ways_out(home))
}

fn ways_out(home: &Home) -> String {
    format!(
        "put it back from a backup (with its `-wal` beside it, if the copy has one); or, if it is lost for good, run `ferrostack \
         set-aside`, which moves what is left in {} into a folder of its own, so that the next start begins an empty cloud",
        home.state.display()
    )
}

fn traces(home: &Home) -> Vec<&'static str> {
    TRACES.iter().copied().filter(|trace| holds_something(&home.state.join(trace))).collect()
}

fn holds_something(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.is_file(),
    }
}
