// SPDX-License-Identifier: Apache-2.0
//! Transfers: a volume is offered, and whoever has the key of the offer takes it into his project. The key is told once and
//! kept as a hash.

mod api;
pub(crate) mod policy;
mod table;

use serde::Serialize;
use types::{ProjectId, Secret, Timestamp, VolumeId};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("transfer", api::routes);

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Transfer {
    pub id: String,
    pub volume_id: VolumeId,
    pub project_id: ProjectId,
    pub name: Option<String>,
    pub salt: String,
    pub key_hash: Secret<String>,
    pub no_snapshots: bool,
    pub created_at: Timestamp,
}
