// SPDX-License-Identifier: Apache-2.0
//! `/limits`: the quotas of a project under yet other names, with what is used of them.

use std::sync::Arc;

use access::Target;
use api::{Cx, Reply, Routes};
use http::StatusCode;
use serde_json::json;
use types::ProjectId;

use crate::{
    Compute,
    error::Error,
    policy::{ADMIN, ANY},
    query, quota,
    versions::at_least,
};

access::policies! {
    LIMITS = "os_compute_api:limits", ANY, "Show the limits of the own project.";
    LIMITS_OTHER = "os_compute_api:limits:other_project", ADMIN, "Show the limits of any project.";
}

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("limits", routes);

pub(crate) fn routes() -> Routes<Compute> {
    Routes::new().get("/v2.1/limits", &LIMITS, show).asking(&[&LIMITS_OTHER])
}

async fn show(room: Arc<Compute>, cx: Cx) -> Reply {
    if at_least(cx.version, 75) {
        query::only(&cx, &["tenant_id", "reserved"])?;
    }
    let own = cx.project()?.clone();
    let project = match cx.query().get("tenant_id").map(ProjectId::new) {
        Some(other) if other != own => {
            cx.check(&LIMITS_OTHER, &Target::in_project(&other))?;
            other
        }
        _ => own,
    };
    let (limits, used) =
        room.store.read(move |tx| Ok::<_, Error>((quota::limits(tx, &project)?, quota::usage(tx, &project)?))).await?;
    let mut absolute = json!({
        "maxServerMeta": limits["metadata_items"],
        "maxTotalCores": limits["cores"],
        "maxTotalInstances": limits["instances"],
        "maxTotalKeypairs": limits["key_pairs"],
        "maxTotalRAMSize": limits["ram"],
        "maxServerGroups": limits["server_groups"],
        "maxServerGroupMembers": limits["server_group_members"],
        "totalCoresUsed": used.cores,
        "totalInstancesUsed": used.instances,
        "totalRAMUsed": used.ram,
        "totalServerGroupsUsed": 0,
    });
    if !at_least(cx.version, 36) {
        for (name, value) in [
            ("maxSecurityGroups", limits["security_groups"]),
            ("maxSecurityGroupRules", limits["security_group_rules"]),
            ("maxTotalFloatingIps", limits["floating_ips"]),
            ("totalSecurityGroupsUsed", 0),
            ("totalFloatingIpsUsed", 0),
        ] {
            absolute[name] = json!(value);
        }
    }
    if !at_least(cx.version, 39) {
        absolute["maxImageMeta"] = json!(limits["metadata_items"]);
    }
    if !at_least(cx.version, 57) {
        absolute["maxPersonality"] = json!(limits["injected_files"]);
        absolute["maxPersonalitySize"] = json!(limits["injected_file_content_bytes"]);
    }
    api::json(StatusCode::OK, &json!({"limits": {"rate": [], "absolute": absolute}}))
}
