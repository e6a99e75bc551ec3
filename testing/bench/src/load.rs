// SPDX-License-Identifier: Apache-2.0
//! Clients that ask again as soon as they have their answer, each on a connection of its own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use bytes::Bytes;
use http::Method;
use tokio::task::JoinSet;

use crate::{http::Connection, process};

/// A server to be asked, and what it is asked for.
pub struct Target {
    pub authority: String,
    pub pid: u32,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    /// What is posted; it is asked with GET when there is nothing.
    pub post: Option<Bytes>,
}

/// What a turn came to.
pub struct Turn {
    pub per_second: f64,
    /// CPU of the server, a request.
    pub cpu_ms: f64,
    /// How long each request took, in milliseconds, sorted.
    pub latencies: Vec<f64>,
}

pub async fn turn(target: &Arc<Target>, clients: usize, length: Duration) -> anyhow::Result<Turn> {
    let mut connections = Vec::new();
    for _ in 0..clients {
        let mut connection = Connection::open(&target.authority).await?;
        // Once before the clock runs: the first request of a connection costs more.
        ask(&mut connection, target).await?;
        connections.push(connection);
    }
    let cpu = process::cpu_ms(target.pid)?;
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for mut connection in connections {
        let target = Arc::clone(target);
        asking.spawn(async move {
            let mut latencies = Vec::new();
            while began.elapsed() < length {
                let asked = Instant::now();
                ask(&mut connection, &target).await?;
                latencies.push(asked.elapsed().as_secs_f64() * 1e3);
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(client) = asking.join_next().await {
        latencies.extend(client??);
    }
    let (seconds, requests) = (began.elapsed().as_secs_f64(), latencies.len() as f64);
    latencies.sort_by(f64::total_cmp);
    Ok(Turn { per_second: requests / seconds, cpu_ms: (process::cpu_ms(target.pid)? - cpu) / requests, latencies })
}

pub async fn ask(connection: &mut Connection, target: &Target) -> anyhow::Result<Bytes> {
    let headers: Vec<(&str, &str)> = target.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (method, body) = match &target.post {
        None => (Method::GET, Bytes::new()),
        Some(body) => (Method::POST, body.clone()),
    };
    let answer = connection.send(method, &target.path, &headers, body).await?;
    ensure!(answer.status.is_success(), "{}: {}", target.path, answer.status);
    Ok(answer.body)
}
