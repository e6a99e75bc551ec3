// SPDX-License-Identifier: Apache-2.0
//! Volumes and images: what a volume has of the image from which it was made, and the image that is made of one.

use std::{collections::BTreeMap, sync::Arc};

use api::{Cx, Fault, Reply};
use contracts::{
    images::{ImageFacts, NewSnapshot},
    node::Feature,
};
use http::StatusCode;
use serde_json::{Value, json};
use types::ImageId;
use work::crash;

use super::{Copy, CopyStage};
use crate::{
    BlockStorage,
    error::Error,
    input::{argument, join, wrong},
    versions::at_least,
};

/// Data of a stopped volume is sent as this; the image room judges it as any other.
const FORMAT: &str = "qcow2";

/// In Glance's words: what clients look for at a volume that servers boot from.
pub(super) fn metadata_of(image: &ImageFacts) -> BTreeMap<String, String> {
    let mut metadata = image.properties.clone();
    metadata.extend(
        [
            ("image_id", image.id.to_string()),
            ("image_name", image.name.clone()),
            ("disk_format", image.disk_format.clone()),
            ("container_format", image.container_format.clone()),
            ("min_disk", image.min_disk.to_string()),
            ("min_ram", image.min_ram.to_string()),
            ("size", image.size.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    metadata
}

pub(super) async fn show_metadata(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let volume = room.volume(&cx).await?;
    api::json(StatusCode::OK, &json!({"metadata": volume.image_metadata}))
}

pub(super) async fn set_metadata(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "os-set_image_metadata").await?;
    let more = ask.texts("metadata")?;
    let more = ask.required("metadata", more)?;
    ask.finish()?;
    let volume = room
        .change(&cx, "volume.set_image_metadata", move |_, mut volume| {
            join("metadata", &mut volume.image_metadata, &more)?;
            Ok(volume)
        })
        .await?;
    api::json(StatusCode::OK, &json!({"metadata": volume.image_metadata}))
}

pub(super) async fn unset_metadata(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "os-unset_image_metadata").await?;
    let key = ask.text("key", 1..=255)?;
    let key = ask.required("key", key)?;
    ask.finish()?;
    room.change(&cx, "volume.unset_image_metadata", move |_, mut volume| match volume.image_metadata.remove(&key) {
        Some(_) => Ok(volume),
        None => Err(Error::not_found(format!("Metadata item '{key}' was not found."))),
    })
    .await?;
    Ok(api::empty(StatusCode::OK))
}

pub(super) async fn upload(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut ask = argument(&mut cx, "os-volume_upload_image").await?;
    let name = ask.name("image_name")?;
    ask.flag("force")?;
    let format = ask.take_some("disk_format").map(|value| ask.text_of("disk_format", value, 1..=255)).transpose()?;
    let container = ask.take_some("container_format").map(|value| ask.text_of("container_format", value, 1..=255)).transpose()?;
    if at_least(cx.version, 1) {
        let visibility = ask.text("visibility", 1..=255)?;
        if let Some(other) = visibility.filter(|visibility| visibility != "private") {
            return Err(wrong("visibility", &json!(other), "The image is private at first; its owner may share it then."));
        }
        if ask.flag("protected")?.unwrap_or(false) {
            return Err(wrong("protected", &json!(true), "The image is protected when it has its data, by its owner."));
        }
    }
    ask.finish()?;
    // `raw` is what clients send who do not care.
    if let Some(other) = format.filter(|format| !["raw", FORMAT].contains(&format.as_str())) {
        return Err(wrong("disk_format", &json!(other), "A volume becomes an image of the format qcow2."));
    }
    if let Some(other) = container.filter(|container| container != "bare") {
        return Err(wrong("container_format", &json!(other), "A volume becomes an image in the container bare."));
    }
    let known = room.volume(&cx).await?;
    if let Some(node) = &known.node_id {
        let node = room.nodes.get(node).await?;
        node.as_ref().map_or(Ok(()), |node| node.demand(Feature::CopyVolume))?;
    }
    let caller = cx.caller()?;
    let (user, roles) = (caller.user.id.clone(), caller.roles.iter().map(|role| role.name.clone()).collect::<Vec<_>>());
    let (image, request_id) = (ImageId::generate(), cx.request_id.clone());
    let volume = room
        .change(&cx, "volume.upload", move |_, mut volume| {
            if volume.status != "available" {
                return Err(Error::invalid_volume(format!(
                    "Volume {} status must be available, but current status is: {}. Make a snapshot of one that is in use, and a volume of that.",
                    volume.id, volume.status
                )));
            }
            let order = NewSnapshot {
                id: image.clone(),
                owner: volume.project_id.clone(),
                name: name.clone(),
                min_disk: u64::try_from(volume.size).unwrap_or_default(),
                min_ram: 0,
                properties: BTreeMap::new(),
                user: user.clone(),
                roles: roles.clone(),
                request_id: request_id.clone(),
            };
            volume.copy = Some(Copy { image: order, stage: CopyStage::Asked });
            Ok(volume)
        })
        .await?;
    let order = volume.copy.as_ref().ok_or_else(|| Fault::internal("an upload that was just noted is not there"))?;
    crash::point("volume.copy.noted");
    // Clients look at the image at once. If it cannot be made now, the reconciler makes it, or says why not.
    if let Err(refusal) = room.images.ensure_snapshot(&order.image).await {
        tracing::warn!(volume = %volume.id, %refusal, "the image of a volume is made later");
    }
    let kind = room.type_name(&volume.type_id).await?;
    api::json(
        StatusCode::ACCEPTED,
        &json!({"os-volume_upload_image": {
            "id": volume.id,
            "updated_at": volume.updated_at.map(types::Timestamp::naive_micros),
            "status": volume.status,
            "display_description": volume.description,
            "size": volume.size,
            "volume_type": kind.map_or(Value::Null, |(id, name)| json!({"id": id, "name": name})),
            "image_id": order.image.id,
            "container_format": "bare",
            "disk_format": FORMAT,
            "image_name": order.image.name,
            "visibility": "private",
            "protected": false,
        }}),
    )
}
