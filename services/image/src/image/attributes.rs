// SPDX-License-Identifier: Apache-2.0
//! The attributes of an image and the user's own properties: which there are, and what may be set.

use std::collections::BTreeSet;

use access::{Allowed, Scope};
use api::{Cx, Fault};
use serde_json::Value;
use types::{ImageId, ProjectId};
use uuid::Uuid;

use super::{Deed, Row, Status, Visibility, check_property};
use crate::{Error, Settings, image::policy};

/// Attributes that a user's property may not be named after.
const OWN_NAMES: &[&str] = &[
    "id",
    "name",
    "status",
    "visibility",
    "protected",
    "os_hidden",
    "owner",
    "disk_format",
    "container_format",
    "min_disk",
    "min_ram",
    "size",
    "virtual_size",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "tags",
    "created_at",
    "updated_at",
    "self",
    "file",
    "schema",
    "locations",
    "direct_url",
    "deleted",
    "deleted_at",
    "stores",
    "is_public",
    "members",
];

/// Properties that name other images.
const IMAGE_IDS: [&str; 2] = ["kernel_id", "ramdisk_id"];
pub const DELETION_POLICIES: [&str; 2] = ["on_image_deletion", "do_not_delete"];
const DISK_FORMATS: &[&str] = &["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"];
const CONTAINER_FORMATS: &[&str] = &["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"];

/// Sets attributes for one request: with its caller, under the operator's settings.
pub struct Attributes<'a> {
    pub cx: &'a Cx,
    pub settings: &'a Settings,
    pub allowed: &'a Allowed<Scope>,
}

impl Attributes<'_> {
    /// What only a new image can be told.
    pub fn set_first(&self, image: &mut Row, name: &str, value: Value) -> Result<(), Fault> {
        match name {
            "id" => {
                let id = value.as_str().and_then(|text| Uuid::try_parse(text).ok());
                image.id = ImageId::new(id.ok_or_else(|| Fault::bad_request("'id' is a UUID."))?.to_string());
                Ok(())
            }
            "owner" => self.set_owner(image, &value),
            property if check_property_name(property).is_ok() => {
                check_property(self.settings, self.cx.caller()?, property, Deed::Create)?;
                self.set(image, name, value)
            }
            _ => self.set(image, name, value),
        }
    }

    /// Sets one attribute or property, as create and patch both do.
    pub fn set(&self, image: &mut Row, name: &str, value: Value) -> Result<(), Fault> {
        match name {
            "name" => image.name = text(name, &value)?,
            "visibility" => self.set_visibility(image, &text(name, &value)?.unwrap_or_default())?,
            "protected" => image.protected = truth(name, &value)?,
            "os_hidden" => image.hidden = truth(name, &value)?,
            "owner" => self.set_owner(image, &value)?,
            "disk_format" | "container_format" => set_format(image, name, text(name, &value)?)?,
            "min_disk" => image.min_disk = whole(name, &value)?,
            "min_ram" => image.min_ram = whole(name, &value)?,
            "tags" => image.tags = self.tags(value)?,
            property => {
                check_property_name(property)?;
                image.properties.insert(property.to_owned(), property_value(property, value)?);
                if image.properties.len() > self.settings.limits.properties {
                    let most = self.settings.limits.properties;
                    return Err(Fault::too_large(format!(
                        "The limit has been exceeded: an image has at most {most} properties."
                    )));
                }
            }
        }
        Ok(())
    }

    fn set_visibility(&self, image: &mut Row, word: &str) -> Result<(), Fault> {
        let visibility = Visibility::parse(word).ok_or_else(|| unfit(&format!("'{word}' is no visibility")))?;
        let target = access::Target::in_project(&image.owner);
        match visibility {
            Visibility::Public => Some(self.cx.check(&policy::PUBLICIZE, &target)?),
            Visibility::Community => Some(self.cx.check(&policy::COMMUNITIZE, &target)?),
            Visibility::Private | Visibility::Shared => None,
        };
        image.visibility = visibility;
        Ok(())
    }

    fn set_owner(&self, image: &mut Row, value: &Value) -> Result<(), Fault> {
        let owner = ProjectId::new(value.as_str().ok_or_else(|| unfit("owner is a string"))?);
        check_text("owner", owner.as_str())?;
        if !self.allowed.scope().admits(&owner, None) {
            return Err(Fault::forbidden("You are not permitted to give images to another project."));
        }
        image.owner = owner;
        Ok(())
    }

    fn tags(&self, value: Value) -> Result<BTreeSet<String>, Fault> {
        let tags: BTreeSet<String> = serde_json::from_value(value).map_err(|_| unfit("tags is a list of strings"))?;
        tags.iter().try_for_each(|tag| check_text("a tag", tag))?;
        if tags.len() > self.settings.limits.tags {
            let most = self.settings.limits.tags;
            return Err(Fault::too_large(format!("The limit has been exceeded: an image has at most {most} tags.")));
        }
        Ok(tags)
    }
}

/// The properties that Glance's `schema-image.json` says more of than that they are strings.
fn property_value(property: &str, value: Value) -> Result<Option<String>, Fault> {
    match (property, value) {
        (property, Value::Null) if IMAGE_IDS.contains(&property) => Ok(None),
        (property, Value::String(text)) if IMAGE_IDS.contains(&property) && !is_hyphenated_uuid(&text) => {
            Err(unfit(&format!("{property} is the id of an image, a UUID, or null, not '{text}'")))
        }
        ("cinder_encryption_key_deletion_policy", Value::String(text)) if !DELETION_POLICIES.contains(&text.as_str()) => {
            Err(unfit(&format!("'{text}' is not one of {}", DELETION_POLICIES.join(", "))))
        }
        (_, Value::String(text)) => Ok(Some(text)),
        (property, _) => Err(unfit(&format!("the property {property} is a string"))),
    }
}

/// As the schema's pattern has it, which takes no other spelling.
fn is_hyphenated_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

fn set_format(image: &mut Row, name: &str, format: Option<String>) -> Result<(), Fault> {
    if image.status != Status::Queued {
        return Err(Fault::forbidden(format!("Attribute {name} can be only replaced for a queued image.")));
    }
    let (known, slot) = match name {
        "disk_format" => (DISK_FORMATS, &mut image.disk_format),
        _ => (CONTAINER_FORMATS, &mut image.container_format),
    };
    if let Some(format) = format.as_deref().filter(|format| !known.contains(format)) {
        let what = name.replace('_', " ");
        return Err(Fault::bad_request(format!("Invalid {what} '{format}' for image. There are: {}.", known.join(", "))));
    }
    *slot = format;
    Ok(())
}

fn text(name: &str, value: &Value) -> Result<Option<String>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => {
            check_text(name, text)?;
            Ok(Some(text.clone()))
        }
        _ => Err(unfit(&format!("{name} is a string"))),
    }
}

fn truth(name: &str, value: &Value) -> Result<bool, Fault> {
    value.as_bool().ok_or_else(|| unfit(&format!("{name} is a boolean")))
}

fn whole(name: &str, value: &Value) -> Result<i64, Fault> {
    let fits = value.as_i64().filter(|number| (0..=0x7fff_ffff).contains(number));
    fits.ok_or_else(|| unfit(&format!("{name} is a whole number, not negative")))
}

fn unfit(why: &str) -> Fault {
    Fault::bad_request(format!("Provided object does not match schema 'image': {why}."))
}

pub fn check_text(what: &str, text: &str) -> Result<(), Error> {
    if text.chars().count() > 255 || text.contains('\0') {
        return Err(Error::Invalid(format!("Invalid input for {what}: it has at most 255 characters.")));
    }
    Ok(())
}

pub fn check_property_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || OWN_NAMES.contains(&name) {
        return Err(Error::Forbidden(format!("Attribute '{name}' is read-only.")));
    }
    if name.starts_with("os_glance") {
        return Err(Error::Forbidden(format!("Attribute '{name}' is reserved.")));
    }
    check_text("the name of a property", name)
}
