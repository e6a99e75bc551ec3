// SPDX-License-Identifier: Apache-2.0
//! The far side of compute's doors: images, a network, and hosts that speak the real contracts: a host reads its
//! desired state at each wake, does it, and reports. It keeps what it has in a file where one is given, so that it
//! outlives a crash of the cloud.

mod host;
mod images;
mod network;
mod nodes;
mod volumes;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, Weak, atomic::AtomicU32},
};

use contracts::{
    Refusal,
    images::NewSnapshot,
    node::{DeviceId, DeviceObserved, DeviceState, Feature},
    nodes::{NodeFacts, Nodes, ObservedSink},
};
use serde::{Deserialize, Serialize};
use types::{NodeId, Timestamp};

use self::nodes::facts;
pub(super) use self::{
    nodes::{disk, node_id},
    volumes::{ANOTHERS, DATA, TAKEN, VolumeKept},
};
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
    pub volumes: BTreeMap<String, VolumeKept>,
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
