// SPDX-License-Identifier: Apache-2.0
//! Version documents and what clients ask before they upload.

use std::sync::Arc;

use api::{Access, Cx, Reply, Routes, json};
use http::StatusCode;
use serde_json::json;

use crate::Image;

pub fn routes(room: Arc<Image>) -> Routes<Image> {
    Routes::new(room).get("/", Access::Public, versions).get("/versions", Access::Public, versions_as_list).get(
        "/v2/schemas/image",
        Access::Authenticated,
        schema,
    )
}

/// The versions whose operations are all here: 2.2 brought what 2.5 and later do not need (`hidden`, multi-hash came
/// with 2.7). Sharing (2.5), import (2.6 on) and stores are not deployed, so 2.4 is the newest that is told.
const VERSIONS: &[&str] = &["2.4", "2.3", "2.2", "2.1", "2.0"];

async fn versions(_: Arc<Image>, cx: Cx) -> Reply {
    document(StatusCode::MULTIPLE_CHOICES, &cx)
}

async fn versions_as_list(_: Arc<Image>, cx: Cx) -> Reply {
    document(StatusCode::OK, &cx)
}

fn document(status: StatusCode, cx: &Cx) -> Reply {
    let version = |(place, version): (usize, &&str)| {
        json!({"id": format!("v{version}"), "status": if place == 0 { "CURRENT" } else { "SUPPORTED" },
            "links": [{"rel": "self", "href": cx.url("/v2/")}]})
    };
    let versions: Vec<_> = VERSIONS.iter().enumerate().map(version).collect();
    json(status, &json!({"versions": versions}))
}

/// The schema by which clients tell an image's own attributes from a user's properties.
async fn schema(_: Arc<Image>, _: Cx) -> Reply {
    let text = |about: &str| json!({"type": ["null", "string"], "description": about});
    let whole = |about: &str| json!({"type": "integer", "minimum": 0, "description": about});
    let fixed = |about: &str| json!({"type": ["null", "string"], "readOnly": true, "description": about});
    let count = |about: &str| json!({"type": ["null", "integer"], "readOnly": true, "description": about});
    let truth = |about: &str| json!({"type": "boolean", "description": about});
    let properties = json!({
        "id": text("A UUID"), "name": text("A name for people"), "status": fixed("Where the image is in its life"),
        "visibility": {"type": "string", "enum": ["public", "private", "shared", "community"], "description": "Who sees it"},
        "protected": truth("Not to be deleted"), "os_hidden": truth("Left out of lists"), "owner": text("The project it belongs to"),
        "disk_format": {"type": ["null", "string"], "enum": [null, "raw", "qcow2", "iso", "vmdk", "vhd", "vhdx", "vdi"], "description": "What the data is"},
        "container_format": {"type": ["null", "string"], "enum": [null, "bare"], "description": "What the data is wrapped in"},
        "min_disk": whole("GiB of disk that a machine needs"), "min_ram": whole("MiB of memory that a machine needs"),
        "size": count("Bytes of data"), "virtual_size": count("Bytes of the disk"), "checksum": fixed("md5 of the data"),
        "os_hash_algo": fixed("Algorithm of os_hash_value"), "os_hash_value": fixed("Hash of the data"),
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 255}, "description": "Labels"},
        "created_at": fixed("When it was made"), "updated_at": fixed("When it was changed last"),
        "self": fixed("Its link"), "file": fixed("The link to its data"), "schema": fixed("The link to this schema"),
    });
    json(
        StatusCode::OK,
        &json!({"name": "image", "properties": properties,
        "additionalProperties": {"type": "string"}, "links": [
            {"rel": "self", "href": "{self}"}, {"rel": "enclosure", "href": "{file}"}, {"rel": "describedby", "href": "{schema}"}]}),
    )
}
