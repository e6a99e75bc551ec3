// SPDX-License-Identifier: Apache-2.0
//! Glance's JSON patches: a list of `add`, `replace` and `remove`, each of one attribute or property.
//!
//! The 2.0 media type says `{"replace": "/name", "value": …}`, the 2.1 one `{"op": "replace", "path": "/name", …}`.

use api::{Cx, Fault};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};

use super::{Deed, Row, attributes::Attributes, check_property, check_property_name};
use crate::location::Edit;

pub struct Change {
    path: Vec<String>,
    what: What,
}

enum What {
    Add(Value),
    Replace(Value),
    Remove,
}

const TYPES: [&str; 2] = ["application/openstack-images-v2.1-json-patch", "application/openstack-images-v2.0-json-patch"];
/// Set by the cloud, or at creation only.
const READ_ONLY: &[&str] = &[
    "id",
    "status",
    "size",
    "virtual_size",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "created_at",
    "updated_at",
    "self",
    "file",
    "schema",
    "direct_url",
    "stores",
    "deleted",
    "deleted_at",
];
/// Attributes that can be emptied but not taken away.
const BASIC: &[&str] =
    &["name", "visibility", "protected", "os_hidden", "owner", "disk_format", "container_format", "min_disk", "min_ram", "tags"];

/// The changes: those of locations, which take longer, and all others.
pub async fn read(cx: &mut Cx) -> Result<(Vec<Edit>, Vec<Change>), Fault> {
    let kind = cx.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim().to_owned();
    let is_old = kind == TYPES[1];
    if !TYPES.contains(&kind.as_str()) {
        let message = format!("A patch comes as {}, not as '{kind}'.", TYPES[0]);
        let accepted = HeaderValue::from_static("application/openstack-images-v2.1-json-patch");
        return Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
            .header(http::HeaderName::from_static("accept-patch"), accepted));
    }
    let body = cx.bytes().await?;
    if body.trim_ascii_start().first() != Some(&b'[') {
        return Err(Fault::bad_request("Request body must be a JSON array of operation objects."));
    }
    let lines: Vec<Map<String, Value>> = cx
        .json_of_any_kind()
        .await
        .map_err(|fault| Fault::bad_request(format!("Operations must be JSON objects. {}", fault.message)))?;
    let (mut edits, mut changes) = (Vec::new(), Vec::new());
    for line in lines {
        let change = if is_old { Change::read_old(line)? } else { Change::read(line)? };
        if change.path.first().is_some_and(|name| name == "locations") {
            edits.push(change.edit()?);
        } else {
            changes.push(change);
        }
    }
    Ok((edits, changes))
}

impl Change {
    fn read(mut line: Map<String, Value>) -> Result<Self, Fault> {
        let mut word = |key: &str| match line.remove(key) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(Fault::bad_request(format!("Unable to find '{key}' in JSON Schema change"))),
        };
        let (op, path) = (word("op")?, word("path")?);
        Self::make(&op, &path, line.remove("value"))
    }

    fn read_old(mut line: Map<String, Value>) -> Result<Self, Fault> {
        let value = line.remove("value");
        let mut operations = line.into_iter();
        match (operations.next(), operations.next()) {
            (Some((op, Value::String(path))), None) => Self::make(&op, &path, value),
            _ => Err(Fault::bad_request("Operation objects must contain exactly one of 'add', 'remove' and 'replace'.")),
        }
    }

    fn make(op: &str, path: &str, value: Option<Value>) -> Result<Self, Fault> {
        let path = read_pointer(path)?;
        let needed = || Fault::bad_request(format!("Operation \"{op}\" requires a member named \"value\"."));
        let what = match op {
            "add" => What::Add(value.ok_or_else(needed)?),
            "replace" => What::Replace(value.ok_or_else(needed)?),
            "remove" => What::Remove,
            other => return Err(Fault::bad_request(format!("Operations must be one of add, replace, remove, not '{other}'."))),
        };
        Ok(Self { path, what })
    }

    /// `/locations/-`, `/locations/2`, or `/locations` as a whole.
    fn edit(self) -> Result<Edit, Fault> {
        match (self.what, self.path.as_slice()) {
            (What::Add(location), [_, place]) => Ok(Edit::Add { place: place.clone(), location }),
            (What::Replace(locations), [_]) => Ok(Edit::Replace { locations }),
            (What::Remove, [_, place]) => Ok(Edit::Remove { place: place.clone() }),
            _ => Err(Fault::bad_request(format!("Invalid JSON pointer for this resource: '/{}'", self.path.join("/")))),
        }
    }

    pub fn apply(self, attributes: &Attributes<'_>, image: &mut Row) -> Result<(), Fault> {
        let Self { path, what } = self;
        let name = path.first().map(String::as_str).unwrap_or_default();
        if READ_ONLY.contains(&name) {
            return Err(Fault::forbidden(format!("Attribute '{name}' is read-only.")));
        }
        if BASIC.contains(&name) {
            return match what {
                What::Add(value) | What::Replace(value) => attributes.set(image, name, value),
                What::Remove => Err(Fault::forbidden(format!("Property '{name}' may not be removed."))),
            };
        }
        if path.len() > 1 {
            return Err(Fault::bad_request(format!("Invalid JSON pointer for this resource: '/{}'", path.join("/"))));
        }
        check_property_name(name)?;
        let there = image.properties.contains_key(name);
        let (settings, caller) = (attributes.settings, attributes.cx.caller()?);
        match what {
            What::Add(value) => {
                check_property(settings, caller, name, if there { Deed::Update } else { Deed::Create })?;
                attributes.set(image, name, value)
            }
            _ if !there => Err(Fault::conflict(format!("Property {name} does not exist."))),
            What::Replace(value) => {
                check_property(settings, caller, name, Deed::Update)?;
                attributes.set(image, name, value)
            }
            What::Remove => {
                check_property(settings, caller, name, Deed::Delete)?;
                image.properties.remove(name);
                Ok(())
            }
        }
    }
}

fn read_pointer(text: &str) -> Result<Vec<String>, Fault> {
    let wrong = |why: &str| Fault::bad_request(format!("Invalid JSON pointer for this resource: '{text}'{why}"));
    let rest = text.strip_prefix('/').ok_or_else(|| wrong(": it begins with a slash"))?;
    let parts: Vec<String> = rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
    if parts.iter().any(String::is_empty) { Err(wrong("")) } else { Ok(parts) }
}
