// SPDX-License-Identifier: Apache-2.0
//! An empty store of its own for each test.

use tempfile::TempDir;

use crate::{Migrations, Step, Store};

pub(super) struct Fixture {
    pub(super) store: Store,
    pub(super) url: String,
    pub(super) _dir: Option<TempDir>,
}

pub(super) const TABLES: Migrations = Migrations::new("tests", &[THINGS]);

pub(super) const THINGS: Step = Step {
    number: 1,
    name: "things",
    sql: "-- A table with one of each; 'quoted TEXT' stays as it is.
              CREATE TABLE owners (id TEXT PRIMARY KEY);
              CREATE TABLE things (
                  id         TEXT PRIMARY KEY,
                  project_id TEXT NOT NULL,
                  name       TEXT,
                  size       BIGINT,
                  created_at BIGINT NOT NULL DEFAULT 0,
                  generation BIGINT NOT NULL DEFAULT 1,
                  enabled    BIGINT NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
                  data       BLOB,
                  note       TEXT NOT NULL DEFAULT 'INTEGER TEXT BLOB',
                  owner_id   TEXT REFERENCES owners (id) DEFERRABLE INITIALLY DEFERRED,
                  UNIQUE (project_id, name)
              );",
};

impl Fixture {
    /// Opens the same database once more, after the first handle is gone.
    pub(super) async fn reopen(self) -> Self {
        let Self { store, url, _dir } = self;
        drop(store);
        let store = Store::open(&url).await.unwrap();
        Self { store, url, _dir }
    }
}

pub(super) async fn sqlite() -> Fixture {
    let dir = TempDir::new().unwrap();
    let url = format!("sqlite:{}", dir.path().join("store.db").display());
    migrated(url, Some(dir)).await
}

pub(super) async fn postgres() -> Fixture {
    migrated(database::new_postgres_database().await, None).await
}

async fn migrated(url: String, dir: Option<TempDir>) -> Fixture {
    let store = Store::open(&url).await.unwrap();
    store.migrate(&[TABLES]).await.unwrap();
    Fixture { store, url, _dir: dir }
}
