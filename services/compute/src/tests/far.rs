// SPDX-License-Identifier: Apache-2.0
//! The far side of compute's doors: images, a network, and hosts that speak the real contracts: a host reads its
//! desired state at each wake, does it, and reports. It keeps what it has in a file where one is given, so that it
//! outlives a crash of the cloud.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicU32, Ordering},
    },
};

use contracts::{
    BoxFuture, Refusal,
    caller::Caller,
    images::{Chunks, ImageFacts, Images, NewSnapshot},
    node::{
        Accelerator, Answer, Ask, Device, DeviceId, DeviceObserved, DeviceState, Failure, Feature, Found, Hello, MachineDesired,
        MachineObserved, MachineState, PROTOCOL, Power, Role, SnapshotObserved, SnapshotStep, Spec, Stream, Thing, ThingId,
        Ticket, Versions, Want,
    },
    nodes::{DesiredSource, NodeFacts, Nodes, ObservedSink, Report, SnapshotSink},
    ports::{FixedIp, FloatingIp, NicAsk, NicWish, PortFacts, Ports},
};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use types::{Generation, ImageId, Mac, NetworkId, NodeId, PortId, ProjectId, ServerId, SubnetId, Timestamp};

use super::{IMAGE, NETWORK};
use crate::Compute;

pub(super) struct Far {
    me: Weak<Far>,
    compute: OnceLock<Weak<Compute>>,
    pub(super) kept: Mutex<Kept>,
    file: Option<PathBuf>,
    hosts: Mutex<BTreeMap<String, Host>>,
    /// How many of the next calls for a port are refused, and how.
    pub refuse_ports: Mutex<Vec<Refusal>>,
    pub asked_for_ports: AtomicU32,
    /// How many of the next images for snapshots are refused, and how.
    pub refuse_images: Mutex<Vec<Refusal>>,
    /// A floating address that leads to every port.
    pub floating_ip: Mutex<Option<IpAddr>>,
    turn: tokio::sync::Mutex<()>,
}

/// What there is on the far side.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    ports: BTreeMap<String, PortKept>,
    #[serde(default)]
    pub volumes: BTreeMap<String, super::far_volumes::VolumeKept>,
    /// By host and server.
    pub machines: BTreeMap<String, BTreeMap<String, MachineKept>>,
    addresses: u8,
    /// Servers of which two hosts had a machine that ran.
    #[serde(default)]
    ran_twice: Vec<String>,
    /// Images of snapshots, and whether they have their data.
    #[serde(default)]
    images: BTreeMap<String, (NewSnapshot, bool)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct PortKept {
    server: String,
    address: u8,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MachineKept {
    generation: i64,
    reboots: u32,
    running: bool,
    #[serde(default)]
    paused: bool,
    /// What it is here, if its node does not have it to run.
    #[serde(default)]
    role: String,
    #[serde(default)]
    memory_mb: u64,
    /// It runs from the image that rescues it.
    #[serde(default)]
    rescued: bool,
    /// A copy of its disk is kept, and whether it went back to it.
    #[serde(default)]
    kept: Option<bool>,
    /// Of which edition its root is, and of which image.
    #[serde(default)]
    root: (u64, String),
    /// Its NICs and volumes.
    #[serde(default)]
    pub nics: Vec<DeviceObserved>,
}

impl MachineKept {
    fn off(generation: i64, reboots: u32) -> Self {
        let (role, memory_mb, nics, root) = (String::new(), 0, Vec::new(), Default::default());
        Self { generation, reboots, running: false, paused: false, role, memory_mb, rescued: false, kept: None, root, nics }
    }
}

#[derive(Debug, Clone)]
struct Host {
    facts: NodeFacts,
    manner: Manner,
}

/// How a host takes on machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Manner {
    Works,
    /// It fails each for this cause.
    Fails(String),
    /// It copies disks and does not come to an end.
    Copies,
    /// It cannot copy disks, for this cause.
    CannotCopy(String),
    /// It plugs in no NIC, for this cause.
    CannotPlug(String),
    /// Its guests let go of no NIC while they run.
    KeepsCards,
    /// It does nothing and reports nothing.
    Sleeps,
}

impl Far {
    pub fn new(file: Option<PathBuf>, hosts: &[&str]) -> Arc<Self> {
        let kept = file.as_ref().and_then(|file| std::fs::read(file).ok()).map(|text| serde_json::from_slice(&text).unwrap());
        let hosts = hosts.iter().map(|name| ((*name).to_owned(), Host { facts: facts(name), manner: Manner::Works })).collect();
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            compute: OnceLock::new(),
            kept: Mutex::new(kept.unwrap_or_default()),
            file,
            hosts: Mutex::new(hosts),
            refuse_ports: Mutex::default(),
            refuse_images: Mutex::default(),
            asked_for_ports: AtomicU32::new(0),
            floating_ip: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    pub fn serve(&self, compute: &Arc<Compute>) {
        let _ = self.compute.set(Arc::downgrade(compute));
    }

    pub(super) fn compute(&self) -> Option<Arc<Compute>> {
        self.compute.get().and_then(Weak::upgrade)
    }

    pub fn hosts(&self) -> Vec<NodeId> {
        self.hosts.lock().unwrap().values().map(|host| host.facts.id.clone()).collect()
    }

    pub fn set_manner(&self, host: &str, manner: Manner) {
        self.hosts.lock().unwrap().get_mut(host).unwrap().manner = manner;
    }

    /// The host is seen no more since then.
    pub fn lose(&self, host: &str, seen_at: Timestamp) {
        let mut hosts = self.hosts.lock().unwrap();
        let facts = &mut hosts.get_mut(host).unwrap().facts;
        (facts.up, facts.seen_at) = (false, seen_at);
    }

    pub fn bring_back(&self, host: &str) {
        self.hosts.lock().unwrap().get_mut(host).unwrap().facts.up = true;
        let (facts, far) = (facts(host), self.me.upgrade().unwrap());
        tokio::spawn(async move {
            let compute = far.compute.get().and_then(Weak::upgrade).unwrap();
            compute.node_changed(&facts).await.unwrap();
            far.wake(&facts.id);
        });
    }

    pub fn ports(&self) -> Vec<String> {
        self.kept.lock().unwrap().ports.keys().cloned().collect()
    }

    /// Somebody deletes a port: network says of its server that it has other addresses.
    pub fn delete_port(&self, id: &str) {
        self.change(|kept| kept.ports.remove(id));
    }

    /// `host/server` of each machine that there is.
    pub fn machines(&self) -> Vec<String> {
        let kept = self.kept.lock().unwrap();
        kept.machines.iter().flat_map(|(host, servers)| servers.keys().map(move |server| format!("{host}/{server}"))).collect()
    }

    /// The images of snapshots, and whether they have their data.
    pub fn images(&self) -> Vec<(NewSnapshot, bool)> {
        self.kept.lock().unwrap().images.values().cloned().collect()
    }

    /// The host has this machine, whatever the cloud knows.
    pub fn put_machine(&self, host: &str, server: &str, generation: i64) {
        let machine = MachineKept { running: true, ..MachineKept::off(generation, 0) };
        self.change(|kept| kept.machines.entry(host.to_owned()).or_default().insert(server.to_owned(), machine));
    }

    /// Somebody deletes an image.
    pub fn delete_image(&self, id: &str) {
        self.change(|kept| kept.images.remove(id));
    }

    /// The guest of this server switches itself off.
    pub async fn guest_stops(&self, server: &str) {
        let report = {
            let mut kept = self.kept.lock().unwrap();
            let (host, machine) =
                kept.machines.iter_mut().find_map(|(host, all)| Some((host.clone(), all.get_mut(server)?))).unwrap();
            machine.running = false;
            (node_id(&host), observed(server, machine))
        };
        self.report(&report.0, report.1).await;
    }

    pub async fn report(&self, node: &NodeId, machine: MachineObserved) {
        let compute = self.compute.get().and_then(Weak::upgrade).unwrap();
        let report = Report { found: vec![Found::Machine(machine)], absent: vec![] };
        compute.observed(node, &report).await.unwrap();
    }

    /// A host reads what is wanted of it, of these things or of all, does it, and reports.
    fn look(&self, node: &NodeId, of: Option<Vec<ThingId>>) {
        let Some(compute) = self.compute.get().and_then(Weak::upgrade) else { return };
        let (node, far) = (node.clone(), self.me.upgrade().unwrap());
        // One turn at a time, each with the desired state as it is then.
        tokio::spawn(async move {
            let _turn = far.turn.lock().await;
            let things = match &of {
                Some(of) => compute.changed(&node, of).await.unwrap(),
                None => compute.all(&node).await.unwrap(),
            };
            let Some(machines) = far.act(&node, things) else { return };
            let report = Report { found: machines.iter().cloned().map(Found::Machine).collect(), absent: vec![] };
            compute.observed(&node, &report).await.unwrap();
            far.doors_may_have_closed(&compute);
            // Who waits for a disk looks when it was sent.
            for (host, id) in far.waiting(&machines) {
                far.look(&host, Some(vec![id]));
            }
            let copied = machines.into_iter().filter_map(|machine| machine.snapshot);
            for copied in copied.filter(|copied| copied.step == SnapshotStep::Copied) {
                // It may be wanted no more by now.
                let _ = compute.take_snapshot(&node, &copied.image_id, disk()).await;
            }
        });
    }

    fn waiting(&self, machines: &[MachineObserved]) -> Vec<(NodeId, ThingId)> {
        let sent = machines.iter().filter(|machine| machine.state == MachineState::Sent);
        let kept = self.kept.lock().unwrap();
        let receives = |id: &str| {
            let all = kept.machines.iter().filter(|(_, all)| all.get(id).is_some_and(|machine| machine.role == "receives"));
            all.map(|(host, _)| node_id(host)).collect::<Vec<_>>()
        };
        sent.flat_map(|machine| {
            let id = ThingId::machine(&machine.server_id);
            receives(machine.server_id.as_str()).into_iter().map(move |host| (host, id.clone()))
        })
        .collect()
    }

    /// Where this server is, as what, with how much memory: `host role memory`.
    pub fn places(&self, server: &str) -> Vec<String> {
        let kept = self.kept.lock().unwrap();
        let here = kept.machines.iter().filter_map(|(host, all)| Some((host, all.get(server)?)));
        here.map(|(host, machine)| {
            let role = match machine.role.as_str() {
                "" if machine.rescued => "rescued",
                "" if machine.running => "runs",
                "" if machine.paused => "paused",
                "" => "stopped",
                role => role,
            };
            let copy = if machine.kept.is_some() { " with a copy" } else { "" };
            format!("{host} {role} {}{copy}", machine.memory_mb)
        })
        .collect()
    }

    /// How often the root of this server was made, and of which image it is.
    pub fn root(&self, server: &str) -> (u64, String) {
        let kept = self.kept.lock().unwrap();
        kept.machines.values().find_map(|all| all.get(server)).map(|machine| machine.root.clone()).unwrap()
    }

    /// The NICs that this server's machines have.
    pub fn nics(&self, server: &str) -> Vec<DeviceId> {
        let kept = self.kept.lock().unwrap();
        let machines = kept.machines.values().filter_map(|all| all.get(server));
        let nics =
            machines.flat_map(|machine| machine.nics.iter()).filter(|nic| !matches!(nic.state, DeviceState::Failed { .. }));
        nics.map(|nic| nic.id.clone()).collect()
    }

    /// The host can no longer do this.
    pub fn forget(&self, host: &str, feature: Feature) {
        let mut hosts = self.hosts.lock().unwrap();
        hosts.get_mut(host).unwrap().facts.hello.as_mut().unwrap().features.remove(&feature);
    }

    /// Servers of which two hosts had a machine that ran.
    pub fn ran_twice(&self) -> Vec<String> {
        self.kept.lock().unwrap().ran_twice.clone()
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> T {
        let mut kept = self.kept.lock().unwrap();
        let result = change(&mut kept);
        if let Some(file) = &self.file {
            std::fs::write(file, serde_json::to_vec(&*kept).unwrap()).unwrap();
        }
        result
    }

    fn host_of(&self, node: &NodeId) -> Option<(String, Manner, bool)> {
        let hosts = self.hosts.lock().unwrap();
        hosts
            .iter()
            .find(|(_, host)| host.facts.id == *node)
            .map(|(name, host)| (name.clone(), host.manner.clone(), host.facts.up))
    }
}

impl Far {
    /// What the host does on reading this, and reports.
    fn act(&self, node: &NodeId, things: Vec<Thing>) -> Option<Vec<MachineObserved>> {
        let (mut desired, mut released): (Vec<MachineDesired>, Vec<ServerId>) = Default::default();
        for thing in things {
            match thing.want {
                Want::Present(Spec::Machine(machine)) => desired.push(*machine),
                Want::Present(Spec::Volume(_)) => {}
                Want::Released => released.extend(thing.id.server()),
            }
        }
        let (host, manner, up) = self.host_of(node)?;
        if !up || manner == Manner::Sleeps {
            return None;
        }
        let mut machines = Vec::new();
        self.change(|kept| {
            let others: Vec<(String, MachineKept)> =
                kept.machines.iter().filter(|(name, _)| **name != host).flat_map(|(_, all)| all.clone()).collect();
            let here = kept.machines.entry(host).or_default();
            let none = MachineKept::off(0, 0);
            for id in released {
                let machine = here.remove(id.as_str()).unwrap_or(none.clone());
                machines.push(MachineObserved { state: MachineState::Gone, ..observed(id.as_str(), &machine) });
            }
            // What is neither wanted nor released stays as it is.
            let unnamed = here.iter().filter(|(id, _)| !desired.iter().any(|machine| machine.server_id.as_str() == **id));
            machines.extend(unnamed.map(|(id, machine)| observed(id, machine)));
            for machine in desired {
                let id = machine.server_id.to_string();
                if let Manner::Fails(cause) = &manner {
                    let state = MachineState::Failed { cause: cause.clone(), transient: false, how: Failure::Unmade };
                    let none = MachineKept::off(machine.generation.0, machine.reboots);
                    machines.push(MachineObserved { state, ..observed(&id, &none) });
                    continue;
                }
                let elsewhere = others.iter().filter(|(known, _)| *known == id).map(|(_, machine)| machine);
                let was = here.get(&id).cloned();
                let nics = nics(&machine, was.as_ref(), &manner);
                let new = MachineKept { nics, ..take_part(&machine, was.as_ref(), elsewhere.clone()) };
                if new.running && elsewhere.clone().any(|other| other.running) {
                    kept.ran_twice.push(id.clone());
                }
                let snapshot = machine.snapshot.map(|asked| SnapshotObserved { image_id: asked.image_id, step: step(&manner) });
                machines.push(MachineObserved { snapshot, ..observed(&id, &new) });
                here.insert(id, new);
            }
        });
        Some(machines)
    }
}

/// What a host has of a machine once it has done what is wanted.
fn take_part<'a>(
    machine: &MachineDesired,
    was: Option<&MachineKept>,
    mut elsewhere: impl Iterator<Item = &'a MachineKept>,
) -> MachineKept {
    let role = match &machine.role {
        Role::Run => "",
        Role::Receive { .. } if was.is_some_and(|was| was.role == "received") => "received",
        Role::Receive { .. } if elsewhere.any(|other| other.role == "sent") => "received",
        Role::Receive { .. } => "receives",
        Role::Send { .. } => "sent",
        Role::KeepDisk => "keeps",
    };
    let off = MachineKept::off(machine.generation.0, machine.reboots);
    MachineKept {
        running: role.is_empty() && machine.power == Power::Running,
        paused: role.is_empty() && machine.power == Power::Paused,
        role: role.to_owned(),
        memory_mb: machine.memory_mb,
        rescued: machine.rescue().is_some(),
        kept: machine.kept.map(|kept| kept.back),
        root: root(machine, was),
        ..off
    }
}

/// A root is made anew before a start, if it shall be of a later edition.
fn root(machine: &MachineDesired, was: Option<&MachineKept>) -> (u64, String) {
    let had = was.map(|was| was.root.clone()).unwrap_or_default();
    match machine.root() {
        Some(root) if was.is_none() || root.edition > had.0 && machine.power == Power::Running => {
            (root.edition, root.image_id.to_string())
        }
        _ => had,
    }
}

/// What becomes of its NICs and volumes.
fn nics(machine: &MachineDesired, was: Option<&MachineKept>, manner: &Manner) -> Vec<DeviceObserved> {
    let had = was.map_or(&[][..], |was| &was.nics);
    let has = |id: &DeviceId| had.iter().any(|nic| nic.id == *id && nic.state == DeviceState::Plugged);
    let wanted = machine.devices.iter().filter(|device| matches!(device, Device::Nic(_) | Device::Disk(_))).map(Device::id);
    let plugged = wanted.clone().map(|id| {
        let state = match manner {
            Manner::CannotPlug(cause) if was.is_some() && !has(&id) => DeviceState::Failed { cause: cause.clone() },
            _ => DeviceState::Plugged,
        };
        DeviceObserved { id, state }
    });
    let keeps = *manner == Manner::KeepsCards && machine.power != Power::Stopped;
    let leaving = had.iter().filter(|nic| keeps && wanted.clone().all(|id| id != nic.id));
    let leaving = leaving.map(|nic| DeviceObserved { state: DeviceState::Unplugging, ..nic.clone() });
    plugged.chain(leaving).collect()
}

fn observed(id: &str, machine: &MachineKept) -> MachineObserved {
    MachineObserved {
        server_id: ServerId::new(id),
        generation: Generation(machine.generation),
        reboots: machine.reboots,
        state: match machine.role.as_str() {
            "receives" => MachineState::Preparing { step: "disk".to_owned() },
            "received" => MachineState::Received,
            "sent" => MachineState::Sent,
            _ if machine.paused => MachineState::Paused,
            _ if machine.running => MachineState::Running,
            _ => MachineState::Stopped,
        },
        snapshot: None,
        devices: machine.nics.clone(),
    }
}

fn step(manner: &Manner) -> SnapshotStep {
    match manner {
        Manner::Copies => SnapshotStep::Copying,
        Manner::CannotCopy(cause) => SnapshotStep::Failed { cause: cause.clone() },
        _ => SnapshotStep::Copied,
    }
}

/// What hosts send as a disk.
pub(super) fn disk() -> Chunks {
    Box::pin(futures_util::stream::iter([Ok("a whole ".into()), Ok("disk".into())]))
}

pub(super) fn node_id(host: &str) -> NodeId {
    let digits: String = host.bytes().map(|byte| format!("{byte:02x}")).collect::<String>().chars().cycle().take(12).collect();
    NodeId::new(format!("aaaaaaaa-aaaa-4aaa-8aaa-{digits}"))
}

fn facts(host: &str) -> NodeFacts {
    NodeFacts {
        id: node_id(host),
        hostname: host.to_owned(),
        up: true,
        disabled: false,
        disabled_reason: None,
        joined_at: Timestamp::now(),
        seen_at: Timestamp::now(),
        lease_until: Timestamp::now(),
        strays: vec![],
        hello: Some(Hello {
            speaks: Versions::only(PROTOCOL),
            features: BTreeSet::from([
                Feature::Pause,
                Feature::Rescue,
                Feature::HotPlug,
                Feature::MoveDisk,
                Feature::KeepDisk,
                Feature::Rebuild,
                Feature::Volumes,
            ]),
            holds: vec![],
            version: "1".to_owned(),
            hostname: host.to_owned(),
            boot_id: "b".to_owned(),
            vcpus: 8,
            memory_mb: 8192,
            disk_gb: 1000,
            accelerator: Accelerator { kind: "tcg".to_owned(), finding: "there is no /dev/kvm".to_owned() },
            datapath: "userspace".to_owned(),
            encap_ip: "10.1.0.1".parse().unwrap(),
            physical_networks: Vec::new(),
            cpu_arch: "x86_64".to_owned(),
            hypervisor_version: "10.0.2".to_owned(),
            storage: None,
            knows: None,
        }),
    }
}

impl Images for Far {
    fn get<'a>(&'a self, _seen_by: Option<&'a ProjectId>, id: &'a ImageId) -> BoxFuture<'a, Result<ImageFacts, Refusal>> {
        let taken = self.kept.lock().unwrap().images.get(id.as_str()).map(|(_, is_whole)| *is_whole);
        let facts = ImageFacts {
            id: id.clone(),
            name: "small".to_owned(),
            status: if id.as_str().starts_with("99") || taken == Some(false) { "queued" } else { "active" }.to_owned(),
            disk_format: if id.as_str().starts_with("88") { "iso" } else { "qcow2" }.to_owned(),
            container_format: if id.as_str().starts_with("77") { "ova" } else { "bare" }.to_owned(),
            size: 1 << 20,
            virtual_size: 112 << 20,
            min_disk: 0,
            min_ram: 64,
            sha512: "ab".repeat(64),
            properties: BTreeMap::from([
                ("os_distro".to_owned(), "debian".to_owned()),
                ("img_signature".to_owned(), "x".to_owned()),
            ]),
        };
        let known =
            id.as_str() == IMAGE || taken.is_some() || ["99", "88", "77"].iter().any(|first| id.as_str().starts_with(first));
        Box::pin(async move { if known { Ok(facts) } else { Err(Refusal::not_found("No such image.")) } })
    }

    fn file<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<PathBuf, Refusal>> {
        Box::pin(async move { Ok(PathBuf::from(format!("/images/{id}"))) })
    }

    fn ensure_snapshot<'a>(&'a self, snapshot: &'a NewSnapshot) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            if let Some(refusal) = self.refuse_images.lock().unwrap().pop() {
                return Err(refusal);
            }
            self.change(|kept| {
                kept.images.entry(snapshot.id.to_string()).or_insert_with(|| (snapshot.clone(), false));
            });
            Ok(())
        })
    }

    fn receive_snapshot<'a>(&'a self, id: &'a ImageId, chunks: Chunks) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let data: Vec<_> = chunks.map(|chunk| chunk.unwrap()).collect().await;
            assert_eq!(data.concat(), b"a whole disk");
            let image = self.change(|kept| kept.images.get_mut(id.as_str()).map(|(_, is_whole)| *is_whole = true));
            image.ok_or_else(|| Refusal::not_found("No such image."))
        })
    }

    fn release_snapshot<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            self.change(|kept| kept.images.retain(|image, (_, is_whole)| image != id.as_str() || *is_whole));
            Ok(())
        })
    }
}

impl Ports for Far {
    fn plan<'a>(
        &'a self,
        _caller: &'a Arc<Caller>,
        wishes: &'a [NicWish],
        security_groups: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<NicAsk>, Refusal>> {
        Box::pin(async move {
            if security_groups.iter().any(|group| group != "default") {
                return Err(Refusal::not_found(format!("Security group {} not found.", security_groups[0])));
            }
            wishes.iter().map(plan).collect()
        })
    }

    fn ensure<'a>(
        &'a self,
        _project: &'a ProjectId,
        server: &'a ServerId,
        _name: &'a str,
        _node: &'a NodeId,
        ask: &'a NicAsk,
    ) -> BoxFuture<'a, Result<PortFacts, Refusal>> {
        Box::pin(async move {
            if let Some(refusal) = self.refuse_ports.lock().unwrap().pop() {
                return Err(refusal);
            }
            let address = self.change(|kept| {
                let next = kept.addresses + 1;
                let new = PortKept { server: server.to_string(), address: next };
                let port = kept.ports.entry(ask.port_id.to_string()).or_insert(new);
                kept.addresses = kept.addresses.max(port.address);
                port.address
            });
            Ok(port(&ask.port_id, address))
        })
    }

    fn release<'a>(&'a self, _server: &'a ServerId, ask: &'a NicAsk) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            self.change(|kept| kept.ports.remove(ask.port_id.as_str()));
            Ok(())
        })
    }

    fn of_servers<'a>(&'a self, servers: &'a [ServerId]) -> BoxFuture<'a, Result<HashMap<ServerId, Vec<PortFacts>>, Refusal>> {
        self.asked_for_ports.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            if let Some(refusal) = self.refuse_ports.lock().unwrap().last() {
                return Err(refusal.clone());
            }
            let kept = self.kept.lock().unwrap();
            let mut found: HashMap<ServerId, Vec<PortFacts>> = HashMap::new();
            for (id, kept) in &kept.ports {
                if let Some(server) = servers.iter().find(|server| server.as_str() == kept.server) {
                    let mut port = port(&PortId::new(id.as_str()), kept.address);
                    let fixed = port.fixed_ips[0].address;
                    let floating = *self.floating_ip.lock().unwrap();
                    port.floating_ips.extend(floating.map(|address| FloatingIp { address, fixed }));
                    found.entry(server.clone()).or_default().push(port);
                }
            }
            Ok(found)
        })
    }
}

fn plan(wish: &NicWish) -> Result<NicAsk, Refusal> {
    let ask = |port_id, made_by_compute, fixed_ip| NicAsk {
        port_id,
        made_by_compute,
        network_id: NetworkId::new(NETWORK),
        fixed_ip,
        security_groups: Vec::new(),
        tag: None,
    };
    match wish {
        NicWish::Any => Ok(ask(PortId::generate(), true, None)),
        NicWish::Network { id, fixed_ip } if id.as_str() == NETWORK => Ok(ask(PortId::generate(), true, *fixed_ip)),
        NicWish::Network { id, .. } => Err(Refusal::not_found(format!("Network {id} could not be found."))),
        NicWish::Port(id) => Ok(ask(id.clone(), false, None)),
    }
}

fn port(id: &PortId, address: u8) -> PortFacts {
    PortFacts {
        id: id.clone(),
        mac: Mac([0xfa, 0x16, 0x3e, 0, 0, address]),
        network_id: NetworkId::new(NETWORK),
        network_name: "net".to_owned(),
        mtu: 1442,
        fixed_ips: vec![FixedIp {
            subnet_id: SubnetId::new("33333333-3333-4333-8333-333333333333"),
            address: IpAddr::from([10, 0, 0, address]),
            prefix: 24,
            gateway: None,
            dns: Vec::new(),
            routes: Vec::new(),
            dhcp: true,
            ipv6_address_mode: None,
        }],
        floating_ips: Vec::new(),
        security_groups: vec!["default".to_owned()],
        port_security_enabled: true,
        metadata: None,
    }
}

impl Nodes for Far {
    fn list(&self) -> BoxFuture<'_, Result<Vec<NodeFacts>, Refusal>> {
        let facts = self.hosts.lock().unwrap().values().map(|host| host.facts.clone()).collect();
        Box::pin(async move { Ok(facts) })
    }

    fn get<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Option<NodeFacts>, Refusal>> {
        let facts = self.hosts.lock().unwrap().values().find(|host| host.facts.id == *node).map(|host| host.facts.clone());
        Box::pin(async move { Ok(facts) })
    }

    fn set_disabled<'a>(
        &'a self,
        node: &'a NodeId,
        reason: Option<String>,
        disabled: bool,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        for host in self.hosts.lock().unwrap().values_mut().filter(|host| host.facts.id == *node) {
            (host.facts.disabled, host.facts.disabled_reason) = (disabled, reason.clone());
        }
        Box::pin(async { Ok(()) })
    }

    fn tell(&self, node: &NodeId, things: &[ThingId]) {
        self.look(node, Some(things.to_vec()));
    }

    fn wake(&self, node: &NodeId) {
        self.look(node, None);
    }

    fn ticket(&self, node: &NodeId, stream: &Stream) -> Ticket {
        Ticket::new(format!("{node}: {stream}"))
    }

    fn ask<'a>(&'a self, node: &'a NodeId, ask: Ask) -> BoxFuture<'a, Result<Answer, Refusal>> {
        Box::pin(async move {
            let (host, _, up) = self.host_of(node).unwrap();
            if !up {
                return Err(Refusal::unavailable("The host is away."));
            }
            Ok(match ask {
                Ask::ConsoleLog { server_id, lines } => Answer::ConsoleLog { text: format!("{server_id} says {lines:?}") },
                Ask::Inventory => Answer::Inventory {
                    processes: self
                        .kept
                        .lock()
                        .unwrap()
                        .machines
                        .get(&host)
                        .map_or_else(Vec::new, |all| all.keys().cloned().collect()),
                    taps: Vec::new(),
                    machines: BTreeMap::new(),
                    switch_ports: Vec::new(),
                    namespaces: Vec::new(),
                },
                Ask::RemoveDevice { .. } => Answer::Removed,
            })
        })
    }
}
