// SPDX-License-Identifier: Apache-2.0
//! What can go wrong at this door, said so that the caller knows whether the thing happened.

use std::path::PathBuf;

/// An error of the OVN and Open vSwitch adapter.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was sent: trying again later is always right.
    #[error("{remote} is not available: {why}")]
    Unavailable { remote: String, why: String },

    /// The request was sent and no answer came: it may or may not have happened.
    #[error("the connection to {remote} broke before it answered, so whether the request took effect is unknown")]
    Interrupted { remote: String },

    /// The database understood and said no; nothing of the transaction took effect.
    #[error("{database} refused {operation}: {error}: {details}")]
    Refused { database: String, operation: String, error: String, details: String },

    /// Somebody else kept changing the same rows between our look and our write.
    #[error("rows of {scope} kept changing under us; gave up after {attempts} attempts")]
    Contended { scope: String, attempts: u32 },

    /// What we were asked to write is older than what the database already holds.
    #[error("generation {ours} of {scope} is older than generation {theirs} in the database")]
    Stale { scope: String, ours: u64, theirs: u64 },

    /// The lead that we write for is over.
    #[error("lead {ours} is over: the database was written to by lead {theirs}")]
    Led { ours: u64, theirs: u64 },

    /// A desired row names another that is neither desired nor in the database.
    #[error("{row} needs {missing}, which does not exist")]
    MissingRow { row: String, missing: String },

    /// A desired row contradicts itself or the schema.
    #[error("{row} cannot be written: {why}")]
    Malformed { row: String, why: String },

    /// A name that must exist in the local switch does not.
    #[error("there is no {kind} named {name} in the local Open vSwitch")]
    NoSuch { kind: &'static str, name: String },

    /// ovs-vswitchd could not take a device into its bridge.
    #[error("port {port} cannot be attached: {why}")]
    NotAttached { port: String, why: String },

    /// The awaited state did not come in time.
    #[error("waited in vain for {what}")]
    DeadlinePassed { what: String },

    /// An address that cannot be understood.
    #[error("{text:?} is no OVSDB address: {why}")]
    Address { text: String, why: String },

    /// A certificate, key or authority file that cannot be used.
    #[error("cannot use TLS file {path}: {why}")]
    TlsFile { path: PathBuf, why: String },

    /// A file or directory of a daemon that cannot be used.
    #[error("cannot {act} {path}")]
    File { act: &'static str, path: PathBuf, source: std::io::Error },

    /// A program that is not installed where programs live.
    #[error("{program} is not installed: install {package}")]
    NotInstalled { program: &'static str, package: &'static str },

    /// A database file that is damaged. It is left exactly as it is.
    #[error("database {path} is damaged and was left untouched: {what}; restore a copy, or move it away to start empty")]
    DamagedDatabase { path: PathBuf, what: String },

    /// A helper program that failed.
    #[error("{program} failed: {output}")]
    Program { program: String, output: String },

    /// A process operation that the kernel refused.
    #[error("cannot {act} process {pid}")]
    Process { act: &'static str, pid: i32, source: std::io::Error },
}

/// The result of everything in this adapter.
pub type Result<T> = std::result::Result<T, Error>;
