// SPDX-License-Identifier: Apache-2.0
//! `POST /volumes`: checks the wish, then writes it down and answers. The rest is reconciled.

use std::{collections::BTreeMap, sync::Arc};

use access::{Allowed, Scope, Target};
use api::{Cx, Fault, Reply};
use contracts::images::ImageFacts;
use http::StatusCode;
use serde_json::Value;
use store::{Actor, Tx};
use types::{Generation, ImageId, NodeId, ProjectId, SnapshotId, Timestamp, UserId, VolumeId};

use super::{Origin, Volume, api::render, state::Life, table};
use crate::{
    BlockStorage,
    error::{Error, Result},
    group,
    host::frozen,
    input::{Object, Read, body, wrong},
    quota::{self, Growth},
    snapshot,
    volume::policy,
    volume_type,
    zone::ZONE,
};

/// GiB of one volume; more would overflow a count of bytes long after every disk.
pub(crate) const LARGEST: i64 = 1 << 31;
const GIB: u64 = 1 << 30;
/// Disk formats that hosts can make a volume of.
const FORMATS: [&str; 6] = ["raw", "qcow2", "vmdk", "vhd", "vhdx", "vdi"];

/// A volume as it was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub id: VolumeId,
    pub project: ProjectId,
    pub user: UserId,
    pub name: Option<String>,
    pub description: Option<String>,
    pub metadata: BTreeMap<String, String>,
    /// By its id or its name; none for the project's default.
    pub volume_type: Option<String>,
    /// GiB.
    pub size: Option<i64>,
    pub group: Option<String>,
    pub from: From,
    /// To what of others the caller may lean on.
    pub allowed: Allowed<Scope>,
}

/// What it is to hold.
#[derive(Debug, Clone)]
pub(crate) enum From {
    Blank,
    Image(Box<ImageFacts>),
    Snapshot(SnapshotId),
    Volume(VolumeId),
}

pub(super) async fn create(room: Arc<BlockStorage>, mut cx: Cx) -> Reply {
    let mut body = body(&mut cx).await?;
    let mut ask = body.required_object("volume")?;
    // Hints name volumes to lie near to, or away from: of one store a host there is nothing to choose.
    body.take("OS-SCH-HNT:scheduler_hints");
    body.finish()?;
    let wish = read(&room, &cx, &mut ask).await?;
    ask.finish()?;
    let (made, actor) = (wish, cx.actor());
    let volume = room.store.write(move |tx| insert(tx, &actor, &made)).await?;
    room.tell(&volume);
    render(&room, &cx, StatusCode::ACCEPTED, &volume).await
}

async fn read(room: &BlockStorage, cx: &Cx, ask: &mut Object) -> Read<Wish> {
    let project = cx.project()?.clone();
    if !ask.has("size") {
        ask.required("size", None::<()>)?;
    }
    let size = ask.whole_or_null("size", 1..=LARGEST)?.flatten();
    let name = ask.label_or("name", "display_name")?.flatten();
    let description = ask.label_or("description", "display_description")?.flatten();
    let metadata = ask.texts("metadata")?.unwrap_or_default();
    let volume_type = ask.take_some("volume_type").map(|value| ask.text_of("volume_type", value, 1..=255)).transpose()?;
    if let Some(zone) = ask.take_some("availability_zone").filter(|zone| zone != ZONE) {
        return Err(Fault::bad_request(format!("Availability zone '{}' is invalid. There is one: {ZONE}.", shown(&zone))));
    }
    if ask.flag("multiattach")?.unwrap_or(false) {
        return Err(Fault::bad_request("A volume of this cloud is one server's at a time: multiattach cannot be asked for."));
    }
    for absent in ["consistencygroup_id", "backup_id"] {
        if let Some(value) = ask.take_some(absent) {
            return Err(wrong(absent, &value, "There are no consistency groups of the older kind and no backups here."));
        }
    }
    let group = ask.id("group_id")?;
    let (snapshot, volume) = (ask.id("snapshot_id")?, ask.id("source_volid")?);
    let image = ask.id("imageRef")?;
    let image = ask.id("image_id")?.or(image);
    let from = match (snapshot, volume, image) {
        (None, None, None) => From::Blank,
        (Some(id), None, None) => From::Snapshot(SnapshotId::new(id)),
        (None, Some(id), None) => From::Volume(VolumeId::new(id)),
        (None, None, Some(id)) => {
            cx.check(&policy::CREATE_FROM_IMAGE, &Target::in_project(&project))?;
            From::Image(Box::new(image_of(room, &project, &ImageId::new(id)).await?))
        }
        _ => return Err(Fault::bad_request("A volume is made of one thing: an image, a snapshot or another volume.")),
    };
    let user = cx.caller()?.user.id.clone();
    let (id, allowed) = (VolumeId::generate(), cx.allowed()?.clone());
    Ok(Wish { id, project, user, name, description, metadata, volume_type, size, group, from, allowed })
}

fn shown(value: &Value) -> String {
    words::shortened(value.as_str().unwrap_or_default(), 120)
}

/// An image of which a volume can be made.
pub(crate) async fn image_of(room: &BlockStorage, project: &ProjectId, id: &ImageId) -> Result<ImageFacts> {
    let image = room.images.get(Some(project), id).await.map_err(|refusal| match refusal.kind {
        contracts::RefusalKind::NotFound => Error::invalid("Invalid image identifier or unable to access requested image."),
        _ => refusal.into(),
    })?;
    if image.status != "active" {
        return Err(Error::invalid(format!("Image {id} is not active: its status is {}.", image.status)));
    }
    if !FORMATS.contains(&image.disk_format.as_str()) || image.container_format != "bare" {
        let sentence = format!(
            "Image {id} is unacceptable: no volume can be made of its disk format {} in {}.",
            image.disk_format, image.container_format
        );
        return Err(Error::invalid(sentence));
    }
    Ok(image)
}

/// What the new volume takes from its source.
struct Source {
    origin: Origin,
    least: i64,
    node: Option<NodeId>,
    host: Option<String>,
    bootable: bool,
    image_metadata: BTreeMap<String, String>,
    type_id: Option<String>,
}

/// Writes a new volume down, within its project's quota.
pub(crate) fn insert(tx: &mut Tx, actor: &Actor, wish: &Wish) -> Result<Volume> {
    let volume = draft(tx, wish)?;
    table::insert(tx, actor, volume)
}

/// The volume as it would be; nothing is written.
pub(crate) fn draft(tx: &mut Tx, wish: &Wish) -> Result<Volume> {
    let source = source(tx, wish)?;
    frozen::refuse(tx, source.node.as_ref())?;
    let size = size(wish, &source)?;
    let kind = match (&wish.volume_type, &source.type_id) {
        (None, Some(inherited)) => volume_type::table::get(tx, &wish.allowed, inherited)?,
        (asked, _) => volume_type::table::chosen(tx, &wish.project, &wish.allowed, asked.as_deref())?,
    };
    if let Some(of) = &wish.group {
        group::table::admit(tx, &wish.allowed, of, &wish.project, &kind)?;
    }
    quota::check(tx, &wish.project, &kind, &Growth { volumes: 1, gigabytes: size, largest: size, ..Growth::default() })?;
    Ok(Volume {
        id: wish.id.clone(),
        project_id: wish.project.clone(),
        user_id: wish.user.clone(),
        name: wish.name.clone(),
        description: wish.description.clone(),
        size,
        wanted_size: size,
        type_id: kind.id,
        zone: ZONE.to_owned(),
        bootable: source.bootable,
        read_only: false,
        says_read_only: false,
        metadata: wish.metadata.clone(),
        image_metadata: source.image_metadata,
        // A copy lies where its source does.
        life: if source.node.is_some() { Life::Making } else { Life::Planned },
        origin: source.origin,
        step: None,
        fault: None,
        forced_status: None,
        node_id: source.node,
        host: source.host,
        attach: None,
        door_node: None,
        door_found: None,
        copy: None,
        transfer_id: None,
        group_id: wish.group.clone(),
        deleting_at: None,
        generation: Generation(1),
        revision: 1,
        created_at: Timestamp::now(),
        updated_at: None,
        status: String::new(),
    })
}

fn source(tx: &mut Tx, wish: &Wish) -> Result<Source> {
    Ok(match &wish.from {
        From::Blank => Source {
            origin: Origin::Blank,
            least: 0,
            node: None,
            host: None,
            bootable: false,
            image_metadata: BTreeMap::new(),
            type_id: None,
        },
        From::Image(image) => Source {
            origin: Origin::Image(image.as_ref().into()),
            least: i64::try_from(image.virtual_size.max(image.size).div_ceil(GIB)).unwrap_or(i64::MAX),
            node: None,
            host: None,
            bootable: true,
            image_metadata: super::image::metadata_of(image),
            type_id: None,
        },
        From::Snapshot(id) => {
            let snapshot = snapshot::table::get(tx, &wish.allowed, id)?;
            if snapshot.status != "available" || snapshot.life != Life::There {
                let sentence = format!(
                    "Invalid snapshot: Originating snapshot status must be one of 'available' values, not {}.",
                    snapshot.status
                );
                return Err(Error::invalid(sentence));
            }
            let of = table::find(tx, &snapshot.volume_id)?.ok_or_else(|| table::missing(&snapshot.volume_id))?;
            Source {
                origin: Origin::Snapshot { volume_id: of.id, snapshot_id: id.clone() },
                least: snapshot.size,
                node: of.node_id,
                host: of.host,
                bootable: of.bootable,
                image_metadata: of.image_metadata,
                type_id: Some(of.type_id),
            }
        }
        From::Volume(id) => {
            let of = table::get(tx, &wish.allowed, id)?;
            if of.life != Life::There || of.deleting_at.is_some() {
                let sentence = format!("Unable to create a volume from a source volume that is {}.", of.status);
                return Err(Error::invalid_volume(sentence));
            }
            Source {
                origin: Origin::Volume { volume_id: of.id },
                least: of.size,
                node: of.node_id,
                host: of.host,
                bootable: of.bootable,
                image_metadata: of.image_metadata,
                type_id: Some(of.type_id),
            }
        }
    })
}

fn size(wish: &Wish, source: &Source) -> Result<i64> {
    let asked = match (wish.size, &wish.from) {
        (Some(size), _) => size,
        (None, From::Blank) => return Err(Error::invalid("Invalid input received: The size of a new volume must be said.")),
        (None, From::Image(image)) => source.least.max(i64::try_from(image.min_disk).unwrap_or(i64::MAX)).max(1),
        (None, _) => source.least,
    };
    let too_small = |what: &str, least: i64| {
        Error::invalid(format!(
            "Invalid input received: Volume size '{asked}'GB cannot be smaller than the {what} size {least}GB."
        ))
    };
    match &wish.from {
        From::Image(image) if asked < i64::try_from(image.min_disk).unwrap_or(i64::MAX) => {
            let sentence = format!(
                "Invalid input received: Volume size {asked}GB cannot be smaller than the image minDisk size {}GB.",
                image.min_disk
            );
            Err(Error::invalid(sentence))
        }
        From::Image(_) if asked < source.least => Err(too_small("image", source.least)),
        From::Snapshot(_) if asked < source.least => Err(too_small("snapshot", source.least)),
        From::Volume(_) if asked < source.least => Err(too_small("source volume", source.least)),
        _ => Ok(asked),
    }
}
