// SPDX-License-Identifier: Apache-2.0
//! The two long-lived roles of the binary: the controller and the agent of a host.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context;
use clap::Args;
use node::{AcceleratorChoice, Agent, DatapathChoice, NodeConfig, PhysicalNetwork, Switch};
use tokio::signal::unix::{SignalKind, signal};
use types::Secret;

use crate::{Foreground, config::Config, controller, daemons, home::Home, logging, secrets, up, users};

#[derive(Args)]
pub struct NodeArguments {
    #[command(flatten)]
    foreground: Foreground,
    /// Join the cloud with this token (from `ferrostack join-token` on the controller); needed once
    #[arg(long, value_name = "TOKEN", conflicts_with = "join_file")]
    join: Option<String>,
    /// The same, from a file
    #[arg(long, value_name = "PATH")]
    join_file: Option<PathBuf>,
}

pub fn controller(foreground: Foreground) -> anyhow::Result<()> {
    let home = open_home(foreground)?;
    let config = Config::read(&home.configuration)?;
    let _claim = daemons::claim(&home, "controller")?;
    logging::start(&config.log);
    bounds::raise_file_limit();
    runtime()?.block_on(async { controller::run(&home, &config, told_to_stop()).await })
}

pub fn node(arguments: NodeArguments) -> anyhow::Result<()> {
    let home = open_home(arguments.foreground)?;
    let config = if home.configuration.exists() { Config::read(&home.configuration)? } else { Config::default() };
    let _claim = daemons::claim(&home, "node")?;
    logging::start(&config.log);
    bounds::raise_file_limit();
    let token = match (arguments.join, arguments.join_file) {
        (Some(token), _) => Some(token),
        (None, Some(path)) => Some(std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?),
        // As `up` leaves it for the agent that it starts.
        (None, None) => secrets::read(&home, secrets::JOIN).ok().map(|token| token.reveal().clone()),
    };
    let config = node_config(&home, &config, token.map(|token| Secret::new(token.trim().to_owned())))?;
    runtime()?.block_on(async { Ok(Agent::run(config, told_to_stop()).await?) })
}

/// Makes what the kernel forgets when the host is started anew, and the agent does not make: the wires to the namespace of a
/// cloud beside another, the host's own addresses, the way out.
pub fn host(foreground: Foreground) -> anyhow::Result<()> {
    let home = open_home(foreground)?;
    let config = Config::read(&home.configuration)?;
    up::ensure_host(&home, &config).map(drop)
}

/// How this host is called: by the configuration, else by itself.
pub fn hostname(config: &Config) -> anyhow::Result<String> {
    if let Some(name) = &config.node.hostname {
        return Ok(name.clone());
    }
    let name = nix::unistd::gethostname().context("ask for the host's name")?;
    name.into_string().map_err(|_| anyhow::anyhow!("the host's name is not text; set node.hostname"))
}

fn node_config(home: &Home, config: &Config, join_token: Option<Secret<String>>) -> anyhow::Result<NodeConfig> {
    let physical_networks: BTreeMap<_, _> = config
        .node
        .physical_networks
        .iter()
        .map(|(name, physical)| (name.clone(), PhysicalNetwork { bridge: physical.bridge.clone(), nic: physical.nic.clone() }))
        .collect();
    Ok(NodeConfig {
        state_dir: home.node(),
        join_token,
        controllers: Vec::new(),
        hostname: hostname(config)?,
        encap_ip: config.node.encap_ip,
        physical_networks,
        datapath: match config.node.datapath.as_str() {
            "kernel" => DatapathChoice::Kernel,
            "userspace" => DatapathChoice::Userspace,
            _ => DatapathChoice::Auto,
        },
        switch: if config.node.run_ovs { Switch::Own } else { Switch::Host { run_dir: "/var/run/openvswitch".into() } },
        switch_root: Some(home.state.clone()),
        accelerator: match config.node.accelerator.as_str() {
            "kvm" => AcceleratorChoice::Kvm,
            "tcg" => AcceleratorChoice::Tcg,
            _ => AcceleratorChoice::Auto,
        },
        reserved_memory_mb: config.node.reserved_memory_mb,
        reserved_disk_gb: config.node.reserved_disk_gb,
        image_cache_gb: config.node.image_cache_gb,
        metadata: config.limits.metadata,
        stop_seconds: 60,
        first_uid: users::first(home, config)?,
    })
}

fn open_home(foreground: Foreground) -> anyhow::Result<Home> {
    let home = match foreground.home {
        None => Home::find(),
        Some(state) => Home::at(state),
    };
    home.ensure().with_context(|| format!("make {}", home.state.display()))?;
    Ok(home)
}

/// Two workers are enough for an office; a bigger host gets one a core, up to eight.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(cores).max_blocking_threads(64).enable_all().build()?)
}

/// Ready when the process is asked to end. From this call on, not from the first poll: a signal during the start counts.
fn told_to_stop() -> impl Future<Output = ()> {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async {
        let (Ok(mut term), Ok(mut interrupt)) = signals else { return std::future::pending().await };
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
