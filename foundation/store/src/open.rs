// SPDX-License-Identifier: Apache-2.0
//! Opening a database, and bringing its tables up to date.

use std::sync::Arc;

use crate::hub::Hub;
use crate::migrate::{self, Migrations, model};
use crate::postgres::PostgresSettings;
use crate::shared::{Shared, on_blocking_thread};
use crate::store::{Backend, Store};
use crate::{Error, Result, identity, postgres, sqlite};

impl Store {
    /// Opens `sqlite:/path/file.db` (made if missing) or `postgres://user:password@host/database`.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, &PostgresSettings::default()).await
    }

    /// The same, with other deadlines and other TLS for PostgreSQL.
    pub async fn open_with(url: &str, settings: &PostgresSettings) -> Result<Self> {
        metrics::describe_counter!("store_commits_total", "Transactions that were committed");
        metrics::describe_counter!("store_writes_total", "Writes that were acknowledged; several may share a commit");
        metrics::describe_counter!("store_statements_total", "Statements that rooms ran, those of retries included");
        metrics::describe_counter!("store_retries_total", "Transactions that PostgreSQL asked to run again");
        let shared = Arc::new(Shared { counters: Arc::default(), hub: Hub::new(url.starts_with("sqlite:")) });
        let refused = || {
            // Not repeated whole: it may hold a password.
            let scheme = url.split(':').next().unwrap_or_default();
            Error::Url { url: format!("{scheme}:…") }
        };
        let backend = if let Some(path) = url.strip_prefix("sqlite:") {
            // Made absolute, so that no name such as `:memory:` means anything special to SQLite.
            let path = path.strip_prefix("//").unwrap_or(path);
            let path = std::path::absolute(path).map_err(|_| refused())?;
            let shared = Arc::clone(&shared);
            Backend::Sqlite(on_blocking_thread(move || sqlite::Sqlite::open(path, shared)).await??)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Backend::Postgres(postgres::Postgres::open(url, settings, Arc::clone(&shared)).await?)
        } else {
            return Err(refused());
        };
        let store = Self::new(backend, shared);
        store.read(migrate::refuse_newer_store).await?;
        Ok(store)
    }

    /// Brings the tables of these rooms up to date, all or nothing. Steps that ran before are left alone. A database in
    /// which something is missing that they made is refused.
    pub async fn migrate(&self, sets: &[Migrations]) -> Result<()> {
        let sets = migrate::with_own(sets);
        self.upgrade(migrate::ensure_ledger).await?;
        self.upgrade(move |tx| {
            let is_new = migrate::apply(tx, &sets)?;
            model::ensure_whole(tx, &sets, is_new)?;
            identity::ensure(tx)
        })
        .await?;
        // The reader has begun before anybody is told to rely on it.
        self.hub().current().await
    }
}
