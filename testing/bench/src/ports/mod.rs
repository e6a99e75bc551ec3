// SPDX-License-Identifier: Apache-2.0
//! One network with 20,000 ports beside one with 100, each with a controller of its own: what one more port costs, what the
//! controller needs while nothing happens, and a page of the list. OVN's databases are real; ovn-northd, whose cost is its own,
//! does not run until the end, and then has figures of its own.

mod cloud;

use std::time::{Duration, Instant};

use database::Server as Postgres;

use crate::{
    Plan,
    floor::Floor,
    load::{self, Target},
    process,
    report::{Line, Report},
    rounds::quantile,
};
use cloud::Cloud;

const FEW: usize = 100;
const MANY: usize = 20_000;
const ONE_BY_ONE: usize = 50;
const PAGE: usize = 1000;
/// As long as the slow look at all keys rests at most, and longer.
const IDLE: Duration = Duration::from_secs(65);

pub async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    on("SQLite", None, plan, report).await?;
    let servers = [Postgres::start(), Postgres::start()];
    on("PostgreSQL", Some(servers.each_ref().map(Postgres::url)), plan, report).await
}

async fn on(engine: &str, urls: Option<[String; 2]>, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    report.title(&format!("ports: one network with {MANY} ports, on {engine}"));
    let line = |what: &str, unit, rounds: &[f64]| Line::new("ports", format!("{what}, {engine}"), unit, rounds);
    let [few_url, many_url] = urls.map_or([None, None], |urls| urls.map(Some));
    let mut few = Cloud::start(plan, few_url.as_deref()).await?;
    few.fill(FEW).await?;
    let small = process::memory(few.pid())?.proportional;
    let mut many = Cloud::start(plan, many_url.as_deref()).await?;
    let filled = many.fill(MANY).await?;
    report.line(&line(&format!("{MANY} ports made, 500 a request"), "s", &[filled.made]));
    report.line(&line("  until OVN has them all", "s", &[filled.in_ovn]));

    let (mut times, mut floors, mut cpu, mut cpu_floors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut until_ovn, mut until_ovn_floors) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let floor = few.one_more(ONE_BY_ONE).await?;
        let ours = many.one_more(ONE_BY_ONE).await?;
        floors.push(quantile(&floor.latencies, 0.5));
        times.push(quantile(&ours.latencies, 0.5));
        until_ovn_floors.push(quantile(&floor.until_ovn, 0.5));
        until_ovn.push(quantile(&ours.until_ovn, 0.5));
        cpu_floors.push(floor.cpu_ms);
        cpu.push(ours.cpu_ms);
    }
    report.line(&line("one more", "ms", &times).over("with 100 ports", &floors).at_most(1.2, 1.1));
    report.line(&line("one more until it is in OVN", "ms", &until_ovn).over("with 100 ports", &until_ovn_floors));
    report.line(&line("one more, controller's CPU", "ms", &cpu).over("with 100 ports", &cpu_floors).at_most(1.2, 1.1));

    let before = process::cpu_ms(many.pid())?;
    let began = Instant::now();
    tokio::time::sleep(IDLE).await;
    let idle = (process::cpu_ms(many.pid())? - before) / began.elapsed().as_secs_f64();
    report.line(&line("CPU while idle", "ms/s", &[idle]).at_most(20.0, 10.0));
    let memory = process::memory(many.pid())?.proportional;
    report.line(&line("controller's PSS", "MiB", &[memory]).above("with 100 ports", &[small]).at_most(100.0, 50.0));
    page(&few, &many, line(&format!("{PAGE} ports of {MANY}"), "ms", &[]), plan, report).await?;

    let northd = many.start_northd().await?;
    report.line(&line("ovn-northd's first look, its CPU", "s", &[northd.first]));
    report.line(&line("ovn-northd's CPU for one more", "ms", &[northd.one_more]));
    report.line(&line("ovn-northd's PSS", "MiB", &[northd.memory]));
    few.stop()?;
    many.stop()
}

/// A page of ports, over one that is as long and lies ready, and over as many as there are in the small network.
async fn page(few: &Cloud, many: &Cloud, named: Line, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let target = |cloud: &Cloud, limit: usize| {
        std::sync::Arc::new(Target {
            authority: cloud.authority().to_owned(),
            pid: cloud.pid(),
            path: format!("/network/v2.0/ports?limit={limit}"),
            headers: vec![("x-auth-token", cloud.token.clone())],
            post: None,
        })
    };
    let (ours, short, of_few) = (target(many, PAGE), target(many, FEW), target(few, FEW));
    let size = load::ask(&mut many.connection().await?, &ours).await?.len();
    let floor = Floor::start(size)?;
    let (mut times, mut floors, mut shorts, mut few_times) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        floors.push(quantile(&load::turn(&floor.target, 1, plan.turn / 4).await?.latencies, 0.5));
        times.push(quantile(&load::turn(&ours, 1, plan.turn).await?.latencies, 0.5));
        few_times.push(quantile(&load::turn(&of_few, 1, plan.turn / 2).await?.latencies, 0.5));
        shorts.push(quantile(&load::turn(&short, 1, plan.turn / 2).await?.latencies, 0.5));
    }
    report.line(&named.with(&times).over("the same bytes lying ready", &floors));
    let among = Line::new("ports", format!("{FEW} ports of {MANY}"), "ms", &shorts);
    report.line(&among.over("all 100 of the small network", &few_times).at_most(1.2, 1.1));
    Ok(())
}
