// SPDX-License-Identifier: Apache-2.0
//! Reads `block_device_mapping_v2` of `POST /servers`, and the older `block_device_mapping`: the disks that a server shall have.

use api::Fault;
use contracts::volumes::{VolumeSource, VolumeWish};
use serde_json::{Value, json};
use types::{ImageId, Microversion, SnapshotId, VolumeId};

use super::{super::tags, MOST};
use crate::{
    input::{Object, Read, text, wrong},
    versions::{at_least, v},
};

/// The disks that are asked for beside the image.
#[derive(Debug, Default)]
pub(in crate::server) struct Disks {
    /// In their order, the root first if it is one of them.
    pub volumes: Vec<DiskWish>,
    /// By which the guest shall know a root that is made of the image.
    pub root_tag: Option<String>,
}

#[derive(Debug)]
pub(in crate::server) struct DiskWish {
    pub wish: VolumeWish,
    pub boots: bool,
    pub tag: Option<String>,
    pub delete_on_termination: bool,
}

impl Disks {
    pub(in crate::server) fn boots(&self) -> bool {
        self.volumes.iter().any(|volume| volume.boots)
    }
}

/// One entry, in the words of the newer form.
struct Device {
    source: String,
    destination: String,
    id: Option<String>,
    boot_index: Option<i64>,
    size: Option<u64>,
    volume_type: Option<String>,
    tag: Option<String>,
    delete_on_termination: bool,
}

/// Changes nothing of a disk as it is here: which bus it has, and what it is called, is the host's.
const PASSED_OVER: [&str; 6] = ["device_name", "device_type", "disk_bus", "guest_format", "connection_info", "virtual_name"];

pub(in crate::server) fn read(ask: &mut Object, version: Microversion, image: Option<&ImageId>) -> Read<Disks> {
    let older = ask.list("block_device_mapping")?.unwrap_or_default();
    let newer = ask.list("block_device_mapping_v2")?.unwrap_or_default();
    if !older.is_empty() && !newer.is_empty() {
        return Err(Fault::bad_request("Using different block_device_mapping syntaxes is not allowed in the same request."));
    }
    if older.len().max(newer.len()) > MOST {
        return Err(invalid(format!("a server has {MOST} disks at most.")));
    }
    let mut devices = Vec::new();
    for item in newer {
        devices.extend(read_device(item, version)?);
    }
    for item in older {
        devices.extend(read_older(item)?);
    }
    // Of the older form the first disk boots, where there is no image.
    if image.is_none() && devices.iter().all(|device| device.boot_index.is_none()) && ask_is_older(&devices) {
        devices.iter_mut().take(1).for_each(|device| device.boot_index = Some(0));
    }
    check_order(&devices)?;
    let mut disks = Disks::default();
    for device in devices {
        disks.take(device, image)?;
    }
    disks.volumes.sort_by_key(|volume| !volume.boots);
    if image.is_none() && !disks.boots() {
        return Err(Fault::bad_request(
            "Invalid imageRef provided. A server boots from an image, or from a disk with boot_index 0.",
        ));
    }
    Ok(disks)
}

fn ask_is_older(devices: &[Device]) -> bool {
    devices.iter().all(|device| device.destination.is_empty())
}

impl Disks {
    fn take(&mut self, device: Device, image: Option<&ImageId>) -> Read<()> {
        let boots = device.boot_index == Some(0);
        let destination = match (device.destination.as_str(), device.source.as_str()) {
            ("", "image" | "blank") => "local",
            ("", _) => "volume",
            (said, _) => said,
        };
        let id = || device.id.clone().ok_or_else(|| invalid("Missing device UUID.".to_owned()));
        if destination == "local" {
            return match device.source.as_str() {
                "image" if boots && image.is_some_and(|image| Some(image.as_str()) == device.id.as_deref()) => {
                    self.root_tag = device.tag;
                    Ok(())
                }
                "image" if boots => Err(invalid("an image on the local disk is given as imageRef, too.".to_owned())),
                "image" => Err(invalid("Mapping image to local is not supported.".to_owned())),
                "blank" => Err(invalid("servers have no ephemeral and no swap disks here; take a blank volume.".to_owned())),
                _ => Err(invalid("a volume or snapshot has the destination_type 'volume'.".to_owned())),
            };
        }
        let sized = |what: &str| match device.size {
            Some(0) | None => Err(invalid(format!("{what} (destination_type 'volume') need to have a non-zero size specified."))),
            size => Ok(size),
        };
        let (from, size) = match device.source.as_str() {
            "volume" => {
                let wish = VolumeWish::Volume(VolumeId::new(id()?));
                return self.push(wish, &device, image);
            }
            "image" => (VolumeSource::Image(ImageId::new(id()?)), sized("Images")?),
            "snapshot" => (VolumeSource::Snapshot(SnapshotId::new(id()?)), device.size),
            _ => (VolumeSource::Blank, sized("Blank volumes")?),
        };
        let wish = VolumeWish::New { from, size, volume_type: device.volume_type.clone() };
        self.push(wish, &device, image)
    }

    fn push(&mut self, wish: VolumeWish, device: &Device, image: Option<&ImageId>) -> Read<()> {
        let boots = device.boot_index == Some(0);
        // An image that is named twice means one disk: the volume that is made of it.
        let is_of_image = |image: &ImageId| matches!(&wish, VolumeWish::New { from: VolumeSource::Image(id), .. } if id == image);
        if boots && image.is_some_and(|image| !is_of_image(image)) {
            return Err(invalid(
                "Boot sequence for the instance and image/block device mapping combination is not valid.".to_owned(),
            ));
        }
        let (tag, delete_on_termination) = (device.tag.clone(), device.delete_on_termination);
        self.volumes.push(DiskWish { wish, boots, tag, delete_on_termination });
        Ok(())
    }
}

fn read_device(item: Value, version: Microversion) -> Read<Option<Device>> {
    const NAME: &str = "block_device_mapping_v2";
    let mut item = Object::from_value(NAME, item)?;
    PASSED_OVER.iter().for_each(|field| drop(item.take(field)));
    let is_none = item.flag("no_device")?.unwrap_or(false);
    let source = item.text("source_type", 1..=255)?;
    let destination = item.text("destination_type", 1..=255)?.unwrap_or_default();
    let (volume, snapshot, image) = (id(&mut item, "volume_id")?, id(&mut item, "snapshot_id")?, id(&mut item, "image_id")?);
    let named = id(&mut item, "uuid")?.or(volume).or(snapshot).or(image);
    let device = Device {
        source: source.unwrap_or_default(),
        destination,
        id: named,
        boot_index: read_index(&mut item)?,
        size: read_size(&mut item)?,
        volume_type: if at_least(version, 67) { item.text_or_null("volume_type", 0..=255)?.flatten() } else { None },
        // Came with 2.32, was lost by mistake with the next version, and came back.
        tag: if at_least(version, 42) || version == v(32) { tags::of_device(&mut item)? } else { None },
        delete_on_termination: item.flag("delete_on_termination")?.unwrap_or(false),
    };
    item.finish()?;
    if is_none {
        return Ok(None);
    }
    let known = |key: &str, word: &str, words: &[&str]| match words.contains(&word) {
        true => Ok(()),
        false => Err(wrong(key, &json!(word), &format!("It is not one of {words:?}."))),
    };
    known("source_type", &device.source, &["volume", "image", "snapshot", "blank"])?;
    known("destination_type", &device.destination, &["", "local", "volume"])?;
    Ok(Some(device))
}

/// A volume, or a snapshot of which one is made.
fn read_older(item: Value) -> Read<Option<Device>> {
    let mut item = Object::from_value("block_device_mapping", item)?;
    PASSED_OVER.iter().for_each(|field| drop(item.take(field)));
    let is_none = item.flag("no_device")?.unwrap_or(false);
    let (volume, snapshot) = (id(&mut item, "volume_id")?, id(&mut item, "snapshot_id")?);
    let size = read_size(&mut item)?;
    let delete_on_termination = item.flag("delete_on_termination")?.unwrap_or(false);
    item.finish()?;
    if is_none {
        return Ok(None);
    }
    let (source, id) = match (volume, snapshot) {
        (Some(volume), _) => ("volume", volume),
        (None, Some(snapshot)) => ("snapshot", snapshot),
        (None, None) => return Err(invalid("a device is a volume or a snapshot.".to_owned())),
    };
    Ok(Some(Device {
        source: source.to_owned(),
        destination: String::new(),
        id: Some(id),
        boot_index: None,
        size,
        volume_type: None,
        tag: None,
        delete_on_termination,
    }))
}

fn id(item: &mut Object, key: &str) -> Read<Option<String>> {
    let Some(id) = item.take_some(key) else { return Ok(None) };
    let id = text(key, id, 1..=255)?;
    match uuid::Uuid::try_parse(&id) {
        Ok(id) => Ok(Some(id.to_string())),
        Err(_) => Err(wrong(key, &json!(id), "It is not a 'uuid'.")),
    }
}

/// A number, or one in quotes; null and less than nothing mean that it is never booted from.
fn read_index(item: &mut Object) -> Read<Option<i64>> {
    let Some(said) = item.take_some("boot_index") else { return Ok(None) };
    let number = said.as_i64().or_else(|| said.as_str().and_then(|text| text.parse().ok()));
    let number = number.ok_or_else(|| wrong("boot_index", &said, "It is not a whole number."))?;
    Ok((number >= 0).then_some(number))
}

fn read_size(item: &mut Object) -> Read<Option<u64>> {
    let Some(said) = item.take_some("volume_size") else { return Ok(None) };
    if said.as_str() == Some("") {
        return Ok(None);
    }
    let number = said.as_u64().or_else(|| said.as_str().and_then(|text| text.parse().ok()));
    let number = number.filter(|number| *number <= i32::MAX as u64);
    number.map(Some).ok_or_else(|| wrong("volume_size", &said, "It is not a whole number of GiB."))
}

/// From 0 on without a gap; the image on the local disk is the first, whether it is named or not.
fn check_order(devices: &[Device]) -> Read<()> {
    let mut order: Vec<i64> = devices.iter().filter_map(|device| device.boot_index).collect();
    order.sort_unstable();
    let begins_with = order.first().copied().unwrap_or_default();
    let is_whole = begins_with <= 1 && order.iter().zip(begins_with..).all(|(index, place)| *index == place);
    if is_whole {
        return Ok(());
    }
    Err(invalid("Boot sequence for the instance and image/block device mapping combination is not valid.".to_owned()))
}

pub(super) fn invalid(reason: String) -> Fault {
    Fault::bad_request(format!("Block Device Mapping is Invalid: {reason}"))
}
