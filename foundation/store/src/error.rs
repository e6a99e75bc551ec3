// SPDX-License-Identifier: Apache-2.0
//! What can go wrong, in words that an operator or a room can act on.
//!
//! Errors are `Clone` because a commit that fails fails for every writer of its group.

use std::path::PathBuf;
use std::sync::Arc;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whatever the engine itself said.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    // What a room expects and answers.
    #[error("the row is not as it was read: somebody changed or deleted it in between")]
    Conflict,
    #[error("a row with the same {} exists in {table} already", columns.join(", "))]
    Unique { table: String, columns: Vec<String> },
    #[error("a row that {table} refers to does not exist, or is still referred to")]
    ForeignKey { table: String },
    #[error("a value breaks a rule of the table: {rule}")]
    Constraint { rule: String },
    #[error("the query found no row where there must be one")]
    NoRow,
    #[error("no row has the marker's id")]
    MarkerNotFound,

    #[error("the query has more than {most} {what}")]
    TooWide { what: &'static str, most: usize },
    #[error("another controller has the lead, so this one must not do it")]
    NotLeading,

    // Mistakes of the code that uses the store.
    #[error("column {index} is {found}, not {wanted}")]
    Column { index: usize, wanted: &'static str, found: &'static str },
    #[error("column {index} holds JSON of another shape")]
    Json {
        index: usize,
        #[source]
        source: Arc<serde_json::Error>,
    },
    #[error("an earlier statement of this transaction failed, so nothing of it can be kept")]
    Aborted,
    #[error("the transaction's closure panicked: {message}")]
    Panicked { message: String },

    // What an operator sees when the store does not open.
    #[error("{sentence}")]
    Settings { sentence: String },
    #[error("`{url}` is not a store: write sqlite:/path/file.db or postgres://user:password@host/database")]
    Url { url: String },
    #[error("open database {} for writing", path.display())]
    Unwritable {
        path: PathBuf,
        #[source]
        source: Cause,
    },
    #[error("another ferrostack{holder} uses database {}", path.display())]
    InUse { path: PathBuf, holder: String },
    #[error("{} is not a database of ferrostack's: the file has another format", path.display())]
    NotADatabase { path: PathBuf },
    #[error("database {} is damaged ({detail}); restore it from a backup", path.display())]
    Corrupt { path: PathBuf, detail: String },
    #[error("the database is not whole ({missing} is missing, which an earlier start made); restore it from a backup")]
    NotWhole { missing: String },
    #[error("the tables of `{room}` are at step {found}, this ferrostack knows only {known}: a newer version wrote them")]
    NewerSchema { room: String, found: u32, known: u32 },
    #[error("migration {number} ({name}) of `{room}` was changed after this database had run it")]
    MigrationChanged { room: String, number: u32, name: String },
    #[error("apply migration {number} ({name}) of `{room}`")]
    Migration {
        room: String,
        number: u32,
        name: String,
        #[source]
        source: Box<Error>,
    },
    #[error("PostgreSQL is version {found}; ferrostack needs 13 or newer")]
    OldPostgres { found: String },

    // What passes, or what the machine must be asked about.
    #[error("the disk of the database is full: nothing was changed, and nothing can be until there is room again")]
    Full {
        #[source]
        source: Cause,
    },
    #[error("the database is busy: {reason}")]
    Busy { reason: &'static str },
    #[error("reach the database")]
    Unreachable {
        #[source]
        source: Cause,
    },
    #[error("the database did not say whether the change was kept")]
    InDoubt {
        #[source]
        source: Cause,
    },
    #[error("the store is closed")]
    Closed,
    #[error("{doing}")]
    Engine {
        doing: &'static str,
        #[source]
        source: Cause,
    },
}

impl Error {
    /// Whether this is the violation of a uniqueness rule that covers `column`.
    pub fn is_unique(&self, column: &str) -> bool {
        matches!(self, Self::Unique { columns, .. } if columns.iter().any(|name| name == column))
    }

    pub(crate) fn engine<E>(doing: &'static str, cause: E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        Self::Engine { doing, source: Arc::new(cause) }
    }

    pub(crate) fn panicked(payload: &(dyn std::any::Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Self::Panicked { message }
    }
}
