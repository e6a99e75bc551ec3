// SPDX-License-Identifier: Apache-2.0
//! A cloud of many hosts: how fast servers come to life on it, and what it costs when nothing happens.
//!
//! The hosts are simulated, all in this process, and speak the real protocol: what is measured is the controller, and beside
//! it two cores carry the far side of every connection. Servers have no ports first, then one each, with OVN's own daemons.

mod burst;
mod cloud;

use std::time::Duration;

use database::Server as Postgres;

use crate::{
    Plan,
    floor::Floor,
    http::Connection,
    load::{self, Target},
    ovn_daemons::Ovn,
    process,
    report::{Line, Report},
    rounds::quantile,
    writes,
};
use burst::Burst;
use cloud::Cloud;

const BURST: usize = 1000;
const WITH_PORTS: usize = 250;
const SERVERS_A_HOST: usize = 40;
/// Two rounds of all reports.
const IDLE: Duration = Duration::from_secs(60);

pub async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    report.title(&format!("scale: {} simulated hosts, on SQLite", plan.hosts));
    let dir = tempfile::tempdir_in(&plan.dir)?;
    let floor = writes::one_insert_a_transaction(dir.path(), plan.turn)?;
    on(&Cloud::settings(None), "SQLite", floor, plan, report).await?;
    report.title(&format!("scale: {} simulated hosts, on PostgreSQL", plan.hosts));
    let postgres = Postgres::start();
    on(&Cloud::settings(Some(&postgres.url())), "PostgreSQL", floor, plan, report).await
}

async fn on(settings: &str, engine: &str, floor: f64, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let mut cloud = Cloud::start(plan, settings).await?;
    let name = |what: &str| format!("{what}, {engine}");
    let line = |what: &str, unit, rounds: &[f64]| Line::new("scale", name(what), unit, rounds);
    report.line(&line("hosts that join", "/s", &[cloud.joins_a_second]));

    let mut bursts = Vec::new();
    for _ in 0..plan.rounds {
        bursts.push(Burst::of(&mut cloud, BURST, "none").await?);
    }
    let each = |figure: fn(&Burst) -> f64| bursts.iter().map(figure).collect::<Vec<f64>>();
    let rate = each(|burst| burst.active_a_second);
    report.line(&line("servers ACTIVE", "/s", &rate).at_least(200.0, 500.0));
    report.line(&line("servers ACTIVE", "/s", &rate).over("one INSERT a transaction", &vec![floor; rate.len()]));
    report.line(&line(&format!("{BURST} servers, until all are ACTIVE"), "s", &each(|burst| burst.all_active)));
    report.line(&line("  POST, p50", "ms", &each(|burst| quantile(&burst.latencies, 0.5))));
    report.line(&line("  POST, p99", "ms", &each(|burst| quantile(&burst.latencies, 0.99))));
    report.line(&line("  controller's CPU a server", "ms", &each(|burst| burst.cpu_ms)));

    cloud.fill(plan.hosts * SERVERS_A_HOST).await?;
    full(&mut cloud, engine, plan, report).await?;
    cloud.stop()
}

/// With every host full, and nothing to do.
async fn full(cloud: &mut Cloud, engine: &str, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let servers = cloud.running();
    let line = |what: &str, unit, rounds: &[f64]| Line::new("scale", format!("{what}, {engine}"), unit, rounds);
    let before = process::cpu_ms(cloud.pid())?;
    tokio::time::sleep(IDLE).await;
    let cpu = (process::cpu_ms(cloud.pid())? - before) / IDLE.as_secs_f64();
    report.line(&line(&format!("{servers} servers, CPU while idle"), "ms/s", &[cpu]).at_most(10.0, 10.0));
    let memory = process::memory(cloud.pid())?.proportional;
    report.line(&line(&format!("{servers} servers, controller's PSS"), "MiB", &[memory]).at_most(150.0, 100.0));

    let ours = std::sync::Arc::new(Target {
        authority: cloud.authority().to_owned(),
        pid: cloud.pid(),
        path: "/compute/v2.1/servers/detail?limit=1000".to_owned(),
        headers: vec![("x-auth-token", cloud.token.clone()), ("openstack-api-version", "compute 2.79".to_owned())],
        post: None,
    });
    // The one that was open has been silent for longer than the controller waits.
    cloud.admin = Connection::open(cloud.authority()).await?.with_token(&cloud.token);
    let size = load::ask(&mut cloud.admin, &ours).await?.len();
    let floor = Floor::start(size)?;
    let (mut times, mut floor_times) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        floor_times.push(quantile(&load::turn(&floor.target, 1, plan.turn / 4).await?.latencies, 0.5));
        times.push(quantile(&load::turn(&ours, 1, plan.turn).await?.latencies, 0.5));
    }
    let among = format!("1,000 of {servers} servers in detail");
    report.line(&line(&among, "ms", &times).over("the same bytes lying ready", &floor_times));
    Ok(())
}

/// The same with a port for each server, written to OVN's northbound database before the host hears of it.
pub async fn with_ports(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    report.title(&format!("scale: {} simulated hosts, a port for each server, OVN's databases and northd", plan.hosts));
    let ovn = Ovn::start(&plan.dir)?;
    let _northd = ovn.northd()?;
    let mut cloud = Cloud::start(plan, &ovn.settings()).await?;
    let network = cloud.create_network().await?;
    let mut bursts = Vec::new();
    for _ in 0..plan.rounds {
        bursts.push(Burst::of(&mut cloud, WITH_PORTS, &network).await?);
    }
    let each = |figure: fn(&Burst) -> f64| bursts.iter().map(figure).collect::<Vec<f64>>();
    let line = |what: &str, unit, rounds: &[f64]| Line::new("scale-ports", what, unit, rounds);
    report.line(&line("servers with a port ACTIVE", "/s", &each(|burst| burst.active_a_second)).at_least(200.0, 500.0));
    report.line(&line("  POST, p99", "ms", &each(|burst| quantile(&burst.latencies, 0.99))));
    report.line(&line("  controller's CPU a server", "ms", &each(|burst| burst.cpu_ms)));
    cloud.stop()
}
