// SPDX-License-Identifier: Apache-2.0
//! Objects that consist of others. Each part is read with the rights of whoever asks, when its turn comes: so a manifest that
//! names another's objects gives nothing away.
//!
//! Invariant: nobody reads by a manifest what he could not read himself (test: `a_manifest_gives_nothing_of_anothers_away`).

mod manifest;
mod prefix;
mod slo;

use std::{ops::Range, sync::Arc};

use contracts::{BoxFuture, images::Chunks};
use futures_util::{StreamExt, TryStreamExt, stream};
use md5::{Digest, Md5};

use crate::{
    Error, Objects,
    data::{self, Data},
    grant::Who,
    object,
    place::Place,
};

pub use manifest::{bytes, raw};
pub use prefix::of_prefix;
pub use slo::{delete, put};

/// How deep manifests may name manifests.
const DEPTH: usize = 10;

/// What a large object consists of, for one who asks.
#[derive(Clone)]
pub struct Parts {
    who: Who,
    list: Arc<Vec<Part>>,
    depth: usize,
}

#[derive(Debug, Clone)]
pub struct Part {
    pub place: Place,
    /// Of the object at that place.
    pub range: Range<u64>,
    /// What the object at that place was when it became a part; it must be that still.
    pub etag: String,
    pub size: u64,
}

impl Parts {
    pub fn size(&self) -> u64 {
        self.list.iter().map(|part| part.range.end - part.range.start).sum()
    }

    /// Of the marks of all parts.
    pub fn etag(&self) -> String {
        let mut md5 = Md5::new();
        self.list.iter().for_each(|part| md5.update(&part.etag));
        hex::encode(md5.finalize())
    }

    pub fn read(&self, room: &Objects, range: Range<u64>) -> Chunks {
        let mut start = 0;
        let mut wanted = Vec::new();
        for part in self.list.iter() {
            let length = part.range.end - part.range.start;
            let (first, last) = (range.start.max(start), range.end.min(start + length));
            if first < last {
                let within = part.range.start + (first - start)..part.range.start + (last - start);
                wanted.push((part.clone(), within));
            }
            start += length;
        }
        let (room, who, depth) = (room.clone(), self.who.clone(), self.depth);
        let parts = stream::iter(wanted).then(move |(part, within)| {
            let (room, who) = (room.clone(), who.clone());
            async move { open(&room, &who, &part, within, depth).await.map_err(std::io::Error::other) }
        });
        Box::pin(parts.try_flatten())
    }

    /// Whether the first part can be read: who asks is told before the first byte is sent.
    async fn check_first(&self, room: &Objects) -> Result<(), Error> {
        let Some(part) = self.list.iter().find(|part| !part.range.is_empty()) else { return Ok(()) };
        open(room, &self.who, part, part.range.start..part.range.start, self.depth).await.map(drop)
    }
}

/// A stretch of one part.
fn open<'a>(
    room: &'a Objects,
    who: &'a Who,
    part: &'a Part,
    within: Range<u64>,
    depth: usize,
) -> BoxFuture<'a, Result<Chunks, Error>> {
    Box::pin(async move {
        let (asking, at) = (who.clone(), part.place.clone());
        let (_, found, data) = room.store.read(move |tx| object::look(tx, &asking, &at)).await?;
        if found.etag != part.etag || (found.kind != object::Kind::Prefix && found.shown_size != part.size) {
            return Err(Error::Conflict(format!("The segment {} is not what it was.", part.place.object)));
        }
        match found.kind {
            object::Kind::Plain => Ok(data::read(room, &data, within)),
            _ if depth == 0 => Err(Error::Conflict("Max recursion depth exceeded".to_owned())),
            object::Kind::Manifest => {
                let list = manifest::parts(&part.place, &manifest::bytes(room, &data).await?)?;
                let parts = Parts { who: who.clone(), list: Arc::new(list), depth: depth - 1 };
                Ok(parts.read(room, within))
            }
            // As such it is but what it holds itself.
            object::Kind::Prefix => Ok(data::read(room, &data, within)),
        }
    })
}

/// What a manifest lists.
pub async fn of_manifest(room: &Objects, who: &Who, place: &Place, data: &Data) -> Result<Parts, Error> {
    let list = manifest::parts(place, &manifest::bytes(room, data).await?)?;
    let parts = Parts { who: who.clone(), list: Arc::new(list), depth: DEPTH };
    parts.check_first(room).await?;
    Ok(parts)
}
