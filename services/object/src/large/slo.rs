// SPDX-License-Identifier: Apache-2.0
//! A manifest comes, or goes with its segments.

use bytes::Bytes;
use md5::{Digest, Md5};
use serde::Serialize;
use store::Tx;

use super::manifest::{self, Segment, Wish};
use crate::{
    Error, Objects, bulk,
    data::{self, Data},
    grant::{Granted, Who, Writing},
    limits,
    object::{self, Content, Kind, Put, Wanted},
    place::Place,
};

/// What is wrong with which segment.
#[derive(Debug, Serialize)]
struct Wrong(String, String);

/// Keeps a manifest, if whoever puts it may read all that it names, and it is as he says.
pub async fn put(
    room: &Objects,
    who: &Who,
    granted: Granted<Writing>,
    place: &Place,
    wanted: Wanted,
    body: Bytes,
    expected: Option<&str>,
) -> Result<Put, Error> {
    let wishes = manifest::wishes(&body)?;
    let (asking, beside) = (who.clone(), place.clone());
    let looked = room.store.list(move |tx| look(tx, &asking, &beside, &wishes)).await?;
    let mut segments = Vec::with_capacity(looked.len());
    let mut wrong = Vec::new();
    for segment in looked {
        match segment {
            Ok(segment) => segments.push(segment),
            Err(Wrong(path, why)) => wrong.push(format!("{path}, {why}")),
        }
    }
    if !wrong.is_empty() {
        return Err(Error::Invalid(format!("Errors:\n{}", wrong.join("\n"))));
    }
    let parts = segments.iter().map(|segment| segment.part(place)).collect::<Result<Vec<_>, _>>()?;
    let lengths = parts.iter().map(|part| part.range.end - part.range.start);
    let shown_size = lengths.fold(0u64, u64::saturating_add);
    if shown_size > limits::LARGE {
        return Err(Error::TooLarge(format!("The segments come to more than {} bytes, which is the most here.", limits::LARGE)));
    }
    let etag = etag(&segments);
    if expected.is_some_and(|expected| expected != etag) {
        return Err(Error::Unprocessable(format!("The segments come to the ETag {etag}, which is not the one that was sent.")));
    }
    let list = serde_json::to_vec(&segments).map_err(|error| Error::Invalid(error.to_string()))?;
    let length = list.len() as u64;
    let chunks = futures_util::stream::iter([Ok(Bytes::from(list))]);
    let list = data::take(room, granted.project().as_str(), Some(length), u64::MAX, chunks).await?;
    let wanted = Wanted { kind: Kind::Manifest, ..wanted };
    object::commit(room, granted, place, wanted, Content::Manifest { list, shown_size, etag }).await
}

/// Of the marks of all segments, with the ranges of those that are not taken whole.
fn etag(segments: &[Segment]) -> String {
    let mut md5 = Md5::new();
    for segment in segments {
        match &segment.range {
            None => md5.update(&segment.hash),
            Some(range) => md5.update(format!("{}:{range};", segment.hash)),
        }
    }
    hex::encode(md5.finalize())
}

fn look(tx: &mut Tx, who: &Who, beside: &Place, wishes: &[Wish]) -> Result<Vec<Result<Segment, Wrong>>, Error> {
    wishes
        .iter()
        .map(|wish| {
            let place = manifest::place_of(wish, beside)?;
            match segment(tx, who, &place, wish) {
                Ok(found) => Ok(found.map_err(|why| Wrong(wish.path.clone(), why))),
                // What he may not read, and what is not there, looks the same.
                Err(Error::NotFound | Error::Unauthorized | Error::Forbidden) => {
                    Ok(Err(Wrong(wish.path.clone(), "404 Not Found".to_owned())))
                }
                Err(error) => Err(error),
            }
        })
        .collect()
}

fn segment(tx: &mut Tx, who: &Who, place: &Place, wish: &Wish) -> Result<Result<Segment, String>, Error> {
    let (_, found, _) = object::look(tx, who, place)?;
    if wish.etag.as_ref().is_some_and(|etag| etag.trim_matches('"') != found.etag) {
        return Ok(Err("Etag Mismatch".to_owned()));
    }
    if wish.size_bytes.is_some_and(|size| size != found.shown_size) {
        return Ok(Err("Size Mismatch".to_owned()));
    }
    if found.kind == Kind::Prefix {
        return Ok(Err("A dynamic large object cannot be a segment".to_owned()));
    }
    let segment = Segment {
        name: format!("/{}/{}", place.container, place.object),
        bytes: found.shown_size,
        hash: found.etag,
        content_type: found.content_type,
        last_modified: found.stamp.naive_micros(),
        range: wish.range.clone(),
        sub_slo: found.kind == Kind::Manifest,
    };
    Ok(if found.shown_size == 0 { Err("Too small; each segment must be at least 1 byte.".to_owned()) } else { Ok(segment) })
}

/// Removes the segments of a manifest, as far as whoever asks may, and then itself.
pub async fn delete(room: &Objects, who: &Who, place: &Place, data: &Data, at: types::Timestamp) -> Result<bulk::Outcome, Error> {
    let segments = manifest::stored(&manifest::bytes(room, data).await?)?;
    let mut outcome = bulk::Outcome::of_deletes();
    for segment in &segments {
        bulk::delete_one(room, who, &segment.place(place)?, at, &mut outcome).await?;
    }
    bulk::delete_one(room, who, place, at, &mut outcome).await?;
    Ok(outcome)
}
