// SPDX-License-Identifier: Apache-2.0
//! An image as Glance v2 shows it: attributes and the user's properties side by side.

use access::Target;
use api::{Cx, Fault};
use serde_json::{Map, Value, json};

use super::{Row, protect::readable};
use crate::{Image, location::Said};

impl Image {
    /// The stores that have this image, the one to read from first.
    pub(crate) fn stores_of(&self, image: &Row) -> Vec<String> {
        let known = self.settings.stores.iter().filter(|store| image.place.stores.contains(&store.id));
        let mut known: Vec<_> = known.collect();
        known.sort_by_key(|store| std::cmp::Reverse(store.weight));
        known.into_iter().map(|store| store.id.clone()).collect()
    }

    /// The image as this caller sees it.
    pub(crate) fn view(&self, cx: &Cx, image: Row) -> Result<Value, Fault> {
        let image = readable(&self.settings, cx.caller()?, image);
        let mut view = view(&image);
        let mut stores = self.stores_of(&image);
        // Of those with one weight Glance promises no order; by their names the list reads the same everywhere.
        stores.sort_by_key(|id| (std::cmp::Reverse(self.settings.store(id).map(|store| store.weight)), id.clone()));
        if stores.is_empty() {
            stores.extend(image.locations.iter().filter_map(|label| label.store.clone()));
        }
        if !stores.is_empty() {
            view["stores"] = json!(stores.join(","));
        }
        if self.settings.show_multiple_locations {
            let may_see = cx.may(&crate::location::policy::SHOW_LOCATIONS, &Target::in_project(&image.owner));
            view["locations"] = json!(if may_see { self.locations_of(&image) } else { Vec::new() });
        }
        Ok(view)
    }
}

/// Of what is inside a container nothing is known, its virtual size least of all. For events, too: without what only some may see.
pub fn view(image: &Row) -> Value {
    let (data, said) = (image.data.as_ref(), Said::of(image));
    let own = json!({
        "id": image.id, "name": image.name, "owner": image.owner, "status": image.status.as_str(), "visibility": image.visibility.as_str(),
        "protected": image.protected, "os_hidden": image.hidden, "disk_format": image.disk_format, "container_format": image.container_format,
        "min_disk": image.min_disk, "min_ram": image.min_ram, "size": data.map(|data| data.size),
        "virtual_size": data.map(|data| data.virtual_size).filter(|size| *size > 0), "checksum": said.checksum,
        "os_hash_algo": said.algorithm, "os_hash_value": said.value, "tags": image.tags,
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
