// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use super::*;
use crate::Error;
use crate::northbound::{DesiredRow, Northbound, Scope, Table};
use crate::ovsdb::Datum;
use crate::southbound::Southbound;
use crate::testing::{authority, issue, run, soon};
use crate::vswitch::{Bridge, ChassisSettings, Datapath, FailMode, Monitor, Port, PortKind, Vswitch};

/// Daemons in directories and a network namespace of their own, stopped at the end of the test.
struct Host {
    layout: Layout,
    /// Last, so that it is removed after the daemons have ended.
    _root: TempDir,
}

impl Host {
    fn new() -> Self {
        let root = tempfile::Builder::new().prefix("ovnd").tempdir().unwrap();
        Self { layout: Layout::under(root.path()), _root: root }
    }

    fn in_namespace() -> Self {
        let mut host = Self::new();
        sweep_namespaces();
        let name = format!("{}{}-{}", NAMESPACES, std::process::id(), uuid::Uuid::new_v4().as_fields().0);
        run("ip", &["netns", "add", &name]);
        run("ip", &["-n", &name, "link", "set", "lo", "up"]);
        host.layout.netns = Some(name);
        host
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.layout.db.join(name)
    }

    fn all(&self) -> Vec<Daemon> {
        let mut all = self.layout.central(&[]);
        all.extend(self.layout.host(None));
        all
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for daemon in self.all() {
            let pid = std::fs::read_to_string(daemon.pid_file()).unwrap_or_default();
            let ours = std::fs::read_to_string(format!("/proc/{}/cmdline", pid.trim())).unwrap_or_default();
            if ours.contains(daemon.pid_file().to_str().unwrap()) {
                run("kill", &["-9", pid.trim()]);
            }
        }
        if let Some(name) = &self.layout.netns {
            run("ip", &["netns", "del", name]);
        }
    }
}

const NAMESPACES: &str = "ovnd-test-";

/// Removes namespaces of earlier runs that were killed before they could clean up.
fn sweep_namespaces() {
    for line in run("ip", &["netns", "list"]).lines() {
        let name = line.split_whitespace().next().unwrap();
        let Some(rest) = name.strip_prefix(NAMESPACES) else { continue };
        let pid = rest.split('-').next().unwrap();
        if !Path::new("/proc").join(pid).exists() {
            // Another test may have swept it first.
            Command::new("ip").args(["netns", "del", name]).status().ok();
        }
    }
}

async fn wait_pid_other_than(health: &Supervisor, name: &str, old: i32) -> i32 {
    let mut health = health.health();
    let changed = health.wait_for(|all| matches!(all.get(name), Some(Health::Running { pid }) if *pid != old));
    match tokio::time::timeout_at(soon(), changed).await.unwrap().unwrap().get(name) {
        Some(Health::Running { pid }) => *pid,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn daemons_outlive_their_supervisor_and_the_next_one_adopts_them() {
    let host = Host::new();
    let daemons = || vec![host.layout.switch_database(), host.layout.northbound_database()];
    let first = Supervisor::start(daemons()).await;
    first.ready(soon()).await.unwrap();
    let before = first.health().borrow().clone();
    drop(first);

    let second = Supervisor::start(daemons()).await;
    second.ready(soon()).await.unwrap();
    assert_eq!(*second.health().borrow(), before);
    for daemon in daemons() {
        let pid = daemon.find().unwrap().unwrap().pid();
        let session = run("ps", &["-o", "sid=", "-p", &pid.to_string()]);
        assert_eq!(session, pid.to_string(), "{} has a session of its own", daemon.name());
    }
}

#[tokio::test]
async fn a_large_log_is_put_aside_while_its_daemon_runs_on() {
    let host = Host::new();
    let daemons = [host.layout.northbound_database(), host.layout.switch_database()];
    let supervisor = Supervisor::start(daemons.to_vec()).await;
    supervisor.ready(soon()).await.unwrap();
    for daemon in &daemons {
        let running = daemon.find().unwrap().unwrap();
        let before = std::fs::read_to_string(daemon.log_file()).unwrap();
        daemon.bound_log(&running, before.len() as u64).await.unwrap();
        assert_eq!(std::fs::read_to_string(daemon.log_file()).unwrap(), before, "it is not larger than it may be");
        daemon.bound_log(&running, 1).await.unwrap();
        assert!(running.lives());
        let aside = std::fs::read_to_string(daemon.log_file().with_extension("log.old")).unwrap();
        assert!(aside.starts_with(&before), "{aside}");
        let now = std::fs::read_to_string(daemon.log_file()).unwrap();
        assert!(now.len() < before.len(), "it goes on in another file: {now}");
    }
}

#[tokio::test]
async fn the_dead_are_started_again_at_once_and_keep_their_data() {
    let host = Host::new();
    let daemon = host.layout.northbound_database();
    let supervisor = Supervisor::start(vec![daemon.clone()]).await;
    let northbound = Northbound::connect(vec![host.layout.northbound_remote()]);
    northbound.ready(soon()).await.unwrap();
    let scope = [Scope::new("n/", 1, vec![DesiredRow::new(Table::LogicalSwitch, "n/1").set("name", "kept")])];
    northbound.apply(&scope).await.unwrap();

    let victim = daemon.find().unwrap().unwrap().pid();
    let died = Instant::now();
    run("kill", &["-9", &victim.to_string()]);
    wait_pid_other_than(&supervisor, daemon.name(), victim).await;
    assert!(died.elapsed() < Duration::from_secs(5), "{:?}", died.elapsed());
    let kept = northbound.client().wait_until("the row", soon(), |replica| replica.named("Logical_Switch", "kept").map(|_| ()));
    kept.await.unwrap();
    assert!(northbound.drift(&scope).unwrap().is_nothing());
}

#[tokio::test]
async fn a_reused_pid_is_not_taken_for_the_daemon() {
    let host = Host::new();
    let daemon = host.layout.switch_database();
    let real = daemon.ensure_running().await.unwrap();
    daemon.stop(soon()).await.unwrap();
    assert!(daemon.find().unwrap().is_none());
    assert!(!real.lives());

    // Another program, then the right program with other arguments, under the number in the pid file.
    let mut sleeper = Command::new("sleep").arg("60").spawn().unwrap();
    let other_host = Host::new();
    let other = other_host.layout.switch_database();
    let namesake = other.ensure_running().await.unwrap();
    for pid in [sleeper.id().to_string(), namesake.pid().to_string(), "1".to_owned(), "0".to_owned(), "rubbish".to_owned()] {
        std::fs::write(daemon.pid_file(), &pid).unwrap();
        assert!(daemon.find().unwrap().is_none(), "{pid}");
        daemon.stop(soon()).await.unwrap();
    }
    assert!(sleeper.try_wait().unwrap().is_none());
    assert!(namesake.lives());

    let again = daemon.ensure_running().await.unwrap();
    assert!(![sleeper.id() as i32, namesake.pid()].contains(&again.pid()));
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    other.stop(soon()).await.unwrap();
}

#[tokio::test]
async fn other_arguments_restart_and_the_same_do_not() {
    let host = Host::new();
    let first = host.layout.southbound_database(&[]).ensure_running().await.unwrap();
    let same = host.layout.southbound_database(&[]).ensure_running().await.unwrap();
    assert_eq!(first.pid(), same.pid());
    let tls = crate::ovsdb::TlsFiles {
        private_key: host.file("none.key"),
        certificate: host.file("none.crt"),
        ca_cert: host.file("none.ca"),
        peer_name: None,
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = Listen { address: [127, 0, 0, 1].into(), port, tls };
    let other = host.layout.southbound_database(&[listen]).ensure_running().await.unwrap();
    assert_ne!(first.pid(), other.pid());
    assert!(!first.lives());
}

/// A northbound database with a few transactions in it, and no server.
async fn used_database() -> (Host, Daemon) {
    let host = Host::new();
    let daemon = host.layout.northbound_database();
    daemon.ensure_running().await.unwrap();
    for name in ["first", "second", "third"] {
        run("ovn-nbctl", &[&format!("--db={}", host.layout.northbound_remote()), "ls-add", name]);
    }
    daemon.stop(soon()).await.unwrap();
    (host, daemon)
}

#[tokio::test]
async fn a_damaged_database_is_named_and_left_as_it_is() {
    let (host, daemon) = used_database().await;
    let path = host.file("nb.db");
    let sound = std::fs::read(&path).unwrap();
    let place = sound.windows(6).position(|window| window == b"second").unwrap();
    let mut flipped = sound.clone();
    flipped[place] = b'S';
    let mut cut = sound.clone();
    cut.drain(place - 40..place);
    for (what, damaged) in [("flipped", flipped), ("cut", cut), ("foreign", b"hello\n".to_vec()), ("empty", Vec::new())] {
        std::fs::write(&path, &damaged).unwrap();
        let refused = daemon.ensure_running().await.unwrap_err();
        assert!(matches!(refused, Error::DamagedDatabase { .. }), "{what}: {refused}");
        assert!(refused.to_string().contains("nb.db"), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), damaged, "{what}");
        assert!(daemon.find().unwrap().is_none());
    }
}

#[tokio::test]
async fn a_torn_last_record_does_not_keep_the_database_from_serving() {
    let (host, daemon) = used_database().await;
    let path = host.file("nb.db");
    let sound = std::fs::read(&path).unwrap();
    let mut zeroed = sound.clone();
    let length = zeroed.len();
    zeroed[length - 30..].fill(0);
    for torn in [sound[..length - 10].to_vec(), zeroed, [&sound[..], &b"OVSDB JS"[..]].concat()] {
        std::fs::write(&path, &torn).unwrap();
        daemon.ensure_running().await.unwrap();
        let listed = run("ovn-nbctl", &[&format!("--db={}", host.layout.northbound_remote()), "ls-list"]);
        assert!(listed.contains("first") && listed.contains("second"), "{listed}");
        daemon.stop(soon()).await.unwrap();
    }
}

#[tokio::test]
async fn an_old_database_is_upgraded_and_a_newer_one_is_left_alone() {
    for (version, upgraded) in [("6.0.0", true), ("99.0.0", false)] {
        let host = Host::new();
        let daemon = host.layout.northbound_database();
        let schema = std::fs::read_to_string(crate::testing::NORTHBOUND).unwrap();
        let mut schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
        let installed = schema["version"].as_str().unwrap().to_owned();
        schema["version"] = version.into();
        std::fs::create_dir_all(&host.layout.db).unwrap();
        let other = host.file("other.ovsschema");
        std::fs::write(&other, schema.to_string()).unwrap();
        run("ovsdb-tool", &["create", host.file("nb.db").to_str().unwrap(), other.to_str().unwrap()]);

        daemon.ensure_running().await.unwrap();
        daemon.stop(soon()).await.unwrap();
        let now = run("ovsdb-tool", &["db-version", host.file("nb.db").to_str().unwrap()]);
        assert_eq!(now, if upgraded { installed.as_str() } else { version });
        assert_eq!(host.file(&format!("nb.db.before-{installed}")).exists(), upgraded);
    }
}

#[tokio::test]
async fn a_whole_host_starts_and_plugs_a_port() {
    let host = Host::in_namespace();
    let supervisor = Supervisor::start(host.all()).await;
    supervisor.ready(soon()).await.unwrap();

    let vswitch = Vswitch::connect(host.layout.switch_remote());
    let northbound = Northbound::connect(vec![host.layout.northbound_remote()]);
    let southbound = Southbound::connect(vec![host.layout.southbound_remote()]);
    vswitch.ready(soon()).await.unwrap();
    northbound.ready(soon()).await.unwrap();
    southbound.ready(soon()).await.unwrap();

    let settings = ChassisSettings {
        system_id: "chassis-1".to_owned(),
        hostname: "host-1".to_owned(),
        remote: host.layout.southbound_remote().to_string(),
        encap_ip: "127.0.0.1".to_owned(),
        datapath: Datapath::Userspace,
        bridge_mappings: [("physnet1".to_owned(), "br-ex".to_owned())].into(),
        monitor: Monitor::All,
    };
    vswitch.ensure_bridge(&Bridge::new("br-int", Datapath::Userspace, FailMode::Secure)).await.unwrap();
    vswitch.ensure_chassis(&settings).await.unwrap();
    let chassis = southbound.wait_chassis("chassis-1", soon()).await.unwrap();
    assert_eq!((chassis.hostname.as_str(), chassis.encaps[0].kind.as_str()), ("host-1", "geneve"));
    assert_eq!(chassis.bridge_mappings, settings.bridge_mappings);

    let switch = DesiredRow::new(Table::LogicalSwitch, "network/1/switch").set("name", "network-1");
    let port = DesiredRow::new(Table::LogicalSwitchPort, "network/1/port/1")
        .set("name", "port-1")
        .set("addresses", Datum::set(["fa:16:3e:00:00:05 10.0.0.5"]))
        .member_of(Table::LogicalSwitch, "network/1/switch");
    northbound.apply(&[Scope::new("network/1/", 1, vec![switch, port])]).await.unwrap();
    let tap = Port { kind: PortKind::Internal, ..Port::of_machine("tap1", "port-1", "fa:16:3e:00:00:05", "vm-1") };
    vswitch.ensure_port("br-int", &tap).await.unwrap();
    vswitch.attached("tap1", soon()).await.unwrap();
    vswitch.installed("tap1", soon()).await.unwrap();
    let bound = southbound.wait_bound("port-1", soon()).await.unwrap();
    assert_eq!(bound.chassis.as_deref(), Some("chassis-1"));
    northbound.wait_port("port-1", true, soon()).await.unwrap();
    northbound.wait_hypervisors(soon()).await.unwrap();
    // Its own answer reaches our copy of the southbound database a moment after it reached northd's.
    let deadline = soon();
    while southbound.chassis().unwrap()[0].behind != 0 {
        assert!(tokio::time::Instant::now() < deadline, "the chassis has answered");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    // A restart of ovn-controller keeps the chassis, and so the port; its retirement takes both away.
    let controller = host.layout.controller(None);
    drop(supervisor);
    controller.stop(soon()).await.unwrap();
    assert_eq!(southbound.chassis().unwrap().len(), 1);
    controller.ensure_running().await.unwrap();
    northbound.wait_hypervisors(soon()).await.unwrap();
    controller.retire(soon()).await.unwrap();
    let gone = southbound
        .client()
        .wait_until("the end of the chassis", soon(), |replica| replica.singleton("Chassis").is_none().then_some(()));
    gone.await.unwrap();
    northbound.wait_port("port-1", false, soon()).await.unwrap();
}

/// What a host says to the southbound database with this certificate; what it is told, if it is refused.
fn say(host: &Host, tls: &crate::ovsdb::TlsFiles, words: &[&str]) -> Result<String, String> {
    let options = [("-p", &tls.private_key), ("-c", &tls.certificate), ("-C", &tls.ca_cert)];
    let mut command = Command::new("ip");
    command.args(["netns", "exec", host.layout.netns.as_deref().unwrap(), "ovn-sbctl", "--no-leader-only", "--timeout=10"]);
    command.arg("--db=ssl:127.0.0.1:6642");
    for (option, file) in options {
        command.arg(option).arg(file);
    }
    let done = command.args(words).output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
}

#[tokio::test]
async fn a_chassis_changes_its_own_rows_and_no_others() {
    let host = Host::in_namespace();
    let known = authority();
    let dir = host.layout.db.parent().unwrap().to_owned();
    let (server, a) = (issue(&dir, "controller", &known), issue(&dir, "chassis-a", &known));
    let listen = [Listen { address: [127, 0, 0, 1].into(), port: 6642, tls: server }];
    let mut daemons = host.layout.central(&listen);
    daemons.extend(host.layout.host(Some(&a)));
    let supervisor = Supervisor::start(daemons).await;
    supervisor.ready(soon()).await.unwrap();
    for _ in 0..2 {
        admit_hosts(host.layout.southbound_remote(), &listen, soon()).await.unwrap();
    }

    // What a chassis does day by day, it does: it announces itself, binds a port, says that it is up, and keeps up.
    let vswitch = Vswitch::connect(host.layout.switch_remote());
    let northbound = Northbound::connect(vec![host.layout.northbound_remote()]);
    let southbound = Southbound::connect(vec![host.layout.southbound_remote()]);
    vswitch.ready(soon()).await.unwrap();
    northbound.ready(soon()).await.unwrap();
    southbound.ready(soon()).await.unwrap();
    let settings = ChassisSettings {
        system_id: "chassis-a".to_owned(),
        hostname: "host-a".to_owned(),
        remote: "ssl:127.0.0.1:6642".to_owned(),
        encap_ip: "127.0.0.1".to_owned(),
        datapath: Datapath::Userspace,
        bridge_mappings: Default::default(),
        monitor: Monitor::All,
    };
    vswitch.ensure_bridge(&Bridge::new("br-int", Datapath::Userspace, FailMode::Secure)).await.unwrap();
    vswitch.ensure_chassis(&settings).await.unwrap();
    southbound.wait_chassis("chassis-a", soon()).await.unwrap();
    let switch = DesiredRow::new(Table::LogicalSwitch, "network/1/switch").set("name", "network-1");
    let port = |name: &str, mac: &str| {
        DesiredRow::new(Table::LogicalSwitchPort, format!("network/1/{name}"))
            .set("name", name)
            .set("addresses", Datum::set([format!("{mac} 10.0.0.5")]))
            .member_of(Table::LogicalSwitch, "network/1/switch")
    };
    let rows = vec![switch, port("port-a", "fa:16:3e:00:00:0a"), port("port-b", "fa:16:3e:00:00:0b")];
    northbound.apply(&[Scope::new("network/1/", 1, rows)]).await.unwrap();
    let tap = Port { kind: PortKind::Internal, ..Port::of_machine("tapa", "port-a", "fa:16:3e:00:00:0a", "vm-a") };
    vswitch.ensure_port("br-int", &tap).await.unwrap();
    vswitch.installed("tapa", soon()).await.unwrap();
    southbound.wait_bound("port-a", soon()).await.unwrap();
    northbound.wait_port("port-a", true, soon()).await.unwrap();

    // Another host, made on the database's own socket.
    let root = |words: &[&str]| {
        let db = format!("--db={}", host.layout.southbound_remote());
        run("ovn-sbctl", &[&[db.as_str(), "--no-leader-only"], words].concat())
    };
    root(&["chassis-add", "chassis-b", "geneve", "192.0.2.2"]);
    root(&["lsp-bind", "port-b", "chassis-b"]);
    southbound.wait_chassis("chassis-b", soon()).await.unwrap();
    let encap_b = root(&["--bare", "--columns=_uuid", "find", "Encap", "chassis_name=chassis-b"]);
    let binding_b = root(&["--bare", "--columns=_uuid", "find", "Port_Binding", "logical_port=port-b"]);
    let flow = root(&["--bare", "--columns=_uuid", "list", "Logical_Flow"]).lines().next().unwrap().to_owned();
    let permission = root(&["--bare", "--columns=_uuid", "find", "RBAC_Permission", "table=Chassis"]);

    assert_eq!(say(&host, &a, &["get", "Chassis", "chassis-b", "name"]).as_deref(), Ok("chassis-b"), "all may be read");
    say(&host, &a, &["set", "Chassis", "chassis-a", "external_ids:note=mine"]).unwrap();
    let refused: [&[&str]; 10] = [
        &["set", "Chassis", "chassis-b", "external_ids:note=theirs"],
        &["set", "Chassis", "chassis-a", "name=chassis-b"],
        &["chassis-del", "chassis-b"],
        &["set", "Encap", &encap_b, "ip=127.0.0.1"],
        &["destroy", "Port_Binding", &binding_b],
        &["set", "Port_Binding", &binding_b, "mac=\"fa:16:3e:00:00:0a 10.0.0.5\""],
        &["set", "Port_Binding", &binding_b, "logical_port=port-a"],
        &["destroy", "Logical_Flow", &flow],
        &["set", "RBAC_Permission", &permission, "authorization=\"\""],
        &["set-connection", "ptcp:6643:127.0.0.1"],
    ];
    for words in refused {
        let said = say(&host, &a, words).expect_err(&words.join(" "));
        assert!(said.contains("permission error"), "{words:?}: {said}");
    }
    assert_eq!(root(&["--bare", "--columns=ip", "find", "Encap", "chassis_name=chassis-b"]), "192.0.2.2");
    assert_eq!(root(&["get", "Chassis", "chassis-b", "external_ids"]), "{}");

    // Somebody with no certificate of ours, or no name of a chassis, does not even get so far.
    let stranger = issue(&dir, "stranger", &authority());
    assert!(say(&host, &stranger, &["--timeout=2", "get", "Chassis", "chassis-b", "name"]).is_err());
    let nobody = issue(&dir, "nobody", &known);
    assert!(say(&host, &nobody, &["set", "Chassis", "chassis-b", "external_ids:note=theirs"]).is_err());
    // Where hosts are admitted is exact: nothing listens any more.
    admit_hosts(host.layout.southbound_remote(), &[], soon()).await.unwrap();
    assert_eq!(root(&["--bare", "--columns=target", "list", "Connection"]), "");
}
