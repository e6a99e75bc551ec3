// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::testing::{NORTHBOUND, Server, soon};

async fn connected(server: &Server) -> Northbound {
    let northbound = Northbound::connect(vec![server.remote()]);
    northbound.ready(soon()).await.unwrap();
    northbound
}

fn switch() -> DesiredRow {
    DesiredRow::new(Table::LogicalSwitch, "network/1/switch").set("name", "network-1")
}

fn dhcp() -> DesiredRow {
    DesiredRow::new(Table::DhcpOptions, "network/1/dhcp")
        .set("cidr", "10.0.0.0/24")
        .set("options", Datum::map([("lease_time", "3600"), ("router", "10.0.0.1")]))
}

fn port(number: u32) -> DesiredRow {
    DesiredRow::new(Table::LogicalSwitchPort, format!("network/1/port/{number}"))
        .set("name", format!("port-{number}"))
        .set("addresses", Datum::set([format!("fa:16:3e:00:00:{number:02x} 10.0.0.{number}")]))
        .refer("dhcpv4_options", Table::DhcpOptions, "network/1/dhcp")
        .member_of(Table::LogicalSwitch, "network/1/switch")
}

fn network(generation: u64, rows: Vec<DesiredRow>) -> [Scope; 1] {
    [Scope::new("network/1/", generation, rows)]
}

#[tokio::test]
async fn applying_twice_does_nothing_the_second_time() {
    let server = Server::start(NORTHBOUND);
    let northbound = connected(&server).await;
    let group = DesiredRow::new(Table::PortGroup, "group/1/group").set("name", "pg_1");
    let rule = DesiredRow::new(Table::Acl, "group/1/rule/1")
        .set("priority", 1002)
        .set("direction", "to-lport")
        .set("match", "outport == @pg_1 && ip4")
        .set("action", "allow-related")
        .member_of(Table::PortGroup, "group/1/group");
    let router = DesiredRow::new(Table::LogicalRouter, "router/1/router").set("name", "router-1");
    let gateway = DesiredRow::new(Table::LogicalRouterPort, "router/1/port/1")
        .set("name", "lrp-1")
        .set("mac", "fa:16:3e:00:01:01")
        .set("networks", Datum::set(["172.24.4.10/24"]))
        .member_of(Table::LogicalRouter, "router/1/router");
    let chassis = DesiredRow::new(Table::GatewayChassis, "router/1/port/1/chassis/a")
        .set("name", "lrp-1_a")
        .set("chassis_name", "a")
        .set("priority", 2)
        .member_of(Table::LogicalRouterPort, "router/1/port/1");
    let nat = DesiredRow::new(Table::Nat, "router/1/nat/1")
        .set("type", "snat")
        .set("external_ip", "172.24.4.10")
        .set("logical_ip", "10.0.0.0/24")
        .refer("gateway_port", Table::LogicalRouterPort, "router/1/port/1")
        .member_of(Table::LogicalRouter, "router/1/router");
    let route = DesiredRow::new(Table::LogicalRouterStaticRoute, "router/1/route/1")
        .set("ip_prefix", "0.0.0.0/0")
        .set("nexthop", "172.24.4.1")
        .member_of(Table::LogicalRouter, "router/1/router");
    let names = DesiredRow::new(Table::Dns, "network/1/dns")
        .set("records", Datum::map([("a.example", "10.0.0.5")]))
        .member_of(Table::LogicalSwitch, "network/1/switch");
    let set =
        DesiredRow::new(Table::AddressSet, "group/1/addresses").set("name", "as_1").set("addresses", Datum::set(["10.0.0.5"]));
    let plugged = port(5).member_of(Table::PortGroup, "group/1/group");
    let scopes = [
        Scope::new("network/1/", 1, vec![switch(), dhcp(), plugged, names]),
        Scope::new("group/1/", 1, vec![group, rule, set]),
        Scope::new("router/1/", 1, vec![router, gateway, chassis, nat, route]),
    ];
    let first = northbound.apply(&scopes).await.unwrap();
    assert_eq!((first.inserted, first.updated, first.deleted), (12, 0, 0));
    assert!(northbound.apply(&scopes).await.unwrap().is_nothing());

    // OVN's own tool agrees with what we meant.
    assert_eq!(server.nbctl(&["lsp-list", "network-1"]).lines().count(), 1);
    assert!(server.nbctl(&["acl-list", "pg_1"]).contains("allow-related"));
    assert!(server.nbctl(&["lr-nat-list", "router-1"]).contains("172.24.4.10"));
    assert!(server.nbctl(&["lr-route-list", "router-1"]).contains("172.24.4.1"));
    assert!(server.nbctl(&["lrp-get-gateway-chassis", "lrp-1"]).contains("lrp-1_a"));
    assert_eq!(server.nbctl(&["--bare", "--columns=cidr", "find", "dhcp_options"]), "10.0.0.0/24");
    assert!(!server.nbctl(&["get", "port_group", "pg_1", "ports"]).contains("[]"));

    // Somebody who connects later sees the same, and finds what is ours.
    let later = connected(&server).await;
    assert!(later.drift(&scopes).unwrap().is_nothing());
    assert_eq!(later.owned().unwrap().len(), 12);
    assert_eq!(later.owned_under("router/1/").unwrap().len(), 5);
    assert!(!later.ports().unwrap()[0].up);
}

#[tokio::test]
async fn only_what_differs_is_written() {
    let server = Server::start(NORTHBOUND);
    let northbound = connected(&server).await;
    let rows = |renamed: &str| vec![switch(), dhcp(), port(5).set("options", Datum::map([("hostname", renamed)])), port(6)];
    northbound.apply(&network(1, rows("a"))).await.unwrap();
    let changed = northbound.apply(&network(1, rows("b"))).await.unwrap();
    assert_eq!(changed, Applied { updated: 1, ..Applied::default() });
    // A newer generation of the same content marks the anchor, and nothing else.
    let newer = northbound.apply(&network(2, rows("b"))).await.unwrap();
    assert_eq!(newer, Applied { updated: 1, ..Applied::default() });
    // A column that is no longer stated returns to its default; what ovn-northd wrote stays.
    server.nbctl(&["set", "logical_switch_port", "port-5", "up=true"]);
    northbound.wait_port("port-5", true, soon()).await.unwrap();
    northbound.apply(&network(2, vec![switch(), dhcp(), port(5), port(6)])).await.unwrap();
    assert_eq!(server.nbctl(&["get", "logical_switch_port", "port-5", "options"]), "{}");
    assert_eq!(server.nbctl(&["get", "logical_switch_port", "port-5", "up"]), "true");
}

#[tokio::test]
async fn what_is_not_desired_goes_and_what_is_not_ours_stays() {
    let server = Server::start(NORTHBOUND);
    let northbound = connected(&server).await;
    northbound.apply(&network(1, vec![switch(), dhcp(), port(5), port(6)])).await.unwrap();
    let other =
        Scope::new("network/10/", 1, vec![DesiredRow::new(Table::LogicalSwitch, "network/10/switch").set("name", "network-10")]);
    northbound.apply(&[other]).await.unwrap();
    server.nbctl(&["lsp-add", "network-1", "foreign"]);

    let fewer = northbound.apply(&network(2, vec![switch(), port(6).set("name", "renamed"), dhcp()])).await.unwrap();
    assert_eq!((fewer.inserted, fewer.deleted, fewer.relinked), (0, 1, 1));
    let listed = server.nbctl(&["lsp-list", "network-1"]);
    assert!(listed.contains("foreign") && listed.contains("renamed") && !listed.contains("port-5"), "{listed}");

    let gone = northbound.apply(&network(3, Vec::new())).await.unwrap();
    assert_eq!(gone.deleted, 3);
    assert_eq!(northbound.owned().unwrap().len(), 1);
    assert!(server.nbctl(&["ls-list"]).contains("network-10"));
}

#[tokio::test]
async fn damage_done_by_others_is_drift_and_is_repaired() {
    let server = Server::start(NORTHBOUND);
    let northbound = connected(&server).await;
    let scopes = network(1, vec![switch(), dhcp(), port(5), port(6)]);
    northbound.apply(&scopes).await.unwrap();
    server.nbctl(&["lsp-del", "port-5"]);
    server.nbctl(&["lsp-set-addresses", "port-6", "unknown"]);
    server.nbctl(&["clear", "logical_switch", "network-1", "external_ids"]);
    let drifted = northbound.client().wait_until("the damage", soon(), |_| {
        let drift = northbound.drift(&scopes).unwrap();
        (drift.inserted == 1 && drift.updated == 2).then_some(())
    });
    drifted.await.unwrap();
    northbound.apply(&scopes).await.unwrap();
    assert!(northbound.apply(&scopes).await.unwrap().is_nothing());
    assert_eq!(server.nbctl(&["lsp-list", "network-1"]).lines().count(), 2);
}

#[tokio::test]
async fn an_older_generation_never_overwrites_a_newer_one() {
    let server = Server::start(NORTHBOUND);
    let (old, new) = (connected(&server).await, connected(&server).await);
    new.apply(&network(7, vec![switch(), dhcp(), port(5)])).await.unwrap();
    let seen = old.client().wait_until("generation 7", soon(), |replica| replica.keyed_under("network/1/").next().map(|_| ()));
    seen.await.unwrap();
    let stale = old.apply(&network(6, vec![switch()])).await.unwrap_err();
    assert!(matches!(stale, Error::Stale { ours: 6, theirs: 7, .. }), "{stale}");
}

#[tokio::test]
async fn a_plan_that_was_overtaken_has_no_effect() {
    let server = Server::start(NORTHBOUND);
    let (old, new) = (connected(&server).await, connected(&server).await);
    let group = || DesiredRow::new(Table::PortGroup, "network/1/group").set("name", "pg_1");
    // From what, to what does the older writer want to go, while the newer one only renames the switch?
    for (round, (before, after)) in [
        (vec![], vec![switch()]),
        (vec![switch(), dhcp(), port(5)], vec![switch(), dhcp(), port(5).set("type", "localport")]),
        (vec![switch(), dhcp(), port(5)], vec![switch(), dhcp()]),
        (vec![switch(), dhcp()], vec![switch(), dhcp(), port(5).member_of(Table::PortGroup, "network/1/group"), group()]),
        (vec![switch(), dhcp()], vec![]),
    ]
    .into_iter()
    .enumerate()
    {
        let generation = 10 * round as u64 + 10;
        new.apply(&network(generation, before.clone())).await.unwrap();
        let known = old.client().wait_until("the start", soon(), |_| {
            old.drift(&network(generation, before.clone())).unwrap().is_nothing().then_some(())
        });
        known.await.unwrap();
        let older = network(generation + 1, after);
        let plan = old.client().read(|replica| plan::plan(replica, &older)).unwrap();
        assert!(!plan.applied.is_nothing());

        let renamed = switch().set("other_config", Datum::map([("generation", "newer")]));
        let newer = network(generation + 2, [vec![renamed], before.into_iter().skip(1).collect()].concat());
        new.apply(&newer).await.unwrap();
        let overtaken = old.client().transact(&plan.transaction).await.unwrap_err();
        assert!(overtaken.is_lost_race(), "round {round}: {overtaken}");
        assert!(new.drift(&newer).unwrap().is_nothing(), "round {round}");
        let stale = old.apply(&older).await.unwrap_err();
        assert!(matches!(stale, Error::Stale { .. }), "round {round}: {stale}");
        new.apply(&network(generation + 3, Vec::new())).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_highest_generation_that_was_written_stays() {
    let server = Server::start(NORTHBOUND);
    let (one, two) = (connected(&server).await, connected(&server).await);
    for round in 0..10 {
        let writers = (1..=6).map(|step| {
            let (northbound, generation) = (if step % 2 == 0 { one.clone() } else { two.clone() }, round * 10 + step);
            let label = Datum::map([("generation", generation.to_string())]);
            let rows = vec![switch().set("other_config", label.clone()), dhcp(), port(5).set("options", label)];
            tokio::spawn(async move { northbound.apply(&network(generation, rows)).await.map(|_| generation) })
        });
        let mut highest = 0;
        for writer in writers.collect::<Vec<_>>() {
            match writer.await.unwrap() {
                Ok(generation) => highest = highest.max(generation),
                Err(Error::Stale { .. } | Error::Contended { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        let wanted = format!("{{generation=\"{highest}\"}}");
        assert_eq!(server.nbctl(&["get", "logical_switch", "network-1", "other_config"]), wanted);
        assert_eq!(server.nbctl(&["get", "logical_switch_port", "port-5", "options"]), wanted);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_name() {
    let server = Server::start(NORTHBOUND);
    let northbound = connected(&server).await;
    let orphan = northbound.apply(&network(1, vec![port(5)])).await.unwrap_err();
    assert!(matches!(&orphan, Error::MissingRow { .. }), "{orphan}");
    for (rows, said) in [
        (vec![switch(), switch()], "desired twice"),
        (vec![DesiredRow::new(Table::LogicalSwitch, "router/1/x")], "not under"),
        (vec![switch().set("colour", "red")], "no column colour"),
        (vec![switch().set("ports", "x")], "not stated directly"),
        (vec![DesiredRow::new(Table::Acl, "network/1/acl")], "only as members"),
        (vec![switch(), dhcp().member_of(Table::LogicalSwitch, "network/1/switch")], "cannot be a member"),
    ] {
        let refused = northbound.apply(&network(1, rows)).await.unwrap_err().to_string();
        assert!(refused.contains(said), "{said}: {refused}");
    }
    assert!(northbound.owned().unwrap().is_empty());
}

#[tokio::test]
async fn settings_are_ensured_beside_those_of_others() {
    let server = Server::start(NORTHBOUND);
    let northbound = connected(&server).await;
    let ours = BTreeMap::from([("bfd-mult".to_owned(), "3".to_owned())]);
    northbound.ensure_options(&ours).await.unwrap();
    server.nbctl(&["set", "nb_global", ".", "options:other=1", "options:bfd-mult=5"]);
    northbound
        .client()
        .wait_until("the change", soon(), |replica| {
            (replica.singleton("NB_Global")?.1.entry("options", "bfd-mult") == Some("5")).then_some(())
        })
        .await
        .unwrap();
    northbound.ensure_options(&ours).await.unwrap();
    assert_eq!(server.nbctl(&["get", "nb_global", ".", "options:bfd-mult"]), "\"3\"");
    assert_eq!(server.nbctl(&["get", "nb_global", ".", "options:other"]), "\"1\"");
}

#[tokio::test]
async fn a_lead_that_is_over_writes_nothing() {
    let server = Server::start(NORTHBOUND);
    let asleep = connected(&server).await;
    let first = asleep.led(1);
    first.ensure_options(&BTreeMap::from([("a".to_owned(), "1".to_owned())])).await.unwrap();
    first.apply(&network(1, vec![switch()])).await.unwrap();

    // The next lead deletes what the first one made, and so leaves no generation of its rows behind.
    let next = connected(&server).await.led(2);
    next.apply(&network(2, vec![])).await.unwrap();
    let is_led = |error: Error| matches!(error, Error::Led { ours: 1, theirs: 2 });
    assert!(is_led(first.apply(&network(1, vec![switch()])).await.unwrap_err()));
    assert!(is_led(first.ensure_options(&BTreeMap::from([("a".to_owned(), "2".to_owned())])).await.unwrap_err()));
    assert!(is_led(first.ask_hypervisors().await.unwrap_err()));
    assert_eq!(next.owned().unwrap(), []);
    next.apply(&network(3, vec![switch()])).await.unwrap();
    assert_eq!(next.owned().unwrap().len(), 1);
}

#[tokio::test]
async fn a_write_that_was_planned_before_the_next_lead_has_no_effect() {
    let server = Server::start(NORTHBOUND);
    let northbound = connected(&server).await;
    northbound.led(1).apply(&network(1, vec![switch()])).await.unwrap();
    let planned = northbound.client.read(|replica| {
        let mut plan = plan::plan(replica, &network(2, vec![switch(), dhcp()])).unwrap();
        northbound.led(1).fence(replica, &mut plan.transaction).unwrap();
        plan.transaction
    });
    // It says so in the database even where it has nothing to change.
    connected(&server).await.led(2).apply(&network(1, vec![switch()])).await.unwrap();
    assert!(northbound.client.transact(&planned).await.unwrap_err().is_lost_race());
    assert_eq!(northbound.owned().unwrap().len(), 1);
}

#[tokio::test]
async fn those_who_write_at_once_share_transactions_and_what_one_is_refused_for_is_no_matter_of_the_others() {
    let server = Server::start(NORTHBOUND);
    let northbound = connected(&server).await;
    northbound.apply(&network(1, vec![switch(), dhcp()])).await.unwrap();
    let changes = northbound.client().changes();
    let before = *changes.borrow();
    let alone = |number: u32| {
        let mut port = port(number);
        port.key = format!("port/{number}/lsp");
        [Scope::new(format!("port/{number}/"), 1, vec![port])]
    };
    let mut writers = tokio::task::JoinSet::new();
    for number in 1..=40 {
        let northbound = northbound.clone();
        writers.spawn(async move { northbound.apply(&alone(number)).await });
    }
    for written in writers.join_all().await {
        written.unwrap();
    }
    let updates = *changes.borrow() - before;
    assert!(updates <= 20, "{updates} updates for 40 ports");
    assert_eq!(northbound.ports().unwrap().len(), 40);

    // Together with a newer and an older word on one scope, and with one that makes no sense.
    let lost = [Scope::new("port/99/", 1, vec![port(99).member_of(Table::PortGroup, "group/none")])];
    let (newer, older) = (alone(1).map(|scope| Scope { generation: 9, ..scope }), alone(1));
    let other = alone(50);
    let (good, stale, bad, new) =
        tokio::join!(northbound.apply(&other), northbound.apply(&older), northbound.apply(&lost), northbound.apply(&newer));
    good.unwrap();
    new.unwrap();
    stale.unwrap();
    assert!(matches!(bad, Err(Error::Malformed { .. } | Error::MissingRow { .. })), "{bad:?}");
    assert!(matches!(northbound.apply(&older).await, Err(Error::Stale { .. })));
}
