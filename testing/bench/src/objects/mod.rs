// SPDX-License-Identifier: Apache-2.0
//! Objects by Swift's API. Whoever acknowledges bytes has synced them, and one sync may do for all that wait: so as many appends
//! as there are clients, and one sync for all of them, are the floor of what is small; a copy, a sync and an MD5 that of what is large.

mod floor;
mod list;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use bytes::Bytes;
use http::Method;
use tokio::task::JoinSet;

use crate::{
    Plan,
    cloud::Home,
    http::Connection,
    process,
    report::{Line, Report},
};

const CLIENTS: usize = 16;
const SMALL: usize = 4 << 10;
const LARGE: usize = 64 << 20;

/// Where the objects are, and who asks.
pub struct Place {
    authority: String,
    token: String,
    pid: u32,
    /// `/object-store/v1/AUTH_…`
    account: String,
}

impl Place {
    async fn connect(&self) -> anyhow::Result<Connection> {
        Ok(Connection::open(&self.authority).await?.with_token(&self.token))
    }

    async fn container(&self, name: &str) -> anyhow::Result<String> {
        let path = format!("{}/{name}", self.account);
        self.connect().await?.send(Method::PUT, &path, &[], Bytes::new()).await?.or_fail("make a container")?;
        Ok(path)
    }
}

pub async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let home = Home::make(&plan.binary, &plan.dir)?;
    let (controller, _) = home.start().await?;
    let token = home.log_in().await?;
    let mut admin = Connection::open(&home.authority).await?.with_token(&token);
    let projects = admin.get("/identity/v3/projects?name=admin").await?.json()?;
    let project = projects["projects"][0]["id"].as_str().unwrap_or_default();
    let account = format!("/object-store/v1/AUTH_{project}");
    let place = Arc::new(Place { authority: home.authority.clone(), token, pid: controller.pid(), account });
    let container = place.container("bench").await?;

    report.title(&format!("object: {CLIENTS} clients, Swift's API, in {}", plan.dir.display()));
    small(plan, report, &place, &container).await?;
    large(plan, report, &place, &container).await?;
    list::measure(plan, report, &place).await?;
    controller.stop()
}

async fn small(plan: &Plan, report: &mut Report, place: &Arc<Place>, container: &str) -> anyhow::Result<()> {
    let (mut appends, mut put, mut got, mut put_cpu, mut get_cpu) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..plan.rounds {
        appends.push(floor::appends(&plan.dir, CLIENTS, SMALL, plan.turn)?);
        let (rate, cpu) = turn(place, container, Method::PUT, plan.turn).await?;
        put.push(rate);
        put_cpu.push(cpu);
        let (rate, cpu) = turn(place, container, Method::GET, plan.turn).await?;
        got.push(rate);
        get_cpu.push(cpu);
    }
    let line = |name: &str, rounds: &[f64], unit| Line::new("object", name, unit, rounds);
    report.line(&line("PUT of 4 KiB", &put, "/s").over("as many appends and one sync", &appends));
    report.line(&line("PUT of 4 KiB, server CPU", &put_cpu, "ms"));
    report.line(&line("GET of 4 KiB", &got, "/s"));
    report.line(&line("GET of 4 KiB, server CPU", &get_cpu, "ms"));
    Ok(())
}

/// Requests a second, and the server's CPU for one. Each client has names of its own, a hundred of them, which were put before they
/// are read.
async fn turn(place: &Arc<Place>, container: &str, method: Method, length: Duration) -> anyhow::Result<(f64, f64)> {
    let cpu = process::cpu_ms(place.pid)?;
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (place, container, method) = (place.clone(), container.to_owned(), method.clone());
        clients.spawn(async move {
            let mut connection = place.connect().await?;
            let body = if method == Method::PUT { Bytes::from(vec![b'x'; SMALL]) } else { Bytes::new() };
            let mut done = 0_usize;
            while began.elapsed() < length {
                let path = format!("{container}/{client}/{:02}", done % 100);
                let answer = connection.send(method.clone(), &path, &[], body.clone()).await?;
                // A short turn may not have put all names.
                ensure!(
                    answer.status.is_success() || (method == Method::GET && answer.status == 404),
                    "{path}: {}",
                    answer.status
                );
                done += usize::from(answer.status.is_success());
                if !answer.status.is_success() {
                    done = 0;
                }
            }
            anyhow::Ok(done)
        });
    }
    let mut done = 0;
    while let Some(client) = clients.join_next().await {
        done += client??;
    }
    let done = done.max(1) as f64;
    Ok((done / began.elapsed().as_secs_f64(), (process::cpu_ms(place.pid)? - cpu) / done))
}

async fn large(plan: &Plan, report: &mut Report, place: &Arc<Place>, container: &str) -> anyhow::Result<()> {
    let (mut copies, mut put, mut got) = (vec![], vec![], vec![]);
    let body = floor::noise(LARGE);
    let path = format!("{container}/large");
    let mut connection = place.connect().await?;
    for _ in 0..plan.rounds {
        copies.push(floor::keep_and_hash(&plan.dir, &body)?);
        let began = Instant::now();
        connection.send(Method::PUT, &path, &[], body.clone()).await?.or_fail("put 64 MiB")?;
        put.push(rate(began));
        let began = Instant::now();
        let back = connection.get(&path).await?.body;
        got.push(rate(began));
        ensure!(back == body, "what came back is not what was sent");
    }
    let line = |name: &str, rounds: &[f64]| Line::new("object", name, "MiB/s", rounds);
    report.line(&line("PUT of 64 MiB", &put).over("write, sync and MD5", &copies).at_least(0.7, 0.9));
    report.line(&line("GET of 64 MiB", &got).over("write, sync and MD5", &copies));
    Ok(())
}

fn rate(began: Instant) -> f64 {
    LARGE as f64 / f64::from(1 << 20) / began.elapsed().as_secs_f64()
}
