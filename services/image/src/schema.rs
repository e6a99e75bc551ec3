// SPDX-License-Identifier: Apache-2.0
//! `/v2/schemas/…`: what each document holds, for clients that tell an image's own attributes from a user's properties.

use std::sync::Arc;

use api::{Access, Cx, Reply, Routes, json};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{Image, image::DELETION_POLICIES};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("schema", routes);

pub fn routes() -> Routes<Image> {
    let mut routes = Routes::new();
    macro_rules! schemas {
        ($($path:literal => $schema:expr),+ $(,)?) => {
            $(routes = routes.get(concat!("/v2/schemas/", $path), Access::Authenticated, |_: Arc<Image>, _: Cx| async {
                answer(&$schema)
            });)+
        };
    }
    schemas! {
        "image" => image(),
        "images" => list("images", image()),
        "member" => member(),
        "members" => bare_list("members", member()),
        "task" => task(),
        "tasks" => list("tasks", task()),
        "metadefs/namespace" => namespace(),
        "metadefs/namespaces" => list("namespaces", namespace()),
        "metadefs/object" => object(),
        "metadefs/objects" => list("objects", object()),
        "metadefs/property" => property(),
        "metadefs/properties" => properties(),
        "metadefs/resource_type" => resource_type(),
        "metadefs/resource_types" => list("resource_type_associations", resource_type()),
        "metadefs/tag" => tag(),
        "metadefs/tags" => list("tags", tag()),
    }
    routes
}

fn answer(schema: &Value) -> Reply {
    json(StatusCode::OK, schema)
}

fn text(about: &str) -> Value {
    json!({"type": ["null", "string"], "maxLength": 255, "description": about})
}

fn fixed(about: &str) -> Value {
    json!({"type": ["null", "string"], "readOnly": true, "description": about})
}

fn count(about: &str) -> Value {
    json!({"type": ["null", "integer"], "readOnly": true, "description": about})
}

fn truth(about: &str) -> Value {
    json!({"type": "boolean", "description": about})
}

fn whole(about: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": 2_147_483_647, "description": about})
}

fn choice(about: &str, words: &[&str]) -> Value {
    json!({"type": "string", "enum": words, "description": about})
}

fn image() -> Value {
    let links = json!([
        {"rel": "self", "href": "{self}"}, {"rel": "enclosure", "href": "{file}"}, {"rel": "describedby", "href": "{schema}"},
    ]);
    let tags = json!({"type": "array", "items": {"type": "string", "maxLength": 255}, "description": "Labels"});
    let validation_data = json!({"type": "object", "writeOnly": true, "additionalProperties": false,
        "required": ["os_hash_algo", "os_hash_value"], "properties": {
            "checksum": {"type": "string", "minLength": 32, "maxLength": 32},
            "os_hash_algo": {"type": "string", "maxLength": 64}, "os_hash_value": {"type": "string", "maxLength": 128}}});
    let locations = json!({
        "type": "array", "description": "Where the data lies, or was fetched from",
        "items": {"type": "object", "required": ["url", "metadata"], "properties": {
            "url": {"type": "string", "maxLength": 255}, "metadata": {"type": "object"}, "validation_data": validation_data}},
    });
    let mut properties = json!({
        "id": {"type": "string", "description": "A UUID", "pattern": UUID}, "name": text("A name for people"),
        "status": {"type": "string", "readOnly": true, "description": "Where the image is in its life",
            "enum": ["queued", "saving", "active", "killed", "deleted", "uploading", "importing", "pending_delete", "deactivated"]},
        "visibility": choice("Who sees it", &["community", "public", "private", "shared"]),
        "protected": truth("Not to be deleted"), "os_hidden": truth("Left out of lists"), "owner": text("The project it belongs to"),
        "min_disk": whole("GiB of disk that a machine needs"), "min_ram": whole("MiB of memory that a machine needs"),
        "size": count("Bytes of data"), "virtual_size": count("Bytes of the disk"), "checksum": fixed("md5 of the data"),
        "os_hash_algo": fixed("Algorithm of os_hash_value"), "os_hash_value": fixed("Hash of the data"),
        "created_at": fixed("When it was made"), "updated_at": fixed("When it was changed last"),
        "self": fixed("Its link"), "file": fixed("The link to its data"), "schema": fixed("The link to this schema"),
        "direct_url": fixed("Where the data lies; never shown"), "stores": fixed("The stores that have the data"),
    });
    properties["tags"] = tags;
    properties["locations"] = locations;
    properties["disk_format"] = json!({"type": ["null", "string"], "description": "What the data is",
        "enum": [null, "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"]});
    properties["container_format"] = json!({"type": ["null", "string"], "description": "What the data is wrapped in",
        "enum": [null, "ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"]});
    // Those of Glance's schema-image.json.
    for (name, about) in [
        ("architecture", "The processor that the image was built for"),
        ("os_distro", "Short name of the distribution"),
        ("os_version", "The version as its distributor writes it"),
        ("instance_uuid", "The machine from which this image was made"),
        ("description", "A text for people"),
        ("cinder_encryption_key_id", "The key of the volume that was made from this image"),
        ("cinder_encryption_key_deletion_policy", "Whether that key goes with the image"),
    ] {
        properties[name] = json!({"type": "string", "is_base": false, "description": about});
    }
    properties["cinder_encryption_key_deletion_policy"]["enum"] = json!(DELETION_POLICIES);
    for (name, about) in
        [("kernel_id", "The image that holds the kernel"), ("ramdisk_id", "The image that holds the initial ramdisk")]
    {
        properties[name] = json!({"type": ["null", "string"], "pattern": UUID, "is_base": false, "description": about});
    }
    json!({"name": "image", "properties": properties, "additionalProperties": {"type": "string"}, "links": links})
}

const UUID: &str = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$";

/// A list with links to its pages.
fn list(name: &str, item: Value) -> Value {
    let links = json!([
        {"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}, {"rel": "describedby", "href": "{schema}"},
    ]);
    let text = json!({"type": "string"});
    json!({"name": name, "links": links,
        "properties": {name: {"type": "array", "items": item}, "first": text, "next": text, "schema": text}})
}

/// A list that comes as a whole.
fn bare_list(name: &str, item: Value) -> Value {
    json!({"name": name, "links": [{"rel": "describedby", "href": "{schema}"}],
        "properties": {name: {"type": "array", "items": item}, "schema": {"type": "string"}}})
}

fn member() -> Value {
    json!({"name": "member", "properties": {
        "image_id": {"type": "string", "pattern": UUID, "description": "The image"},
        "member_id": {"type": "string", "description": "The project that it is shared with"},
        "status": choice("Whether the project took it", &["pending", "accepted", "rejected"]),
        "created_at": fixed("When it was made"), "updated_at": fixed("When it was changed last"), "schema": fixed("The link to this schema"),
    }})
}

fn task() -> Value {
    json!({"name": "task", "properties": {
        "id": {"type": "string", "pattern": UUID, "description": "A UUID"},
        "type": choice("What is done", &["import", "api_image_import", "location_import"]),
        "status": choice("How far it is", &["pending", "processing", "success", "failure"]),
        "input": {"type": ["null", "object"], "description": "What was asked for"},
        "result": {"type": ["null", "object"], "description": "What came of it"},
        "owner": {"type": "string", "description": "The project that it works for"},
        "message": {"type": "string", "description": "How far it is, or why it failed"},
        "image_id": fixed("The image that it works on"), "request_id": fixed("The request that asked for it"), "user_id": fixed("Who asked for it"),
        "expires_at": fixed("When it is forgotten"), "created_at": fixed("When it was made"), "updated_at": fixed("When it was changed last"),
        "self": fixed("Its link"), "schema": fixed("The link to this schema"),
    }})
}

/// What a property may say of itself; the words are JSON schema's.
fn definition() -> Value {
    let (text, list, number) = (json!({"type": "string"}), json!({"type": "array"}), json!({"type": "number"}));
    let (truth, whole) = (json!({"type": "boolean"}), json!({"type": "integer", "minimum": 0}));
    let kind = json!({"type": "string", "enum": ["array", "boolean", "integer", "number", "object", "string", null]});
    json!({
        "name": {"type": "string", "maxLength": 255}, "title": text, "description": text, "type": kind,
        "operators": {"type": "array", "items": text}, "required": {"type": "array", "items": text}, "readonly": truth,
        "minimum": number, "maximum": number, "minLength": whole, "maxLength": whole, "pattern": {"type": "string", "format": "regex"},
        "enum": list, "default": {}, "minItems": whole, "maxItems": whole, "uniqueItems": truth, "additionalItems": truth,
        "items": {"type": "object", "properties": {"type": kind, "enum": list}},
    })
}

fn properties_of_namespace() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "object", "required": ["title", "type"], "properties": definition()}})
}

fn property() -> Value {
    json!({"name": "property", "required": ["name", "title", "type"], "properties": definition(), "additionalProperties": false})
}

fn properties() -> Value {
    let links = json!([{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}]);
    let text = json!({"type": "string"});
    json!({"name": "properties", "links": links,
        "properties": {"properties": properties_of_namespace(), "first": text, "next": text, "schema": text}})
}

fn object() -> Value {
    json!({"name": "object", "required": ["name"], "properties": {
        "name": {"type": "string", "maxLength": 255}, "description": {"type": "string"},
        "required": {"type": "array", "items": {"type": "string"}}, "properties": properties_of_namespace(),
        "created_at": fixed("When it was made"), "updated_at": fixed("When it was changed last"),
        "self": fixed("Its link"), "schema": fixed("The link to this schema"),
    }})
}

fn tag() -> Value {
    json!({"name": "tag", "required": ["name"], "properties": {
        "name": {"type": "string", "maxLength": 255},
        "created_at": fixed("When it was made"), "updated_at": fixed("When it was changed last"),
    }})
}

fn resource_type() -> Value {
    json!({"name": "resource_type_association", "required": ["name"], "additionalProperties": false, "properties": {
        "name": {"type": "string", "maxLength": 80, "description": "The kind of resource, as Heat names it"},
        "prefix": {"type": "string", "maxLength": 80, "description": "What goes before a property's name for this kind of resource"},
        "properties_target": {"type": "string", "maxLength": 80, "description": "Which properties of the resource are meant"},
        "created_at": fixed("When it was made"), "updated_at": fixed("When it was changed last"),
    }})
}

fn namespace() -> Value {
    json!({"name": "namespace", "required": ["namespace"], "additionalProperties": false, "properties": {
        "namespace": {"type": "string", "maxLength": 80, "description": "Its unique name"},
        "display_name": {"type": "string", "maxLength": 80, "description": "A name for people"},
        "description": {"type": "string", "maxLength": 500, "description": "What it is for"},
        "visibility": choice("Who sees it", &["public", "private"]), "protected": truth("Not to be deleted"),
        "owner": {"type": "string", "maxLength": 255, "description": "The project it belongs to"},
        "resource_type_associations": {"type": "array", "items": resource_type()},
        "properties": properties_of_namespace(), "objects": {"type": "array", "items": object()}, "tags": {"type": "array", "items": tag()},
        "created_at": fixed("When it was made"), "updated_at": fixed("When it was changed last"),
        "self": fixed("Its link"), "schema": fixed("The link to this schema"),
    }})
}
