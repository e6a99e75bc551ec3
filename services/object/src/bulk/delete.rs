// SPDX-License-Identifier: Apache-2.0
//! Many deletes in one request. The account's owner is not the only one who may ask: each is judged by itself.

use api::{Cx, Reply};
use types::Timestamp;

use super::Outcome;
use crate::{
    Error, Objects,
    container::remove,
    grant::Who,
    limits,
    listing::Format,
    object,
    place::{self, Place},
};

/// The body names containers and objects, one a line, with their escapes.
pub async fn delete(room: &Objects, mut cx: Cx) -> Reply {
    let place = Place::of(&cx)?;
    let (who, at) = (Who::of(&cx), Timestamp::now());
    let format = Format::of(&cx)?;
    let longest = limits::DELETES * (limits::CONTAINER_NAME + limits::OBJECT_NAME + 2);
    let body = crate::body::read(&mut cx, longest.min(limits::MANIFEST)).await?;
    let text = String::from_utf8(body.to_vec()).map_err(|_| Error::invalid("The list of names is not UTF-8."))?;
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.len() > limits::DELETES {
        return Err(Error::TooLarge(format!("Maximum Bulk Deletes: {} per request", limits::DELETES)).into());
    }
    let mut outcome = Outcome::of_deletes();
    for line in lines {
        let name = place::name(line)?;
        let name = name.strip_prefix('/').unwrap_or(&name);
        let (container, object) = name.split_once('/').unwrap_or((name, ""));
        let at_place = match place.in_container(container, object.trim_end_matches('/')) {
            // An object's name may end with a slash; a container's does not.
            Ok(_) => place.in_container(container, object)?,
            Err(error) => {
                outcome.refused(name.to_owned(), &error);
                continue;
            }
        };
        if object.is_empty() {
            delete_container(room, &who, &at_place, &cx.actor(), &mut outcome).await?;
        } else {
            delete_one(room, &who, &at_place, at, &mut outcome).await?;
        }
    }
    outcome.reply(format)
}

async fn delete_container(
    room: &Objects,
    who: &Who,
    place: &Place,
    actor: &store::Actor,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let deleted = match who.owning(place) {
        Err(error) => Err(error),
        Ok(granted) => {
            let actor = actor.clone();
            room.store.write(move |tx| remove::delete(tx, &granted, &actor)).await
        }
    };
    outcome.note(format!("/{}", place.container), deleted)
}

/// Deletes one object, and notes what came of it; fails only by our own fault.
pub async fn delete_one(room: &Objects, who: &Who, place: &Place, at: Timestamp, outcome: &mut Outcome) -> Result<(), Error> {
    let deleted = object::delete(room, who, place, at).await;
    outcome.note(format!("/{}/{}", place.container, place.object), deleted)
}
