// SPDX-License-Identifier: Apache-2.0
//! Objects that consist of all that begins with what their header says: Swift's DLO. What that is, is looked up whenever they
//! are read.

use std::sync::Arc;

use store::Tx;

use super::{Part, Parts};
use crate::{
    Error, Objects,
    container::table as containers,
    grant::Who,
    limits,
    listing::{Span, after_all},
    object::table,
    place::{self, Place},
};

pub async fn of_prefix(room: &Objects, who: &Who, place: &Place, header: &str) -> Result<Parts, Error> {
    let (container, prefix) = place::container_and_object(header)?;
    let (asking, at) = (who.clone(), place.in_container(&container, "")?);
    let list = room.store.list(move |tx| list(tx, &asking, &at, &prefix)).await?;
    // What it names is read as plain: one that names itself does not go round and round.
    Ok(Parts { who: who.clone(), list: Arc::new(list), depth: super::DEPTH })
}

fn list(tx: &mut Tx, who: &Who, place: &Place, prefix: &str) -> Result<Vec<Part>, Error> {
    let container = containers::find(tx, place)?;
    let granted = who.listing(place, container.as_ref())?;
    let Some(container) = container else { return Ok(Vec::new()) };
    let span = Span { from: Some(prefix.to_owned()), below: after_all(prefix), limit: limits::LISTING + 1, ..Span::default() };
    let rows = table::list(tx, &granted, &container, &span)?;
    if rows.len() > limits::LISTING {
        return Err(Error::Conflict(format!("The object consists of more than {} others.", limits::LISTING)));
    }
    let part = |(name, shown): (String, table::Shown)| {
        let place = Place { object: name, ..place.clone() };
        Part { place, range: 0..shown.bytes, etag: shown.hash, size: shown.bytes }
    };
    Ok(rows.into_iter().map(part).collect())
}
