// SPDX-License-Identifier: Apache-2.0
//! Sets a location by a patch: the image gets its data now, or the data is compared with what it has.

use std::sync::Arc;

use ::store::Actor;
use api::Fault;
use http::StatusCode;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Edited, Expected, Label, Said, say::Asked};
use crate::{
    Error, Image,
    image::{Reach, Row, Status, table},
    import::{self, Method, Order},
    quota, task,
};

/// How long a request waits for a word of the task that it began, before it looks for itself: another controller may do it.
const LOOK: std::time::Duration = std::time::Duration::from_millis(500);

/// A location for an image that waits for its data.
pub struct Gift {
    pub url: String,
    pub metadata: Map<String, Value>,
    /// What is shown in place of the true hashes.
    pub said: Option<Said>,
    /// What the data has to be.
    pub expected: Option<Expected>,
    /// Whether the label stays when the data cannot be had, as Glance leaves it there.
    pub label_stays: bool,
}

/// Answers the image as it is then. An image that waited for its data is active, or still `importing` if that takes longer
/// than a request should.
pub async fn set(room: &Arc<Image>, reach: Reach, actor: Actor, before: Row, edited: Edited) -> Result<Row, Fault> {
    let Edited { mut labels, new } = edited;
    let Some((place, asked)) = new else { return Ok(before) };
    if before.status == Status::Queued {
        return give(room, reach, actor, before, asked).await;
    }
    compare(room, &before, &asked.url).await?;
    work::crash::point("image.location.compared");
    labels.insert(place, Label { url: asked.url, metadata: asked.metadata, store: None });
    let write = room.store.write(move |tx| {
        let now = table::get_own(tx, &reach, before.id.as_str())?;
        // What else became of it meanwhile is no hindrance.
        if now.locations != before.locations || now.place.stores != before.place.stores || now.status != Status::Active {
            return Err(Error::Store(::store::Error::Conflict));
        }
        let mut after = now.clone();
        after.locations.clone_from(&labels);
        table::update(tx, &actor, &now, &after)
    });
    Ok(write.await?)
}

/// Orders the fetch as an import, whatever becomes of this process, and waits for its end for a while.
async fn give(room: &Arc<Image>, reach: Reach, actor: Actor, before: Row, asked: Asked) -> Result<Row, Fault> {
    let deadline = Instant::now() + room.settings.patience;
    let id = before.id.to_string();
    let Asked { url, metadata, said } = asked;
    let gift = Gift { url, metadata, said: Some(said.unwrap_or_default()), expected: None, label_stays: false };
    let begun = begin(room, reach.clone(), actor, id.clone(), gift).await?;
    work::crash::point("image.location.begun");
    let mut wake = room.store.watch(&["image_task"]);
    let ended = loop {
        let task_id = begun.clone();
        let found = room.store.read(move |tx| task::table::find(tx, &task_id)).await?;
        match found.filter(|task| task.status.is_over()) {
            Some(task) => break Some(task),
            None if Instant::now() >= deadline => break None,
            None => drop(timeout_at(deadline.min(Instant::now() + LOOK), wake.wait()).await),
        }
    };
    if let Some(task) = ended.filter(|task| task.status == task::Status::Failure) {
        let status = task.result.as_ref().and_then(|result| result["status_code"].as_u64());
        let status = status.and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok());
        return Err(Fault::new(status.unwrap_or(StatusCode::BAD_REQUEST), task.message));
    }
    Ok(room.store.read(move |tx| table::get_own(tx, &reach, &id)).await?)
}

/// Records that an image gets its data from a location. Answers the id of the task that sees to it.
pub async fn begin(room: &Image, reach: Reach, actor: Actor, id: String, gift: Gift) -> Result<String, Error> {
    let Gift { url, metadata, said, expected, label_stays } = gift;
    let (limits, store) = (room.settings.quota, room.default_store().id.clone());
    let method = Method::WebDownload { uri: url.clone() };
    let order = Order { method, stores: vec![store.clone()], all_must_succeed: true, expected, label_stays };
    let write = room.store.write(move |tx| {
        let before = table::get_own(tx, &reach, &id)?;
        if before.status != Status::Queued {
            let word = before.status.as_str();
            return Err(Error::Conflict(format!("It's not allowed to add locations if image status is {word}.")));
        }
        before.check_formats()?;
        quota::check_uploading(tx, &limits, &before.owner, &before.id)?;
        let mut after = import::begun(&before, &order);
        after.locations = vec![Label { url: url.clone(), metadata: metadata.clone(), store: Some(store.clone()) }];
        after.said.clone_from(&said);
        table::update(tx, &actor, &before, &after)?;
        let input = json!({"image_id": id, "loc_url": url, "order": order});
        let task = task::Row::new(task::Kind::Location, &before, &actor, input);
        task::table::insert(tx, &actor, &task)?;
        Ok(task.id)
    });
    write.await
}

/// Whether what is at the URL is the data that the image has.
async fn compare(room: &Image, image: &Row, url: &str) -> Result<(), Error> {
    let different = || Error::Conflict("What is at this URL is not the data that the image has. Data is never changed.".into());
    let Some(facts) = &image.data else { return Err(different()) };
    let patience = room.settings.patience;
    let slow = || Error::Invalid(format!("The data at this URL could not be compared within {} seconds.", patience.as_secs()));
    let fetch = async {
        let _one_of_few = room.comparing.acquire().await;
        let mut body = room.settings.web.get(url).await?.body;
        let (mut hash, mut left) = (Sha512::new(), facts.size.unsigned_abs());
        while let Some(chunk) = body.chunk().await? {
            left = left.checked_sub(chunk.len() as u64).ok_or_else(different)?;
            hash.update(&chunk);
        }
        if hex::encode(hash.finalize()) == facts.sha512 { Ok(()) } else { Err(different()) }
    };
    timeout(patience, fetch).await.unwrap_or_else(|_| Err(slow()))
}
