// SPDX-License-Identifier: Apache-2.0
//! Finds an object for whoever asks, with all that is needed to read it.

use std::ops::Range;

use contracts::images::Chunks;
use store::Tx;

use super::{Kind, Object, table};
use crate::{
    Error, Objects,
    container::{Container, table as containers},
    data::{self, Data},
    grant::Who,
    large::{self, Parts},
    place::Place,
};

/// An object, and what a reader of it gets.
pub struct Found {
    pub object: Object,
    pub container: Container,
    pub content: Content,
    /// Of all that it consists of.
    pub whole_size: u64,
}

pub enum Content {
    Itself(Data),
    Parts(Parts),
}

impl Content {
    pub fn read(&self, room: &Objects, range: Range<u64>) -> Chunks {
        match self {
            Self::Itself(data) => data::read(room, data, range),
            Self::Parts(parts) => parts.read(room, range),
        }
    }
}

/// The object as it reads: one that consists of others comes with those. `itself` asks for its own data instead.
pub async fn find(room: &Objects, who: &Who, place: &Place, itself: bool) -> Result<Found, Error> {
    let (asking, at) = (who.clone(), place.clone());
    let (container, mut object, data) = room.store.read(move |tx| look(tx, &asking, &at)).await?;
    let content = match object.kind {
        _ if itself => Content::Itself(data),
        Kind::Plain => Content::Itself(data),
        Kind::Manifest => Content::Parts(large::of_manifest(room, who, place, &data).await?),
        Kind::Prefix => {
            let prefix = object.words.headers.get("x-object-manifest").unwrap_or_default().to_owned();
            let parts = large::of_prefix(room, who, place, &prefix).await?;
            (object.shown_size, object.etag) = (parts.size(), parts.etag());
            Content::Parts(parts)
        }
    };
    let whole_size = object.shown_size;
    if itself {
        object.shown_size = object.size;
    }
    Ok(Found { object, container, content, whole_size })
}

/// The object itself, if he may read it.
pub fn look(tx: &mut Tx, who: &Who, place: &Place) -> Result<(Container, Object, Data), Error> {
    let container = containers::find(tx, place)?;
    let granted = who.reading(place, container.as_ref())?;
    let container = container.ok_or(Error::NotFound)?;
    let object = table::get(tx, &granted, &container, &place.object)?.ok_or(Error::NotFound)?;
    let data = data::table::get(tx, &object.data)?;
    Ok((container, object, data))
}
