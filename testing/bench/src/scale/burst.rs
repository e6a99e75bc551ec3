// SPDX-License-Identifier: Apache-2.0
//! Many clients who all want servers at the same moment.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use tokio::task::JoinSet;

use super::cloud::Cloud;
use crate::{http::Connection, process};

const CLIENTS: usize = 32;

pub struct Burst {
    pub active_a_second: f64,
    /// Seconds from the first request.
    pub all_active: f64,
    /// The controller's, for each server.
    pub cpu_ms: f64,
    /// Of each request, in milliseconds, sorted.
    pub latencies: Vec<f64>,
}

impl Burst {
    pub async fn of(cloud: &mut Cloud, servers: usize, networks: &str) -> anyhow::Result<Self> {
        let before = cloud.running();
        let ask = Arc::new(cloud.ask(networks, 1));
        let mut connections = Vec::new();
        for _ in 0..CLIENTS {
            let mut connection = Connection::open(cloud.authority()).await?.with_token(&cloud.token);
            connection.get("/compute/v2.1/").await?;
            connections.push(connection);
        }
        let cpu = process::cpu_ms(cloud.pid())?;
        let (began, asked) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
        let mut clients = JoinSet::new();
        for mut connection in connections {
            let (ask, asked) = (ask.clone(), asked.clone());
            clients.spawn(async move {
                let mut latencies = Vec::new();
                while asked.fetch_add(1, Ordering::Relaxed) < servers {
                    let at = Instant::now();
                    connection.post("/compute/v2.1/servers", &ask).await?;
                    latencies.push(at.elapsed().as_secs_f64() * 1e3);
                }
                anyhow::Ok(latencies)
            });
        }
        let mut latencies = Vec::new();
        while let Some(client) = clients.join_next().await {
            latencies.extend(client??);
        }
        cloud.until_active(before + servers).await?;
        let all_active = began.elapsed().as_secs_f64();
        let cpu_ms = (process::cpu_ms(cloud.pid())? - cpu) / servers as f64;
        cloud.ensure_active().await?;
        latencies.sort_by(f64::total_cmp);
        Ok(Self { active_a_second: servers as f64 / all_active, all_active, cpu_ms, latencies })
    }
}
