// SPDX-License-Identifier: Apache-2.0
//! An object goes.

use types::Timestamp;

use super::table;
use crate::{Error, Objects, container::table as containers, grant::Who, history, place::Place};

/// Removes it, unless it was put after `at`.
pub async fn delete(room: &Objects, who: &Who, place: &Place, at: Timestamp) -> Result<(), Error> {
    let (who, place) = (who.clone(), place.clone());
    let write = room.store.write(move |tx| {
        let container = containers::find(tx, &place)?;
        let granted = who.writing(&place, container.as_ref())?;
        let container = container.ok_or(Error::NotFound)?;
        let object = table::get_to_change(tx, &granted, &container, &place.object)?;
        if object.as_ref().is_some_and(|object| object.stamp > at) {
            return Err(Error::Superseded);
        }
        // What was due is not there for anybody; it goes now all the same.
        if let Some(due) = object.as_ref().filter(|object| object.is_due()) {
            table::delete(tx, &granted, &container, due)?;
            return Ok(true);
        }
        let removed = history::remove(tx, &granted, &container, object.as_ref(), &place.object, at)?;
        if removed { Ok(false) } else { Err(Error::NotFound) }
    });
    let was_due = write.await?;
    work::crash::point("object.deleted");
    if was_due { Err(Error::NotFound) } else { Ok(()) }
}
