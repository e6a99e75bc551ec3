// SPDX-License-Identifier: Apache-2.0
//! The version documents, by which clients find out what they may ask for; and `/extensions`, by which older ones did.

use std::sync::Arc;

use api::{Access, Cx, Reply, Routes};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{BlockStorage, policy::ANY, versions::MICROVERSIONS};

access::policies! {
    LIST_EXTENSIONS = "volume:extensions", ANY, "List the extensions of the API.";
}

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("discovery", routes);

fn routes() -> Routes<BlockStorage> {
    Routes::new().get("/", Access::Public, versions).get("/v3", Access::Public, version).get(
        "/v3/extensions",
        &LIST_EXTENSIONS,
        extensions,
    )
}

/// Cinder says by the status that there are several versions, even where there is one.
async fn versions(_room: Arc<BlockStorage>, cx: Cx) -> Reply {
    api::json(StatusCode::MULTIPLE_CHOICES, &json!({"versions": [document(&cx)]}))
}

async fn version(_room: Arc<BlockStorage>, cx: Cx) -> Reply {
    api::json(StatusCode::OK, &json!({"versions": [document(&cx)]}))
}

fn document(cx: &Cx) -> Value {
    json!({
        "id": "v3.0",
        "status": "CURRENT",
        "version": MICROVERSIONS.max.to_string(),
        "min_version": MICROVERSIONS.min.to_string(),
        "updated": "2023-08-31T00:00:00Z",
        "links": [
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
            {"rel": "self", "href": cx.url("/v3/")},
        ],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}],
    })
}

/// What of Cinder's former extensions is here.
const EXTENSIONS: &[(&str, &str, &str)] = &[
    ("AdminActions", "os-admin-actions", "Actions of the operator on volumes, such as os-reset_status."),
    ("AvailabilityZones", "os-availability-zone", "Lists availability zones."),
    ("Capabilities", "capabilities", "Tells what a host of volumes can do."),
    ("ExtendedServices", "os-extended-services", "More of a service's state."),
    ("ExtendedSnapshotAttributes", "os-extended-snapshot-attributes", "Whose a snapshot is, and how far."),
    ("Hosts", "os-hosts", "The hosts of volumes."),
    ("QuotaClasses", "os-quota-class-sets", "Quotas of classes."),
    ("Quotas", "os-quota-sets", "Quotas of projects."),
    ("Qos_specs_manage", "qos-specs", "QoS specs of volume types."),
    ("SchedulerStats", "scheduler-stats", "Where volumes lie, with how much room there is."),
    ("Services", "os-services", "The services."),
    ("SnapshotActions", "os-snapshot-actions", "Actions on snapshots."),
    ("TypesExtraSpecs", "os-types-extra-specs", "Extra specs of volume types."),
    ("TypesManage", "os-types-manage", "Makes and deletes volume types."),
    ("UsedLimits", "os-used-limits", "What a project uses of its limits."),
    ("VolumeActions", "os-volume-actions", "Actions on volumes, such as attaching."),
    ("VolumeHostAttribute", "os-vol-host-attr", "On which host a volume lies, for the operator."),
    ("VolumeImageMetadata", "os-vol-image-meta", "What a volume has of its image."),
    ("VolumeMigStatusAttribute", "os-vol-mig-status-attr", "Whether a volume is moving, for the operator."),
    ("VolumeTenantAttribute", "os-vol-tenant-attr", "Whose a volume is."),
    ("VolumeTransfer", "os-volume-transfer", "Offers volumes to other projects."),
    ("VolumeTypeAccess", "os-volume-type-access", "Volume types for some projects only."),
];

async fn extensions(_room: Arc<BlockStorage>, _cx: Cx) -> Reply {
    let view = |(name, alias, description): &(&str, &str, &str)| json!({"name": name, "alias": alias, "description": description, "updated": "2016-08-08T00:00:00+00:00", "links": []});
    let views: Vec<Value> = EXTENSIONS.iter().map(view).collect();
    api::json(StatusCode::OK, &json!({"extensions": views}))
}
