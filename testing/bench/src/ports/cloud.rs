// SPDX-License-Identifier: Apache-2.0
//! A controller with OVN's databases and one network.

use std::time::{Duration, Instant};

use anyhow::Context;
use ovn::{northbound::Northbound, ovsdb::Remote};
use serde_json::{Value, json};
use tokio::time::Instant as Deadline;

use crate::{
    Plan,
    cloud::{Controller, Home},
    http::Connection,
    ovn_daemons::Ovn,
    process,
};

const A_REQUEST: usize = 500;
const PATIENCE: Duration = Duration::from_secs(900);

pub struct Cloud {
    home: Home,
    controller: Controller,
    pub token: String,
    admin: Connection,
    network: String,
    northbound: Northbound,
    made: usize,
    ovn: Ovn,
}

/// How long it took, in seconds.
pub struct Filled {
    pub made: f64,
    pub in_ovn: f64,
}

/// Ports that were made one after another, each time in milliseconds and sorted.
pub struct OneByOne {
    pub latencies: Vec<f64>,
    pub until_ovn: Vec<f64>,
    pub cpu_ms: f64,
}

pub struct Northd {
    pub first: f64,
    pub one_more: f64,
    pub memory: f64,
}

impl Cloud {
    pub async fn start(plan: &Plan, postgres: Option<&str>) -> anyhow::Result<Self> {
        let ovn = Ovn::start(&plan.dir)?;
        let mut settings = ovn.settings();
        if let Some(url) = postgres {
            settings.push_str(&format!("[database]\nurl = \"{url}\"\n"));
        }
        let home = Home::with(&plan.binary, &plan.dir, &settings)?;
        let (controller, _) = home.start().await?;
        let token = home.log_in().await?;
        let mut admin = Connection::open(&home.authority).await?.with_token(&token);
        let projects = admin.get("/identity/v3/projects?name=admin").await?.json()?;
        let project = projects["projects"][0]["id"].as_str().context("there is a project `admin`")?;
        // With a limit, so that what is there is counted.
        admin.put(&format!("/network/v2.0/quotas/{project}"), &json!({"quota": {"port": 1_000_000}})).await?;
        let network = admin.post("/network/v2.0/networks", &json!({"network": {"name": "bench"}})).await?.json()?;
        let network = network["network"]["id"].as_str().context("the network has an id")?.to_owned();
        let subnet = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/16"}});
        admin.post("/network/v2.0/subnets", &subnet).await?;
        let northbound = Northbound::connect(vec![Remote::Unix(ovn.northbound())]);
        northbound.ready(Deadline::now() + PATIENCE).await?;
        // The port behind which guests find their metadata.
        let mut cloud = Self { home, controller, token, admin, network, northbound, made: 1, ovn };
        cloud.until_in_ovn().await?;
        Ok(cloud)
    }

    pub fn authority(&self) -> &str {
        &self.home.authority
    }

    pub fn pid(&self) -> u32 {
        self.controller.pid()
    }

    pub async fn connection(&self) -> anyhow::Result<Connection> {
        Ok(Connection::open(self.authority()).await?.with_token(&self.token))
    }

    /// Makes so many ports.
    pub async fn fill(&mut self, ports: usize) -> anyhow::Result<Filled> {
        let began = Instant::now();
        let mut left = ports;
        while left > 0 {
            let some = left.min(A_REQUEST);
            let asks: Vec<Value> = (0..some).map(|_| json!({"network_id": self.network})).collect();
            self.admin.post("/network/v2.0/ports", &json!({ "ports": asks })).await?;
            (left, self.made) = (left - some, self.made + some);
        }
        let made = began.elapsed().as_secs_f64();
        self.until_in_ovn().await?;
        Ok(Filled { made, in_ovn: began.elapsed().as_secs_f64() })
    }

    pub async fn one_more(&mut self, times: usize) -> anyhow::Result<OneByOne> {
        let (mut latencies, mut until_ovn) = (Vec::with_capacity(times), Vec::with_capacity(times));
        let ask = json!({"port": {"network_id": self.network}});
        // The one that was open may have been silent for longer than the controller waits.
        self.admin = self.connection().await?;
        let cpu = process::cpu_ms(self.pid())?;
        for _ in 0..times {
            let began = Instant::now();
            self.admin.post("/network/v2.0/ports", &ask).await?;
            latencies.push(began.elapsed().as_secs_f64() * 1e3);
            self.made += 1;
            self.until_in_ovn().await?;
            until_ovn.push(began.elapsed().as_secs_f64() * 1e3);
        }
        let cpu_ms = (process::cpu_ms(self.pid())? - cpu) / times as f64;
        latencies.sort_by(f64::total_cmp);
        until_ovn.sort_by(f64::total_cmp);
        Ok(OneByOne { latencies, until_ovn, cpu_ms })
    }

    async fn until_in_ovn(&mut self) -> anyhow::Result<()> {
        let wanted = self.made;
        let look = |replica: &ovn::ovsdb::Replica| (replica.count("Logical_Switch_Port") >= wanted).then_some(());
        self.northbound.client().wait_until("all ports in OVN", Deadline::now() + PATIENCE, look).await?;
        Ok(())
    }

    /// What ovn-northd itself needs for so many ports.
    pub async fn start_northd(&mut self) -> anyhow::Result<Northd> {
        let daemon = self.ovn.northd()?;
        let deadline = || Deadline::now() + PATIENCE;
        self.northbound.wait_southbound(deadline()).await?;
        let first = process::cpu_ms(daemon.pid())?;
        let times = 10;
        for _ in 0..times {
            self.one_more(1).await?;
            self.northbound.wait_southbound(deadline()).await?;
        }
        let one_more = (process::cpu_ms(daemon.pid())? - first) / f64::from(times);
        Ok(Northd { first: first / 1e3, one_more, memory: process::memory(daemon.pid())?.proportional })
    }

    pub fn stop(self) -> anyhow::Result<()> {
        self.controller.stop()
    }
}
