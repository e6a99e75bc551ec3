// SPDX-License-Identifier: Apache-2.0
//! A network of our own for one test: namespaces that end with it, and OVN's central daemons.

use std::{
    fs::File,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use fleet::Fleet;
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
};
use ovn::{
    daemons::{Layout, Listen, Supervisor, admit_hosts},
    ovsdb::TlsFiles,
};
use tokio::time::Instant;
use types::{Mac, NetworkId, PortId};

use super::{cloud::PATIENCE, scratch::Scratch};
use crate::{NodeConfig, Switch};

/// The test's network is its own, so the port is free.
pub(super) const SOUTHBOUND_BY_TLS: &str = "ssl:127.0.0.1:6642";

/// Runs a test in network and mount namespaces of its own. All its threads are begun in there.
pub(super) fn in_private_network<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).unwrap();
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none).unwrap();
    std::fs::create_dir_all("/run/netns").unwrap();
    mount(Some("tmpfs"), "/run/netns", Some("tmpfs"), MsFlags::empty(), none).unwrap();
    run("ip", &["link", "set", "lo", "up"]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(test());
}

/// OVN's two databases and its translator.
pub(super) struct Central {
    layout: Layout,
    _supervisor: Supervisor,
    _dir: Scratch,
}

/// A logical switch with its metadata door.
pub(super) struct Network {
    pub id: NetworkId,
    pub door: contracts::ports::MetadataDoor,
}

impl Central {
    pub async fn start() -> Self {
        Self::start_listening(&[]).await
    }

    /// With a southbound database that nodes reach by TLS, at [`SOUTHBOUND_BY_TLS`].
    pub async fn start_for(fleet: &Fleet) -> Self {
        let files = fleet.tls_files();
        let tls = TlsFiles { private_key: files.key, certificate: files.certificate, ca_cert: files.authority, peer_name: None };
        Self::start_listening(&[Listen { address: Ipv4Addr::LOCALHOST.into(), port: 6642, tls }]).await
    }

    async fn start_listening(listen: &[Listen]) -> Self {
        let dir = Scratch::new();
        let layout = Layout::under(dir.path());
        let supervisor = Supervisor::start(layout.central(listen)).await;
        supervisor.ready(Instant::now() + PATIENCE).await.unwrap();
        admit_hosts(layout.southbound_remote(), listen, Instant::now() + PATIENCE).await.unwrap();
        Self { layout, _supervisor: supervisor, _dir: dir }
    }

    pub fn southbound(&self) -> String {
        self.layout.southbound_remote().to_string()
    }

    pub fn nb(&self, words: &[&str]) -> String {
        let db = format!("--db={}", self.layout.northbound_remote());
        let words: Vec<&str> = [db.as_str()].into_iter().chain(words.iter().copied()).collect();
        run("ovn-nbctl", &words)
    }

    /// A network 10.0.`number`.0/24 with a door at .2.
    pub fn network(&self, number: u8) -> Network {
        self.network_called(NetworkId::generate(), number)
    }

    pub fn network_called(&self, id: NetworkId, number: u8) -> Network {
        let door = contracts::ports::MetadataDoor {
            port_id: PortId::generate(),
            mac: Mac::generate(),
            addresses: vec![(Ipv4Addr::new(10, 0, number, 2).into(), 24)],
        };
        self.nb(&["ls-add", id.as_str()]);
        let port = door.port_id.as_str();
        self.nb(&["lsp-add", id.as_str(), port]);
        self.nb(&["lsp-set-type", port, "localport"]);
        self.nb(&["lsp-set-addresses", port, &format!("{} 10.0.{number}.2 169.254.169.254", door.mac)]);
        Network { id, door }
    }

    pub fn port(&self, network: &Network, mac: Mac, address: Ipv4Addr) -> PortId {
        let port = PortId::generate();
        self.nb(&["lsp-add", network.id.as_str(), port.as_str()]);
        self.nb(&["lsp-set-addresses", port.as_str(), &format!("{mac} {address}")]);
        self.nb(&["lsp-set-port-security", port.as_str(), &format!("{mac} {address}")]);
        port
    }

    pub fn is_up(&self, port: &PortId) -> bool {
        self.nb(&["get", "logical_switch_port", port.as_str(), "up"]).trim() == "true"
    }
}

/// With a switch of its own, in the test's network.
pub(super) fn with_switch(mut config: NodeConfig) -> NodeConfig {
    config.switch = Switch::Own;
    config
}

/// A namespace that is wired to `br-int` as a guest would be.
pub(super) struct Guest {
    namespace: PathBuf,
}

impl Guest {
    pub fn plug(node: &Path, name: &str, port: &PortId, mac: Mac, address: Ipv4Addr) -> Self {
        let device = format!("v-{name}");
        run("ip", &["netns", "add", name]);
        run("ip", &["link", "add", &device, "type", "veth", "peer", "name", "eth0", "address", &mac.to_string(), "netns", name]);
        run("ip", &["link", "set", &device, "up"]);
        run("ip", &["-n", name, "addr", "add", &format!("{address}/24"), "dev", "eth0"]);
        run("ip", &["-n", name, "link", "set", "eth0", "up"]);
        let octets = address.octets();
        let door = Ipv4Addr::new(octets[0], octets[1], octets[2], 2);
        run("ip", &["-n", name, "route", "add", "169.254.169.254/32", "via", &door.to_string()]);
        let guest = Self { namespace: Path::new("/run/netns").join(name) };
        qemu::tap::disable_offloads(&device).unwrap();
        guest.within(|| qemu::tap::disable_offloads("eth0").unwrap());
        let db = format!("--db=unix:{}", node.join("ovs/run/db.sock").display());
        let iface = format!("external_ids:iface-id={port}");
        run("ovs-vsctl", &[&db, "add-port", "br-int", &device, "--", "set", "interface", &device, &iface]);
        guest
    }

    /// The answer's status and body.
    pub fn get(&self, path: &str, headers: &str) -> (u16, String) {
        self.ask("GET", path, headers, "")
    }

    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n{length}{headers}\r\n{body}");
        self.within(move || {
            let started = std::time::Instant::now();
            let address = SocketAddr::from(([169, 254, 169, 254], 80));
            let mut stream = loop {
                match TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
                    Ok(stream) => break stream,
                    Err(error) => assert!(started.elapsed() < PATIENCE, "{error}"),
                }
            };
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
        })
    }

    fn within<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let namespace = File::open(&self.namespace).unwrap();
        let thread = thread::spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        thread.join().unwrap()
    }
}

pub(super) fn run(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output().unwrap();
    assert!(output.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
