// SPDX-License-Identifier: Apache-2.0
//! `ferrostack up`: from an installed binary to a cloud with a machine that answers, and from a cloud that stands to
//! nothing to do. Each step finds or makes; none is done twice.

mod demo;
mod host;
mod island;
mod progress;
mod settings;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::Args;
use demo::Demo;
use progress::{Outcome, step};
use serde_json::json;

pub use host::release_nat;
pub use island::Island;

use crate::{
    client::{Account, Client},
    clouds_yaml::{self, Entry},
    config::Config,
    daemons,
    home::Home,
    secrets,
};

#[derive(Args)]
pub struct Arguments {
    /// Let machines reach the outside through this host's own address (nftables masquerade and IP forwarding)
    #[arg(long)]
    nat: bool,
    /// A qcow2 image for the first machine
    #[arg(long, value_name = "PATH")]
    guest_image: Option<PathBuf>,
    /// Start the services only: no demo network, image or machine
    #[arg(long)]
    bare: bool,
}

const START_PATIENCE: Duration = Duration::from_secs(60);

pub fn run(home: &Home, arguments: &Arguments) -> anyhow::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("`up` makes bridges, taps and network namespaces and therefore runs as root: sudo ferrostack up");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bring_up(home, arguments))
}

async fn bring_up(home: &Home, arguments: &Arguments) -> anyhow::Result<()> {
    let started = Instant::now();
    println!("Ferrostack in {}", home.state.display());
    home.ensure().with_context(|| format!("make {}", home.state.display()))?;
    let config = step("the configuration", async { settings::ensure(home) }).await?;
    let admin_password = secrets::ensure(home, secrets::ADMIN)?;
    let demo_password = secrets::ensure(home, secrets::DEMO)?;

    if config.node.namespace.is_some() {
        step("the network namespace of this cloud", async { Ok(Outcome::of(Island::of(home).ensure()?, ())) }).await?;
    }
    step("the controller", start_controller(home, &config)).await?;
    let mut admin = Client::new(&config.public_url(), config.api.certificate.as_deref())?;
    admin.log_in(&Account { user: "admin", password: admin_password.reveal(), project: "admin" }).await.with_context(|| {
        format!("if the administrator's password was changed, write the new one to {}", home.secret(secrets::ADMIN).display())
    })?;
    step("the agent of this host", start_node(home, &config, &admin)).await?;
    step("the host's place on the external network", async { host::ensure_addresses(&config, arguments.nat) }).await?;

    let mut machine = None;
    let key = home.secret("demo-key");
    if !arguments.bare {
        let mut tenant = Client::new(&config.public_url(), config.api.certificate.as_deref())?;
        tenant.log_in(&Account { user: "demo", password: demo_password.reveal(), project: "demo" }).await?;
        let (host_address, external_cidr) = settings::external(&config)?;
        let demo = Demo {
            admin: &admin,
            tenant: &tenant,
            guest_image: arguments.guest_image.as_deref(),
            host_address: &host_address,
            external_cidr: &external_cidr,
            private_key: &key,
        };
        machine = demo.ensure().await?;
    }
    let entry = |name: &str, user: &str, password: &str| Entry {
        name: name.to_owned(),
        auth_url: format!("{}/identity/v3", config.public_url()),
        username: user.to_owned(),
        password: password.to_owned(),
        project: user.to_owned(),
        region: config.api.region.clone(),
        cacert: config.api.certificate.clone(),
    };
    let entries =
        [entry("ferrostack", "admin", admin_password.reveal()), entry("ferrostack-demo", "demo", demo_password.reveal())];
    let clouds = clouds_yaml::path();
    step("clouds.yaml", async {
        let changed = clouds_yaml::merge(&clouds, &entries)?;
        Ok(Outcome::of(changed, ()))
    })
    .await?;

    println!("\nThe cloud is up ({:.1} s).\n", started.elapsed().as_secs_f64());
    println!("  API          {}/identity/v3", config.public_url());
    println!("  clients      openstack --os-cloud ferrostack ...        (the operator)");
    println!("               openstack --os-cloud ferrostack-demo ...   (a tenant); entries in {}", clouds.display());
    println!("               eval \"$(ferrostack env)\" for other tools");
    if let Some(machine) = machine {
        println!("  machine      {}: {} inside, {} from this host", machine.name, machine.fixed, machine.floating);
        println!("  reach it     ssh -i {} cirros@{}", key.display(), machine.floating);
    }
    println!("  stop it      ferrostack down");
    Ok(())
}

async fn start_controller(home: &Home, config: &Config) -> anyhow::Result<Outcome<()>> {
    let client = Client::new(&config.public_url(), config.api.certificate.as_deref())?;
    if daemons::running(home, "controller").is_some() && client.get("/healthcheck").await.is_ok() {
        return Ok(Outcome::Found(()));
    }
    if daemons::running(home, "controller").is_none() {
        daemons::start(home, "controller", &[])?;
    }
    let deadline = Instant::now() + START_PATIENCE;
    loop {
        if client.get("/healthcheck").await.is_ok() {
            return Ok(Outcome::Made(()));
        }
        if daemons::running(home, "controller").is_none() {
            bail!("it ended at once. Its last words:\n{}", daemons::last_words(home, "controller"));
        }
        if Instant::now() > deadline {
            bail!("it does not answer at {}. Its last words:\n{}", config.public_url(), daemons::last_words(home, "controller"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn start_node(home: &Home, config: &Config, admin: &Client) -> anyhow::Result<Outcome<()>> {
    let hostname = crate::role::hostname(config)?;
    if daemons::running(home, "node").is_some() && is_up(admin, &hostname).await? {
        return Ok(Outcome::Found(()));
    }
    if daemons::running(home, "node").is_none() {
        let joined = home.node().join("identity/certificate.pem").exists();
        if joined {
            daemons::start_in(home, "node", config.node.namespace.as_deref(), &[])?;
        } else {
            let made = admin.post("/operator/v1/join-tokens", json!({})).await?;
            let token = made["join_token"]["token"].as_str().context("the controller gave a join token")?;
            // By file, not by argument: arguments are seen by every user of the host.
            let path = home.secret("join-token");
            crate::secrets::write(&path, token)?;
            daemons::start_in(home, "node", config.node.namespace.as_deref(), &["--join-file", &path.to_string_lossy()])?;
        }
    }
    let deadline = Instant::now() + START_PATIENCE;
    while !is_up(admin, &hostname).await? {
        if daemons::running(home, "node").is_none() {
            bail!("it ended. Its last words:\n{}", daemons::last_words(home, "node"));
        }
        if Instant::now() > deadline {
            bail!("it did not connect. Its last words:\n{}", daemons::last_words(home, "node"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Outcome::Made(()))
}

async fn is_up(admin: &Client, hostname: &str) -> anyhow::Result<bool> {
    let nodes = admin.get("/operator/v1/nodes").await?;
    let nodes = nodes["nodes"].as_array().cloned().unwrap_or_default();
    Ok(nodes.iter().any(|node| node["hostname"] == hostname && node["up"] == true))
}
