// SPDX-License-Identifier: Apache-2.0
//! What the S3 door needs of the object room: the same accounts, containers and objects that Swift's API shows, as plain calls.
//! A bucket is a container of the caller's project.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use types::Timestamp;

use crate::{BoxFuture, caller::Caller, data::Incoming, images::Chunks};

/// Who asks.
pub type Who = Arc<Caller>;

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    pub bucket: String,
    pub key: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketFacts {
    pub name: String,
    pub created_at: Timestamp,
}

/// What whoever put an object says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Guessed from the name, if none is said.
    pub content_type: Option<String>,
    /// Headers that go out as they came in, by their names in small letters: `cache-control`, …
    pub headers: BTreeMap<String, String>,
    /// By name, without a prefix.
    pub metadata: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub changed_at: Timestamp,
    pub said: Said,
}

/// An object, and the way to its bytes.
pub struct Opened {
    pub facts: ObjectFacts,
    /// A part of them. Who asked may read it as long as he holds this.
    pub read: Box<dyn FnOnce(Range<u64>) -> Chunks + Send + Sync>,
}

/// What a page of another site may do with a bucket by its visitor's browser, as the bucket's owner has said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The site, or `*`.
    pub allowed: String,
    pub exposed: Option<String>,
    pub max_age: Option<String>,
}

/// Of an object that is put.
#[derive(Debug, Clone, Default)]
pub struct NewObject {
    pub said: Said,
    /// If it is known.
    pub length: Option<u64>,
    /// Only if there is none of this name.
    pub if_none: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub etag: String,
    pub changed_at: Timestamp,
}

/// What a list was asked for.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub prefix: String,
    /// What has this behind the prefix is folded up to it.
    pub delimiter: Option<String>,
    /// Behind this name, or all that is folded into it.
    pub after: Option<String>,
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Object { key: String, size: u64, etag: String, changed_at: Timestamp },
    Folder(String),
}

/// An object that comes in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadFacts {
    pub id: String,
    pub key: String,
    pub begun_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartFacts {
    pub number: u32,
    pub size: u64,
    pub etag: String,
    pub put_at: Timestamp,
}

/// Why not. The door knows S3's word and status for each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("The bucket does not exist.")]
    NoBucket,
    #[error("The object does not exist.")]
    NoObject,
    #[error("The upload does not exist; it may have been completed or aborted.")]
    NoUpload,
    #[error("The bucket is not empty.")]
    NotEmpty,
    #[error("Access denied.")]
    Forbidden,
    #[error("There is an object of this name.")]
    IsThere,
    #[error("A part that was named is not there, or is not what it was said to be.")]
    BadPart,
    #[error("The parts do not stand in the order of their numbers.")]
    BadOrder,
    #[error("A part, the last one aside, is smaller than 5 MiB.")]
    SmallPart,
    #[error("{0}")]
    TooLarge(String),
    #[error("{0}")]
    Invalid(String),
    #[error("The bytes broke off: {0}")]
    BrokeOff(String),
    #[error("The bytes did not come in time.")]
    TimedOut,
    #[error("There is no space left for objects.")]
    Full,
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Internal(String),
}

type Answer<'a, T> = BoxFuture<'a, Result<T, Refused>>;

pub trait Objects: Send + Sync {
    fn buckets<'a>(&'a self, who: &'a Who) -> Answer<'a, Vec<BucketFacts>>;

    /// Answers whether it was made; false: it was there.
    fn create_bucket<'a>(&'a self, who: &'a Who, bucket: &'a str) -> Answer<'a, bool>;

    fn bucket<'a>(&'a self, who: &'a Who, bucket: &'a str) -> Answer<'a, BucketFacts>;

    /// Whether pages of this site may. It is no secret: browsers ask before they sign.
    fn origin<'a>(&'a self, who: &'a Who, bucket: &'a str, origin: &'a str) -> Answer<'a, Option<Origin>>;

    /// Whether anybody may read what is in it, by Swift's address.
    fn is_public<'a>(&'a self, who: &'a Who, bucket: &'a str) -> Answer<'a, bool>;

    fn delete_bucket<'a>(&'a self, who: &'a Who, bucket: &'a str) -> Answer<'a, ()>;

    fn list<'a>(&'a self, who: &'a Who, bucket: &'a str, page: Page) -> Answer<'a, Vec<Entry>>;

    fn open<'a>(&'a self, who: &'a Who, at: &'a At) -> Answer<'a, Opened>;

    /// It is there, for good, when this answers. Bytes that end with an error make nothing.
    fn put<'a>(&'a self, who: &'a Who, at: &'a At, new: NewObject, bytes: Incoming<'a>) -> Answer<'a, Stored>;

    /// The same object under another name; `said` replaces what was said of it.
    fn copy<'a>(&'a self, who: &'a Who, from: &'a At, to: &'a At, said: Option<Said>) -> Answer<'a, Stored>;

    /// Sees to it that it is gone; fine if it is.
    fn delete<'a>(&'a self, who: &'a Who, at: &'a At) -> Answer<'a, ()>;

    fn begin_upload<'a>(&'a self, who: &'a Who, at: &'a At, said: Said) -> Answer<'a, String>;

    /// Replaces the part of this number, if there is one.
    fn put_part<'a>(
        &'a self,
        who: &'a Who,
        at: &'a At,
        upload: &'a str,
        number: u32,
        length: Option<u64>,
        bytes: Incoming<'a>,
    ) -> Answer<'a, Stored>;

    /// The parts in their order, those with greater numbers than `after`.
    fn parts<'a>(&'a self, who: &'a Who, at: &'a At, upload: &'a str, after: u32, limit: usize) -> Answer<'a, Vec<PartFacts>>;

    /// By key and upload, those behind `after`.
    fn uploads<'a>(
        &'a self,
        who: &'a Who,
        bucket: &'a str,
        prefix: &'a str,
        after: Option<(String, String)>,
        limit: usize,
    ) -> Answer<'a, Vec<UploadFacts>>;

    /// The object is these parts, with these tags, one after the other.
    fn complete_upload<'a>(
        &'a self,
        who: &'a Who,
        at: &'a At,
        upload: &'a str,
        parts: Vec<(u32, String)>,
        if_none: bool,
    ) -> Answer<'a, Stored>;

    fn abort_upload<'a>(&'a self, who: &'a Who, at: &'a At, upload: &'a str) -> Answer<'a, ()>;
}
