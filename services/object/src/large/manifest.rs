// SPDX-License-Identifier: Apache-2.0
//! The list of an object's segments: as it is kept, as it is shown, as clients write it.

use api::Fault;
use bytes::Bytes;
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::Part;
use crate::{
    Error, Objects,
    data::{self, Data},
    place::{self, Place},
    range::Ranges,
};

/// As it is kept and shown, in the words of Swift.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Segment {
    /// `/container/object`
    pub name: String,
    pub bytes: u64,
    pub hash: String,
    pub content_type: String,
    pub last_modified: String,
    /// `0-9`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sub_slo: bool,
}

/// As clients write it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
}

impl Segment {
    pub fn place(&self, beside: &Place) -> Result<Place, Error> {
        let name = self.name.strip_prefix('/').unwrap_or(&self.name);
        let (container, object) = name.split_once('/').ok_or(Error::NotFound)?;
        beside.in_container(container, object)
    }

    /// Which of its bytes; all of them, if it does not say.
    pub fn part(&self, beside: &Place) -> Result<Part, Error> {
        let range = match &self.range {
            None => 0..self.bytes,
            Some(range) => match Ranges::parse(Some(&format!("bytes={range}")), self.bytes) {
                Ranges::Some(ranges) if ranges.len() == 1 => ranges[0].clone(),
                _ => return Err(Error::invalid("A segment's range is one range within it.")),
            },
        };
        let (etag, size) = (self.hash.clone(), self.bytes);
        Ok(Part { place: self.place(beside)?, range, etag, size })
    }
}

pub fn wishes(bytes: &[u8]) -> Result<Vec<Wish>, Error> {
    let wishes: Vec<Wish> = serde_json::from_slice(bytes).map_err(|error| {
        Error::Invalid(format!("The manifest is a JSON list of segments with their path, etag and size_bytes: {error}"))
    })?;
    match wishes.len() {
        0 => Err(Error::invalid("The manifest lists no segments.")),
        count if count > crate::limits::SEGMENTS => {
            Err(Error::TooLarge(format!("Number of segments must be <= {}", crate::limits::SEGMENTS)))
        }
        _ => Ok(wishes),
    }
}

/// Where a wish points to.
pub fn place_of(wish: &Wish, beside: &Place) -> Result<Place, Error> {
    let path = wish.path.strip_prefix('/').unwrap_or(&wish.path);
    let bad = || Error::Invalid(format!("'{}' is not of the form /container/object.", wish.path));
    let (container, object) = path.split_once('/').filter(|(c, o)| !c.is_empty() && !o.is_empty()).ok_or_else(bad)?;
    if place::name(&wish.path).is_err() {
        return Err(bad());
    }
    beside.in_container(container, object)
}

pub fn stored(bytes: &[u8]) -> Result<Vec<Segment>, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Data(contracts::Refusal::internal(format!("read a manifest: {error}"))))
}

pub fn parts(beside: &Place, bytes: &[u8]) -> Result<Vec<Part>, Error> {
    stored(bytes)?.iter().map(|segment| segment.part(beside)).collect()
}

/// As it would be put again.
pub fn raw(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let wishes: Vec<Wish> = stored(bytes)?
        .into_iter()
        .map(|segment| Wish {
            path: segment.name,
            etag: Some(segment.hash),
            size_bytes: Some(segment.bytes),
            range: segment.range,
        })
        .collect();
    serde_json::to_vec(&wishes).map_err(Fault::internal)
}

/// All of it: it is never long.
pub async fn bytes(room: &Objects, data: &Data) -> Result<Bytes, Error> {
    let chunks: Vec<Bytes> = data::read(room, data, 0..data.size)
        .try_collect()
        .await
        .map_err(|error| Error::Data(contracts::Refusal::internal(format!("read a manifest: {error}"))))?;
    Ok(chunks.concat().into())
}
