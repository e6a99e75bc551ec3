// SPDX-License-Identifier: Apache-2.0
//! Lists of a thousand servers. They end in ERROR, for there is no host to run them, which a list does not mind.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::Method;
use serde_json::json;

use crate::{
    Plan,
    cloud::Home,
    floor::Floor,
    http::Connection,
    load::{self, Target},
    report::{Line, Report},
    rounds::quantile,
};

const SERVERS: usize = 1000;
const SERVERS_A_REQUEST: usize = 500;
const PATIENCE: Duration = Duration::from_secs(300);

pub async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let home = Home::make(&plan.binary, &plan.dir)?;
    let (controller, _) = home.start().await?;
    let token = home.log_in().await?;
    let mut admin = Connection::open(&home.authority).await?.with_token(&token);
    create_servers(&mut admin).await?;

    report.title(&format!("list: {SERVERS} servers"));
    for path in ["/compute/v2.1/servers/detail", "/compute/v2.1/servers"] {
        let ours = Arc::new(Target {
            authority: home.authority.clone(),
            pid: controller.pid(),
            path: format!("{path}?limit={SERVERS}"),
            headers: vec![("x-auth-token", token.clone()), ("openstack-api-version", "compute 2.79".to_owned())],
            post: None,
        });
        let size = load::ask(&mut admin, &ours).await?.len();
        let floor = Floor::start(size)?;
        let (mut times, mut floor_times, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            let turn = load::turn(&floor.target, 1, plan.turn / 4).await?;
            floor_times.push(quantile(&turn.latencies, 0.5));
            let turn = load::turn(&ours, 1, plan.turn).await?;
            times.push(quantile(&turn.latencies, 0.5));
            cpu.push(turn.cpu_ms);
        }
        let name = path.trim_start_matches("/compute/v2.1/");
        report.line(&Line::new("list", format!("GET {name}"), "ms", &times).over("the same bytes lying ready", &floor_times));
        report.line(&Line::new("list", format!("GET {name}, server CPU"), "ms", &cpu));
        for limit in [10, SERVERS] {
            let path = format!("{path}?limit={limit}");
            let statements = statements(&mut admin, &path).await?;
            report.line(&Line::new("list", format!("GET {name}, statements for {limit}"), "", &[statements]));
        }
    }
    controller.stop()
}

/// How many statements the store runs for one such request; the least of several, as reconcilers run some in between.
async fn statements(admin: &mut Connection, path: &str) -> anyhow::Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..20 {
        let before = counted(admin).await?;
        admin.get(path).await?;
        least = least.min(counted(admin).await? - before);
    }
    Ok(least)
}

async fn counted(admin: &mut Connection) -> anyhow::Result<f64> {
    let text = admin.get("/metrics").await?.body;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find_map(|line| line.strip_prefix("store_statements_total "));
    line.and_then(|number| number.trim().parse().ok()).context("/metrics has no store_statements_total")
}

async fn create_servers(admin: &mut Connection) -> anyhow::Result<()> {
    lift_quota(admin).await?;
    let image = create_image(admin).await?;
    let flavors = admin.get("/compute/v2.1/flavors").await?.json()?;
    let flavor = flavors["flavors"][0]["id"].as_str().context("there is a flavor")?;
    // One request makes so many at most.
    for _ in 0..SERVERS / SERVERS_A_REQUEST {
        let ask = json!({"server": {"name": "bench", "imageRef": image, "flavorRef": flavor, "networks": "none",
            "min_count": SERVERS_A_REQUEST, "max_count": SERVERS_A_REQUEST, "metadata": {"purpose": "a list"}}});
        admin.post("/compute/v2.1/servers", &ask).await?;
    }
    let began = Instant::now();
    loop {
        let building = admin.get("/compute/v2.1/servers?status=BUILD&limit=1").await?.json()?;
        if building["servers"].as_array().is_some_and(Vec::is_empty) {
            break;
        }
        ensure!(began.elapsed() < PATIENCE, "the servers are still in BUILD after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let listed = admin.get(&format!("/compute/v2.1/servers?limit={SERVERS}")).await?.json()?;
    let count = listed["servers"].as_array().map_or(0, Vec::len);
    ensure!(count == SERVERS, "{count} servers are listed instead of {SERVERS}");
    Ok(())
}

/// The operator's own project may have any number of servers. Returns which it is.
pub async fn lift_quota(admin: &mut Connection) -> anyhow::Result<String> {
    let projects = admin.get("/identity/v3/projects?name=admin").await?.json()?;
    let project = projects["projects"][0]["id"].as_str().context("there is a project `admin`")?;
    let quota = json!({"quota_set": {"instances": -1, "cores": -1, "ram": -1}});
    admin.put(&format!("/compute/v2.1/os-quota-sets/{project}"), &quota).await?;
    Ok(project.to_owned())
}

/// A small raw image: nothing boots from it here.
pub async fn create_image(admin: &mut Connection) -> anyhow::Result<String> {
    let ask = json!({"name": "bench", "disk_format": "raw", "container_format": "bare"});
    let image = admin.post("/image/v2/images", &ask).await?.json()?;
    let id = image["id"].as_str().context("the image has an id")?.to_owned();
    let data = Bytes::from(vec![0; 1 << 20]);
    let path = format!("/image/v2/images/{id}/file");
    let kind = [("content-type", "application/octet-stream")];
    admin.send(Method::PUT, &path, &kind, data).await?.or_fail("upload the image")?;
    Ok(id)
}
