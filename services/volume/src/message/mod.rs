// SPDX-License-Identifier: Apache-2.0
//! Messages: what went wrong after a request was answered, for whoever made it.

mod api;
pub(crate) mod policy;
pub(crate) mod table;

use std::time::Duration;

use serde::Serialize;
use types::{ProjectId, Timestamp};

use crate::{snapshot::Snapshot, volume::Volume};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("message", api::routes);

/// How long they can be read.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    pub id: String,
    pub project_id: ProjectId,
    pub resource_type: String,
    pub resource_id: String,
    pub event_id: String,
    pub message: String,
    pub request_id: String,
    pub created_at: Timestamp,
    pub kept_until: Timestamp,
}

impl Message {
    pub(crate) fn of_volume(volume: &Volume, action: &str, cause: &str) -> Self {
        Self::new(&volume.project_id, "VOLUME", volume.id.as_str(), &format!("{action} volume"), cause)
    }

    pub(crate) fn of_snapshot(snapshot: &Snapshot, cause: &str) -> Self {
        Self::new(&snapshot.project_id, "VOLUME_SNAPSHOT", snapshot.id.as_str(), "create snapshot", cause)
    }

    fn new(project: &ProjectId, resource_type: &str, id: &str, action: &str, cause: &str) -> Self {
        let now = Timestamp::now();
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            project_id: project.clone(),
            resource_type: resource_type.to_owned(),
            resource_id: id.to_owned(),
            // Cinder numbers what may be done and why it may fail; programs look for the resource.
            event_id: format!("VOLUME_{resource_type}_000_000"),
            message: format!("{action}:{cause}"),
            request_id: String::new(),
            created_at: now,
            kept_until: now.plus(KEPT),
        }
    }
}
