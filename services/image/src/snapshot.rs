// SPDX-License-Identifier: Apache-2.0
//! Images that snapshots of machines become: made for compute, filled by nodes, and gone if that comes to nothing.
//!
//! Such an image says `saving` from the beginning, so that nobody else gives it data. After a crash it waits as `queued`.

use ::store::Actor;
use contracts::images::{Chunks, NewSnapshot};
use futures_util::TryStreamExt;
use types::ImageId;

use crate::{
    Error, Image,
    data::{self, api::take},
    image::{Row, Status, Visibility, check_created_by, check_property_name, check_text, table},
    quota,
};

/// QEMU writes it.
const FORMAT: &str = "qcow2";

pub async fn ensure(room: &Image, snapshot: &NewSnapshot) -> Result<(), Error> {
    check(room, snapshot)?;
    let image = Row {
        id: snapshot.id.clone(),
        name: Some(snapshot.name.clone()),
        status: Status::Saving,
        visibility: Visibility::Private,
        disk_format: Some(FORMAT.to_owned()),
        container_format: Some("bare".to_owned()),
        min_disk: whole(snapshot.min_disk),
        min_ram: whole(snapshot.min_ram),
        properties: snapshot.properties.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect(),
        ..Row::new(snapshot.owner.clone())
    };
    let actor = Actor {
        request_id: snapshot.request_id.clone(),
        user_id: Some(snapshot.user.to_string()),
        project_id: Some(snapshot.owner.to_string()),
        name: "image.snapshot".to_owned(),
    };
    let limits = room.settings.quota;
    let write = room.store.write(move |tx| {
        if table::find(tx, image.id.as_str())?.is_some() {
            return Ok(());
        }
        quota::check_count(tx, &limits, &image.owner)?;
        quota::check_uploading(tx, &limits, &image.owner, &image.id)?;
        table::insert(tx, &actor, &image)
    });
    write.await
}

/// Goes on to its end even if whoever sends goes away, so that the image says what is true.
pub async fn receive(room: &Image, id: &ImageId, chunks: Chunks) -> Result<(), Error> {
    let (room, id) = (room.clone(), id.clone());
    let task = tokio::spawn(async move {
        // A sender that lost its connection comes again, maybe before the loss is noticed here.
        let _one_at_a_time = room.locks.lock(&format!("snapshot {id}")).await;
        let actor = Actor::system("image.snapshot");
        let Some(image) = begin(&room, &actor, &id).await? else { return Ok(()) };
        let _turn = room.transfers.turn(image.owner.as_str()).await;
        let store = room.default_store().clone();
        let outcome = take(&room, &actor, &image, &store, None, chunks.map_err(Error::BrokenOff)).await;
        if outcome.is_err() {
            data::give_up(&room, &actor, &id).await;
        }
        outcome
    });
    task.await.unwrap_or_else(|error| Err(Error::BrokenOff(std::io::Error::other(error))))
}

/// Deletes the image unless it has its data.
pub async fn release(room: &Image, id: &ImageId) -> Result<(), Error> {
    let wanted = id.clone();
    let write = room.store.write(move |tx| {
        let found = table::find(tx, wanted.as_str())?;
        let Some(image) = found.filter(|image| !matches!(image.status, Status::Active | Status::Deactivated)) else {
            return Ok(None);
        };
        table::delete(tx, &Actor::system("image.snapshot"), &image)?;
        Ok::<_, Error>(Some(image))
    });
    if let Some(image) = write.await? {
        data::forget(room, &image).await;
    }
    Ok(())
}

/// The image, `saving`; none if it has its data already.
async fn begin(room: &Image, actor: &Actor, id: &ImageId) -> Result<Option<Row>, Error> {
    let (id, actor) = (id.clone(), actor.clone());
    let write = room.store.write(move |tx| {
        let image = table::find(tx, id.as_str())?.ok_or(Error::Gone)?;
        match image.status {
            Status::Saving => Ok(Some(image)),
            Status::Queued => {
                let saving = Row { status: Status::Saving, ..image.clone() };
                table::update(tx, &actor, &image, &saving).map(Some)
            }
            Status::Active | Status::Deactivated => Ok(None),
            Status::Uploading | Status::Importing => {
                Err(Error::Conflict(format!("Image {id} gets other data than that of the snapshot that it was made for.")))
            }
        }
    });
    write.await
}

/// As the API checks what a client sets.
fn check(room: &Image, snapshot: &NewSnapshot) -> Result<(), Error> {
    check_text("name", &snapshot.name)?;
    let limits = &room.settings.limits;
    if snapshot.properties.len() > limits.properties {
        let most = limits.properties;
        return Err(Error::OverLimit(format!("The limit has been exceeded: an image has at most {most} properties.")));
    }
    for name in snapshot.properties.keys() {
        check_property_name(name)?;
        check_created_by(&room.settings, &snapshot.roles, name)?;
    }
    Ok(())
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
