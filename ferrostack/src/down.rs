// SPDX-License-Identifier: Apache-2.0
//! `ferrostack down` and `ferrostack destroy`.

use std::{fs, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use ovn::daemons::Layout;
use tokio::time::Instant;

use crate::{
    clouds_yaml::{self, CloudsYaml},
    config::Config,
    daemons,
    home::Home,
    installation::Installation,
    say::{self, say},
    systemd::Systemd,
    up::{self, Island, STOP_PATIENCE, release_nat},
};

#[derive(Args)]
pub struct DownArguments {
    /// Stop the machines too, and with them the network that they use
    #[arg(long)]
    machines: bool,
}

#[derive(Args)]
pub struct DestroyArguments {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// How long guests have to power off by themselves.
const GUEST_PATIENCE: Duration = Duration::from_secs(60);

/// Without `--machines` the controller and the agent end; machines run on, and so does the network that carries them.
pub fn down(home: &Home, arguments: &DownArguments) -> anyhow::Result<()> {
    stop_roles(home)?;
    if arguments.machines {
        stop_machines_and_network(home, GUEST_PATIENCE)?;
        say!("The cloud is down; its data is kept in {}.", home.state.display());
    } else {
        say!(
            "The controller and the agent are down. Machines and their network run on: `ferrostack down --machines` stops them too."
        );
    }
    Ok(())
}

pub fn destroy(home: &Home, arguments: &DestroyArguments) -> anyhow::Result<()> {
    if !home.state.exists() {
        say!("There is no cloud in {}.", home.state.display());
        return Ok(());
    }
    if !arguments.yes {
        say::piece(&format!(
            "This deletes all machines, disks and images of the cloud in {}. Type its path to go on: ",
            home.state.display()
        ));
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        if line.trim() != home.state.to_string_lossy() {
            bail!("nothing was deleted");
        }
    }
    // It tells which devices are this cloud's. Were it guessed, those of a cloud beside it might go.
    let is_configured = home.configuration.exists();
    let config = if is_configured {
        Config::read(&home.configuration)
            .context("nothing was deleted, for only this file tells what belongs to the cloud; mend it")?
    } else {
        Config::default()
    };
    stop_roles(home)?;
    stop_machines_and_network(home, Duration::ZERO)?;
    let on_island = config.node.namespace.is_some() || !(is_configured || home.is_default());
    node::forget_host(&home.node(), &if on_island { Vec::new() } else { bridges_of(&config) })
        .context("remove the host's devices")?;
    for physical in config.node.physical_networks.values() {
        release_nat(physical.host_device.as_ref().unwrap_or(&physical.bridge));
    }
    if on_island {
        Island::of(home).release();
    }
    leave_clouds_yaml(home, &config);
    if let Some(installation) = Installation::own() {
        installation.leave(home).context("take the command `ferrostack` away")?;
    }
    fs::remove_dir_all(&home.state).with_context(|| format!("delete {}", home.state.display()))?;
    if home.configuration.exists() {
        fs::remove_file(&home.configuration).with_context(|| format!("delete {}", home.configuration.display()))?;
    }
    say!("The cloud in {} is gone.", home.state.display());
    Ok(())
}

/// Takes our entries away wherever `up` has put them. A file that cannot be edited is no reason to keep a cloud.
fn leave_clouds_yaml(home: &Home, config: &Config) {
    let auth_url = format!("{}/identity/v3", config.public_url());
    let mut files = up::noted(home).unwrap_or_default();
    if !files.contains(&clouds_yaml::path()) {
        files.push(clouds_yaml::path());
    }
    for path in files {
        match CloudsYaml::open(&path).and_then(|file| file.remove(home, &auth_url)) {
            Ok(true) => say!("  - our entries in {}", path.display()),
            Ok(false) => {}
            Err(error) => say!("  ! our entries stay in {}: {error:#}", path.display()),
        }
    }
}

/// Units first: systemd would start anew what ends otherwise.
fn stop_roles(home: &Home) -> anyhow::Result<()> {
    if let Some(systemd) = Systemd::here()
        && systemd.release(home)?
    {
        say!("  - the units of systemd");
    }
    for role in daemons::ROLES {
        if daemons::stop(home, role, STOP_PATIENCE)? {
            say!("  - the {role}");
        }
    }
    Ok(())
}

fn stop_machines_and_network(home: &Home, patience: Duration) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let stopped = node::stop_machines(&home.node(), patience).await.context("stop the machines")?;
        say!("  - {stopped} machines");
        let layout = Layout::under(&home.state);
        let deadline = Instant::now() + STOP_PATIENCE;
        // The last to start is the first to end.
        for daemon in layout.central(&[]).into_iter().chain(layout.host(None)).rev() {
            daemon.stop(deadline).await.with_context(|| format!("stop {}", daemon.name()))?;
        }
        say!("  - Open vSwitch and OVN");
        Ok(())
    })
}

fn bridges_of(config: &Config) -> Vec<String> {
    let physical = config.node.physical_networks.values().map(|physical| physical.bridge.clone());
    physical.chain(["br-int".to_owned()]).collect()
}
