// SPDX-License-Identifier: Apache-2.0
//! What becomes of imported data on its way into its first store: a compressed disk is unpacked, and a disk is converted,
//! where the operator chose so. Further stores get copies of the first.
//!
//! Nothing of QEMU sees the data before it was judged, and what QEMU made of it is judged again: the content of a disk
//! can look like an image that names files of the host, and it is a raw disk's whole content.
//!
//! Invariant: what an import keeps was judged as what the image says it is (test: `a_disk_whose_content_is_an_image_is_not_converted_to_raw`).

use std::path::PathBuf;

use disks::{Format, cage, inspect::Limits};
use tokio::sync::watch;

use super::{Method, Order, unpack::unpack};
use crate::{
    Conversion, Error, Image, Importing, StoreSettings,
    data::{self, Judge, Meter, Received},
    image::{self, Formats, Row},
    stores::place::Chunks,
    task::{self, Kind},
};

/// Disks, as opposed to kernels and to what is read from a CD.
const CONVERTED: [Format; 6] = [Format::Raw, Format::Qcow2, Format::Vmdk, Format::Vhd, Format::Vhdx, Format::Vdi];
/// A task tells of its progress in steps of so many percent.
const STEP: u8 = 10;

/// Data that a store can keep, and what it is now.
pub struct Prepared {
    pub received: Received,
    pub formats: Formats,
}

/// Whether imports can do what the operator wants of them.
pub async fn check(settings: &Importing) -> Result<(), Error> {
    let Some(Conversion { to, cage }) = &settings.conversion else { return Ok(()) };
    if !matches!(to, Format::Raw | Format::Qcow2) {
        return Err(Error::Invalid(format!("image.import.conversion: images are converted to raw or qcow2, not to {to}.")));
    }
    cage.check().await.map_err(Error::NoConverter)
}

/// Receives data in a file of its own, and makes of it what the operator keeps.
pub async fn prepare(
    room: &Image,
    task: &task::Row,
    order: &Order,
    image: &Row,
    to: &StoreSettings,
    (chunks, length): (Chunks, Option<u64>),
) -> Result<Prepared, Error> {
    // What was said to be at an address, with its hash, is kept as it is.
    let may_change = task.kind != Kind::Location && order.method != Method::CopyImage;
    let settings = Some(&room.settings.import).filter(|_| may_change);
    let mut formats = image.formats();
    let is_compressed = formats.container.as_deref() == Some("compressed");
    let limits = room.settings.limits.disk;
    let received = match settings.and_then(|settings| settings.unpacked_bytes).filter(|_| is_compressed) {
        Some(most) => {
            formats.container = Some("bare".into());
            let mut meter = Meter::new(room, &image.id, image.status, None).told_by(&task.id);
            let judge = Judge::Disk(data::api::disk(image), limits);
            data::receive(image.owner.as_str(), to.place.partial(), judge, Some(&mut meter), unpack(chunks, most)).await?
        }
        None => {
            let mut meter = Meter::new(room, &image.id, image.status, length).told_by(&task.id);
            // What is at an address was often called raw for want of a better word; it is kept as what it is.
            let is_open = task.kind == Kind::Location && formats == raw_disk();
            let judge = if is_open { Judge::Anything(limits) } else { data::api::declared(room, image) };
            let received = data::receive(image.owner.as_str(), to.place.partial(), judge, Some(&mut meter), chunks).await?;
            if let Some(found) = received.format.filter(|_| is_open) {
                formats.disk = Some(found.to_string());
            }
            received
        }
    };
    let is_disk = formats.container.as_deref() == Some("bare");
    let from = formats.disk.as_deref().and_then(|disk| disk.parse::<Format>().ok());
    let from = from.filter(|from| is_disk && CONVERTED.contains(from));
    let conversion = settings.and_then(|settings| settings.conversion.as_ref());
    let (Some(from), Some(conversion)) = (from, conversion.filter(|conversion| Some(conversion.to) != from)) else {
        return Ok(Prepared { received, formats });
    };
    work::crash::point("image.import.converting");
    let converted = convert(room, task, image, conversion, from, &received, to.place.partial()).await?;
    formats.disk = Some(conversion.to.to_string());
    Ok(Prepared { received: converted, formats })
}

fn raw_disk() -> Formats {
    Formats { disk: Some("raw".into()), container: Some("bare".into()) }
}

/// Makes a file of another format at `path`; nothing is left of it if that fails, or nobody needs it any more.
async fn convert(
    room: &Image,
    task: &task::Row,
    image: &Row,
    conversion: &Conversion,
    from: Format,
    received: &Received,
    path: PathBuf,
) -> Result<Received, Error> {
    let limits = Limits { virtual_size: room.settings.limits.disk.virtual_size.min(room.settings.limits.bytes) };
    let size = received.facts.virtual_size.unsigned_abs();
    if conversion.to == Format::Raw {
        // Known beforehand, so that nobody waits for what there is no room for.
        Meter::new(room, &image.id, image.status, Some(size)).grant(size).await?;
    }
    let Ok(_turn) = room.conversions.acquire().await else { return Err(Error::Gone) };
    let (told, heard) = watch::channel(0);
    let cage = conversion.cage.clone().for_size(size.max(received.facts.size.unsigned_abs()));
    let (from, to) = (cage::Image { path: received.path(), format: from }, cage::Image { path: &path, format: conversion.to });
    let converting = cage.convert(from, to, |fraction| {
        let step = (fraction * 100.0) as u8 / STEP * STEP;
        told.send_if_modified(|before| std::mem::replace(before, step) != step);
    });
    tokio::select! {
        converted = converting => converted?,
        gone = tell(room, task, image, heard) => return Err(gone),
    }
    work::crash::point("image.import.converted");
    let converted = data::survey(image.owner.as_str(), path, Judge::Disk(conversion.to, limits)).await?;
    if converted.facts.size.unsigned_abs() > room.settings.limits.bytes {
        return Err(Error::TooLarge(room.settings.limits.bytes));
    }
    Ok(converted)
}

/// Has the task tell how far its conversion got. Returns only if there is no use in going on.
async fn tell(room: &Image, task: &task::Row, image: &Row, mut percent: watch::Receiver<u8>) -> Error {
    while percent.changed().await.is_ok() {
        let message = format!("Converted {} %", *percent.borrow_and_update());
        let (id, task, waits) = (image.id.to_string(), task.id.clone(), image.status);
        let write = room.store.write(move |tx| {
            image::table::find(tx, &id)?.filter(|image| image.status == waits).ok_or(Error::Gone)?;
            task::table::note(tx, &task, &message)
        });
        if let Err(error) = write.await {
            return error;
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::tests::{create, start};

    #[tokio::test]
    async fn a_task_tells_how_far_its_conversion_got_and_ends_it_when_the_image_goes() {
        let it = start().await;
        let talk = it.member();
        let id = create(&talk, "qcow2").await;
        let key = id.clone();
        let image = it.room.store.read(move |tx| image::table::find(tx, &key)).await.unwrap().unwrap();
        // Of a kind that no reconciler takes up: it is over already.
        let mut task = task::Row::new(Kind::Import, &image, &store::Actor::system("test"), json!({}));
        task.status = task::Status::Success;
        let kept = task.clone();
        let insert = move |tx: &mut store::Tx| task::table::insert(tx, &store::Actor::system("test"), &kept);
        it.room.store.write(insert).await.unwrap();

        let (told, heard) = watch::channel(0);
        let watching = {
            let (room, task, image) = (it.room.clone(), task.clone(), image.clone());
            tokio::spawn(async move { tell(&room, &task, &image, heard).await })
        };
        told.send_replace(40);
        let tasks = format!("/image/v2/images/{id}/tasks");
        let told_40 = async {
            while talk.get(&tasks).await.expect(200)["tasks"][0]["message"] != "Converted 40 %" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), told_40).await.unwrap();
        talk.delete(&format!("/image/v2/images/{id}")).await.expect(204);
        told.send_replace(50);
        let ended = tokio::time::timeout(Duration::from_secs(60), watching).await.unwrap().unwrap();
        assert!(matches!(ended, Error::Gone), "{ended}");
    }
}
