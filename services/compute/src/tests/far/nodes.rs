// SPDX-License-Identifier: Apache-2.0
//! The fleet, as compute sees it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use contracts::{
    BoxFuture, Refusal,
    images::Chunks,
    node::{Accelerator, Answer, Ask, Console, Feature, Hello, PROTOCOL, Stream, ThingId, Ticket, Versions},
    nodes::{NodeFacts, Nodes},
};
use futures_util::stream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};
use types::{NodeId, ServerId, Timestamp};

use super::Far;

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
                Ask::OpenConsole { .. } => Answer::Opened,
            })
        })
    }

    /// A machine that shows all that is typed, behind a greeting.
    fn open_console<'a>(
        &'a self,
        node: &'a NodeId,
        _server: &'a ServerId,
        console: Console,
        typed: Chunks,
    ) -> BoxFuture<'a, Result<Chunks, Refusal>> {
        Box::pin(async move {
            let (_, _, up) = self.host_of(node).unwrap();
            if !up {
                return Err(Refusal::unavailable("The host is away."));
            }
            let (here, mut machine) = tokio::io::duplex(4096);
            let (go, gone) = mpsc::channel(4);
            tokio::spawn(bounds::relay(here, typed, go));
            tokio::spawn(async move {
                let _ = machine.write_all(format!("{console:?}: ").as_bytes()).await;
                let mut piece = [0; 256];
                while let Ok(count @ 1..) = machine.read(&mut piece).await {
                    let _ = machine.write_all(&piece[..count]).await;
                }
            });
            let next = |mut gone: mpsc::Receiver<Bytes>| async { gone.recv().await.map(|piece| (Ok(piece), gone)) };
            Ok(Box::pin(stream::unfold(gone, next)) as Chunks)
        })
    }
}

/// What hosts send as a disk.
pub fn disk() -> Chunks {
    Box::pin(futures_util::stream::iter([Ok("a whole ".into()), Ok("disk".into())]))
}

pub fn node_id(host: &str) -> NodeId {
    let digits: String = host.bytes().map(|byte| format!("{byte:02x}")).collect::<String>().chars().cycle().take(12).collect();
    NodeId::new(format!("aaaaaaaa-aaaa-4aaa-8aaa-{digits}"))
}

pub(super) fn facts(host: &str) -> NodeFacts {
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
                Feature::Console,
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
