// SPDX-License-Identifier: Apache-2.0
//! Layers that nobody names any more are merged into one that somebody does, while the volume is in use.
//!
//! Both ways are safe to be cut short, by whomever: the files read the same with the layer that goes and without it, before, during
//! and after. So nothing is written down before the job has ended.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Source, prefix};
use crate::Result;
use crate::error::Error;
use crate::qmp::Qmp;

const LOOK: Duration = Duration::from_millis(50);
/// A guest that works is not starved by it. Bytes a second.
const SPEED: u64 = 256 << 20;

/// What shall be merged, by the ids of the layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// All between this layer and the highest, into the highest. None: all that is below it.
    IntoHighest { above: Option<String> },
    /// The upper of two frozen neighbours into the lower one.
    Down { upper: String, lower: String },
}

#[derive(Debug, Deserialize)]
struct Job {
    id: String,
    status: String,
    error: Option<String>,
}

impl Qmp {
    /// Merges, and waits for the end. One that was begun before is waited for.
    pub async fn merge(&self, volume: Uuid, highest: &Source, what: &Merge) -> Result<()> {
        let id = format!("{}merge", prefix(volume));
        if self.job(&id).await?.is_none() {
            let mut order = json!({ "job-id": id, "device": highest.node(volume)?, "speed": SPEED, "auto-dismiss": false });
            let command = match what {
                Merge::IntoHighest { above } => {
                    if let Some(above) = above {
                        order["base-node"] = format!("{}{above}", prefix(volume)).into();
                    }
                    "block-stream"
                }
                Merge::Down { upper, lower } => {
                    let node = |layer: &str| Value::from(format!("{}{layer}", prefix(volume)));
                    (order["top-node"], order["base-node"]) = (node(upper), node(lower));
                    "block-commit"
                }
            };
            self.execute::<Value>(command, order).await?;
        }
        loop {
            match self.job(&id).await? {
                None => return Err(Error::Merge("QEMU forgot of it".into())),
                Some(job) if job.status == "concluded" => {
                    self.execute::<Value>("job-dismiss", json!({ "id": id })).await?;
                    return job.error.map_or(Ok(()), |error| Err(Error::Merge(error)));
                }
                Some(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn job(&self, id: &str) -> Result<Option<Job>> {
        let jobs: Vec<Job> = self.execute("query-jobs", Value::Null).await?;
        Ok(jobs.into_iter().find(|job| job.id == id))
    }
}
