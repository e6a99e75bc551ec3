// SPDX-License-Identifier: Apache-2.0
//! What each node shall have and shall give up, read afresh whenever it is told to look: four statements of our own and one
//! question to the network room, however many machines there are.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use contracts::{
    BoxFuture, Refusal,
    node::{
        self, Device, DiskDesired, InstanceMetadata, MachineDesired, NicDesired, RootDisk, SnapshotDesired, Stream, Thing,
        ThingId, Transfer, WatchdogAction,
    },
    nodes::{DesiredSource, ImageSource},
    ports::PortFacts,
};
use store::{Direction, Select, Tx};
use types::{Generation, ImageId, NodeId, PortId, Secret, ServerId};

use super::{
    Server, claim,
    operation::{Ask, Operation, Role},
    released,
    state::{Life, Power, Reboot},
    table, view,
};
use crate::{Compute, availability_zone::ZONE, error::Result};

/// Of a flavor, as an extra spec.
const EXCLUSIVE: &str = "ferrostack:exclusive";

impl DesiredSource for Compute {
    fn kind(&self) -> node::Kind {
        node::Kind::Machine
    }

    fn all<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Vec<Thing>, Refusal>> {
        Box::pin(self.wanted(node, None))
    }

    fn changed<'a>(&'a self, node: &'a NodeId, things: &'a [ThingId]) -> BoxFuture<'a, Result<Vec<Thing>, Refusal>> {
        let servers = things.iter().filter_map(ThingId::server).collect();
        Box::pin(self.wanted(node, Some(servers)))
    }
}

impl Compute {
    /// What is wanted of this node, of these servers or of all.
    async fn wanted(&self, node: &NodeId, of: Option<Vec<ServerId>>) -> Result<Vec<Thing>, Refusal> {
        let id = node.clone();
        let (servers, mut wired, released) = self.store.list(move |tx| read(tx, &id, of.as_deref())).await?;
        let lost = self.with_floating_ips(&servers, &mut wired.ports).await;
        self.let_go_of(lost).await;
        let machines = servers.into_iter().filter_map(|server| {
            let ports = wired.ports.remove(&server.id).unwrap_or_default();
            let disks = wired.disks.remove(&server.id).unwrap_or_default();
            let role = server.role_of(node)?;
            Some(Thing::machine(self.machine(node, role, server, &ports, disks)))
        });
        let released = released.iter().map(|server| Thing::released(ThingId::machine(server), Generation::default()));
        Ok(machines.chain(released).collect())
    }

    fn machine(&self, node: &NodeId, role: Role, mut server: Server, wired: &[Wired], disks: Vec<DiskDesired>) -> MachineDesired {
        let told = server.open().map(Operation::told).unwrap_or_default();
        // What stays behind does not grow.
        if let (Role::Keep, Some(Ask::Resize(ask))) = (role, server.open().map(|open| &open.ask)) {
            server.flavor = ask.from.size.clone();
        }
        let ports: Vec<PortFacts> = wired.iter().map(|wired| wired.port.clone()).collect();
        let root = RootDisk {
            image_id: server.image_id.clone(),
            sha512: server.image.sha512.clone(),
            format: server.image.format.clone(),
            image_size: server.image.size,
            size: server.root_size(),
            tag: server.root_tag.clone(),
            // It was found at rest once, so it has a disk somewhere.
            made: server.life == Life::Built && role != Role::Receive && !told.makes_root,
            edition: u64::try_from(server.root_edition).unwrap_or_default(),
            ticket: Some(self.nodes.ticket(node, &Stream::Image { sha512: server.image.sha512.clone() })),
        };
        let config = server.config_drive.then_some(Device::Config);
        let rescue = told.rescue.as_ref().and_then(|_| self.rescue_disk(node, &server));
        let root = (!server.is_volume_backed()).then_some(Device::Root(root));
        let exclusive = is_exclusive(&server) || !disks.is_empty();
        // Where it does not run, its volumes are not: their doors are to close.
        let disks = disks.into_iter().filter(|_| role == Role::Run).map(Device::Disk);
        let nics = wired.iter().map(|wired| Device::Nic(nic(wired)));
        let devices = root.into_iter().chain(rescue).chain(config).chain(disks).chain(nics);
        let snapshot = told.image.map(|image| SnapshotDesired {
            image_id: image.clone(),
            ticket: self.nodes.ticket(node, &Stream::Snapshot { image_id: image }),
        });
        MachineDesired {
            generation: server.generation,
            project_id: server.project_id.clone(),
            role: self.role(node, role, &server),
            exclusive,
            power: power(server.power),
            reboots: server.reboots,
            reboot: reboot(server.reboot_kind),
            vcpus: server.flavor.vcpus,
            memory_mb: server.flavor.memory_mb,
            devices: devices.collect(),
            watchdog: watchdog(&server),
            metadata: metadata(&server, &ports),
            snapshot,
            kept: told.kept,
            server_id: server.id,
        }
    }

    fn rescue_disk(&self, node: &NodeId, server: &Server) -> Option<Device> {
        let Ask::Rescue(ask) = &server.open()?.ask else { return None };
        Some(Device::Rescue(RootDisk {
            image_id: ask.image_id.clone(),
            sha512: ask.image.sha512.clone(),
            format: ask.image.format.clone(),
            image_size: ask.image.size,
            size: ask.image.virtual_size,
            tag: None,
            made: false,
            edition: 0,
            ticket: Some(self.nodes.ticket(node, &Stream::Image { sha512: ask.image.sha512.clone() })),
        }))
    }

    fn role(&self, node: &NodeId, role: Role, server: &Server) -> node::Role {
        let of = server.open().map(|operation| operation.id.to_string()).unwrap_or_default();
        let transfer = Transfer { server_id: server.id.clone(), of };
        match role {
            Role::Run => node::Role::Run,
            Role::Receive => node::Role::Receive { ticket: self.nodes.ticket(node, &Stream::DiskIn { transfer }) },
            Role::Send => node::Role::Send { ticket: self.nodes.ticket(node, &Stream::DiskOut { transfer }) },
            Role::Keep => node::Role::KeepDisk,
        }
    }

    /// Floating addresses come and go while a machine runs, and it may ask for its own: those of the claims are from when
    /// its ports were made. If the network room does not answer now, they serve until it does. Answers the servers that have
    /// a port in their claims which network does not know any more.
    async fn with_floating_ips(&self, servers: &[Server], ports: &mut PortsByServer) -> Vec<(Server, PortId)> {
        let ids: Vec<ServerId> = ports.keys().cloned().collect();
        if ids.is_empty() {
            return Vec::new();
        }
        let live = match self.ports.of_servers(&ids).await {
            Ok(live) => live,
            Err(error) => {
                tracing::warn!(%error, "the floating addresses of machines are told as they were");
                return Vec::new();
            }
        };
        let mut now: HashMap<_, _> = live.into_values().flatten().map(|port| (port.id, port.floating_ips)).collect();
        for wired in ports.values_mut().flatten() {
            if let Some(floating_ips) = now.remove(&wired.port.id) {
                wired.port.floating_ips = floating_ips;
                wired.is_known = true;
            }
        }
        let lost = servers.iter().filter_map(|server| {
            let port = ports.get(&server.id)?.iter().find(|wired| !wired.is_known)?;
            Some((server.clone(), port.port.id.clone()))
        });
        lost.collect()
    }

    /// Tells the nodes of the machines that are reached from outside by other addresses than before.
    pub(crate) async fn heed_floating_ips(self: Arc<Self>) {
        const ADDRESSES: &str = "device_addresses";
        let mut wake = self.store.watch(&[ADDRESSES]);
        loop {
            match wake.wait().await.ids(ADDRESSES) {
                Some(servers) => self.tell_nodes_of(servers).await,
                None => self.wake_all_nodes().await,
            }
        }
    }

    async fn tell_nodes_of(&self, servers: Vec<ServerId>) {
        let found = self.store.list(move |tx| {
            let machines = Select::new("server_claims", "server_id, node_id").filter("kind = ", "machine");
            let rows = machines.filter_in("server_id", &servers).rows(tx)?;
            rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<::store::Result<Vec<(ServerId, NodeId)>>>()
        });
        match found.await {
            Ok(found) => found.iter().for_each(|(server, node)| self.nodes.tell(node, &[ThingId::machine(server)])),
            Err(error) => {
                tracing::warn!(%error, "which machines of nodes changed is not known; all are looked at");
                self.wake_all_nodes().await;
            }
        }
    }

    /// What another controller's API recorded is brought about and told by this one: all of it, if which servers it was
    /// about is not known.
    pub(crate) async fn heed_other_controllers(self: Arc<Self>) {
        let mut wake = self.store.watch_others(&["server"]);
        loop {
            match wake.wait().await.ids::<ServerId>("server") {
                Some(ids) => {
                    self.bell.ring_for(ids.iter().map(ServerId::as_str));
                    self.tell_nodes_of(ids).await;
                }
                None => {
                    self.bell.ring();
                    self.wake_all_nodes().await;
                }
            }
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

/// What the machines of servers have beside their own disk.
#[derive(Default)]
struct WiredByServer {
    ports: PortsByServer,
    disks: HashMap<ServerId, Vec<DiskDesired>>,
}

/// A port of a server, with what its owner calls the NIC there.
struct Wired {
    port: PortFacts,
    tag: Option<String>,
    /// Network has just told of it.
    is_known: bool,
}

/// Whoever holds a claim of a machine there either has a part in it, or is to give it up.
fn read(tx: &mut Tx, node: &NodeId, of: Option<&[ServerId]>) -> Result<(Vec<Server>, WiredByServer, Vec<ServerId>)> {
    let (claimed, rows, recorded) = match of {
        Some(ids) => {
            let (claimed, [rows, recorded]) = table::claimed_by_and(tx, node, ids, [&devices(ids), &released::recorded(node)])?;
            (claimed, rows, recorded)
        }
        None => {
            let claimed = table::claimed_by(tx, node)?;
            let devices = devices(claimed.iter().map(|server| &server.id));
            let [rows, recorded] = Select::together(tx, [&devices, &released::recorded(node)])?;
            (claimed, rows, recorded)
        }
    };
    let (servers, departed): (Vec<Server>, Vec<Server>) = claimed.into_iter().partition(|server| server.role_of(node).is_some());
    let is_wanted = |id: &ServerId| servers.iter().any(|server| server.id == *id);
    let leaving: HashMap<_, _> = servers.iter().filter_map(|server| Some((&server.id, server.open()?.leaving()?))).collect();
    let mut wired = WiredByServer::default();
    for claim in claim::read(&rows)?.into_iter().filter(|claim| is_wanted(&claim.server_id)) {
        if claim.device().is_some_and(|device| leaving.get(&claim.server_id) == Some(&device)) {
            continue;
        }
        if let (Some(volume), Some(reached)) = (&claim.volume, &claim.reached) {
            wired.disks.entry(claim.server_id).or_default().push(volume.disk(reached));
            continue;
        }
        let tag = claim.nic.and_then(|nic| nic.tag);
        wired.ports.entry(claim.server_id).or_default().extend(claim.port.map(|port| Wired { port, tag, is_known: false }));
    }
    let mut released: Vec<ServerId> = departed.into_iter().map(|server| server.id).collect();
    let is_asked = |server: &ServerId| of.is_none_or(|of| of.contains(server));
    let recorded = recorded.iter().map(|row| row.get(0)).collect::<::store::Result<Vec<ServerId>>>()?;
    released.extend(recorded.into_iter().filter(|id| is_asked(id) && !is_wanted(id)));
    released.sort();
    released.dedup();
    Ok((servers, wired, released))
}

/// What the machines of servers may have beside their own disk.
fn devices<'a>(servers: impl IntoIterator<Item = &'a ServerId>) -> Select {
    let select =
        Select::new("server_claims", claim::COLUMNS).filter_in("kind", ["port", "volume"]).filter_in("server_id", servers);
    select.sort(&[("server_id", Direction::Asc), ("position", Direction::Asc)], "id")
}

/// By the index where a machine of this node rests on it, as nearly always. Else the image is one that rescues, or of a server
/// whose row is from before there was such a column.
fn image_of(tx: &mut Tx, node: &NodeId, sha512: &str) -> Result<Option<ImageId>> {
    let indexed = Select::new("servers", table::COLUMNS).filter("node_id = ", node).filter("image_sha512 = ", sha512);
    let found = table::with_operations(tx, &indexed.condition("deleted_at IS NULL").limit(1))?;
    if let Some(server) = found.into_iter().find(|server| server.role_of(node).is_some()) {
        return Ok(Some(server.image_id));
    }
    let servers = table::claimed_by(tx, node)?.into_iter().filter(|server| server.role_of(node).is_some());
    let images = servers.flat_map(|server| {
        let rescue = match server.open().map(|operation| &operation.ask) {
            Some(Ask::Rescue(ask)) => Some((ask.image.sha512.clone(), ask.image_id.clone())),
            _ => None,
        };
        [Some((server.image.sha512, server.image_id)), rescue]
    });
    Ok(images.flatten().find(|(known, _)| known == sha512).map(|(_, image)| image))
}

/// A flavor says that its servers rather stand still than run in two places, should their host be cut off.
fn is_exclusive(server: &Server) -> bool {
    let word = server.flavor.extra_specs.get(EXCLUSIVE);
    word.is_some_and(|word| word.eq_ignore_ascii_case("true"))
}

fn power(power: Power) -> node::Power {
    match power {
        Power::Running => node::Power::Running,
        Power::Stopped => node::Power::Stopped,
        Power::Paused => node::Power::Paused,
    }
}

fn reboot(kind: Reboot) -> node::RebootKind {
    match kind {
        Reboot::Soft => node::RebootKind::Soft,
        Reboot::Hard => node::RebootKind::Hard,
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
