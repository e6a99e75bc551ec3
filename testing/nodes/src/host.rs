// SPDX-License-Identifier: Apache-2.0
//! One host: joins once, and holds a session whenever it is not cut off.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use contracts::{
    join::JoinToken,
    node::{Accelerator, Feature, Held, Hello, SPOKEN, ThingId, Versions},
};
use node::link::{self, Credentials};
use tokio::{sync::watch, task::JoinHandle};
use types::{DatabaseMark, NodeId, ServerId};
use uuid::Uuid;

use crate::{Machine, Manner, Offer, machines::Machines, session};

/// All but keeping a lease: there is nothing here that could be fenced.
const FEATURES: [Feature; 6] =
    [Feature::Pause, Feature::Rescue, Feature::HotPlug, Feature::MoveDisk, Feature::KeepDisk, Feature::Rebuild];
/// As long as an agent waits at first.
const AGAIN: Duration = Duration::from_millis(200);

/// Ends its session when it is dropped.
pub struct Host {
    inner: Arc<Inner>,
    life: JoinHandle<()>,
}

pub(crate) struct Inner {
    pub hostname: String,
    pub tls: Arc<link::Tls>,
    /// Its own on the loopback.
    pub address: IpAddr,
    pub connected: watch::Sender<bool>,
    node: NodeId,
    controllers: Vec<String>,
    offer: Offer,
    manner: Mutex<Manner>,
    machines: Mutex<Arc<Machines>>,
    boot_id: Mutex<Uuid>,
    speaks: Mutex<Versions>,
    /// By their sums.
    images: Mutex<HashSet<String>>,
    database: Mutex<Option<DatabaseMark>>,
    /// Whether it may be connected; each word ends the session that it has.
    reach: watch::Sender<bool>,
}

impl Host {
    /// Joins the cloud that made this token, and begins to live there.
    pub async fn join(number: usize, word: &str, offer: Offer, manner: Manner) -> anyhow::Result<Self> {
        let (hostname, token): (_, JoinToken) = (format!("sim-{number:04}"), word.parse()?);
        let key = Credentials::new_key()?;
        let reply = link::join(&token, &token.addresses, &hostname, &key).await?;
        let credentials = Credentials::new(key, reply);
        let inner = Arc::new(Inner {
            hostname,
            tls: credentials.tls()?,
            address: address(number),
            connected: watch::Sender::new(false),
            node: credentials.node_id,
            controllers: token.addresses,
            offer,
            manner: Mutex::new(manner),
            machines: Mutex::default(),
            boot_id: Mutex::new(Uuid::new_v4()),
            speaks: Mutex::new(SPOKEN),
            images: Mutex::default(),
            database: Mutex::default(),
            reach: watch::Sender::new(true),
        });
        let life = tokio::spawn(live(inner.clone()));
        Ok(Self { inner, life })
    }

    pub fn id(&self) -> &NodeId {
        &self.inner.node
    }

    pub fn hostname(&self) -> &str {
        &self.inner.hostname
    }

    pub fn machines(&self) -> HashMap<ServerId, Machine> {
        self.inner.machines().all()
    }

    pub fn running(&self) -> usize {
        self.inner.machines().running()
    }

    pub async fn until_connected(&self) {
        let _ = self.inner.connected.subscribe().wait_for(|connected| *connected).await;
    }

    /// Waits until the session that it had hears nothing more.
    pub async fn until_cut_off(&self) {
        let _ = self.inner.connected.subscribe().wait_for(|connected| !connected).await;
    }

    /// Waits until the controller has taken down all that this host found.
    pub async fn until_known(&self) {
        let machines = self.inner.machines();
        for id in machines.ids() {
            machines.board.known(&ThingId::machine(&id)).await;
        }
    }

    pub fn set_manner(&self, manner: Manner) {
        *held(&self.inner.manner) = manner;
    }

    /// Its connection ends, and none comes until [`Host::reconnect`]. Its machines run on.
    pub fn cut_off(&self) {
        self.inner.reach.send_replace(false);
    }

    pub fn reconnect(&self) {
        self.inner.reach.send_replace(true);
    }

    /// The host starts anew: its machines come up again by themselves, as they were wanted last.
    pub fn restart(&self) {
        *held(&self.inner.boot_id) = Uuid::new_v4();
        self.reconnect();
    }

    /// The host starts anew, and knows nothing of what it had.
    pub fn forget(&self) {
        *held(&self.inner.machines) = Arc::default();
        self.restart();
    }

    /// A guest switches its machine off. False if it is not here.
    pub fn switch_off(&self, server: &ServerId) -> bool {
        self.inner.machines().switch_off(server)
    }

    /// It speaks other versions from the next session on, which begins at once.
    pub fn speak(&self, versions: Versions) {
        *held(&self.inner.speaks) = versions;
        self.reconnect();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.life.abort();
    }
}

async fn live(host: Arc<Inner>) {
    let mut reach = host.reach.subscribe();
    while reach.wait_for(|reach| *reach).await.is_ok() {
        reach.mark_unchanged();
        tokio::select! {
            held = session::hold(&host) => {
                if let Err(error) = held {
                    tracing::debug!(host = host.hostname, %error, "a simulated host has no session");
                }
            }
            _ = reach.changed() => {}
        }
        host.connected.send_replace(false);
        tokio::time::sleep(AGAIN).await;
    }
}

impl Inner {
    pub fn machines(&self) -> Arc<Machines> {
        held(&self.machines).clone()
    }

    pub fn manner(&self) -> Manner {
        held(&self.manner).clone()
    }

    pub fn images(&self) -> MutexGuard<'_, HashSet<String>> {
        held(&self.images)
    }

    pub fn controller(&self) -> Option<&str> {
        self.controllers.first().map(String::as_str)
    }

    pub fn note(&self, database: DatabaseMark) {
        *held(&self.database) = Some(database);
    }

    pub fn hello(&self, holds: Vec<Held>) -> Hello {
        Hello {
            speaks: *held(&self.speaks),
            features: FEATURES.into(),
            holds,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hostname: self.hostname.clone(),
            boot_id: held(&self.boot_id).to_string(),
            vcpus: self.offer.vcpus,
            memory_mb: self.offer.memory_mb,
            disk_gb: self.offer.disk_gb,
            accelerator: Accelerator { kind: "tcg".to_owned(), finding: "this host is simulated".to_owned() },
            datapath: "none".to_owned(),
            encap_ip: self.address,
            physical_networks: Vec::new(),
            cpu_arch: "x86_64".to_owned(),
            hypervisor_version: "0.0.0".to_owned(),
            storage: None,
            knows: held(&self.database).clone(),
        }
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One address of the loopback for each host.
fn address(number: usize) -> IpAddr {
    let [_, _, high, low] = u32::try_from(number % 65_000 + 1).unwrap_or(1).to_be_bytes();
    Ipv4Addr::new(127, 77, high, low).into()
}
