// SPDX-License-Identifier: Apache-2.0
//! What each node shall have and shall give up, read afresh at every wake: three statements of our own and one question to
//! the network room, however many machines there are.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use contracts::{
    BoxFuture, Refusal,
    node::{InstanceMetadata, MachineDesired, NicDesired, RootDisk, WatchdogAction},
    nodes::{DesiredSource, ImageSource, NodeWishes},
    ports::PortFacts,
};
use store::{Select, Tx, params};
use types::{ImageId, NodeId, Secret, ServerId};

use super::{Server, claim, released, row::COLUMNS, store as table, view};
use crate::{Compute, availability_zone::ZONE, error::Result};

/// Servers whose node shall have their machine; the same as [`Server::wants_machine`].
const WANTED: &str = "deleted_at IS NULL AND deleting_at IS NULL AND phase IN ('spawning', 'built')";

impl DesiredSource for Compute {
    fn wishes<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<NodeWishes, Refusal>> {
        Box::pin(async move {
            let node = node.clone();
            let (servers, mut ports, released) = self.store.list(move |tx| read(tx, &node)).await?;
            self.with_floating_ips(&servers, &mut ports).await;
            let machines = servers.into_iter().map(|server| {
                let ports = ports.remove(&server.id).unwrap_or_default();
                machine(server, &ports)
            });
            Ok(NodeWishes { machines: machines.collect(), released })
        })
    }
}

impl Compute {
    /// Floating addresses come and go while a machine runs, and it may ask for its own: those of the claims are from when
    /// its ports were made. If the network room does not answer now, they serve until it does.
    async fn with_floating_ips(&self, servers: &[Server], ports: &mut PortsByServer) {
        let ids: Vec<ServerId> = servers.iter().map(|server| server.id.clone()).collect();
        let live = match self.ports.of_servers(&ids).await {
            Ok(live) => live,
            Err(error) => {
                tracing::warn!(%error, "the floating addresses of machines are told as they were");
                return;
            }
        };
        let mut now: HashMap<_, _> = live.into_values().flatten().map(|port| (port.id, port.floating_ips)).collect();
        for wired in ports.values_mut().flatten() {
            if let Some(floating_ips) = now.remove(&wired.port.id) {
                wired.port.floating_ips = floating_ips;
            }
        }
    }

    /// Tells every node when floating addresses changed; a session sends only what differs.
    pub(crate) async fn heed_floating_ips(self: Arc<Self>) {
        let mut wake = self.store.watch(&["floatingip"]);
        loop {
            wake.wait().await;
            self.wake_all_nodes().await;
        }
    }

    /// What another controller's API recorded is brought about and told by this one. Which servers it was about is not
    /// known, so all nodes are looked at.
    pub(crate) async fn heed_other_controllers(self: Arc<Self>) {
        let mut wake = self.store.watch_others(&["server"]);
        loop {
            wake.wait().await;
            self.bell.ring();
            self.wake_all_nodes().await;
        }
    }

    async fn wake_all_nodes(&self) {
        match self.nodes.list().await {
            Ok(nodes) => nodes.iter().for_each(|node| self.nodes.wake(&node.id)),
            Err(error) => tracing::warn!(%error, "nodes learn of changes with the next one, or by the clock"),
        }
    }
}

impl ImageSource for Compute {
    fn image_file<'a>(&'a self, node: &'a NodeId, sha512: &'a str) -> BoxFuture<'a, Result<PathBuf, Refusal>> {
        Box::pin(async move {
            let (of, wanted) = (node.clone(), sha512.to_owned());
            let image = self.store.list(move |tx| image_of(tx, &of, &wanted)).await?;
            let image = image.ok_or_else(|| Refusal::not_found("No machine of this node needs such an image."))?;
            self.images.file(&image).await
        })
    }
}

type PortsByServer = HashMap<ServerId, Vec<Wired>>;

/// A port of a server, with what its owner calls the NIC there.
struct Wired {
    port: PortFacts,
    tag: Option<String>,
}

fn read(tx: &mut Tx, node: &NodeId) -> Result<(Vec<Server>, PortsByServer, Vec<ServerId>)> {
    let servers = table::rows(&Select::new("servers", COLUMNS).filter("node_id = ", node).condition(WANTED).rows(tx)?)?;
    let rows = tx.query(
        "SELECT server_id, kind, position, ask, facts FROM server_claims WHERE kind = 'port' AND server_id IN \
         (SELECT id FROM servers WHERE node_id = $1 AND deleted_at IS NULL) ORDER BY server_id, position",
        &params![node],
    )?;
    let mut ports = PortsByServer::new();
    for row in &rows {
        let claim = claim::from_row(row)?;
        let tag = claim.nic.and_then(|nic| nic.tag);
        ports.entry(claim.server_id).or_default().extend(claim.port.map(|port| Wired { port, tag }));
    }
    let released = released::of_node(tx, node)?;
    Ok((servers, ports, released))
}

fn image_of(tx: &mut Tx, node: &NodeId, sha512: &str) -> Result<Option<ImageId>> {
    let select = Select::new("servers", COLUMNS).filter("node_id = ", node).condition(WANTED);
    let servers = table::rows(&select.rows(tx)?)?;
    Ok(servers.into_iter().find(|server| server.image.sha512 == sha512).map(|server| server.image_id))
}

fn machine(server: Server, wired: &[Wired]) -> MachineDesired {
    let ports: Vec<PortFacts> = wired.iter().map(|wired| wired.port.clone()).collect();
    let root = RootDisk {
        image_id: server.image_id.clone(),
        sha512: server.image.sha512.clone(),
        format: server.image.format.clone(),
        image_size: server.image.size,
        size: server.root_size(),
        tag: server.root_tag.clone(),
    };
    MachineDesired {
        generation: server.generation,
        project_id: server.project_id.clone(),
        power: server.power,
        reboots: server.reboots,
        reboot: server.reboot_kind,
        vcpus: server.flavor.vcpus,
        memory_mb: server.flavor.memory_mb,
        root,
        nics: wired.iter().map(nic).collect(),
        config_drive: server.config_drive,
        watchdog: watchdog(&server),
        metadata: metadata(&server, &ports),
        snapshot: server.snapshot.as_ref().and_then(|snapshot| snapshot.wanted_of_node()).cloned(),
        server_id: server.id,
    }
}

/// The image's word goes before the flavor's, as in Nova; what is no action, `disabled` among them, is no watchdog.
fn watchdog(server: &Server) -> Option<WatchdogAction> {
    let of_image = server.image.properties.get("hw_watchdog_action");
    let word = of_image.or_else(|| server.flavor.extra_specs.get("hw:watchdog_action"))?;
    match word.to_ascii_lowercase().as_str() {
        "reset" => Some(WatchdogAction::Reset),
        "poweroff" => Some(WatchdogAction::Poweroff),
        "pause" => Some(WatchdogAction::Pause),
        "none" => Some(WatchdogAction::None),
        _ => None,
    }
}

fn nic(wired: &Wired) -> NicDesired {
    let port = &wired.port;
    NicDesired {
        port_id: port.id.clone(),
        network_id: port.network_id.clone(),
        mac: port.mac,
        mtu: port.mtu,
        fixed_ips: port.fixed_ips.clone(),
        metadata: port.metadata.clone(),
        tag: wired.tag.clone(),
    }
}

fn metadata(server: &Server, ports: &[PortFacts]) -> InstanceMetadata {
    let key = server.key_name.clone().zip(server.public_key.clone());
    InstanceMetadata {
        hostname: server.hostname.clone(),
        name: server.name.clone(),
        availability_zone: ZONE.to_owned(),
        launch_index: server.launch_index,
        flavor: server.flavor.name.clone(),
        public_keys: key.into_iter().collect(),
        meta: server.metadata.clone(),
        user_data: server.user_data.clone(),
        admin_password: server.admin_password.as_ref().map(|password| Secret::new(password.reveal().clone())),
        guest_password: server.guest_password.as_ref().map(|password| Secret::new(password.reveal().clone())),
        floating_ips: ports.iter().flat_map(|port| port.floating_ips.iter().map(|ip| ip.address)).collect(),
        reservation_id: server.reservation_id.clone(),
        security_groups: view::security_groups(server, ports),
    }
}
