// SPDX-License-Identifier: Apache-2.0
//! A bucket of any service that speaks S3: put a file, get it or a part of it, delete it.
//!
//! Large files go up in parts, one at a time, so that memory stays flat; an upload that was cut short leaves parts which
//! the service keeps and charges for, and [`Bucket::abandon_uploads`] takes them away.

mod bucket;
mod error;
mod sign;
#[cfg(test)]
mod tests;
mod xml;

pub use bucket::{Bucket, BucketAt, Listed, Style};
pub use error::Error;
pub use sign::Keys;
