// SPDX-License-Identifier: Apache-2.0
//! Durable writes a second. One disk can only sync so often; the store's writers share each sync, so 64 of them at once
//! should get far more done than the disk has syncs.

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use store::{Actor, Event, Migrations, Step, Store, Tx, Value};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    Plan,
    report::{Line, Report},
};

const WRITERS: usize = 64;

/// What both write: an id, an owner, a name, and as much else as a small resource has.
const TABLE: &str =
    "CREATE TABLE bench_things (id TEXT PRIMARY KEY, project_id TEXT NOT NULL, name TEXT NOT NULL, note TEXT NOT NULL)";
const INSERT: &str = "INSERT INTO bench_things (id, project_id, name, note) VALUES ($1, $2, $3, $4)";
const NOTE: &str = "A note of the length of a description, with which the row is about as large as that of a small resource.";

const MIGRATIONS: Migrations = Migrations::new("bench", &[Step { number: 1, name: "things", sql: TABLE }]);

/// Rounds of each, in writes a second.
#[derive(Default)]
struct Rounds {
    appends: Vec<f64>,
    inserts: Vec<f64>,
    rows: Vec<f64>,
    events: Vec<f64>,
    group: Vec<f64>,
}

pub async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let dir = tempfile::tempdir_in(&plan.dir).with_context(|| format!("make a folder in {}", plan.dir.display()))?;
    let store = Store::open(&format!("sqlite:{}", dir.path().join("store.db").display())).await?;
    store.migrate(&[MIGRATIONS]).await?;
    let raw = raw_database(dir.path())?;

    let mut rounds = Rounds::default();
    for _ in 0..plan.rounds {
        rounds.appends.push(appends(dir.path(), plan.turn)?);
        rounds.inserts.push(inserts(&raw, plan.turn)?);
        let (commits, writes) = (store.commits(), store.writes());
        rounds.rows.push(writers(&store, plan.turn, insert_row).await?);
        rounds.group.push((store.writes() - writes) as f64 / (store.commits() - commits).max(1) as f64);
        rounds.events.push(writers(&store, plan.turn, insert_row_with_event).await?);
    }

    report.title(&format!("writes: durable, {WRITERS} writers on SQLite, in {}", plan.dir.display()));
    let line = |name: &str, rounds: &[f64]| Line::new("writes", name, "/s", rounds);
    report.line(&line("a row a write", &rounds.rows).over("one INSERT a transaction", &rounds.inserts).at_least(5.0, 15.0));
    report.line(&line("a row and its event a write", &rounds.events).over("one INSERT a transaction", &rounds.inserts));
    report.line(&line("a row a write", &rounds.rows).over("4 KiB appended and synced", &rounds.appends));
    report.line(&Line::new("writes", "writes that share a sync", "", &rounds.group));
    Ok(())
}

/// The store at work: each writer waits for its write to be durable before it asks for the next.
async fn writers(store: &Store, turn: Duration, write: fn(&mut Tx) -> store::Result<()>) -> anyhow::Result<f64> {
    let done = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    let began = Instant::now();
    for _ in 0..WRITERS {
        let (store, done) = (store.clone(), Arc::clone(&done));
        writers.spawn(async move {
            while began.elapsed() < turn {
                store.write(write).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, store::Error>(())
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
}

fn insert_row(tx: &mut Tx) -> store::Result<()> {
    insert(tx).map(drop)
}

fn insert_row_with_event(tx: &mut Tx) -> store::Result<()> {
    let id = insert(tx)?;
    tx.record(Event {
        actor: Actor::system("bench"),
        action: "thing.create".to_owned(),
        resource_type: "thing",
        after: Some(serde_json::json!({"id": id, "name": "thing", "note": NOTE})),
        resource_id: id,
        project_id: None,
        before: None,
    })
}

fn insert(tx: &mut Tx) -> store::Result<String> {
    let id = Uuid::new_v4().to_string();
    let text = |text: &str| Value::Text(text.to_owned());
    tx.execute(INSERT, &[text(&id), text("3b0c6f0e6a5c4bb1a9d0c3a4e8f7d612"), text("thing"), text(NOTE)])?;
    Ok(id)
}

/// The same engine with the same promise, used the plain way.
fn raw_database(dir: &Path) -> anyhow::Result<rusqlite::Connection> {
    let raw = rusqlite::Connection::open(dir.join("raw.db"))?;
    raw.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    raw.execute_batch(TABLE)?;
    Ok(raw)
}

/// What the plain way comes to on this disk.
pub fn one_insert_a_transaction(dir: &Path, turn: Duration) -> anyhow::Result<f64> {
    inserts(&raw_database(dir)?, turn)
}

fn inserts(raw: &rusqlite::Connection, turn: Duration) -> anyhow::Result<f64> {
    let mut statement = raw.prepare(INSERT)?;
    rate(turn, || {
        let id = Uuid::new_v4().to_string();
        statement.execute((&id, "3b0c6f0e6a5c4bb1a9d0c3a4e8f7d612", "thing", NOTE))?;
        Ok(())
    })
}

/// The disk itself, without any database.
fn appends(dir: &Path, turn: Duration) -> anyhow::Result<f64> {
    let mut file = File::create(dir.join("appended"))?;
    let page = [0x5a; 4096];
    rate(turn, || {
        file.write_all(&page)?;
        file.sync_data()?;
        Ok(())
    })
}

fn rate(turn: Duration, mut once: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut done = 0;
    while began.elapsed() < turn {
        once()?;
        done += 1;
    }
    Ok(f64::from(done) / began.elapsed().as_secs_f64())
}
