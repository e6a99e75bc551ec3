// SPDX-License-Identifier: Apache-2.0
//! Attachments: that a volume is somebody's, or shall be. Compute's are made by its own door ([`crate::neighbour`]); what
//! clients note by the API opens no door.

mod action;
mod api;
pub(crate) mod policy;
pub(crate) mod table;

use serde::Serialize;
use serde_json::Value;
use types::{AttachmentId, Timestamp, VolumeId};

use crate::volume::state::Stage;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("attachment", routes);

fn routes() -> ::api::Routes<crate::BlockStorage> {
    api::routes().join(action::routes())
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Attachment {
    pub id: AttachmentId,
    pub volume_id: VolumeId,
    /// A server, or whatever a client calls it.
    pub server_id: Option<String>,
    /// Only compute gives it back.
    pub by_compute: bool,
    pub stage: Stage,
    pub read_only: bool,
    pub device: Option<String>,
    pub host: Option<String>,
    pub connector: Option<Value>,
    pub created_at: Timestamp,
    pub attached_at: Option<Timestamp>,
}

impl Attachment {
    pub(crate) fn is_attached(&self) -> bool {
        self.stage >= Stage::Attached
    }
}
