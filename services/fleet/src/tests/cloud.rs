// SPDX-License-Identifier: Apache-2.0
//! A controller with nothing but its fleet, its neighbours, and hosts that join it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use contracts::{
    BoxFuture, Refusal,
    images::Chunks,
    node::{
        Found, GuestPassword, Hello, Kind, MachineDesired, MachineObserved, MachineState, Spec, Stream, Thing, ThingId, Want,
    },
    nodes::{DesiredSource, ImageSource, NodeFacts, NodeNeighbours, Nodes, ObservedSink, PasswordSink, Report, SnapshotSink},
    placement::{Capacity, Claim, Inventory, Placement, Resources},
};
use futures_util::StreamExt;
use node::link::{Client, Credentials, Session};
use nodes::{Host, Manner, Offer};
use store::{Actor, Store};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};
use types::{AllocationConsumer, Generation, ImageId, NodeId, ProjectId, ProviderId, ServerId, UserId};

use crate::{Fleet, FleetConfig, Leading, Limits};

pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Cloud {
    pub fleet: Fleet,
    pub rooms: Arc<Rooms>,
    pub dir: tempfile::TempDir,
    serving: JoinHandle<()>,
}

/// The rooms on the far side of the fleet's doors.
#[derive(Default)]
pub struct Rooms {
    pub things: Mutex<HashMap<NodeId, BTreeMap<ThingId, Thing>>>,
    /// How often all things of a node were read.
    pub all_read: AtomicU32,
    /// How many things were read by their names.
    pub some_read: AtomicU32,
    /// No report is taken in while it is set, as by tables that do not answer.
    pub stuck: AtomicBool,
    reports: watch::Sender<Vec<(NodeId, Report)>>,
    pub image: Mutex<Option<PathBuf>>,
    /// Bytes of snapshots that came.
    pub taken: Mutex<HashMap<ImageId, usize>>,
}

impl Cloud {
    pub async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap().to_string();
        let store = Store::open(&database::new_database(dir.path()).await).await.unwrap();
        store.migrate(&[crate::migrations()]).await.unwrap();
        let config = FleetConfig {
            state_dir: dir.path().join("controller"),
            addresses: vec![address],
            southbound: "tcp:127.0.0.1:1".into(),
            vcpu_ratio: 4.0,
            token_seconds: 3600,
            limits,
        };
        let image = dir.path().join("image");
        std::fs::write(&image, "a small image").unwrap();
        let rooms = Arc::new(Rooms { image: Mutex::new(Some(image)), ..Rooms::default() });
        let fleet = Fleet::open(store.clone(), config, rooms.clone()).unwrap();
        let neighbours = NodeNeighbours {
            desired: vec![rooms.clone()],
            observed: vec![rooms.clone()],
            images: vec![rooms.clone()],
            snapshots: rooms.clone(),
            volume_copies: rooms.clone(),
            passwords: rooms.clone(),
        };
        let leading = Leading { store, placement: rooms.clone(), neighbours: neighbours.clone() };
        let serving = tokio::spawn({
            let fleet = fleet.clone();
            async move {
                tokio::select! {
                    served = fleet.serve(tcp, neighbours, std::future::pending()) => served.unwrap(),
                    () = fleet.clone().lead(leading) => {}
                }
            }
        });
        Self { fleet, rooms, dir, serving }
    }

    async fn word(&self) -> String {
        self.fleet.create_join_token(Actor::system("test")).await.unwrap().to_word()
    }

    /// A simulated host that has a session.
    pub async fn host(&self, number: usize) -> Host {
        let host = Host::join(number, &self.word().await, Offer::default(), Manner::default()).await.unwrap();
        timeout(PATIENCE, host.until_connected()).await.unwrap();
        host
    }

    /// A node that says only what a test says.
    pub async fn stranger(&self, name: &str) -> Stranger {
        let token: contracts::join::JoinToken = self.word().await.parse().unwrap();
        let key = Credentials::new_key().unwrap();
        let reply = node::link::join(&token, &token.addresses, name, &key).await.unwrap();
        let credentials = Credentials::new(key, reply);
        let client = Client::connect(&token.addresses[0], credentials.tls().unwrap()).await.unwrap();
        Stranger { id: credentials.node_id.clone(), client }
    }

    pub async fn facts(&self, node: &NodeId) -> NodeFacts {
        self.fleet.list_nodes().await.unwrap().into_iter().find(|facts| facts.id == *node).unwrap()
    }

    pub fn want(&self, node: &NodeId, mut thing: Thing) {
        let id = thing.id.clone();
        if let Want::Present(Spec::Machine(machine)) = &mut thing.want {
            let root = machine.root_mut().unwrap();
            root.ticket = Some(self.fleet.ticket(node, &Stream::Image { sha512: root.sha512.clone() }));
        }
        self.rooms.things.lock().unwrap().entry(node.clone()).or_default().insert(id.clone(), thing);
        self.fleet.tell(node, &[id]);
    }

    pub fn release(&self, node: &NodeId, server: &str) {
        self.want(node, Thing::released(ThingId::machine(&server.into()), Generation::default()));
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub struct Stranger {
    pub id: NodeId,
    pub client: Client,
}

impl Stranger {
    pub async fn session(&self, hello: &Hello) -> Session {
        Session::begin(&self.client, hello).await.unwrap()
    }
}

impl Rooms {
    /// Waits for a report that is so; answers all that came until then.
    pub async fn told(&self, is_so: impl Fn(&NodeId, &Report) -> bool) -> Vec<(NodeId, Report)> {
        let mut reports = self.reports.subscribe();
        let came = reports.wait_for(|reports| reports.iter().any(|(node, report)| is_so(node, report)));
        let came = timeout(PATIENCE, came).await.map(|came| came.unwrap().clone());
        came.unwrap_or_else(|_| panic!("the reports were {:?}", self.reports.borrow()))
    }

    pub async fn found(&self, node: &NodeId, server: &str, state: MachineState) -> MachineObserved {
        let is_it = |found: &Found| found.as_machine().is_some_and(|it| it.server_id.as_str() == server && it.state == state);
        let reports = self.told(|of, report| of == node && report.found.iter().any(is_it)).await;
        let found = reports.into_iter().flat_map(|(_, report)| report.found).find(is_it);
        found.as_ref().and_then(Found::as_machine).cloned().unwrap()
    }
}

pub fn hello(name: &str) -> Hello {
    serde_json::from_value(serde_json::json!({
        "protocol": contracts::node::PROTOCOL, "version": "1", "hostname": name, "boot_id": "b", "vcpus": 1, "memory_mb": 1,
        "disk_gb": 1, "accelerator": { "kind": "tcg", "finding": "" }, "datapath": "none", "encap_ip": "127.0.0.1",
        "physical_networks": [], "cpu_arch": "x86_64", "hypervisor_version": "1", "knows": null,
    }))
    .unwrap()
}

pub fn machine(server: &str, generation: i64) -> MachineDesired {
    serde_json::from_value(serde_json::json!({
        "server_id": server, "generation": generation, "project_id": "p", "power": "running", "reboots": 0, "reboot": "soft",
        "vcpus": 1, "memory_mb": 1,
        "devices": [{ "device": "root", "image_id": "i", "sha512": "ab".repeat(64), "format": "raw", "image_size": 0, "size": 0 }],
        "metadata": {
            "hostname": "", "name": "", "availability_zone": "", "launch_index": 0, "flavor": "", "public_keys": {},
            "meta": {}, "user_data": null, "admin_password": null, "floating_ips": [], "reservation_id": "",
            "security_groups": [],
        },
    }))
    .unwrap()
}

impl DesiredSource for Rooms {
    fn kind(&self) -> Kind {
        Kind::Machine
    }

    fn all<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Vec<Thing>, Refusal>> {
        self.all_read.fetch_add(1, Ordering::Relaxed);
        let things = self.things.lock().unwrap().get(node).cloned().unwrap_or_default();
        Box::pin(async { Ok(things.into_values().collect()) })
    }

    fn changed<'a>(&'a self, node: &'a NodeId, ids: &'a [ThingId]) -> BoxFuture<'a, Result<Vec<Thing>, Refusal>> {
        self.some_read.fetch_add(u32::try_from(ids.len()).unwrap(), Ordering::Relaxed);
        let things = self.things.lock().unwrap().get(node).cloned().unwrap_or_default();
        Box::pin(async { Ok(things.into_values().filter(|thing| ids.contains(&thing.id)).collect()) })
    }
}

impl ObservedSink for Rooms {
    fn kind(&self) -> Kind {
        Kind::Machine
    }

    fn observed<'a>(&'a self, node: &'a NodeId, report: &'a Report) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            while self.stuck.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            self.reports.send_modify(|reports| reports.push((node.clone(), report.clone())));
            Ok(())
        })
    }

    fn node_changed<'a>(&'a self, _: &'a NodeFacts) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Ok(()) })
    }
}

impl ImageSource for Rooms {
    fn image_file<'a>(&'a self, _: &'a NodeId, _: &'a str) -> BoxFuture<'a, Result<PathBuf, Refusal>> {
        let image = self.image.lock().unwrap().clone();
        Box::pin(async { image.ok_or_else(|| Refusal::not_found("there is no such image")) })
    }
}

impl SnapshotSink for Rooms {
    fn take_snapshot<'a>(&'a self, _: &'a NodeId, image: &'a ImageId, mut chunks: Chunks) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let mut length = 0;
            while let Some(chunk) = chunks.next().await {
                length += chunk.map_err(|error| Refusal::unavailable(error.to_string()))?.len();
            }
            self.taken.lock().unwrap().insert(image.clone(), length);
            Ok(())
        })
    }
}

impl PasswordSink for Rooms {
    fn take_password<'a>(&'a self, _: &'a NodeId, _: &'a ServerId, _: GuestPassword) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Err(Refusal::not_found("no guest of these tests has one")) })
    }
}

impl Placement for Rooms {
    fn ensure_provider<'a>(
        &'a self,
        _: &'a NodeId,
        _: &'a str,
        _: &'a BTreeMap<String, Inventory>,
        _: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Ok(()) })
    }

    fn release_provider<'a>(&'a self, _: &'a NodeId) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Ok(()) })
    }

    fn capacities(&self) -> BoxFuture<'_, Result<Vec<Capacity>, Refusal>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn claim<'a>(
        &'a self,
        _: &'a AllocationConsumer,
        _: &'a ProviderId,
        _: &'a Resources,
        _: &'a ProjectId,
        _: &'a UserId,
    ) -> BoxFuture<'a, Result<Claim, Refusal>> {
        Box::pin(async { Ok(Claim::Full(Vec::new())) })
    }

    fn held<'a>(&'a self, _: &'a AllocationConsumer) -> BoxFuture<'a, Result<Option<ProviderId>, Refusal>> {
        Box::pin(async { Ok(None) })
    }

    fn release<'a>(&'a self, _: &'a AllocationConsumer) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Ok(()) })
    }

    fn set_aside<'a>(&'a self, _: &'a AllocationConsumer, _: &'a AllocationConsumer) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Ok(()) })
    }

    fn take_back<'a>(&'a self, _: &'a AllocationConsumer, _: &'a AllocationConsumer) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Ok(()) })
    }

    fn consumers(&self) -> BoxFuture<'_, Result<Vec<AllocationConsumer>, Refusal>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
