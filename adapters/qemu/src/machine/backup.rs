// SPDX-License-Identifier: Apache-2.0
//! A copy of a disk as it is at one moment, made by QEMU while the guest runs on.
//!
//! The job writes into a qcow2 file that is there already. The machine's own images are read only; whatever ends the job,
//! the disk is as it was. Neither the job nor the file is known by anything but its name, so that who comes after a crash
//! can release both.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Machine;
use crate::Result;
use crate::error::Error;
use crate::qmp::Qmp;

const JOB: &str = "backup";
const TARGET: &str = "backup-target";
/// A job that was cancelled ends within milliseconds.
const LOOK: Duration = Duration::from_millis(10);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Job {
    id: String,
    status: String,
    current_progress: u64,
    total_progress: u64,
    error: Option<String>,
}

impl Machine {
    /// Begins to copy the disk of this name into an empty qcow2 image of its size, so many bytes a second.
    pub async fn begin_backup(&self, disk: &str, target: &Path, speed: u64) -> Result<()> {
        let path = target.to_str().ok_or_else(|| Error::Spec(format!("{} is not UTF-8", target.display())))?;
        let node = json!({
            "driver": "qcow2", "node-name": TARGET, "detect-zeroes": "unmap", "discard": "unmap",
            "file": { "driver": "file", "filename": path, "discard": "unmap" },
        });
        self.qmp().execute::<Value>("blockdev-add", node).await?;
        let job = json!({
            "job-id": JOB, "device": format!("node-{disk}"), "target": TARGET, "sync": "full", "speed": speed,
            "auto-dismiss": false,
        });
        self.qmp().execute::<Value>("blockdev-backup", job).await.map(drop)
    }

    /// How much is done, from 0 to 1; none when it has ended, well or not.
    pub async fn backup_progress(&self) -> Result<Option<f32>> {
        let job = find(self.qmp()).await?.filter(|job| job.status != "concluded");
        Ok(job.map(|job| job.current_progress as f32 / job.total_progress.max(1) as f32))
    }

    /// Lets go of a copy that has ended. Fails if it is not whole.
    pub async fn end_backup(&self) -> Result<()> {
        let job = find(self.qmp()).await?;
        self.release_backup().await?;
        match job {
            Some(Job { error: None, .. }) => Ok(()),
            Some(Job { error: Some(error), .. }) => Err(Error::Backup(error)),
            None => Err(Error::Backup("QEMU forgot of it".into())),
        }
    }

    /// Sees to it that nothing of a copy is left in QEMU.
    pub async fn release_backup(&self) -> Result<()> {
        let qmp = self.qmp();
        while let Some(job) = find(qmp).await? {
            let (command, arguments) = match job.status.as_str() {
                "concluded" => ("job-dismiss", json!({ "id": JOB })),
                _ => ("block-job-cancel", json!({ "device": JOB, "force": true })),
            };
            // It may come to its end at this moment, and is looked at again.
            match qmp.execute::<Value>(command, arguments).await {
                Ok(_) | Err(Error::Refused { .. }) => tokio::time::sleep(LOOK).await,
                Err(error) => return Err(error),
            }
        }
        let nodes: Vec<Value> = qmp.execute("query-named-block-nodes", json!({ "flat": true })).await?;
        if nodes.iter().any(|node| node["node-name"] == TARGET) {
            qmp.execute::<Value>("blockdev-del", json!({ "node-name": TARGET })).await?;
        }
        Ok(())
    }
}

async fn find(qmp: &Qmp) -> Result<Option<Job>> {
    let jobs: Vec<Job> = qmp.execute("query-jobs", Value::Null).await?;
    Ok(jobs.into_iter().find(|job| job.id == JOB))
}
