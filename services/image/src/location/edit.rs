// SPDX-License-Identifier: Apache-2.0
//! The changes of a patch to an image's locations, as Glance takes them.

use access::Target;
use api::{Cx, Fault};
use serde_json::Value;

use super::{Entry, Label, MOST, say::Asked};
use crate::{
    Image,
    image::{Row, Status},
    location::policy,
};

pub enum Edit {
    Add { place: String, location: Value },
    Replace { locations: Value },
    Remove { place: String },
}

/// What a patch comes to.
pub struct Edited {
    /// The labels that are there afterwards, but for the new one.
    pub labels: Vec<Label>,
    /// The location whose data is to be fetched, and its place among the labels.
    pub new: Option<(usize, Asked)>,
}

enum Line {
    Kept(Entry),
    New(Asked),
}

/// Whether this caller may change the locations of this image so.
pub fn check_may(room: &Image, cx: &Cx, image: &Row, edits: &[Edit]) -> Result<(), Fault> {
    if !room.settings.show_multiple_locations {
        return Err(Fault::forbidden("It's not allowed to change locations if locations are invisible."));
    }
    let target = Target::in_project(&image.owner);
    for edit in edits {
        cx.check(
            if matches!(edit, Edit::Remove { .. }) { &crate::stores::policy::DELETE_FROM_STORE } else { &policy::SET_LOCATION },
            &target,
        )?;
    }
    Ok(())
}

pub fn edit(room: &Image, image: &Row, edits: Vec<Edit>) -> Result<Edited, Fault> {
    // An image that waits for its data may still show where its last attempt looked for it.
    let known = if image.status == Status::Queued { Vec::new() } else { room.entries(image) };
    let mut lines: Vec<Line> = known.into_iter().map(Line::Kept).collect();
    for edit in edits {
        match edit {
            Edit::Add { place, location } => add(room, image, &mut lines, &place, location)?,
            Edit::Replace { locations } => replace(room, image, &mut lines, locations)?,
            Edit::Remove { place } => remove(image, &mut lines, &place)?,
        }
    }
    let mut edited = Edited { labels: Vec::new(), new: None };
    for line in lines {
        match line {
            Line::Kept(Entry::Own(_)) => {}
            Line::Kept(Entry::Labelled(label)) => edited.labels.push(label),
            Line::New(_) if edited.new.is_some() => {
                return Err(Fault::bad_request(
                    "Each location is fetched before it is added, one in a request. Add the others by further requests.",
                ));
            }
            Line::New(asked) => edited.new = Some((edited.labels.len(), asked)),
        }
    }
    inherit(image, &mut edited.labels);
    Ok(edited)
}

/// A label that goes leaves the store that was filled by it to another one: the data there is still not the cloud's own.
fn inherit(image: &Row, labels: &mut [Label]) {
    for store in image.locations.iter().filter_map(|label| label.store.as_ref()) {
        let is_kept = labels.iter().any(|label| label.store.as_ref() == Some(store));
        if let Some(heir) = labels.iter_mut().find(|label| !is_kept && label.store.is_none()) {
            heir.store = Some(store.clone());
        }
    }
}

fn check_status(image: &Row, verb: &str, good: &[Status]) -> Result<(), Fault> {
    if good.contains(&image.status) {
        return Ok(());
    }
    Err(Fault::conflict(format!("It's not allowed to {verb} locations if image status is {}.", image.status.as_str())))
}

fn add(room: &Image, image: &Row, lines: &mut Vec<Line>, place: &str, location: Value) -> Result<(), Fault> {
    check_status(image, "add", &[Status::Active, Status::Queued])?;
    let asked = Asked::read(location)?;
    asked.check_said(image)?;
    let place = match place {
        "-" => lines.len(),
        digits => number(digits).ok_or_else(|| Fault::bad_request("Invalid position for adding a location."))?.min(lines.len()),
    };
    let is_twin = |line: &Line| match line {
        Line::Kept(Entry::Own(_)) => false,
        Line::Kept(Entry::Labelled(label)) => label.url == asked.url && label.metadata == asked.metadata,
        Line::New(other) => other.url == asked.url && other.metadata == asked.metadata,
    };
    if lines.iter().any(is_twin) {
        return Err(Fault::bad_request(format!("The location {} already exists.", asked.url)));
    }
    check_url(room, &asked.url)?;
    lines.insert(place, Line::New(asked));
    check_count(lines.len())
}

fn replace(room: &Image, image: &Row, lines: &mut Vec<Line>, locations: Value) -> Result<(), Fault> {
    let Value::Array(locations) = locations else {
        return Err(Fault::bad_request("Provided object does not match schema 'image': locations is a list."));
    };
    if locations.is_empty() {
        return Err(Fault::forbidden("Cannot set locations to empty list."));
    }
    check_status(image, "replace", &[Status::Active, Status::Queued])?;
    check_count(locations.len())?;
    let mut before = std::mem::take(lines);
    let may_be_new = before.is_empty();
    for location in locations {
        let asked = Asked::read(location)?;
        asked.check_said(image)?;
        let same = |line: &Line| match line {
            Line::Kept(entry) => entry.url(image) == asked.url,
            Line::New(other) => other.url == asked.url,
        };
        lines.push(match before.iter().position(same).map(|place| before.remove(place)) {
            Some(Line::Kept(Entry::Labelled(label))) => Line::Kept(Entry::Labelled(Label { metadata: asked.metadata, ..label })),
            Some(Line::Kept(Entry::Own(_))) if !asked.metadata.is_empty() => {
                return Err(Fault::bad_request(format!("{} is the cloud's own location; it has no other metadata.", asked.url)));
            }
            Some(Line::Kept(entry)) => Line::Kept(entry),
            Some(Line::New(_)) => Line::New(asked),
            None if may_be_new => {
                check_url(room, &asked.url)?;
                Line::New(asked)
            }
            None => return Err(others_asked()),
        });
    }
    if before.is_empty() { Ok(()) } else { Err(others_asked()) }
}

fn others_asked() -> Fault {
    Fault::bad_request(
        "An image that has locations keeps them: a replacement names the same ones, with other metadata. Add and remove \
         locations one by one.",
    )
}

fn remove(image: &Row, lines: &mut Vec<Line>, place: &str) -> Result<(), Fault> {
    check_status(image, "remove", &[Status::Active])?;
    if lines.len() == 1 {
        return Err(Fault::forbidden("Cannot remove last location in the image."));
    }
    let place = match place {
        "-" => lines.len().checked_sub(1),
        digits => number(digits).filter(|place| *place < lines.len()),
    };
    let place = place.ok_or_else(|| Fault::bad_request("Invalid position for removing a location."))?;
    if let Some(Line::Kept(Entry::Own(store))) = lines.get(place) {
        return Err(Fault::forbidden(format!(
            "This location is the cloud's own copy. Delete it by DELETE /v2/stores/{store}/{}.",
            image.id
        )));
    }
    lines.remove(place);
    Ok(())
}

fn number(digits: &str) -> Option<usize> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn check_count(attempted: usize) -> Result<(), Fault> {
    if attempted <= MOST {
        return Ok(());
    }
    Err(Fault::too_large(format!("The limit has been exceeded: an image has at most {MOST} locations.")))
}

pub(super) fn check_url(room: &Image, url: &str) -> Result<(), Fault> {
    let checked = room.settings.web.check(url);
    checked.map_err(|error| Fault::bad_request(format!("Invalid location: URI '{url}' does not pass filtering: {error}.")))
}
