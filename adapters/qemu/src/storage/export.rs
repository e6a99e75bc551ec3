// SPDX-License-Identifier: Apache-2.0
//! What a daemon lets in to.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Daemon;
use crate::Result;
use crate::block::{Source, export_name};
use crate::error::Error;

const DOOR: &str = "door";
const LOOK: Duration = Duration::from_millis(2);

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
        if self.exports().await? {
            return Ok(());
        }
        let node = qmp.ensure_open(export.volume, &export.source, export.read_only).await?;
        let order = json!({
            "type": "nbd", "id": DOOR, "node-name": node, "name": export_name(export.volume), "writable": !export.read_only,
        });
        qmp.execute::<Value>("block-export-add", order).await.map(drop)
    }

    /// Lets nobody in any more, and whoever is in out. Fine if it is so.
    pub async fn close_export(&self) -> Result<()> {
        while self.exports().await? {
            match self.qmp().execute::<Value>("block-export-del", json!({ "id": DOOR, "mode": "hard" })).await {
                // It goes by itself once whoever is in is out.
                Ok(_) | Err(Error::Refused { .. }) => tokio::time::sleep(LOOK).await,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn exports(&self) -> Result<bool> {
        let there: Vec<Found> = self.qmp().execute("query-block-exports", Value::Null).await?;
        Ok(there.iter().any(|found| found.id == DOOR))
    }
}
