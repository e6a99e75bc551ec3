// SPDX-License-Identifier: Apache-2.0
//! A controller of our own with its simulated hosts, and a tenant without a quota.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use nodes::{Host, Manner, Offer};
use serde_json::{Value, json};

use crate::{
    Plan,
    cloud::{Controller, Home},
    http::Connection,
    list,
};

/// One request makes so many at most.
const SERVERS_A_REQUEST: usize = 500;
const PATIENCE: Duration = Duration::from_secs(900);
const POLL: Duration = Duration::from_millis(5);
/// As an agent needs with its image at hand and QEMU quick: four of these.
const STEP: Duration = Duration::from_millis(20);
const MEMORY_MB: i64 = 64;

pub struct Cloud {
    home: Home,
    controller: Controller,
    hosts: Vec<Host>,
    pub token: String,
    pub admin: Connection,
    pub joins_a_second: f64,
    image: String,
    flavor: String,
}

impl Cloud {
    /// What its configuration says beyond the least: no OVN, and the database.
    pub fn settings(postgres: Option<&str>) -> String {
        postgres.map_or_else(String::new, |url| format!("[database]\nurl = \"{url}\"\n"))
    }

    pub async fn start(plan: &Plan, settings: &str) -> anyhow::Result<Self> {
        let home = Home::with(&plan.binary, &plan.dir, settings)?;
        let (controller, _) = home.start().await?;
        let token = home.log_in().await?;
        let mut admin = Connection::open(&home.authority).await?.with_token(&token);
        let project = list::lift_quota(&mut admin).await?;
        let quota = json!({"quota": {"port": -1}});
        admin.put(&format!("/network/v2.0/quotas/{project}"), &quota).await?;
        let image = list::create_image(&mut admin).await?;
        let flavor = json!({"flavor": {"name": "scale", "vcpus": 1, "ram": MEMORY_MB, "disk": 1}});
        let flavor = admin.post("/compute/v2.1/flavors", &flavor).await?.json()?;
        let flavor = flavor["flavor"]["id"].as_str().context("the flavor has an id")?.to_owned();

        let mut words = Vec::new();
        for _ in 0..plan.hosts {
            let token = admin.post("/operator/v1/join-tokens", &json!({})).await?.json()?;
            words.push(token["join_token"]["token"].as_str().context("the token is a word")?.to_owned());
        }
        let began = Instant::now();
        let hosts = nodes::join(&words, &Offer::default(), &Manner { step: STEP, ..Manner::default() }).await?;
        let joins_a_second = hosts.len() as f64 / began.elapsed().as_secs_f64();
        let mut cloud = Self { home, controller, hosts, token, admin, joins_a_second, image, flavor };
        cloud.until_all_are_known().await?;
        Ok(cloud)
    }

    pub fn authority(&self) -> &str {
        &self.home.authority
    }

    pub fn pid(&self) -> u32 {
        self.controller.pid()
    }

    pub fn ask(&self, networks: &str, count: usize) -> Value {
        let networks = if networks == "none" { json!("none") } else { json!([{"uuid": networks}]) };
        json!({"server": {"name": "bench", "imageRef": self.image, "flavorRef": self.flavor, "networks": networks,
            "min_count": count, "max_count": count, "metadata": {"purpose": "a figure"}}})
    }

    /// Creates servers until there are so many.
    pub async fn fill(&mut self, servers: usize) -> anyhow::Result<()> {
        let there: usize = self.running();
        let mut missing = servers.saturating_sub(there);
        while missing > 0 {
            let count = missing.min(SERVERS_A_REQUEST);
            let ask = self.ask("none", count);
            self.admin.post("/compute/v2.1/servers", &ask).await?;
            missing -= count;
            self.until_active(servers - missing).await?;
        }
        Ok(())
    }

    pub fn running(&self) -> usize {
        self.hosts.iter().map(Host::running).sum()
    }

    /// Waits until so many machines run and the controller has it in its tables, which is when their servers are ACTIVE.
    /// Asked of the hosts, so that the controller has no part in being asked.
    pub async fn until_active(&mut self, servers: usize) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.running() < servers {
            ensure!(began.elapsed() < PATIENCE, "{} of {servers} machines run after {PATIENCE:?}", self.running());
            tokio::time::sleep(POLL).await;
        }
        for host in &self.hosts {
            host.until_known().await;
        }
        Ok(())
    }

    /// What the hosts believe is what a tenant sees.
    pub async fn ensure_active(&mut self) -> anyhow::Result<()> {
        for status in ["BUILD", "ERROR"] {
            ensure!(!self.is_there(status).await?, "servers are in {status}");
        }
        Ok(())
    }

    async fn is_there(&mut self, status: &str) -> anyhow::Result<bool> {
        let found = self.admin.get(&format!("/compute/v2.1/servers?status={status}&limit=1")).await?.json()?;
        Ok(found["servers"].as_array().is_some_and(|servers| !servers.is_empty()))
    }

    /// Placement learns of hosts one after another.
    async fn until_all_are_known(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let found = self.admin.get("/placement/resource_providers?resources=VCPU:1").await?.json()?;
            if found["resource_providers"].as_array().map_or(0, Vec::len) == self.hosts.len() {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "placement does not know all hosts after {PATIENCE:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// A network with room for all, and the security group without rules for strangers.
    pub async fn create_network(&mut self) -> anyhow::Result<String> {
        let network = self.admin.post("/network/v2.0/networks", &json!({"network": {"name": "scale"}})).await?.json()?;
        let id = network["network"]["id"].as_str().context("the network has an id")?.to_owned();
        let subnet = json!({"subnet": {"network_id": id, "ip_version": 4, "cidr": "10.64.0.0/16"}});
        self.admin.post("/network/v2.0/subnets", &subnet).await?;
        Ok(id)
    }

    pub fn stop(self) -> anyhow::Result<()> {
        drop(self.hosts);
        self.controller.stop()
    }
}
