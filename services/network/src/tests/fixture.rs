// SPDX-License-Identifier: Apache-2.0
//! A cloud's network in a folder: SQLite, the two OVN databases as real servers, and the room over them.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use ovn::{northbound::Northbound, ovsdb::Remote, southbound::Southbound};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use work::{Board, Tasks};
use world::{Talk, World};

use crate::{Network, ROOM, Settings};

pub struct Cloud {
    pub world: World,
    pub north: Database,
    pub south: Database,
    northd: Option<Child>,
    pub network: Network,
    pub talk: Talk,
    loops: Option<Tasks>,
    hosts: Option<JoinHandle<()>>,
}

/// A real ovsdb-server with a database of its own.
pub struct Database {
    folder: TempDir,
    child: Option<Child>,
}

const PREFIX: &str = "/network/v2.0";
/// The id of no thing.
pub const NOTHING: &str = "8f3e6d7a-0000-4000-8000-000000000000";

impl Cloud {
    /// With ovsdb-servers, and no loop running: what is written stays in the tables until a test converges it.
    pub async fn quiet() -> Self {
        let settings = Settings { physical_networks: vec!["physnet1".to_owned()], ..Settings::default() };
        Self::with(settings).await
    }

    pub async fn with(settings: Settings) -> Self {
        let filter = tracing_subscriber::EnvFilter::new("warn");
        tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init().ok();
        let world = World::new(&[ROOM.migrations()]).await;
        let north = Database::start("/usr/share/ovn/ovn-nb.ovsschema");
        let south = Database::start("/usr/share/ovn/ovn-sb.ovsschema");
        let northbound = Northbound::connect(vec![north.remote()]);
        let southbound = Southbound::connect(vec![south.remote()]);
        northbound.ready(soon()).await.unwrap();
        southbound.ready(soon()).await.unwrap();
        let network =
            Network::new(world.store.clone(), northbound, southbound, settings, world::policies_in_force(&ROOM.policies(), &[]));
        let talk = world.talk(vec![network.service()], &ROOM.policies(), &[]);
        Self { world, north, south, northd: None, network, talk, loops: None, hosts: None }
    }

    /// With the loops that write to OVN running. Nothing looks whether it stays as it was written.
    pub async fn live() -> Self {
        let mut cloud = Self::quiet().await;
        let mut tasks = Tasks::new(Board::default());
        cloud.network.spawn_writers(&mut tasks);
        cloud.loops = Some(tasks);
        cloud.hosts = Some(cloud.network.watch_hosts());
        cloud
    }

    /// With all of the room's loops.
    pub async fn whole() -> Self {
        let mut cloud = Self::quiet().await;
        let mut tasks = Tasks::new(Board::default());
        cloud.network.spawn(&mut tasks);
        cloud.loops = Some(tasks);
        cloud.hosts = Some(cloud.network.watch_hosts());
        cloud
    }

    /// The translator between the two databases, which says when a port of a router is up.
    pub fn start_northd(&mut self) {
        let folder = self.north.folder.path();
        let child = Command::new("ovn-northd")
            .arg(format!("--ovnnb-db=unix:{}", self.north.socket().display()))
            .arg(format!("--ovnsb-db=unix:{}", self.south.socket().display()))
            .arg(format!("--unixctl={}", folder.join("northd.ctl").display()))
            .arg(format!("--log-file={}", folder.join("northd.log").display()))
            .env("OVN_RUNDIR", folder)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.northd = Some(child);
    }

    /// What the translator complained of.
    pub fn northd_complaints(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.north.folder.path().join("northd.log")).unwrap();
        log.lines().filter(|line| line.contains("|WARN|") || line.contains("|ERR|")).map(str::to_owned).collect()
    }

    pub fn member(&self) -> Talk {
        self.talk.as_("member@p1")
    }

    pub fn other(&self) -> Talk {
        self.talk.as_("member@p2")
    }

    pub fn admin(&self) -> Talk {
        self.talk.as_("admin@admin")
    }

    /// A network with one subnet, of p1.
    pub async fn network(&self, cidr: &str) -> (String, String) {
        let member = self.member();
        let network = create(&member, "networks", "network", json!({"name": "net"})).await;
        let subnet = json!({"network_id": network["id"], "ip_version": 4, "cidr": cidr});
        let subnet = create(&member, "subnets", "subnet", subnet).await;
        (id(&network), id(&subnet))
    }

    /// An external network with one subnet, of the operator.
    pub async fn external(&self, cidr: &str) -> (String, String) {
        let ask = json!({"name": "public", "router:external": true, "provider:network_type": "flat",
            "provider:physical_network": "physnet1"});
        let network = create(&self.admin(), "networks", "network", ask).await;
        let subnet = json!({"network_id": network["id"], "ip_version": 4, "cidr": cidr, "enable_dhcp": false});
        let subnet = create(&self.admin(), "subnets", "subnet", subnet).await;
        (id(&network), id(&subnet))
    }

    pub fn nbctl(&self, arguments: &[&str]) -> String {
        self.north.run("ovn-nbctl", arguments)
    }

    /// A host as its ovn-controller would announce it.
    pub fn add_chassis(&self, name: &str, mappings: &str) {
        let host = format!("hostname={name}.test");
        let mappings = format!("other_config:ovn-bridge-mappings=\"{mappings}\"");
        let tunnel = format!("192.0.2.{}", name.bytes().last().unwrap());
        self.south.run("ovn-sbctl", &["chassis-add", name, "geneve", &tunnel]);
        self.south.run("ovn-sbctl", &["set", "Chassis", name, &host, &mappings]);
    }

    /// Waits until every key has reached OVN.
    pub async fn settled(&self) {
        until("all keys to reach OVN", async || {
            let sql = "SELECT count(*) FROM north_keys WHERE synced_generation < generation";
            let left: i64 = self.world.store.read(move |tx| tx.query_one(sql, &[])?.get(0)).await.unwrap();
            left == 0
        })
        .await;
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.hosts.iter().for_each(JoinHandle::abort);
        if let Some(mut northd) = self.northd.take() {
            northd.kill().ok();
            northd.wait().ok();
        }
    }
}

impl Database {
    fn start(schema: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("network-ovn").tempdir().unwrap();
        let made = Command::new("ovsdb-tool").arg("create").arg(folder.path().join("test.db")).arg(schema).status().unwrap();
        assert!(made.success());
        let mut database = Self { folder, child: None };
        database.resume();
        database
    }

    pub fn pause(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        std::fs::remove_file(self.socket()).ok();
    }

    pub fn resume(&mut self) {
        let folder = self.folder.path();
        let child = Command::new("ovsdb-server")
            .arg(folder.join("test.db"))
            .arg(format!("--remote=punix:{}", self.socket().display()))
            .arg(format!("--unixctl={}", folder.join("ctl").display()))
            .env("OVS_RUNDIR", folder)
            .env("OVS_DBDIR", folder)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        let until = Instant::now() + Duration::from_secs(20);
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            assert!(Instant::now() < until, "ovsdb-server did not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn remote(&self) -> Remote {
        Remote::Unix(self.socket())
    }

    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let db = format!("--db=unix:{}", self.socket().display());
        let done = Command::new(program).arg(db).arg("--no-leader-only").args(arguments).output().unwrap();
        assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("db.sock")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.pause();
    }
}

pub fn path(rest: &str) -> String {
    format!("{PREFIX}/{rest}")
}

pub fn id(thing: &Value) -> String {
    thing["id"].as_str().unwrap().to_owned()
}

/// Creates a thing and answers what was said of it.
pub async fn create(talk: &Talk, collection: &str, key: &str, ask: Value) -> Value {
    talk.post(&path(collection), json!({ key: ask })).await.expect(201)[key].clone()
}

pub async fn show(talk: &Talk, collection: &str, key: &str, id: &str) -> Value {
    talk.get(&path(&format!("{collection}/{id}"))).await.expect(200)[key].clone()
}

pub async fn update(talk: &Talk, collection: &str, key: &str, id: &str, ask: Value) -> Value {
    talk.put(&path(&format!("{collection}/{id}")), json!({ key: ask })).await.expect(200)[key].clone()
}

/// The ids of a list, with a query.
pub async fn ids(talk: &Talk, collection: &str, key: &str, query: &str) -> Vec<String> {
    let body = talk.get(&path(&format!("{collection}{query}"))).await.expect(200);
    body[key].as_array().unwrap().iter().map(id).collect()
}

/// The status and Neutron's name of a refusal.
#[track_caller]
pub fn refused(said: world::Said, status: u16, kind: &str) {
    let request = said.request.clone();
    let body = said.expect(status);
    assert_eq!(body["NeutronError"]["type"], kind, "{request}: {body}");
}

pub fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(20)
}

pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
