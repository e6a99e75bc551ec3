// SPDX-License-Identifier: Apache-2.0
//! One controller and many hosts, which are simulated: what goes wrong with some of them at a time.

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use lab::wait_until;
use scenarios::{Api, Cloud, Crowd};
use serde_json::json;

/// The controller lets so many connections in from one address, and some more.
const HOSTS: usize = 40;
const SERVERS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn many_hosts_come_and_go_and_every_server_ends_where_it_is_wanted() -> Result<()> {
    let mut cloud = Cloud::controller_alone()?;
    let tenant = cloud.tenant("crowd")?;
    let quota = json!({"quota_set": {"instances": -1, "cores": -1, "ram": -1}});
    cloud.admin.put(&format!("/compute/v2.1/os-quota-sets/{}", tenant.project_id()?), &quota)?;
    let image = tenant.load_sleeper()?;
    let crowd = Crowd::join(&cloud, HOSTS)?;

    create(&tenant, &image, SERVERS)?;
    until_running(&crowd, SERVERS)?;
    let fullest = crowd.hosts.iter().map(|host| host.machines().len()).max().unwrap_or_default();
    ensure!(fullest <= 2 * SERVERS / HOSTS, "one host has {fullest} of {SERVERS} servers: they were not spread");

    // Killed in the midst of the next ones, and again on the way to them.
    create(&tenant, &image, SERVERS)?;
    cloud.restart_controller(Duration::ZERO)?;
    thread::sleep(Duration::from_secs(1));
    cloud.restart_controller(Duration::ZERO)?;
    until_running(&crowd, 2 * SERVERS)?;
    until_all_are(&tenant, "ACTIVE", 2 * SERVERS)?;

    // A quarter of them is cut off, one starts anew, and one forgets all that it had.
    let away = &crowd.hosts[..HOSTS / 4];
    away.iter().for_each(nodes::Host::cut_off);
    crowd.hosts[HOSTS - 1].restart();
    let forgetful = &crowd.hosts[HOSTS - 2];
    let had = forgetful.machines().len();
    forgetful.forget();
    until_up(&cloud, HOSTS - away.len())?;
    away.iter().for_each(nodes::Host::reconnect);
    until_up(&cloud, HOSTS)?;
    // What was lost is said to be lost, and is not replaced by empty disks; all others run on.
    until_all_are(&tenant, "ERROR", had)?;
    until_all_are(&tenant, "ACTIVE", 2 * SERVERS - had)?;
    ensure!(crowd.running() == 2 * SERVERS - had, "{} of {} machines run", crowd.running(), 2 * SERVERS);

    for server in list(&tenant)? {
        tenant.delete_server(&server)?;
    }
    wait_until("every machine to be gone", PATIENCE, || Ok(crowd.machines() == 0))?;
    wait_until("every server to be gone", PATIENCE, || Ok(list(&tenant)?.is_empty()))?;
    cloud.wait_for_clean_audit()?;
    drop(crowd);
    cloud.passed()
}

fn create(tenant: &Api, image: &str, count: usize) -> Result<()> {
    let ask = json!({"server": {"name": "crowd", "imageRef": image, "flavorRef": "m1.nano", "networks": "none",
        "min_count": count, "max_count": count}});
    tenant.post("/compute/v2.1/servers", &ask).map(drop)
}

fn list(tenant: &Api) -> Result<Vec<String>> {
    let found = tenant.get("/compute/v2.1/servers?limit=1000")?;
    let servers = found["servers"].as_array().context("a list of servers")?;
    servers.iter().map(scenarios::id).collect()
}

fn until_running(crowd: &Crowd, count: usize) -> Result<()> {
    wait_until(&format!("{count} machines to run"), PATIENCE, || Ok(crowd.running() == count))
}

fn until_all_are(tenant: &Api, status: &str, count: usize) -> Result<()> {
    wait_until(&format!("{count} servers to be {status}"), PATIENCE, || {
        let found = tenant.get(&format!("/compute/v2.1/servers?status={status}&limit=1000"))?;
        Ok(found["servers"].as_array().map_or(0, Vec::len) == count)
    })
}

fn until_up(cloud: &Cloud, count: usize) -> Result<()> {
    wait_until(&format!("{count} hosts to be up"), PATIENCE, || {
        let nodes = cloud.admin.get("/operator/v1/nodes")?;
        Ok(nodes["nodes"].as_array().context("a list of nodes")?.iter().filter(|node| node["up"] == true).count() == count)
    })
}
