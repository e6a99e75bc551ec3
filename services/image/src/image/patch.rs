// SPDX-License-Identifier: Apache-2.0
//! Glance's JSON patches: a list of `add`, `replace` and `remove`, each of one attribute or property.

use api::{Cx, Fault};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::{Row, api::set, check_property_name};

pub struct Change {
    name: String,
    what: What,
}

enum What {
    Add(Value),
    Replace(Value),
    Remove,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    op: String,
    path: String,
    value: Option<Value>,
}

pub async fn read(cx: &mut Cx) -> Result<Vec<Change>, Fault> {
    let kind = cx.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim().to_owned();
    if kind != "application/openstack-images-v2.1-json-patch" && kind != "application/openstack-images-v2.0-json-patch" {
        let message = format!("A patch comes as application/openstack-images-v2.1-json-patch, not as '{kind}'.");
        return Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let body = cx.bytes().await?;
    if body.trim_ascii_start().first() != Some(&b'[') {
        return Err(Fault::bad_request("Request body must be a JSON array of operation objects."));
    }
    let lines: Vec<Line> = cx.json_of_any_kind().await?;
    lines.into_iter().map(Change::read).collect()
}

impl Change {
    fn read(line: Line) -> Result<Self, Fault> {
        let pointer = line.path.strip_prefix('/').filter(|rest| !rest.is_empty() && !rest.contains('/'));
        let pointer =
            pointer.ok_or_else(|| Fault::bad_request(format!("Invalid JSON pointer for this resource: '{}'", line.path)))?;
        let name = pointer.replace("~1", "/").replace("~0", "~");
        let needed = || Fault::bad_request(format!("Operation \"{}\" requires a member named \"value\".", line.op));
        let what = match line.op.as_str() {
            "add" => What::Add(line.value.ok_or_else(needed)?),
            "replace" => What::Replace(line.value.ok_or_else(needed)?),
            "remove" => What::Remove,
            other => return Err(Fault::bad_request(format!("Operations must be one of add, replace, remove, not '{other}'."))),
        };
        Ok(Self { name, what })
    }

    pub fn apply(self, cx: &Cx, image: &mut Row) -> Result<(), Fault> {
        let Self { name, what } = self;
        if matches!(
            name.as_str(),
            "id" | "owner" | "status" | "size" | "checksum" | "created_at" | "updated_at" | "self" | "file" | "schema"
        ) {
            return Err(Fault::forbidden(format!("Attribute '{name}' is read-only.")));
        }
        let is_property = check_property_name(&name).is_ok();
        match what {
            What::Add(value) => set(cx, image, &name, value),
            What::Replace(value) => {
                if is_property && !image.properties.contains_key(&name) {
                    return Err(Fault::conflict(format!("Property {name} does not exist.")));
                }
                set(cx, image, &name, value)
            }
            What::Remove if is_property => {
                let removed = image.properties.remove(&name);
                removed.map(drop).ok_or_else(|| Fault::conflict(format!("Property {name} does not exist.")))
            }
            What::Remove => Err(Fault::forbidden(format!("Property '{name}' may not be removed."))),
        }
    }
}
