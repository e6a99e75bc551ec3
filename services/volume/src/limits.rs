// SPDX-License-Identifier: Apache-2.0
//! `/limits`: what a project may have and what it has, in one answer.

use std::sync::Arc;

use api::{Cx, Reply, Routes};
use http::StatusCode;
use serde_json::json;
use types::ProjectId;

use crate::{
    BlockStorage,
    error::{Error, Result},
    policy::READER,
    quota,
    versions::at_least,
};

access::policies! {
    LIMITS = "limits_extension:used_limits", READER, "Show the limits of the own project.";
}

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("limits", routes);

fn routes() -> Routes<BlockStorage> {
    Routes::new().get("/v3/limits", &LIMITS, show)
}

async fn show(room: Arc<BlockStorage>, cx: Cx) -> Reply {
    let is_admin = cx.allowed()?.scope().is_all();
    let named = cx.query().get("project_id").or(cx.query().get("tenant_id")).filter(|_| is_admin && at_least(cx.version, 39));
    let project = match named {
        Some(project) => ProjectId::new(project),
        None => cx.project()?.clone(),
    };
    let (limits, used) = room
        .store
        .read(move |tx| -> Result<_, Error> { Ok((quota::limits(tx, &project)?, quota::usage(tx, &project)?)) })
        .await?;
    let most = |name: &str| limits.get(name).copied().unwrap_or(-1);
    let has = |name: &str| used.get(name).copied().unwrap_or_default();
    api::json(
        StatusCode::OK,
        &json!({"limits": {"rate": [], "absolute": {
            "maxTotalVolumes": most("volumes"),
            "maxTotalSnapshots": most("snapshots"),
            "maxTotalVolumeGigabytes": most("gigabytes"),
            "maxTotalBackups": most("backups"),
            "maxTotalBackupGigabytes": most("backup_gigabytes"),
            "totalVolumesUsed": has("volumes"),
            "totalSnapshotsUsed": has("snapshots"),
            "totalGigabytesUsed": has("gigabytes"),
            "totalBackupsUsed": 0,
            "totalBackupGigabytesUsed": 0,
        }}}),
    )
}
