// SPDX-License-Identifier: Apache-2.0
//! The store: every room's tables, on SQLite (embedded, the default) or PostgreSQL (several controllers).
//!
//! One interface and one behaviour suite for both. A write is acknowledged only when it is durable; on SQLite
//! concurrent writers share one fsync. Each change records its event in its own transaction, which wakes whoever
//! watches that kind of resource. See the README beside this crate.

mod error;
mod event;
mod hub;
mod id;
pub mod identity;
mod job;
pub mod lead;
mod migrate;
mod open;
mod page;
mod postgres;
mod row;
mod session;
mod shared;
mod sqlite;
mod store;
mod stream;
mod term;
#[cfg(test)]
mod tests;
mod thing;
mod tx;
mod value;

pub use error::{Cause, Error, Result};
pub use event::{Actor, Change, Event, EventFilter, EventPage, Personal, StoredEvent};
pub use hub::{Heeding, Wake};
pub use migrate::{Migrations, Step};
pub use page::{Direction, Select};
pub use postgres::{PostgresSettings, TlsMode, TlsSettings};
pub use row::Row;
pub use session::Engine;
pub use store::Store;
pub use stream::{Heard, Subscription};
pub use thing::{Thing, Touched};
pub use tx::Tx;
pub use value::{FromValue, Value, ValueRef};
