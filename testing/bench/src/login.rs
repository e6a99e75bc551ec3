// SPDX-License-Identifier: Apache-2.0
//! Logins: what a token costs that is bought with another, how many passwords a second are checked, what a storm of
//! logins does to everybody else, and whether revoked tokens make the others dearer.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    Plan,
    cloud::Home,
    http::Connection,
    load::{self, Target},
    report::{Line, Report},
    rounds::quantile,
};

const TOKENS: &str = "/identity/v3/auth/tokens";
const REVOKED: u32 = 10_000;
/// What identity hashes with; a check of a password costs one hash.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

pub async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let home = Home::make(&plan.binary, &plan.dir)?;
    let (controller, _) = home.start().await?;
    let token = home.log_in().await?;
    let target = |post: Option<Value>| {
        Arc::new(Target {
            authority: home.authority.clone(),
            pid: controller.pid(),
            path: TOKENS.to_owned(),
            headers: vec![("x-auth-token", token.clone()), ("x-subject-token", token.clone())],
            post: post.map(|document| Bytes::from(document.to_string())),
        })
    };
    let by_token = target(Some(login(json!({"methods": ["token"], "token": {"id": token}}))));
    let user = json!({"name": "admin", "domain": {"id": "default"}, "password": home.admin_password()?});
    let by_password = target(Some(login(json!({"methods": ["password"], "password": {"user": user}}))));
    let validation = target(None);
    let cores = thread::available_parallelism()?.get();

    let (mut bought, mut logins, mut hashes, mut idle, mut stormy) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..plan.rounds {
        bought.push(quantile(&load::turn(&by_token, 1, plan.turn).await?.latencies, 0.5));
        hashes.push(raw_hashes(cores, 3 * plan.turn)?);
        logins.push(load::turn(&by_password, 2 * cores, 3 * plan.turn).await?.per_second);
        idle.push(quantile(&load::turn(&validation, 1, plan.turn).await?.latencies, 0.99));
        let storm = Storm::start(&by_password, 8 * cores).await?;
        stormy.push(quantile(&load::turn(&validation, 1, plan.turn).await?.latencies, 0.99));
        storm.end().await?;
    }
    report.title(&format!("login: on {cores} cores, each with a durable event"));
    let line = |name: &str, unit, rounds: &[f64]| Line::new("login", name, unit, rounds);
    report.line(&line("a token for a token", "ms", &bought).at_most(1.0, 1.0));
    report.line(&line("logins with a password", "/s", &logins).over("the hash alone on all cores", &hashes).at_least(0.95, 0.95));
    report.line(&line("99 in 100 validations, in a storm", "ms", &stormy).over("without logins", &idle).at_most(1.5, 1.5));
    controller.stop()?;
    revocations(plan, report).await
}

/// Validations by two controllers that differ in one thing.
async fn revocations(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let (none, many) = (Home::make(&plan.binary, &plan.dir)?, Home::make(&plan.binary, &plan.dir)?);
    let (controller, _) = many.start().await?;
    controller.stop()?;
    revoke(&many)?;
    let (without, _) = none.start().await?;
    let (with, _) = many.start().await?;
    let mut cpu = [vec![], vec![]];
    let mut targets = vec![];
    for (home, controller) in [(&none, &without), (&many, &with)] {
        let token = home.log_in().await?;
        let headers = vec![("x-auth-token", token.clone()), ("x-subject-token", token)];
        let (authority, path) = (home.authority.clone(), TOKENS.to_owned());
        targets.push(Arc::new(Target { authority, pid: controller.pid(), path, headers, post: None }));
    }
    // More rounds than for the rest: a twentieth is as much as two turns of the same server differ on a shared machine.
    for round in 0..4 * plan.rounds {
        for which in [round % 2, 1 - round % 2] {
            cpu[which].push(load::turn(&targets[which], 8, plan.turn).await?.cpu_ms * 1e3);
        }
    }
    let [without_any, with_many] = cpu;
    let line = Line::new("login", format!("CPU of a validation, {REVOKED} tokens revoked"), "µs", &with_many);
    report.line(&line.over("none revoked", &without_any).at_most(1.05, 1.05));
    without.stop()?;
    with.stop()
}

/// As if each had been revoked by its owner a moment ago.
fn revoke(home: &Home) -> anyhow::Result<()> {
    let mut database = rusqlite::Connection::open(home.database()).context("open the database of the stopped controller")?;
    let expires_at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)? + Duration::from_secs(86_400);
    let expires_at = i64::try_from(expires_at.as_micros())?;
    let changes = database.transaction()?;
    {
        let mut insert = changes.prepare("INSERT INTO revoked_tokens (audit_id, expires_at) VALUES (?1, ?2)")?;
        let mut drawn = HashSet::new();
        while drawn.len() < REVOKED as usize {
            // Twenty-two letters of which the last has no bits to spare: 16 bytes in base64.
            let id = format!("{}A", &uuid::Uuid::new_v4().simple().to_string()[..21]);
            if drawn.insert(id.clone()) {
                insert.execute((&id, expires_at))?;
            }
        }
    }
    Ok(changes.commit()?)
}

fn login(identity: Value) -> Value {
    let project = json!({"name": "admin", "domain": {"id": "default"}});
    json!({"auth": {"identity": identity, "scope": {"project": project}}})
}

/// Clients that log in as fast as they can, until they are told to stop.
struct Storm {
    is_over: Arc<AtomicBool>,
    clients: JoinSet<anyhow::Result<()>>,
}

impl Storm {
    async fn start(target: &Arc<Target>, clients: usize) -> anyhow::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut storm = Self { is_over: Arc::clone(&is_over), clients: JoinSet::new() };
        for _ in 0..clients {
            let (target, is_over) = (Arc::clone(target), Arc::clone(&is_over));
            let mut connection = Connection::open(&target.authority).await?;
            storm.clients.spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    load::ask(&mut connection, &target).await?;
                }
                Ok(())
            });
        }
        // Until every thread that hashes has its queue.
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(storm)
    }

    async fn end(mut self) -> anyhow::Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        while let Some(client) = self.clients.join_next().await {
            client??;
        }
        Ok(())
    }
}

/// How often a second all cores together compute the hash, with nothing around it and in memory that they keep.
fn raw_hashes(cores: usize, turn: Duration) -> anyhow::Result<f64> {
    let done = AtomicU64::new(0);
    let began = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(|| hash_until(began, turn, &done))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread that hashes panicked"))?)
    })?;
    Ok(done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
}

fn hash_until(began: Instant, turn: Duration, done: &AtomicU64) -> anyhow::Result<()> {
    let wrong = |error: argon2::Error| anyhow!("hash: {error}");
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(wrong)?;
    let mut memory = vec![Block::default(); params.block_count()];
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut hash = [0; 32];
    while began.elapsed() < turn {
        hasher.hash_password_into_with_memory(b"a password", b"sixteen bytes of", &mut hash, &mut memory).map_err(wrong)?;
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
