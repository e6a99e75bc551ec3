// SPDX-License-Identifier: Apache-2.0
//! What a daemon lets in to.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Daemon;
use crate::Result;
use crate::block::{Source, export_name};

const DOOR: &str = "door";

/// A volume, as whoever comes in finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    pub volume: Uuid,
    pub source: Source,
    pub read_only: bool,
}

#[derive(Deserialize)]
struct Found {
    id: String,
}

impl Daemon {
    /// Opens the volume, and lets in to it. Fine if it is so.
    pub async fn ensure_export(&self, export: &Export) -> Result<()> {
        let qmp = self.qmp();
        let there: Vec<Found> = qmp.execute("query-block-exports", Value::Null).await?;
        if there.iter().any(|found| found.id == DOOR) {
            return Ok(());
        }
        let node = qmp.ensure_open(export.volume, &export.source, export.read_only).await?;
        let order = json!({
            "type": "nbd", "id": DOOR, "node-name": node, "name": export_name(export.volume), "writable": !export.read_only,
        });
        qmp.execute::<Value>("block-export-add", order).await.map(drop)
    }
}
