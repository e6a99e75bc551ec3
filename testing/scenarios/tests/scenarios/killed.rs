// SPDX-License-Identifier: Apache-2.0
//! kill -9, at random instants and at each step that has a name: whatever was begun ends, and nothing is left over.

use std::{
    collections::BTreeSet,
    env, thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use lab::wait_until;
use scenarios::{Api, Cloud, Wanted, id, machines};
use serde_json::{Value, json};

const SERVERS: usize = 10;
const KILLS: usize = 8;
/// By when everything has come to rest after the last kill.
const REST: Duration = Duration::from_secs(120);
/// The sweep stops here, wherever it is; each run begins at another point.
const SWEEP: Duration = Duration::from_secs(150);

#[test]
fn killed_at_random() -> Result<()> {
    let seed = seed()?;
    eprintln!("seed {seed}: run again with SCENARIO_SEED={seed}");
    let mut random = Random(seed);
    let mut cloud = Cloud::start()?;
    let tenant = cloud.tenant("churn")?;
    let (image, network) = (tenant.load_sleeper()?, network(&tenant)?);
    let witness = create(&tenant, "witness", &image, &network)?;
    tenant.wait_for_active(&witness)?;
    let before = everywhere(&cloud, &witness)?;

    let mut own = Random(random.next());
    let deleted = thread::scope(|scope| -> Result<BTreeSet<String>> {
        let churn = scope.spawn(|| churn(&tenant, &image, &network, &mut own));
        for _ in 0..KILLS {
            thread::sleep(Duration::from_millis(random.below(1200)));
            let pause = Duration::from_millis(random.below(400));
            match random.below(4) {
                0 => cloud.restart_agent("hv1", pause)?,
                1 => cloud.restart_agent("hv2", pause)?,
                _ => cloud.restart_controller(pause)?,
            }
        }
        churn.join().unwrap()
    })?;
    everything_rests(&tenant, &deleted)?;
    ensure!(everywhere(&cloud, &witness)? == before, "a machine that ran did not run on");
    ensure!(tenant.server(&witness)?["status"] == "ACTIVE", "{}", tenant.server(&witness)?);

    let left = tenant.get("/compute/v2.1/servers/detail")?;
    let left = left["servers"].as_array().context("a list of servers")?;
    let failed: Vec<_> =
        left.iter().filter(|server| server["status"] == "ERROR").map(|server| &server["fault"]["message"]).collect();
    eprintln!("{} servers were deleted, {} remained; in ERROR: {failed:?}", deleted.len(), left.len());
    for server in left {
        tenant.delete_server(&id(server)?)?;
    }
    everything_goes(&cloud, &tenant).with_context(|| format!("with seed {seed}"))?;
    cloud.passed()
}

/// Creates ten servers and deletes about half of them at once, whatever dies meanwhile. Those of which a deletion was
/// acknowledged.
fn churn(tenant: &Api, image: &str, network: &str, random: &mut Random) -> Result<BTreeSet<String>> {
    let (mut made, mut deleted) = (Vec::new(), BTreeSet::new());
    for number in 0..SERVERS {
        made.push(persist(|| create(tenant, &format!("churn-{number}"), image, network))?);
        thread::sleep(Duration::from_millis(random.below(1500)));
        if random.below(2) == 0 {
            let server = made.swap_remove(random.index(made.len()));
            persist(|| tenant.delete_server(&server).or_else(|error| unless_gone(tenant, &server, error)))?;
            deleted.insert(server);
        }
    }
    Ok(deleted)
}

/// A deletion whose answer was lost may have happened.
fn unless_gone(tenant: &Api, server: &str, error: anyhow::Error) -> Result<()> {
    let answer = tenant.ask("GET", &format!("/compute/v2.1/servers/{server}"), &json!({}))?;
    if answer.status == 404 { Ok(()) } else { Err(error) }
}

/// Asks until there is a good answer, as every client does whose controller has gone away.
fn persist<T>(mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    lab::wait_for("a controller that says yes", REST, || ask().map(Some))
}

fn create(tenant: &Api, name: &str, image: &str, network: &str) -> Result<String> {
    tenant.create_server(&Wanted { name, image, network, ..Wanted::default() })
}

fn network(tenant: &Api) -> Result<String> {
    let network = tenant.make_network("churn")?;
    tenant.make_subnet(&network, "10.0.0.0/24")?;
    Ok(network)
}

/// On which host a machine runs, and as which process.
fn everywhere(cloud: &Cloud, server: &str) -> Result<Vec<(String, u32)>> {
    let mut found = Vec::new();
    for agent in &cloud.agents {
        found.extend(machines(&agent.host)?.get(server).map(|pid| (agent.host.name().to_owned(), *pid)));
    }
    ensure!(found.len() == 1, "machine {server} runs {} times: {found:?}", found.len());
    Ok(found)
}

/// Each server is ACTIVE, or gone, or in ERROR with a cause; one whose deletion was acknowledged is gone.
fn everything_rests(tenant: &Api, deleted: &BTreeSet<String>) -> Result<()> {
    let mut moving = Vec::new();
    let rested = wait_until("every server to rest", REST, || {
        let all = tenant.get("/compute/v2.1/servers/detail")?;
        let all = all["servers"].as_array().context("a list of servers")?.clone();
        moving = all.into_iter().filter(|server| !rests(server, deleted)).collect();
        Ok(moving.is_empty())
    });
    rested.with_context(|| format!("{moving:#?}"))
}

fn rests(server: &Value, deleted: &BTreeSet<String>) -> bool {
    let is_deleted = server["id"].as_str().is_some_and(|id| deleted.contains(id));
    let has_cause = server["fault"]["message"].as_str().is_some_and(|cause| !cause.is_empty());
    let steady = server["OS-EXT-STS:task_state"].is_null();
    !is_deleted && steady && (server["status"] == "ACTIVE" || (server["status"] == "ERROR" && has_cause))
}

fn everything_goes(cloud: &Cloud, tenant: &Api) -> Result<()> {
    wait_until("every server to be gone", REST, || {
        Ok(tenant.get("/compute/v2.1/servers")?["servers"].as_array().is_some_and(Vec::is_empty))
    })?;
    cloud.wait_for_clean_audit()?;
    cloud.expect_no_remains()
}

/// Steps of a server's life at which the controller ends, and those at which the agent does.
const CONTROLLER_POINTS: &[&str] = &[
    "compute.server.recorded",
    "compute.server.scheduled",
    "compute.server.allocated",
    "network.port.ensured",
    "compute.server.ports-ensured",
    "compute.server.node-recorded",
    "compute.server.node-told",
    "compute.server.observed",
    "compute.server.deletion-recorded",
    "compute.server.machine-gone",
    "compute.server.ports-released",
    "compute.server.allocation-released",
    "compute.server.claims-removed",
];
const AGENT_POINTS: &[&str] = &[
    "node.image.written",
    "node.image.ready",
    "node.disk.ready",
    "node.taps.ready",
    "node.door.making",
    "node.door.made",
    "node.door.wired",
    "node.qemu.starting",
    "node.qemu.started",
    "node.ports.plugged",
    "node.machine.wired",
    "node.machine.running",
    "node.machine.stopping",
    "node.machine.killed",
    "node.port.released",
    "node.machine.unwired",
    "node.door.unwired",
    "node.machine.removed",
];

#[test]
fn killed_at_each_step() -> Result<()> {
    let seed = seed()?;
    eprintln!("seed {seed}: run again with SCENARIO_SEED={seed}");
    let mut random = Random(seed);
    let mut cloud = Cloud::with_hosts(&["hv1"])?;
    let tenant = cloud.tenant("steps")?;
    let network = network(&tenant)?;
    let mut points: Vec<&str> = [CONTROLLER_POINTS, AGENT_POINTS].concat();
    for last in (1..points.len()).rev() {
        points.swap(last, random.index(last + 1));
    }
    let (began, mut tried, mut tripped) = (Instant::now(), 0, 0);
    for point in points {
        if began.elapsed() > SWEEP {
            break;
        }
        tried += 1;
        if killed_at(&mut cloud, &tenant, &network, point).with_context(|| format!("killed at {point}"))? {
            tripped += 1;
        }
    }
    eprintln!("ended at {tripped} of {tried} steps");
    // A few are passed only now and then, as that at which a host has no machine of a network any more.
    ensure!(tripped > 5 && tripped * 4 > tried * 3, "only {tripped} of {tried} steps were passed at all");
    everything_goes(&cloud, &tenant)?;
    cloud.passed()
}

/// A server is created and deleted with this trap set. False if the point was not passed.
fn killed_at(cloud: &mut Cloud, tenant: &Api, network: &str, point: &str) -> Result<bool> {
    let on_host = point.starts_with("node.");
    // A fresh image, for the point at which a host has fetched one.
    let image = tenant.load_sleeper()?;
    match on_host {
        true => cloud.set_agent_trap("hv1", point)?,
        false => cloud.set_controller_trap(point)?,
    }
    // An answer that is lost leaves a server all the same, and the next one is asked for when somebody listens again.
    let first = create(tenant, point, &image, network).ok();
    let mut tripped = has_ended(cloud, on_host, Duration::from_secs(4))?;
    if tripped {
        start_again(cloud, on_host)?;
    }
    let server = match first {
        Some(server) => server,
        None => persist(|| create(tenant, point, &image, network))?,
    };
    // On a busy machine the point may be passed only now.
    wait_until("the server to be ACTIVE", REST, || {
        tripped |= revive(cloud, on_host)?;
        Ok(tenant.server(&server)?["status"] == "ACTIVE")
    })?;
    let all = tenant.get(&format!("/compute/v2.1/servers?name={point}"))?;
    for server in all["servers"].as_array().context("a list of servers")? {
        let server = id(server)?;
        let _ = tenant.delete_server(&server);
        if !tripped {
            tripped = has_ended(cloud, on_host, Duration::from_secs(4))?;
            if tripped {
                start_again(cloud, on_host)?;
            }
        }
        wait_until("the server to be gone", REST, || {
            tripped |= revive(cloud, on_host)?;
            let path = format!("/compute/v2.1/servers/{server}");
            Ok(tenant.ask("DELETE", &path, &json!({}))?.status == 404)
        })?;
    }
    tenant.delete(&format!("/image/v2/images/{image}"))?;
    Ok(tripped)
}

fn has_ended(cloud: &mut Cloud, on_host: bool, within: Duration) -> Result<bool> {
    let ended = Instant::now() + within;
    let process = if on_host { &mut cloud.agent("hv1")?.process } else { &mut cloud.controller };
    while process.is_alive()? {
        if Instant::now() > ended {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(true)
}

/// Starts what has ended meanwhile, and whether it had.
fn revive(cloud: &mut Cloud, on_host: bool) -> Result<bool> {
    let ended = has_ended(cloud, on_host, Duration::ZERO)?;
    if ended {
        start_again(cloud, on_host)?;
    }
    Ok(ended)
}

fn start_again(cloud: &mut Cloud, on_host: bool) -> Result<()> {
    if on_host { cloud.start_agent("hv1") } else { cloud.start_controller() }
}

fn seed() -> Result<u64> {
    match env::var("SCENARIO_SEED") {
        Ok(seed) => seed.parse().context("SCENARIO_SEED is a number"),
        Err(_) => Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs()),
    }
}

/// The same numbers for the same seed (Marsaglia's xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = (self.0 ^ 0x9e37_79b9_7f4a_7c15).max(1);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.next()).unwrap_or(0) % length
    }
}
