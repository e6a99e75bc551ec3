// SPDX-License-Identifier: Apache-2.0
//! Two controllers on one PostgreSQL, with a host: what one was doing when it died, or fell asleep, the other ends; and
//! what sleeps does no harm when it wakes.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use lab::wait_until;
use nix::sys::signal::Signal;
use scenarios::{Api, Pair, Wanted, machines};

/// How far a server has come when its controller dies: anywhere.
const INSTANTS: [u64; 2] = [20, 200];
const LONG: Duration = Duration::from_secs(120);

#[test]
fn the_lead_moves_with_servers_under_way() -> Result<()> {
    let mut pair = Pair::with_hosts(&["hv1"])?;
    let here = pair.cloud.admin.clone();
    let there = pair.at_standby.clone();
    let (image, network) = (here.load_sleeper()?, here.make_network("n")?);
    here.make_subnet(&network, "10.0.0.0/24")?;
    let create =
        |api: &Api, name: &str| api.create_server(&Wanted { name, image: &image, network: &network, ..Wanted::default() });

    // Asked for at the one that does not lead, which is told by the one that does.
    let witness = create(&there, "witness")?;
    there.wait_for_active(&witness)?;
    ensure!(here.server(&witness)?["status"] == "ACTIVE", "both say the same");
    ensure!(!there.console(&witness).contains("lead"), "its console is passed on: {}", there.console(&witness));
    let process = machines(&pair.cloud.agents[0].host)?;

    // kill -9 of the leader.
    let mut servers = vec![witness.clone()];
    for (number, instant) in INSTANTS.into_iter().enumerate() {
        let server = create(&here, &format!("killed-{number}"))?;
        thread::sleep(Duration::from_millis(instant));
        pair.cloud.controller.kill()?;
        let killed = Instant::now();
        pair.wait_for_lead(&there, &pair.standby_host)?;
        eprintln!("killed after {instant} ms: the other led, with its host, after {:?}", killed.elapsed());
        there.wait_for_active(&server)?;
        servers.push(server);
        pair.cloud.start_controller()?;
        // And back, by asking the leader to end.
        pair.standby.stop(LONG)?;
        pair.wait_for_lead(&here, &pair.cloud.central)?;
        pair.start_standby()?;
    }

    // The leader falls asleep, and wakes when another leads.
    for (number, instant) in INSTANTS.into_iter().enumerate() {
        let server = create(&here, &format!("asleep-{number}"))?;
        thread::sleep(Duration::from_millis(instant));
        pair.cloud.controller.signal(Signal::SIGSTOP)?;
        let slept = Instant::now();
        pair.wait_for_lead(&there, &pair.standby_host)?;
        eprintln!("asleep after {instant} ms: the other led, with its host, after {:?}", slept.elapsed());
        there.wait_for_active(&server)?;
        // What the sleeper last saw is deleted before it wakes, so that it could bring it back.
        there.delete_server(&server)?;
        there.wait_until_gone(&server)?;
        pair.cloud.controller.signal(Signal::SIGCONT)?;
        let kept = create(&here, &format!("woken-{number}"))?;
        here.wait_for_active(&kept)?;
        servers.push(kept);
        thread::sleep(Duration::from_secs(2));
        ensure!(there.get("/operator/v1/audit")?["findings"].as_array().is_some_and(Vec::is_empty), "the sleeper did harm");
        pair.wait_for_lead(&here, &pair.standby_host)?;
        pair.standby.stop(LONG)?;
        pair.wait_for_lead(&here, &pair.cloud.central)?;
        pair.start_standby()?;
    }

    let after = machines(&pair.cloud.agents[0].host)?;
    ensure!(after.get(&witness) == process.get(&witness), "the machine that ran did not run on");
    ensure!(after.len() == servers.len(), "{} servers run as {after:?}", servers.len());
    for server in &servers {
        there.delete_server(server)?;
    }
    for server in &servers {
        here.wait_until_gone(server)?;
    }
    wait_until("an audit without findings", LONG, || {
        let found = here.get("/operator/v1/audit")?;
        Ok(found["findings"].as_array().context("a list of findings")?.is_empty())
    })?;
    pair.cloud.expect_no_remains()?;
    pair.passed()
}
