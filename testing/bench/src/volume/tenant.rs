// SPDX-License-Identifier: Apache-2.0
//! What a tenant does with volumes, and for how long, in milliseconds, until the API says that it is done.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::server::tenant::Tenant;

const PATIENCE: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_millis(2);

impl Tenant {
    pub async fn create_volume(&mut self, name: &str) -> anyhow::Result<(String, f64)> {
        let began = Instant::now();
        let ask = json!({"volume": {"name": name, "size": 1}});
        let made = self.connection.post("/volume/v3/volumes", &ask).await?.json()?;
        let volume = id(&made["volume"])?;
        self.until(&format!("/volume/v3/volumes/{volume}"), "volume", "available").await?;
        Ok((volume, milliseconds(began)))
    }

    pub async fn attach(&mut self, server: &str, volume: &str) -> anyhow::Result<f64> {
        let began = Instant::now();
        let ask = json!({"volumeAttachment": {"volumeId": volume}});
        self.connection.post(&format!("/compute/v2.1/servers/{server}/os-volume_attachments"), &ask).await?;
        self.until(&format!("/volume/v3/volumes/{volume}"), "volume", "in-use").await?;
        Ok(milliseconds(began))
    }

    pub async fn detach(&mut self, server: &str, volume: &str) -> anyhow::Result<()> {
        self.connection.delete(&format!("/compute/v2.1/servers/{server}/os-volume_attachments/{volume}")).await?;
        self.until(&format!("/volume/v3/volumes/{volume}"), "volume", "available").await
    }

    pub async fn snapshot(&mut self, volume: &str) -> anyhow::Result<(String, f64)> {
        let began = Instant::now();
        let ask = json!({"snapshot": {"volume_id": volume, "name": "bench", "force": true}});
        let snapshot = id(&self.connection.post("/volume/v3/snapshots", &ask).await?.json()?["snapshot"])?;
        self.until(&format!("/volume/v3/snapshots/{snapshot}"), "snapshot", "available").await?;
        Ok((snapshot, milliseconds(began)))
    }

    pub async fn delete_snapshot(&mut self, snapshot: &str) -> anyhow::Result<()> {
        self.until_gone(&format!("/volume/v3/snapshots/{snapshot}")).await
    }

    pub async fn delete_volume(&mut self, volume: &str) -> anyhow::Result<()> {
        self.until_gone(&format!("/volume/v3/volumes/{volume}")).await
    }

    pub async fn act(&mut self, server: &str, action: &Value, status: &str) -> anyhow::Result<()> {
        self.connection.post(&format!("/compute/v2.1/servers/{server}/action"), action).await?;
        self.until(&format!("/compute/v2.1/servers/{server}"), "server", status).await
    }

    /// The last lines of what the guest has written to its console.
    pub async fn console(&mut self, server: &str) -> anyhow::Result<String> {
        let ask = json!({"os-getConsoleOutput": {"length": 50}});
        let said = self.connection.post(&format!("/compute/v2.1/servers/{server}/action"), &ask).await?.json()?;
        Ok(said["output"].as_str().unwrap_or_default().to_owned())
    }

    pub async fn until_console_says(&mut self, server: &str, word: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        while !self.console(server).await?.contains(word) {
            ensure!(began.elapsed() < PATIENCE, "the guest has not said {word:?} after {PATIENCE:?}");
            sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }

    async fn until(&mut self, path: &str, what: &str, status: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let shown = self.connection.get(path).await?.json()?[what].take();
            match shown["status"].as_str() {
                Some(now) if now == status => return Ok(()),
                Some(now) => ensure!(!now.starts_with("error") && now != "ERROR", "{shown}"),
                None => {}
            }
            ensure!(began.elapsed() < PATIENCE, "it is not {status} after {PATIENCE:?}: {shown}");
            sleep(POLL).await;
        }
    }

    async fn until_gone(&mut self, path: &str) -> anyhow::Result<()> {
        self.connection.delete(path).await?;
        let began = Instant::now();
        while self.connection.get(path).await.is_ok() {
            ensure!(began.elapsed() < PATIENCE, "{path} is not gone after {PATIENCE:?}");
            sleep(POLL).await;
        }
        Ok(())
    }
}

fn id(thing: &Value) -> anyhow::Result<String> {
    thing["id"].as_str().map(str::to_owned).with_context(|| format!("it has an id: {thing}"))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
