// SPDX-License-Identifier: Apache-2.0
//! An image as Glance v2 shows it: attributes and the user's properties side by side.

use serde_json::{Map, Value, json};

use super::Row;
use crate::Image;

impl Image {
    /// The stores that have this image, the one to read from first.
    pub(crate) fn stores_of(&self, image: &Row) -> Vec<String> {
        let known = self.settings.stores.iter().filter(|store| image.place.stores.contains(&store.id));
        let mut known: Vec<_> = known.collect();
        known.sort_by_key(|store| std::cmp::Reverse(store.weight));
        known.into_iter().map(|store| store.id.clone()).collect()
    }

    pub(crate) fn view(&self, image: &Row) -> Value {
        let mut view = view(image);
        if !image.place.stores.is_empty() {
            view["stores"] = json!(self.stores_of(image).join(","));
        }
        view
    }
}

/// Of what is inside a container nothing is known, its virtual size least of all.
pub fn view(image: &Row) -> Value {
    let data = image.data.as_ref();
    let own = json!({
        "id": image.id, "name": image.name, "owner": image.owner, "status": image.status.as_str(), "visibility": image.visibility.as_str(),
        "protected": image.protected, "os_hidden": image.hidden, "disk_format": image.disk_format, "container_format": image.container_format,
        "min_disk": image.min_disk, "min_ram": image.min_ram, "size": data.map(|data| data.size),
        "virtual_size": data.map(|data| data.virtual_size).filter(|size| *size > 0), "checksum": data.map(|data| &data.md5),
        "os_hash_algo": data.map(|_| "sha512"), "os_hash_value": data.map(|data| &data.sha512), "tags": image.tags,
        "created_at": image.created_at.zulu(), "updated_at": image.updated_at.zulu(), "self": format!("/v2/images/{}", image.id),
        "file": format!("/v2/images/{}/file", image.id), "schema": "/v2/schemas/image",
    });
    // The user's properties come first so that none of them can stand in for an attribute of the image itself.
    let mut all: Map<String, Value> = image.properties.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    if let Value::Object(own) = own {
        all.extend(own);
    }
    let list = |stores: &std::collections::BTreeSet<String>| stores.iter().cloned().collect::<Vec<_>>().join(",");
    if let Some(importing) = &image.place.importing {
        all.insert("os_glance_importing_to_stores".into(), json!(list(importing)));
    }
    if let Some(failed) = &image.place.failed {
        all.insert("os_glance_failed_import".into(), json!(list(failed)));
    }
    Value::Object(all)
}
