// SPDX-License-Identifier: Apache-2.0
//! A frozen layer that nobody names any more is merged with the one above it, while the volume is in use.
//!
//! What the upper one holds is written into the lower one, which then takes its place. That is safe to be cut short, by whomever:
//! the files read the same with the upper layer and without it, before, during and after. So it is enough that the upper one is
//! given up by its owner after the job has ended well.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Source, prefix};
use crate::Result;
use crate::error::Error;
use crate::qmp::Qmp;

/// A guest that works is not starved by it. Bytes a second.
const SPEED: u64 = 256 << 20;

/// Two frozen neighbours, by the ids of the layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    pub upper: String,
    pub lower: String,
}

/// How far a merge is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merging {
    /// In bytes.
    Under { done: u64, of: u64 },
    /// The upper layer can go.
    Done,
    /// All is as before, and it may be begun again.
    Failed(String),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Job {
    id: String,
    status: String,
    error: Option<String>,
    #[serde(default)]
    current_progress: u64,
    #[serde(default)]
    total_progress: u64,
}

impl Qmp {
    /// Begins to merge. Fine if it is under way, or done.
    pub async fn begin_merge(&self, volume: Uuid, highest: &Source, merge: &Merge) -> Result<()> {
        if self.job(&job_of(volume)).await?.is_some() || !self.rests_on(volume, &merge.upper).await? {
            return Ok(());
        }
        let node = |layer: &str| format!("{}{layer}", prefix(volume));
        let order = json!({
            "job-id": job_of(volume), "device": highest.node(volume)?, "top-node": node(&merge.upper), "base-node": node(&merge.lower),
            "speed": SPEED, "auto-dismiss": false,
        });
        self.execute::<Value>("block-commit", order).await.map(drop)
    }

    /// In bytes, how much is done and of how much. None if there is none that is under way.
    pub async fn progress_of_merge(&self, volume: Uuid) -> Result<Option<(u64, u64)>> {
        let job = self.job(&job_of(volume)).await?.filter(|job| job.status != "concluded");
        Ok(job.map(|job| (job.current_progress, job.total_progress)))
    }

    /// How far it is. What came of one that has ended is told again to whoever asks again.
    pub async fn merging(&self, volume: Uuid, merge: &Merge) -> Result<Merging> {
        let error = match self.job(&job_of(volume)).await? {
            Some(job) if job.status != "concluded" => {
                return Ok(Merging::Under { done: job.current_progress, of: job.total_progress });
            }
            Some(job) => {
                self.dismiss(&job.id).await?;
                job.error
            }
            None => None,
        };
        // What is so, the layers say and not the job: it may have ended while nobody looked.
        Ok(if self.rests_on(volume, &merge.upper).await? {
            Merging::Failed(error.unwrap_or_else(|| "it was cut short".into()))
        } else {
            Merging::Done
        })
    }

    /// No merge of the volume is under way when this returns.
    pub async fn end_merge(&self, volume: Uuid) -> Result<()> {
        let id = job_of(volume);
        while let Some(job) = self.job(&id).await? {
            match job.status.as_str() {
                "concluded" => self.dismiss(&id).await?,
                "aborting" | "null" => tokio::task::yield_now().await,
                _ => match self.execute::<Value>("job-cancel", json!({ "id": id })).await {
                    // It ended meanwhile.
                    Ok(_) | Err(Error::Refused { .. }) => {}
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(())
    }

    async fn dismiss(&self, job: &str) -> Result<()> {
        self.execute::<Value>("job-dismiss", json!({ "id": job })).await.map(drop)
    }

    /// Whether the frozen layer is a part of the open volume.
    async fn rests_on(&self, volume: Uuid, layer: &str) -> Result<bool> {
        let node = format!("{}{layer}", prefix(volume));
        if !self.nodes_of(volume).await?.contains(&node) {
            return Ok(false);
        }
        // One that was put above the others is held by its name alone when it rests under nothing any more: then it can go.
        match self.execute::<Value>("blockdev-del", json!({ "node-name": node })).await {
            Ok(_) => Ok(false),
            Err(Error::Refused { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn job(&self, id: &str) -> Result<Option<Job>> {
        let jobs: Vec<Job> = self.execute("query-jobs", Value::Null).await?;
        Ok(jobs.into_iter().find(|job| job.id == id))
    }
}

fn job_of(volume: Uuid) -> String {
    format!("{}merge", prefix(volume))
}
