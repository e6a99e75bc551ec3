// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use super::*;
use crate::testing::{Server, VSWITCH, run, soon};

async fn connected(server: &Server) -> Vswitch {
    let vswitch = Vswitch::connect(server.remote());
    vswitch.ready(soon()).await.unwrap();
    vswitch
}

fn vsctl(server: &Server, arguments: &[&str]) -> String {
    let db = format!("--db={}", server.address());
    let arguments: Vec<&str> = [db.as_str(), "--no-wait"].iter().chain(arguments).copied().collect();
    run("ovs-vsctl", &arguments)
}

/// How many transactions the database file has seen.
fn records(server: &Server) -> usize {
    std::fs::read_to_string(server.path("test.db")).unwrap().matches("OVSDB JSON").count()
}

fn integration() -> Bridge {
    Bridge::new("br-int", Datapath::Userspace, FailMode::Secure)
}

fn tap(name: &str) -> Port {
    Port::of_machine(name, "port-1", "fa:16:3e:00:00:05", "vm-1")
}

#[tokio::test]
async fn bridges_and_ports_are_ensured_once_and_released_quietly() {
    let server = Server::start(VSWITCH);
    let vswitch = connected(&server).await;
    let cable = |peer: &str| Port::new(format!("to-{peer}"), PortKind::Patch { peer: format!("from-{peer}") });
    let access = Port { tag: Some(100), mtu: Some(1442), ..Port::new("eth9", PortKind::Device) };
    let ensure = async || {
        vswitch.ensure_bridge(&integration()).await.unwrap();
        vswitch.ensure_bridge(&Bridge::new("br-ex", Datapath::Userspace, FailMode::Standalone)).await.unwrap();
        vswitch.ensure_port("br-int", &tap("tap1")).await.unwrap();
        vswitch.ensure_port("br-int", &cable("br-ex")).await.unwrap();
        vswitch.ensure_port("br-ex", &access).await.unwrap();
    };
    ensure().await;
    let written = records(&server);
    ensure().await;
    assert_eq!(records(&server), written);

    assert_eq!(vsctl(&server, &["list-ports", "br-int"]), "tap1\nto-br-ex");
    assert_eq!(vsctl(&server, &["get", "bridge", "br-int", "datapath_type", "fail_mode"]), "netdev\nsecure");
    assert_eq!(vsctl(&server, &["get", "interface", "tap1", "external_ids:iface-id"]), "port-1");
    assert_eq!(vsctl(&server, &["get", "interface", "to-br-ex", "type", "options:peer"]), "patch\nfrom-br-ex");
    assert_eq!(vsctl(&server, &["get", "port", "eth9", "tag"]), "100");
    assert_eq!(vsctl(&server, &["get", "interface", "eth9", "mtu_request"]), "1442");
    let listed = vswitch.ports().unwrap();
    let found = listed.iter().find(|port| port.name == "tap1").unwrap();
    assert_eq!((found.bridge.as_str(), found.external_ids["vm-id"].as_str()), ("br-int", "vm-1"));

    for _ in 0..2 {
        vswitch.release_port("tap1").await.unwrap();
        vswitch.release_bridge("br-ex").await.unwrap();
    }
    assert_eq!(vsctl(&server, &["list-br"]), "br-int");
    assert_eq!(vsctl(&server, &["list-ports", "br-int"]), "to-br-ex");
    assert!(!vsctl(&server, &["--bare", "--columns=name", "list", "interface"]).contains("tap1"));
}

#[tokio::test]
async fn a_port_that_differs_is_corrected_and_keeps_what_others_wrote() {
    let server = Server::start(VSWITCH);
    let vswitch = connected(&server).await;
    vswitch.ensure_bridge(&integration()).await.unwrap();
    vswitch.ensure_bridge(&Bridge::new("br-other", Datapath::Userspace, FailMode::Secure)).await.unwrap();
    vswitch.ensure_port("br-other", &tap("tap1")).await.unwrap();
    vsctl(&server, &["set", "interface", "tap1", "external_ids:ovn-installed=true", "external_ids:note=theirs"]);
    vswitch.installed("tap1", soon()).await.unwrap();

    let renamed = tap("tap1").external_id("iface-id", "port-2");
    vswitch.ensure_port("br-int", &renamed).await.unwrap();
    assert_eq!(vsctl(&server, &["list-ports", "br-int"]), "tap1");
    assert_eq!(vsctl(&server, &["list-ports", "br-other"]), "");
    let ids = vsctl(&server, &["get", "interface", "tap1", "external_ids"]);
    assert!(ids.contains("iface-id=port-2") && ids.contains("note=theirs"), "{ids}");
    // The flows of port-1 say nothing of port-2.
    let deadline = tokio::time::Instant::now() + Duration::from_millis(200);
    assert!(matches!(vswitch.installed("tap1", deadline).await, Err(Error::DeadlinePassed { .. })));
}

#[tokio::test]
async fn settings_of_the_chassis_stand_beside_those_of_others() {
    let server = Server::start(VSWITCH);
    let vswitch = connected(&server).await;
    let mut settings = ChassisSettings {
        system_id: "chassis-1".to_owned(),
        hostname: "host-1".to_owned(),
        remote: "ssl:10.0.0.1:6642".to_owned(),
        encap_ip: "10.0.0.2".to_owned(),
        datapath: Datapath::Kernel,
        bridge_mappings: [("lan".to_owned(), "br-ex".to_owned()), ("wan".to_owned(), "br-wan".to_owned())].into(),
        monitor: Monitor::WhatConcernsUs,
    };
    vswitch.ensure_chassis(&settings).await.unwrap();
    vsctl(&server, &["set", "open_vswitch", ".", "external_ids:rundir=/x"]);
    settings.encap_ip = "10.0.0.3".to_owned();
    vswitch.ensure_chassis(&settings).await.unwrap();
    let get = |key: &str| vsctl(&server, &["get", "open_vswitch", ".", &format!("external_ids:{key}")]);
    assert_eq!(get("ovn-encap-ip"), "\"10.0.0.3\"");
    assert_eq!(get("ovn-bridge-mappings"), "\"lan:br-ex,wan:br-wan\"");
    assert_eq!(get("ovn-bridge-datapath-type"), "system");
    assert_eq!(get("rundir"), "\"/x\"");
    vswitch.release_external_ids(&["rundir", "absent"]).await.unwrap();
    assert!(!vsctl(&server, &["get", "open_vswitch", ".", "external_ids"]).contains("rundir"));

    settings.bridge_mappings = [("lan,wan".to_owned(), "br-ex".to_owned())].into();
    assert!(matches!(vswitch.ensure_chassis(&settings).await, Err(Error::Malformed { .. })));
}

#[tokio::test]
async fn many_at_once_do_not_hinder_each_other() {
    let server = Server::start(VSWITCH);
    let (one, two) = (connected(&server).await, connected(&server).await);
    let work = (0..40).map(|number| {
        let vswitch = if number % 2 == 0 { one.clone() } else { two.clone() };
        tokio::spawn(async move {
            vswitch.ensure_bridge(&integration()).await?;
            // Each port is ensured twice, by different connections.
            vswitch.ensure_port("br-int", &tap(&format!("tap{}", number / 2))).await
        })
    });
    for done in work.collect::<Vec<_>>() {
        done.await.unwrap().unwrap();
    }
    assert_eq!(vsctl(&server, &["list-ports", "br-int"]).lines().count(), 20);
}

#[tokio::test]
async fn what_is_missing_or_late_is_named() {
    let server = Server::start(VSWITCH);
    let vswitch = connected(&server).await;
    let missing = vswitch.ensure_port("br-int", &tap("tap1")).await.unwrap_err();
    assert_eq!(missing.to_string(), "there is no bridge named br-int in the local Open vSwitch");

    vswitch.ensure_bridge(&integration()).await.unwrap();
    vswitch.ensure_port("br-int", &tap("tap1")).await.unwrap();
    vsctl(&server, &["set", "interface", "tap1", "ofport=-1", "error=\"no such device\""]);
    let deadline = tokio::time::Instant::now() + Duration::from_millis(300);
    let late = vswitch.attached("tap1", deadline).await.unwrap_err();
    assert!(late.to_string().contains("no such device"), "{late}");
    vsctl(&server, &["set", "interface", "tap1", "ofport=7"]);
    assert_eq!(vswitch.attached("tap1", soon()).await.unwrap(), 7);
}
