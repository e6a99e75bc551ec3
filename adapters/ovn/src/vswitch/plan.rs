// SPDX-License-Identifier: Apache-2.0
//! The difference between what the local switch should have and what the replica shows, as transactions.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::desired::{Bridge, Port, PortKind, PortView};
use crate::ovsdb::{Atom, Datum, Replica, Row, Select, Transaction};
use crate::{Error, Result};

pub(super) fn ensure_bridge(replica: &Replica, bridge: &Bridge) -> Result<Transaction> {
    let mut transaction = Transaction::new();
    let columns = Row::new().with("datapath_type", bridge.datapath.name()).with("fail_mode", bridge.fail_mode.name());
    if let Some((uuid, found)) = replica.named("Bridge", &bridge.name) {
        update_differing(&mut transaction, "Bridge", uuid, found, &columns);
        put_differing(&mut transaction, "Bridge", uuid, found, "external_ids", &bridge.external_ids);
        put_differing(&mut transaction, "Bridge", uuid, found, "other_config", &bridge.other_config);
        return Ok(transaction);
    }
    let port = insert_port(&mut transaction, &Port::new(&bridge.name, PortKind::Internal));
    let columns = columns
        .with("name", &bridge.name)
        .with("ports", port)
        .with("external_ids", Datum::map(&bridge.external_ids))
        .with("other_config", Datum::map(&bridge.other_config));
    let created = transaction.insert("Bridge", &columns);
    match replica.singleton("Open_vSwitch") {
        Some((root, _)) => transaction.add("Open_vSwitch", Select::row(root), "bridges", &created.into()),
        None => {
            transaction.require_none("Open_vSwitch", Select::all());
            transaction.insert("Open_vSwitch", &Row::new().with("bridges", created));
        }
    }
    Ok(transaction)
}

pub(super) fn release_bridge(replica: &Replica, name: &str) -> Transaction {
    let mut transaction = Transaction::new();
    if let Some((uuid, _)) = replica.named("Bridge", name) {
        transaction.remove("Open_vSwitch", Select::all(), "bridges", &uuid.into());
    }
    transaction
}

pub(super) fn ensure_port(replica: &Replica, bridge: &str, port: &Port) -> Result<Transaction> {
    let (bridge_id, _) =
        replica.named("Bridge", bridge).ok_or_else(|| Error::NoSuch { kind: "bridge", name: bridge.to_owned() })?;
    let mut transaction = Transaction::new();
    let Some((uuid, found)) = replica.named("Port", &port.name) else {
        // Without this, a bridge released meanwhile would take the port with it, silently.
        transaction.require("Bridge", bridge_id, "_uuid", &bridge_id.into());
        let created = insert_port(&mut transaction, port);
        transaction.add("Bridge", Select::row(bridge_id), "ports", &created.into());
        return Ok(transaction);
    };
    let holders = replica.referrers(uuid).filter(|place| (&*place.table, &*place.column) == ("Bridge", "ports"));
    let elsewhere: Vec<Uuid> = holders.map(|place| place.uuid).filter(|holder| *holder != bridge_id).collect();
    if !elsewhere.is_empty() {
        transaction.require("Bridge", bridge_id, "_uuid", &bridge_id.into());
        for holder in elsewhere {
            transaction.remove("Bridge", Select::row(holder), "ports", &uuid.into());
        }
        transaction.add("Bridge", Select::row(bridge_id), "ports", &uuid.into());
    }
    update_differing(&mut transaction, "Port", uuid, found, &port_columns(port));
    let interface = found.references("interfaces").first().copied();
    let interface = interface.and_then(|uuid| Some((uuid, replica.row("Interface", uuid)?)));
    if let Some((uuid, found)) = interface {
        update_differing(&mut transaction, "Interface", uuid, found, &interface_columns(port));
        if port.external_ids.get("iface-id").is_some_and(|id| found.entry("external_ids", "iface-id") != Some(id)) {
            // What ovn-controller said of the logical port that was plugged here is not said of the new one.
            let said = Datum::set(["ovn-installed", "ovn-installed-ts"]);
            transaction.remove("Interface", Select::row(uuid), "external_ids", &said);
        }
        put_differing(&mut transaction, "Interface", uuid, found, "external_ids", &port.external_ids);
    }
    Ok(transaction)
}

pub(super) fn release_port(replica: &Replica, name: &str) -> Transaction {
    let mut transaction = Transaction::new();
    if let Some((uuid, _)) = replica.named("Port", name) {
        // The database drops a port that no bridge holds.
        transaction.remove("Bridge", Select::all(), "ports", &uuid.into());
    }
    transaction
}

pub(super) fn ensure_external_ids(replica: &Replica, entries: &BTreeMap<String, String>) -> Transaction {
    let mut transaction = Transaction::new();
    match replica.singleton("Open_vSwitch") {
        Some((uuid, found)) => {
            put_differing(&mut transaction, "Open_vSwitch", uuid, found, "external_ids", entries);
        }
        None => {
            transaction.require_none("Open_vSwitch", Select::all());
            transaction.insert("Open_vSwitch", &Row::new().with("external_ids", Datum::map(entries)));
        }
    }
    transaction
}

pub(super) fn release_external_ids(replica: &Replica, keys: &[&str]) -> Transaction {
    let mut transaction = Transaction::new();
    if let Some((uuid, found)) = replica.singleton("Open_vSwitch") {
        let present = keys.iter().copied().filter(|key| found.entry("external_ids", key).is_some());
        let present = Datum::set(present);
        if !present.is_empty() {
            transaction.remove("Open_vSwitch", Select::row(uuid), "external_ids", &present);
        }
    }
    transaction
}

pub(super) fn ports(replica: &Replica) -> Vec<PortView> {
    let names = replica.rows("Port").map(|(_, row)| row.text("name"));
    names.filter_map(|name| port(replica, name)).collect()
}

pub(super) fn port(replica: &Replica, name: &str) -> Option<PortView> {
    let (uuid, row) = replica.named("Port", name)?;
    let interface = replica.row("Interface", *row.references("interfaces").first()?)?;
    let bridge = replica.referrers(uuid).find_map(|place| replica.row("Bridge", place.uuid))?;
    Some(PortView {
        name: name.to_owned(),
        bridge: bridge.text("name").to_owned(),
        kind: interface.text("type").to_owned(),
        external_ids: interface.map("external_ids"),
        // A device that could not be opened has the number -1; the bridge's own port has 65534.
        ofport: interface.integer("ofport").and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0),
        error: Some(interface.text("error").to_owned()).filter(|error| !error.is_empty()),
    })
}

fn insert_port(transaction: &mut Transaction, port: &Port) -> Atom {
    let interface = interface_columns(port).with("name", &port.name).with("external_ids", Datum::map(&port.external_ids));
    let interface = transaction.insert("Interface", &interface);
    transaction.insert("Port", &port_columns(port).with("name", &port.name).with("interfaces", interface))
}

fn port_columns(port: &Port) -> Row {
    Row::new().with("tag", port.tag.map(i64::from))
}

fn interface_columns(port: &Port) -> Row {
    let options = match &port.kind {
        PortKind::Patch { peer } => Datum::map([("peer", peer)]),
        PortKind::Device | PortKind::Internal => Datum::map::<&str, &str>([]),
    };
    Row::new().with("type", port.kind.name()).with("options", options).with("mtu_request", port.mtu.map(i64::from))
}

fn update_differing(transaction: &mut Transaction, table: &str, uuid: Uuid, found: &Row, wanted: &Row) {
    let mut differing = Row::new();
    for (column, value) in wanted.columns().filter(|(column, value)| !value.same_as(found.get(column))) {
        differing.set(column, value.clone());
    }
    if differing.columns().next().is_some() {
        transaction.update(table, Select::row(uuid), &differing);
    }
}

fn put_differing(
    transaction: &mut Transaction,
    table: &str,
    uuid: Uuid,
    found: &Row,
    column: &str,
    wanted: &BTreeMap<String, String>,
) {
    let differing = wanted.iter().filter(|(key, value)| found.entry(column, key) != Some(value.as_str()));
    let differing = Datum::map(differing);
    if !differing.is_empty() {
        transaction.put(table, Select::row(uuid), column, &differing);
    }
}
