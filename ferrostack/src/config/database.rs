// SPDX-License-Identifier: Apache-2.0
//! `[database]`: where the tables are, and for a PostgreSQL how it is reached and how long it is waited for.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use store::{PostgresSettings, TlsMode, TlsSettings};

/// All but the first is about PostgreSQL. The defaults are right for a server in the same building.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `postgres://user:password@host/database`; embedded SQLite in the state directory when empty.
    pub url: String,
    /// How many connections one controller holds at most, besides two of its own.
    pub connections: usize,
    /// For a connection to be made.
    pub connect_seconds: u64,
    /// For one statement; at the server, too.
    pub statement_seconds: u64,
    /// For one transaction with all its waiting: after this a request is answered with 503.
    pub transaction_seconds: u64,
    /// How long the server may leave packets unacknowledged before the connection counts as lost.
    pub silence_seconds: u64,
    /// `disable`, `prefer`, `require`, `verify-ca` or `verify-full`, as libpq's `sslmode`. When empty: as the URL says; else
    /// `verify-full` where `tls_authority` is set, and `prefer` where it is not.
    pub tls: String,
    /// PEM file of those who may vouch for the server; `system` for those that this host trusts.
    pub tls_authority: Option<PathBuf>,
    /// PEM files; our own certificate, if the server asks for one.
    pub tls_certificate: Option<PathBuf>,
    pub tls_private_key: Option<PathBuf>,
}

impl Default for Database {
    fn default() -> Self {
        let defaults = PostgresSettings::default();
        Self {
            url: String::new(),
            connections: defaults.connections,
            connect_seconds: defaults.connect.as_secs(),
            statement_seconds: defaults.statement.as_secs(),
            transaction_seconds: defaults.transaction.as_secs(),
            silence_seconds: defaults.silence.as_secs(),
            tls: String::new(),
            tls_authority: None,
            tls_certificate: None,
            tls_private_key: None,
        }
    }
}

impl Database {
    pub fn settings(&self) -> anyhow::Result<PostgresSettings> {
        let mode =
            match self.tls.as_str() {
                "" => None,
                word => Some(TlsMode::parse(word).with_context(|| {
                    format!("database.tls is disable, prefer, require, verify-ca or verify-full, not {word:?}")
                })?),
            };
        Ok(PostgresSettings {
            connections: self.connections,
            connect: Duration::from_secs(self.connect_seconds),
            statement: Duration::from_secs(self.statement_seconds),
            transaction: Duration::from_secs(self.transaction_seconds),
            silence: Duration::from_secs(self.silence_seconds),
            tls: TlsSettings {
                mode,
                authority: self.tls_authority.clone(),
                certificate: self.tls_certificate.clone(),
                private_key: self.tls_private_key.clone(),
            },
        })
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.settings()?;
        let seconds = [self.connect_seconds, self.statement_seconds, self.transaction_seconds, self.silence_seconds];
        if self.connections == 0 || seconds.contains(&0) {
            bail!("database.connections and the seconds in [database] are at least 1");
        }
        if self.statement_seconds > self.transaction_seconds {
            bail!("database.statement_seconds is no more than database.transaction_seconds");
        }
        Ok(())
    }
}
