// SPDX-License-Identifier: Apache-2.0
//! Where the bytes of objects lie. [`Segments`] appends them to large files in a folder; [`Bucket`] puts them into a bucket of
//! any service that speaks S3. What they belong to is not known here.
//!
//! A segment is a file that only grows. Uploads that end at the same time share one `fdatasync`. A piece, which is a run of
//! bytes behind a head with a checksum for each 64 KiB, never moves: what is given up becomes a hole in the file, which takes
//! no space, and a file that is nothing but hole goes. So the index never has to follow, and nothing is copied to make room.
//!
//! The head of a piece is written last, when the whole upload has come. So whatever lies in a segment without a head was never
//! handed out to anybody, and a start after a crash may take it away.

mod bucket;
mod error;
mod files;
mod lane;
mod layout;
mod piece;
mod put;
mod read;
mod recover;
mod scan;
mod segment;
mod segments;
mod space;
mod sums;
#[cfg(test)]
mod tests;

pub use bucket::Bucket;
pub use error::Error;
pub use segments::{Segments, Settings};
