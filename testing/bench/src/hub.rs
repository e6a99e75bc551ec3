// SPDX-License-Identifier: Apache-2.0
//! What it costs that somebody listens: CPU of this process for an event that is written and heard, with nobody, one and 200 to hear
//! it, and until the last of them has.

use std::{
    process,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use store::{Actor, Change, Event, EventFilter, Heard, Store};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use crate::{
    Plan,
    process::cpu_ms,
    report::{Line, Report},
    rounds::quantile,
};

const LISTENERS: usize = 200;

/// As a dashboard sees a busy cloud.
const EVENTS_A_SECOND: u64 = 100;

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Rounds {
    alone: Vec<f64>,
    one: Vec<f64>,
    all: Vec<f64>,
    late: Vec<f64>,
}

pub async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let dir = tempfile::tempdir_in(&plan.dir).with_context(|| format!("make a folder in {}", plan.dir.display()))?;
    let sqlite = format!("sqlite:{}", dir.path().join("store.db").display());
    report.title(&format!("hub: {EVENTS_A_SECOND} events a second, CPU of the controller's side alone"));
    for (engine, url) in [("SQLite", sqlite), ("PostgreSQL", database::new_postgres_database().await)] {
        let store = Store::open(&url).await?;
        store.migrate(&[]).await?;
        let mut rounds = Rounds::default();
        for _ in 0..plan.rounds {
            rounds.alone.push(turn(&store, 0, plan.turn).await?.0);
            rounds.one.push(turn(&store, 1, plan.turn).await?.0);
            let (cpu, latencies) = turn(&store, LISTENERS, plan.turn).await?;
            rounds.all.push(cpu);
            rounds.late.push(quantile(&latencies, 0.99));
        }
        let line = |name: &str, unit, rounds: &[f64]| Line::new("hub", format!("{name}, {engine}"), unit, rounds);
        report.line(&line("an event that one hears", "µs", &rounds.one).over("that nobody hears", &rounds.alone));
        report.line(&line("an event that 200 hear", "µs", &rounds.all).over("that nobody hears", &rounds.alone));
        report.line(&line("the last of 200 has heard within, 99 in 100", "ms", &rounds.late));
    }
    Ok(())
}

/// CPU of an event in microseconds, and how long it took until the last listener had each, in milliseconds.
async fn turn(store: &Store, listeners: usize, turn: Duration) -> anyhow::Result<(f64, Vec<f64>)> {
    let after = store.last_event_id().await?;
    let (tell, mut heard) = mpsc::unbounded_channel();
    let mut listening = JoinSet::new();
    for _ in 0..listeners {
        let (mut subscription, tell) = (store.subscribe(after, EventFilter::default()), tell.clone());
        listening.spawn(async move {
            while let Ok(Heard::Events(events)) = subscription.next().await {
                events.iter().for_each(|event| drop(tell.send(event.resource_id.clone())));
            }
        });
    }
    // Each has his place in the line.
    write(store, 0).await?;
    all_heard(&mut heard, listeners, 0).await?;
    let (began, cpu_before) = (Instant::now(), cpu_ms(process::id())?);
    let (mut latencies, mut count) = (Vec::new(), 0);
    while began.elapsed() < turn {
        count += 1;
        let written = Instant::now();
        write(store, count).await?;
        all_heard(&mut heard, listeners, count).await?;
        latencies.push(written.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(Duration::from_micros(1_000_000 / EVENTS_A_SECOND).saturating_sub(written.elapsed())).await;
    }
    let cpu = (cpu_ms(process::id())? - cpu_before) * 1e3 / count as f64;
    listening.shutdown().await;
    Ok((cpu, latencies))
}

async fn write(store: &Store, number: u64) -> store::Result<()> {
    let write = store.write(move |tx| {
        let (id, state) = (number.to_string(), serde_json::json!({"number": number, "note": "x".repeat(1000)}));
        tx.record(Event::of(&Actor::system("bench"), "thing.create", ("thing", &id), &Change::made(state))?)
    });
    write.await
}

async fn all_heard(heard: &mut mpsc::UnboundedReceiver<String>, listeners: usize, number: u64) -> anyhow::Result<()> {
    let number = number.to_string();
    for _ in 0..listeners {
        match timeout(PATIENCE, heard.recv()).await.context("a listener hears nothing")? {
            Some(id) if id == number => {}
            other => bail!("a listener heard {other:?} instead of {number}"),
        }
    }
    Ok(())
}
