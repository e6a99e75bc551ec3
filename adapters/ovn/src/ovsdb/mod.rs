// SPDX-License-Identifier: Apache-2.0
//! An OVSDB client (RFC 7047 and the extensions of ovsdb-server(7)): one long-lived connection that keeps a replica of
//! the rows it watches, and composes transactions against them.

mod client;
mod datum;
mod follow;
mod remote;
mod replica;
mod schema;
mod session;
#[cfg(test)]
mod tests;
mod transaction;
pub(crate) mod wire;

pub use client::{Client, Watched};
pub use datum::{Atom, Datum};
pub(crate) use follow::Interest;
pub use follow::{Follower, Touched};
pub use remote::{Remote, TlsFiles};
pub use replica::{KeyedRow, Referrer, Replica, Row};
pub use schema::{ColumnType, Schema};
pub use transaction::{Outcome, Select, Transaction};
