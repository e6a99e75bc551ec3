// SPDX-License-Identifier: Apache-2.0
//! A controller with its fleet room, and agents that join it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use contracts::{
    BoxFuture, Refusal,
    images::Chunks,
    node::{
        Device, Found, GuestPassword, Kind, MachineDesired, MachineObserved, MachineState, SnapshotStep, Stream, Thing, ThingId,
    },
    nodes::{DesiredSource, ImageSource, NodeFacts, NodeNeighbours, Nodes, ObservedSink, PasswordSink, Report, SnapshotSink},
    placement::{Capacity, Claim, Inventory, Placement, Resources},
};
use fleet::{Fleet, FleetConfig, Leading};
use futures_util::StreamExt;
use sha2::{Digest, Sha512};
use store::{Actor, Store};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    task::JoinHandle,
};
use types::{AllocationConsumer, Generation, ImageId, NodeId, ProjectId, ProviderId, Secret, ServerId, UserId};

use super::{
    scratch::Scratch,
    volume_room::{VolumeRoom, Volumes},
};
use crate::{AcceleratorChoice, Agent, DatapathChoice, MetadataLimits, NodeConfig, Switch};

pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// For nodes without a switch.
const NOWHERE: &str = "tcp:127.0.0.1:1";

pub(super) struct Cloud {
    pub fleet: Fleet,
    pub store: Store,
    pub rooms: Arc<Neighbours>,
    pub address: String,
    pub dir: Scratch,
    database: String,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

/// The rooms on the far side of the fleet's doors.
#[derive(Default)]
pub(super) struct Neighbours {
    pub machines: Mutex<HashMap<NodeId, Vec<MachineDesired>>>,
    /// Released by name, until the node has said that they are gone.
    pub released: Mutex<HashSet<ServerId>>,
    pub images: Mutex<HashMap<String, PathBuf>>,
    pub providers: Mutex<HashMap<NodeId, Offer>>,
    pub up: Mutex<HashMap<NodeId, bool>>,
    /// How often an image's file was asked for.
    pub images_sent: Mutex<u32>,
    /// Disks that nodes sent, by image, and how many of the next are refused, and how.
    pub snapshots: Mutex<HashMap<ImageId, Vec<u8>>>,
    pub refuse_snapshots: Mutex<Vec<Refusal>>,
    /// What guests said.
    pub passwords: Mutex<HashMap<ServerId, String>>,
    /// Reports are refused while it is set, as by a controller whose tables are away.
    pub deaf: Mutex<bool>,
    pub volumes: Volumes,
    observed: watch::Sender<HashMap<ServerId, MachineObserved>>,
    observed_by_node: watch::Sender<HashMap<(NodeId, ServerId), MachineObserved>>,
}

/// What placement was told of a node.
type Offer = (BTreeMap<String, Inventory>, BTreeSet<String>);

pub(super) struct Node {
    pub config: NodeConfig,
    stop: Option<oneshot::Sender<()>>,
    pub running: JoinHandle<crate::Result<()>>,
}

impl Cloud {
    pub async fn start() -> Self {
        Self::start_with(NOWHERE).await
    }

    /// A cloud with one node that is up.
    pub async fn with_a_node() -> (Self, Node, NodeId) {
        let cloud = Self::start().await;
        let node = cloud.node("one").await;
        let id = cloud.facts("one").await.unwrap().id;
        (cloud, node, id)
    }

    /// A cloud whose nodes find OVN's southbound database there.
    pub async fn start_with(southbound: &str) -> Self {
        let dir = Scratch::new();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let database = database::new_database(dir.path()).await;
        Self::start_in(dir, &database, tcp, southbound).await
    }

    /// The controller ends, and begins again on the same tables, files and port.
    pub async fn restart(mut self) -> Self {
        drop(self.stop.take());
        let serving = std::mem::replace(&mut self.serving, tokio::spawn(async {}));
        serving.await.unwrap();
        let dir = std::mem::replace(&mut self.dir, Scratch::new());
        let (rooms, address, database) = (self.rooms.clone(), self.address.clone(), self.database.clone());
        drop(self);
        let tcp = TcpListener::bind(&address).await.unwrap();
        let mut cloud = Self::start_in(dir, &database, tcp, NOWHERE).await;
        *cloud.rooms.machines.lock().unwrap() = rooms.machines.lock().unwrap().clone();
        *cloud.rooms.released.lock().unwrap() = rooms.released.lock().unwrap().clone();
        cloud.address = address;
        cloud
    }

    async fn start_in(dir: Scratch, database: &str, tcp: TcpListener, southbound: &str) -> Self {
        let _ =
            tracing_subscriber::fmt().with_env_filter("info,node=debug").with_writer(std::io::stderr).with_ansi(false).try_init();
        let address = tcp.local_addr().unwrap().to_string();
        // Tasks of the controller before may still be on their way out.
        let store = loop {
            match Store::open(database).await {
                Err(store::Error::InUse { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
                opened => break opened.unwrap(),
            }
        };
        store.migrate(&[fleet::migrations()]).await.unwrap();
        let config = FleetConfig {
            state_dir: dir.path().join("controller"),
            addresses: vec![address.clone()],
            southbound: southbound.into(),
            vcpu_ratio: 4.0,
            token_seconds: 3600,
            limits: fleet::Limits::default(),
        };
        let rooms = Arc::new(Neighbours::default());
        let fleet = Fleet::open(store.clone(), config, rooms.clone()).unwrap();
        let neighbours = NodeNeighbours {
            desired: vec![rooms.clone(), Arc::new(VolumeRoom(rooms.clone()))],
            observed: vec![rooms.clone(), Arc::new(VolumeRoom(rooms.clone()))],
            images: vec![rooms.clone()],
            snapshots: rooms.clone(),
            volume_copies: rooms.clone(),
            passwords: rooms.clone(),
        };
        let leading = Leading { store: store.clone(), placement: rooms.clone(), neighbours: neighbours.clone() };
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn({
            let fleet = fleet.clone();
            async move {
                tokio::select! {
                    served = fleet.serve(tcp, neighbours, async { drop(stopped.await) }) => served.unwrap(),
                    () = fleet.clone().lead(leading) => {}
                }
            }
        });
        Self { fleet, store, rooms, address, dir, database: database.to_owned(), stop: Some(stop), serving }
    }

    pub async fn token(&self) -> String {
        self.fleet.create_join_token(Actor::system("test")).await.unwrap().to_word()
    }

    pub fn config(&self, name: &str, token: Option<String>) -> NodeConfig {
        NodeConfig {
            state_dir: self.dir.path().join(name),
            join_token: token.map(Secret::new),
            controllers: vec![],
            hostname: name.into(),
            encap_ip: [127, 0, 0, 1].into(),
            physical_networks: BTreeMap::new(),
            datapath: DatapathChoice::Userspace,
            switch: Switch::None,
            switch_root: None,
            accelerator: AcceleratorChoice::Tcg,
            reserved_memory_mb: 0,
            reserved_disk_gb: 0,
            image_cache_gb: Some(1),
            metadata: MetadataLimits::default(),
            stop_seconds: 30,
            first_uid: 298_000,
        }
    }

    /// A node that has joined and is connected.
    pub async fn node(&self, name: &str) -> Node {
        let node = Node::start(self.config(name, Some(self.token().await)));
        self.up(name).await;
        node
    }

    pub async fn facts(&self, name: &str) -> Option<NodeFacts> {
        self.fleet.list_nodes().await.unwrap().into_iter().find(|facts| facts.hostname == name)
    }

    pub async fn up(&self, name: &str) -> NodeFacts {
        self.facts_when(name, |facts| facts.up).await
    }

    pub async fn facts_when(&self, name: &str, wanted: impl Fn(&NodeFacts) -> bool) -> NodeFacts {
        let look = async {
            loop {
                match self.facts(name).await {
                    Some(facts) if wanted(&facts) => return facts,
                    _ => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("node {name} did not get there"))
    }

    /// What the node offers, once placement was told: that is soon after the node is up.
    pub async fn offer(&self, node: &NodeId) -> Offer {
        let look = async {
            loop {
                let told = self.rooms.providers.lock().unwrap().get(node).cloned();
                match told {
                    Some(offer) => return offer,
                    None => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("placement was not told of node {node}"))
    }

    /// Puts an image into the image room; answers its hash.
    pub fn image(&self, content: &[u8]) -> String {
        let sha512 = hex::encode(Sha512::digest(content));
        let path = self.dir.path().join(&sha512[..16]);
        fs::write(&path, content).unwrap();
        self.rooms.images.lock().unwrap().insert(sha512.clone(), path);
        sha512
    }

    /// Says that the node shall have this machine, so.
    pub fn want(&self, node: &NodeId, machine: &MachineDesired) {
        let mut machines = self.rooms.machines.lock().unwrap();
        self.rooms.released.lock().unwrap().remove(&machine.server_id);
        let machines_of_node = machines.entry(node.clone()).or_default();
        machines_of_node.retain(|known| known.server_id != machine.server_id);
        machines_of_node.push(self.with_tickets(node, machine));
        drop(machines);
        self.fleet.tell(node, &[ThingId::machine(&machine.server_id)]);
    }

    fn with_tickets(&self, node: &NodeId, machine: &MachineDesired) -> MachineDesired {
        let mut machine = machine.clone();
        for device in &mut machine.devices {
            if let Device::Root(disk) | Device::Rescue(disk) = device {
                disk.ticket = Some(self.fleet.ticket(node, &Stream::Image { sha512: disk.sha512.clone() }));
            }
        }
        if let Some(snapshot) = &mut machine.snapshot {
            snapshot.ticket = self.fleet.ticket(node, &Stream::Snapshot { image_id: snapshot.image_id.clone() });
        }
        machine
    }

    /// Wants it, and waits until it runs.
    pub async fn run(&self, node: &NodeId, machine: &MachineDesired) {
        self.want(node, machine);
        self.rooms.state_when(&machine.server_id, MachineState::Running).await;
    }

    /// Says that this machine shall be gone.
    pub fn unwant(&self, node: &NodeId, server: &ServerId) {
        self.rooms.released.lock().unwrap().insert(server.clone());
        self.forget(node, server);
    }

    /// Speaks of the machine no more.
    pub fn forget(&self, node: &NodeId, server: &ServerId) {
        self.rooms.machines.lock().unwrap().entry(node.clone()).or_default().retain(|known| known.server_id != *server);
        self.fleet.wake(node);
    }
}

impl Neighbours {
    /// Waits until this very node reported this of the machine.
    pub async fn found_at(&self, node: &NodeId, server: &ServerId, wanted: impl Fn(&MachineObserved) -> bool) -> MachineObserved {
        let mut observed = self.observed_by_node.subscribe();
        let key = (node.clone(), server.clone());
        let found = observed.wait_for(|observed| observed.get(&key).is_some_and(&wanted));
        let found = tokio::time::timeout(PATIENCE, found).await.map(|found| found.unwrap()[&key].clone());
        found.unwrap_or_else(|_| panic!("the last report was {:?}", self.observed_by_node.borrow().get(&key)))
    }

    /// Waits until the node reported this of the machine.
    pub async fn observed_when(&self, server: &ServerId, wanted: impl Fn(&MachineObserved) -> bool) -> MachineObserved {
        let mut observed = self.observed.subscribe();
        let found = observed.wait_for(|observed| observed.get(server).is_some_and(&wanted));
        let found = tokio::time::timeout(PATIENCE, found).await.map(|found| found.unwrap()[server].clone());
        found.unwrap_or_else(|_| panic!("the last report was {:?}", self.observed.borrow().get(server)))
    }

    pub async fn state_when(&self, server: &ServerId, state: MachineState) -> MachineObserved {
        self.observed_when(server, |found| found.state == state).await
    }

    pub async fn snapshot_when(&self, server: &ServerId, step: SnapshotStep) -> MachineObserved {
        self.observed_when(server, |found| found.snapshot.as_ref().is_some_and(|snapshot| snapshot.step == step)).await
    }

    pub fn last(&self, server: &ServerId) -> Option<MachineObserved> {
        self.observed.borrow().get(server).cloned()
    }

    pub fn forget(&self, server: &ServerId) {
        self.observed.send_modify(|observed| drop(observed.remove(server)));
    }
}

impl Node {
    pub fn start(config: NodeConfig) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(Agent::run(config.clone(), async { drop(stopped.await) }));
        Self { config, stop: Some(stop), running }
    }

    /// Fails if the agent failed.
    pub async fn stop(mut self) -> NodeConfig {
        drop(self.stop.take());
        (&mut self.running).await.unwrap().unwrap();
        self.config.clone()
    }

    pub fn dir(&self) -> &Path {
        &self.config.state_dir
    }
}

impl DesiredSource for Neighbours {
    fn kind(&self) -> Kind {
        Kind::Machine
    }

    fn all<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<Vec<Thing>, Refusal>> {
        let machines = self.machines.lock().unwrap().get(node).cloned().unwrap_or_default();
        let mut things: Vec<Thing> = machines.into_iter().map(Thing::machine).collect();
        let there: HashSet<ThingId> = things.iter().map(|thing| thing.id.clone()).collect();
        let released = self.released.lock().unwrap();
        let released = released.iter().map(ThingId::machine).filter(|id| !there.contains(id));
        things.extend(released.map(|id| Thing::released(id, Generation::default())));
        Box::pin(async { Ok(things) })
    }

    fn changed<'a>(&'a self, node: &'a NodeId, ids: &'a [ThingId]) -> BoxFuture<'a, Result<Vec<Thing>, Refusal>> {
        Box::pin(async {
            let all = self.all(node).await?;
            Ok(all.into_iter().filter(|thing| ids.contains(&thing.id)).collect())
        })
    }
}

impl ObservedSink for Neighbours {
    fn kind(&self) -> Kind {
        Kind::Machine
    }

    fn observed<'a>(&'a self, node: &'a NodeId, report: &'a Report) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            if *self.deaf.lock().unwrap() {
                return Err(Refusal::unavailable("the tables are away"));
            }
            let gone = report.found.iter().filter(|found| found.is_gone()).map(Found::id);
            let gone: HashSet<ThingId> = gone.chain(report.absent.iter().cloned()).collect();
            self.released.lock().unwrap().retain(|server| !gone.contains(&ThingId::machine(server)));
            let found =
                || report.found.iter().filter_map(Found::as_machine).map(|machine| (machine.server_id.clone(), machine.clone()));
            self.observed.send_modify(|known| known.extend(found()));
            let at_node = found().map(|(server, machine)| ((node.clone(), server), machine));
            self.observed_by_node.send_modify(|known| known.extend(at_node));
            Ok(())
        })
    }

    fn node_changed<'a>(&'a self, node: &'a NodeFacts) -> BoxFuture<'a, Result<(), Refusal>> {
        self.up.lock().unwrap().insert(node.id.clone(), node.up);
        Box::pin(async { Ok(()) })
    }
}

impl ImageSource for Neighbours {
    fn image_file<'a>(&'a self, _: &'a NodeId, sha512: &'a str) -> BoxFuture<'a, Result<PathBuf, Refusal>> {
        *self.images_sent.lock().unwrap() += 1;
        let file = self.images.lock().unwrap().get(sha512).cloned();
        Box::pin(async { file.ok_or_else(|| Refusal::not_found("there is no such image")) })
    }
}

impl SnapshotSink for Neighbours {
    fn take_snapshot<'a>(&'a self, _: &'a NodeId, image: &'a ImageId, mut chunks: Chunks) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            if let Some(refusal) = self.refuse_snapshots.lock().unwrap().pop() {
                return Err(refusal);
            }
            let mut data = Vec::new();
            while let Some(chunk) = chunks.next().await {
                data.extend(chunk.map_err(|error| Refusal::unavailable(error.to_string()))?);
            }
            self.snapshots.lock().unwrap().insert(image.clone(), data);
            Ok(())
        })
    }
}

impl PasswordSink for Neighbours {
    fn take_password<'a>(
        &'a self,
        node: &'a NodeId,
        server: &'a ServerId,
        said: GuestPassword,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let mut machines = self.machines.lock().unwrap();
            let machine = machines.get_mut(node).and_then(|list| list.iter_mut().find(|machine| machine.server_id == *server));
            let machine = machine.ok_or_else(|| Refusal::not_found("no such machine"))?;
            if machine.metadata.guest_password.is_some() {
                return Err(Refusal::conflict("it is there"));
            }
            self.passwords.lock().unwrap().insert(server.clone(), said.password.reveal().clone());
            machine.metadata.guest_password = Some(said.password);
            Ok(())
        })
    }
}

impl Placement for Neighbours {
    fn ensure_provider<'a>(
        &'a self,
        node: &'a NodeId,
        _: &'a str,
        inventories: &'a BTreeMap<String, Inventory>,
        traits: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        self.providers.lock().unwrap().insert(node.clone(), (inventories.clone(), traits.clone()));
        Box::pin(async { Ok(()) })
    }

    fn release_provider<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<(), Refusal>> {
        self.providers.lock().unwrap().remove(node);
        Box::pin(async { Ok(()) })
    }

    fn capacities(&self) -> BoxFuture<'_, Result<Vec<Capacity>, Refusal>> {
        Box::pin(async { Ok(vec![]) })
    }

    fn claim<'a>(
        &'a self,
        _: &'a AllocationConsumer,
        _: &'a ProviderId,
        _: &'a Resources,
        _: &'a ProjectId,
        _: &'a UserId,
    ) -> BoxFuture<'a, Result<Claim, Refusal>> {
        Box::pin(async { Ok(Claim::Held) })
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
        Box::pin(async { Ok(vec![]) })
    }
}
