// SPDX-License-Identifier: Apache-2.0
//! Bringing up the host's switch: daemons, bridges, and what ovn-controller is told.

use std::{
    io,
    path::{Path, PathBuf},
};

use contracts::node::NodeSettings;
use nix::ifaddrs::getifaddrs;
use ovn::{
    daemons::{Daemon, Layout, Supervisor, kernel_datapath_available},
    ovsdb::{Remote, TlsFiles},
    vswitch::{Bridge, ChassisSettings, Datapath, FailMode, Monitor, Port, PortKind, Vswitch},
};
use tokio::{process::Command, time::Instant};
use types::NodeId;

use super::{INTEGRATION, PATIENCE, Switching};
use crate::{
    DatapathChoice, Error, NodeConfig, Result, Switch,
    error::{Doing, blocking},
    ip,
    state_dir::StateDir,
};

/// How this host is known in OVN.
pub(crate) struct Chassis {
    pub node: NodeId,
    pub tls: TlsFiles,
}

impl Switching {
    /// Brings the switch up, or finds it up. None if the operator wants no switch.
    pub async fn open(config: &NodeConfig, state: &StateDir, chassis: &Chassis) -> Result<Option<Self>> {
        let mut daemons = Vec::new();
        let remote = match &config.switch {
            Switch::None => return Ok(None),
            Switch::Host { run_dir } => {
                let socket = run_dir.join("db.sock");
                hand_over_certificate(&socket, &chassis.tls).await?;
                Remote::Unix(socket)
            }
            Switch::Own => {
                let layout = layout(config, state);
                daemons.push(running(vec![layout.switch_database(), layout.switch()]).await?);
                layout.switch_remote()
            }
        };
        let vswitch = Vswitch::connect(remote);
        vswitch.ready(Instant::now() + PATIENCE).await?;
        let datapath = datapath(config.datapath).await;
        let mut switching = Self { vswitch, datapath, mark: state.mark(), _daemons: daemons };
        switching.ensure_bridges(config).await?;
        // ovn-controller comes last: one that does not know yet who it is, or meets a bridge in the making, may end itself.
        let own = [("system-id", chassis.node.to_string()), ("hostname", config.hostname.clone())];
        let own = own.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        switching.vswitch.ensure_external_ids(&own).await?;
        if config.switch == Switch::Own {
            switching._daemons.push(running(vec![layout(config, state).controller(Some(&chassis.tls))]).await?);
        }
        Ok(Some(switching))
    }

    /// Tells ovn-controller which cloud it serves.
    pub async fn join_cloud(&self, config: &NodeConfig, node: &NodeId, settings: &NodeSettings) -> Result<()> {
        let mappings = config.physical_networks.iter().map(|(name, network)| (name.clone(), network.bridge.clone()));
        let chassis = ChassisSettings {
            system_id: node.to_string(),
            hostname: config.hostname.clone(),
            remote: settings.southbound.clone(),
            encap_ip: config.encap_ip.to_string(),
            datapath: self.datapath,
            bridge_mappings: mappings.collect(),
            monitor: Monitor::All,
        };
        Ok(self.vswitch.ensure_chassis(&chassis).await?)
    }

    async fn ensure_bridges(&self, config: &NodeConfig) -> Result<()> {
        let bridge = |name: &str, fail_mode| Bridge::new(name, self.datapath, fail_mode);
        self.vswitch.ensure_bridge(&bridge(INTEGRATION, FailMode::Secure)).await?;
        for network in config.physical_networks.values() {
            self.vswitch.ensure_bridge(&bridge(&network.bridge, FailMode::Standalone)).await?;
            if let Some(nic) = network.nic.clone() {
                let (device, datapath) = (nic.clone(), self.datapath);
                blocking(move || prepare_card(&device, datapath)).await?;
                self.vswitch.ensure_port(&network.bridge, &Port::new(nic, PortKind::Device)).await?;
            }
        }
        // Attached only when ovs-vswitchd has made the bridges; a bridge that it cannot make is said here, not later.
        self.vswitch.settled(Instant::now() + PATIENCE).await?;
        Ok(())
    }
}

/// Whether the host itself is reached by this card. Link-local addresses come by themselves and do not count.
fn has_addresses(device: &str) -> Result<bool> {
    let all = getifaddrs().doing(|| "list the addresses of this host".into())?;
    let mut ours = all.filter(|entry| entry.interface_name == device).filter_map(|entry| entry.address);
    Ok(ours.any(|address| {
        let v6 = address.as_sockaddr_in6().is_some_and(|address| !address.ip().is_unicast_link_local());
        address.as_sockaddr_in().is_some() || v6
    }))
}

async fn running(daemons: Vec<Daemon>) -> Result<Supervisor> {
    let supervisor = Supervisor::start(daemons).await;
    supervisor.ready(Instant::now() + PATIENCE).await?;
    Ok(supervisor)
}

/// Gives the host's own ovn-controller our certificate by way of the switch's database, as it was not started by us.
async fn hand_over_certificate(socket: &Path, tls: &TlsFiles) -> Result<()> {
    let files = [&tls.private_key, &tls.certificate, &tls.ca_cert];
    let has = vsctl(socket, &["get-ssl"], &[]).await?;
    if files.iter().all(|file| has.contains(&*file.to_string_lossy())) {
        return Ok(());
    }
    vsctl(socket, &["set-ssl"], &files).await.map(drop)
}

async fn vsctl(socket: &Path, words: &[&str], files: &[&PathBuf]) -> Result<String> {
    let doing = || format!("run ovs-vsctl {}", words.join(" "));
    let mut command = Command::new("ovs-vsctl");
    command.arg(format!("--db=unix:{}", socket.display())).args(["--no-wait", "--timeout=10"]).args(words).args(files);
    let output = command.output().await.doing(doing)?;
    let said = String::from_utf8_lossy(if output.status.success() { &output.stdout } else { &output.stderr });
    if output.status.success() { Ok(said.into_owned()) } else { Err(io::Error::other(said.trim())).doing(doing) }
}

/// A card that leads to a physical network: up, and without offloads that only a kernel's switch can use.
fn prepare_card(device: &str, datapath: Datapath) -> Result<()> {
    let plain = |c: char| c.is_ascii_graphic() && c != '/';
    if device.is_empty() || !device.chars().all(plain) {
        return Err(Error::Unfit(format!("{device:?} is not the name of a network card")));
    }
    if has_addresses(device)? {
        let message = format!("{device} has addresses of this host, which it would lose as a part of a bridge: move them first");
        return Err(Error::Unfit(message));
    }
    ip::run(&format!("link set {device} up\n"))?;
    if datapath == Datapath::Userspace {
        qemu::tap::disable_offloads(device)?;
    }
    Ok(())
}

/// Sockets have short names: the run directory is as near to the root of the state as can be.
fn layout(config: &NodeConfig, state: &StateDir) -> Layout {
    let root: PathBuf = config.switch_root.clone().unwrap_or_else(|| state.root().join("ovs"));
    Layout::under(&root)
}

async fn datapath(choice: DatapathChoice) -> Datapath {
    let kernel = match choice {
        DatapathChoice::Kernel => true,
        DatapathChoice::Userspace => false,
        DatapathChoice::Auto => kernel_datapath_available().await,
    };
    if kernel { Datapath::Kernel } else { Datapath::Userspace }
}
