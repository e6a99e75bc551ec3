// SPDX-License-Identifier: Apache-2.0
//! An image as Glance v2 shows it: attributes and the user's properties side by side.

use serde_json::{Map, Value, json};

use super::Row;

pub fn view(image: &Row) -> Value {
    let data = image.data.as_ref();
    let own = json!({
        "id": image.id, "name": image.name, "owner": image.owner, "status": image.status.as_str(), "visibility": image.visibility.as_str(),
        "protected": image.protected, "os_hidden": image.hidden, "disk_format": image.disk_format, "container_format": image.container_format,
        "min_disk": image.min_disk, "min_ram": image.min_ram, "size": data.map(|data| data.size),
        "virtual_size": data.map(|data| data.virtual_size), "checksum": data.map(|data| &data.md5),
        "os_hash_algo": data.map(|_| "sha512"), "os_hash_value": data.map(|data| &data.sha512), "tags": image.tags,
        "created_at": image.created_at.zulu(), "updated_at": image.updated_at.zulu(), "self": format!("/v2/images/{}", image.id),
        "file": format!("/v2/images/{}/file", image.id), "schema": "/v2/schemas/image",
    });
    // The user's properties come first so that none of them can stand in for an attribute of the image itself.
    let mut all: Map<String, Value> = image.properties.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    if let Value::Object(own) = own {
        all.extend(own);
    }
    Value::Object(all)
}
