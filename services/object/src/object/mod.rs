// SPDX-License-Identifier: Apache-2.0
//! An object: a name in a container, data, and what is said of it.

mod answer;
mod api;
mod condition;
mod copy;
mod delete;
pub mod facts;
mod put;
mod read;
pub mod table;

use serde::{Deserialize, Serialize};
use types::Timestamp;

use crate::metadata::Metadata;

pub use answer::{object as answer, page};
pub use delete::delete;
pub use put::{Content, Put, Wanted, admit, commit};
pub use read::{Content as Readable, Found, find, look};
pub use table::Shown;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("object", api::routes);

#[derive(Debug, Clone)]
pub struct Object {
    pub name: String,
    pub data: String,
    /// Bytes of its own, which are counted.
    pub size: u64,
    /// Bytes that a reader gets: of a manifest those of its segments.
    pub shown_size: u64,
    pub etag: String,
    pub kind: Kind,
    pub content_type: String,
    pub words: Words,
    /// When it was put, or when what is said of it was changed last.
    pub stamp: Timestamp,
    /// From then on it is not there any more.
    pub delete_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    /// Its data is the list of the segments that it consists of: Swift's SLO.
    Manifest,
    /// It consists of all that begins with what its header says: Swift's DLO.
    Prefix,
}

/// What is said of an object: by whoever put it, and in headers that go out as they came in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    pub metadata: Metadata,
    pub headers: Metadata,
}

/// Headers that are kept with an object.
pub const KEPT: [&str; 7] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-object-manifest",
    "x-robots-tag",
];

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Manifest => "manifest",
            Self::Prefix => "prefix",
        }
    }

    pub fn of_word(word: &str) -> Self {
        match word {
            "manifest" => Self::Manifest,
            "prefix" => Self::Prefix,
            _ => Self::Plain,
        }
    }
}
