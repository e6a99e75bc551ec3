// SPDX-License-Identifier: Apache-2.0
//! The data of objects, beside the bytes themselves: what is small lies in its row, all else in pieces that somebody else
//! keeps (`contracts::data`).
//!
//! Bytes come in under an owner that is noted ahead. The transaction that names their pieces strikes the note out; one that
//! gives them up strikes it out, too, so that exactly one of both happens. Data is shared by what holds it and is never changed;
//! when its last holder goes, its pieces are written down as released, in the same transaction.
//!
//! Invariant: what a crash leaves of an upload goes, and nothing else (test: `a_crash_at_any_point_loses_and_leaves_nothing`).

mod audit;
mod hash;
mod owners;
mod read;
mod released;
pub mod table;
mod take;

pub use audit::{audit, remove_stray};
pub use owners::Owners;
pub use read::{Readers, read};
pub use released::Releaser;
pub use take::{Arriving, Taken, take, take_in_pieces};

use bytes::Bytes;
use contracts::data::Piece;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::without_routes("data");

/// What is at most this long lies in its row: it costs no second write, and no file is opened to read it.
pub const SMALL: usize = 16 << 10;

/// Data, and where it lies.
#[derive(Debug, Clone)]
pub struct Data {
    pub id: String,
    pub size: u64,
    pub lies: Lies,
}

#[derive(Debug, Clone)]
pub enum Lies {
    Here(Bytes),
    InPieces(Vec<Piece>),
}
