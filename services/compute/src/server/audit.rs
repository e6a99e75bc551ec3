// SPDX-License-Identifier: Apache-2.0
//! Compares what the neighbours hold for servers with the servers that there are: claims, allocations, and all that
//! the hosts find when they look.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{
    BoxFuture, Refusal,
    audit::{Audit, Finding, STRAY},
    node::{Answer, Ask},
};
use store::Tx;
use types::ServerId;

use super::{FaultNote, claim, released, table};
use crate::{
    Compute,
    error::{Error, Result},
};

/// What we know of a server for this purpose.
#[derive(Debug, Default)]
struct Known {
    deleted: bool,
    claims: usize,
    /// The nodes that have its machine, or may have.
    nodes: BTreeSet<String>,
    taps: Vec<String>,
    /// Under which names it holds room in placement.
    consumers: BTreeSet<String>,
}

/// What a host may have on behalf of its servers.
#[derive(Debug, Default)]
struct Wanted<'a> {
    servers: BTreeSet<&'a str>,
    taps: BTreeSet<&'a str>,
}

impl Audit for Compute {
    fn audit(&self) -> BoxFuture<'_, Result<Vec<Finding>, Refusal>> {
        Box::pin(async move {
            let known = self.store.list(read).await?;
            let mut findings = Vec::new();
            for (id, _) in known.iter().filter(|(_, server)| server.deleted && server.claims > 0) {
                findings.push(finding("leftover", "claim", id, "", "its server is deleted"));
            }
            let holders: BTreeSet<&str> = known.values().flat_map(|server| &server.consumers).map(String::as_str).collect();
            for consumer in self.placement.consumers().await? {
                match known.get(consumer.as_str()) {
                    _ if holders.contains(consumer.as_str()) => {}
                    Some(_) => {
                        findings.push(finding(
                            "leftover",
                            "allocation",
                            consumer.as_str(),
                            "",
                            "its server holds nothing any more",
                        ));
                    }
                    None => findings.push(finding("leftover", "allocation", consumer.as_str(), "", "there is no such server")),
                }
            }
            findings.extend(self.store.list(broken).await?);
            for node in self.nodes.list().await?.into_iter().filter(|node| node.up) {
                match self.nodes.ask(&node.id, Ask::Inventory).await {
                    Ok(inventory) => findings.extend(strays(&known, node.id.as_str(), &node.hostname, inventory)),
                    Err(refusal) => {
                        findings.push(finding("missing", "inventory", &node.hostname, &node.hostname, &refusal.message));
                    }
                }
            }
            Ok(findings)
        })
    }

    fn remove_stray<'a>(&'a self, stray: &'a Finding) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let nodes = self.nodes.list().await?;
            let node = nodes.into_iter().find(|node| node.hostname == stray.place);
            let node = node.ok_or_else(|| Refusal::not_found(format!("There is no host {}.", stray.place)))?.id;
            if stray.thing == "device" {
                return self.nodes.ask(&node, Ask::RemoveDevice { name: stray.id.clone() }).await.map(drop);
            }
            let (of, server) = (node.clone(), ServerId::new(stray.id.as_str()));
            let write = self.store.write(move |tx| -> Result<_> {
                if !table::claimed_by_and(tx, &of, std::slice::from_ref(&server), [])?.0.is_empty() {
                    return Err(Error::conflict(format!("The server {server} is known: delete it instead.")));
                }
                Ok(released::insert(tx, &of, &server)?)
            });
            write.await?;
            self.nodes.wake(&node);
            Ok(())
        })
    }
}

fn read(tx: &mut Tx) -> Result<BTreeMap<String, Known>> {
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    for row in &tx.query("SELECT id, deleted_at FROM servers", &[])? {
        let deleted = row.get::<Option<i64>>(1)?.is_some();
        known.insert(row.get(0)?, Known { deleted, ..Known::default() });
    }
    for row in &tx.query(&format!("SELECT {} FROM server_claims", claim::COLUMNS), &[])? {
        let claim = claim::from_row(row)?;
        let server = known.entry(claim.server_id.to_string()).or_default();
        server.claims += 1;
        server.nodes.extend(claim.node_id.as_ref().map(ToString::to_string));
        if claim.kind == claim::Kind::Allocation {
            server.consumers.insert(claim.consumer().to_string());
        }
        server.taps.extend(claim.nic.map(|nic| nic.port_id.tap()));
    }
    Ok(known)
}

/// Servers whose machine ran and broke down, or is held still.
fn broken(tx: &mut Tx) -> Result<Vec<Finding>> {
    let rows = tx.query(
        "SELECT id, host, fault FROM servers WHERE deleted_at IS NULL AND deleting_at IS NULL AND life = 'built' \
         AND found IN ('failed', 'held') AND found_generation >= generation ORDER BY id",
        &[],
    )?;
    rows.iter()
        .map(|row| {
            let (id, host, fault): (String, Option<String>, Option<FaultNote>) = (row.get(0)?, row.get(1)?, row.json(2)?);
            let cause = fault.map_or_else(|| "no cause was given".to_owned(), |fault| fault.message);
            Ok(finding("differs", "machine", &id, &host.unwrap_or_default(), &cause))
        })
        .collect()
}

fn wanted_on<'a>(known: &'a BTreeMap<String, Known>, node: &str) -> Wanted<'a> {
    let mut wanted = Wanted::default();
    for (id, server) in known.iter().filter(|(_, server)| !server.deleted && server.nodes.contains(node)) {
        wanted.servers.insert(id);
        wanted.taps.extend(server.taps.iter().map(String::as_str));
    }
    wanted
}

/// What is on a host and nobody wants there. What no row knows of is a stray; what a row knows to be over is on its way out.
fn strays(known: &BTreeMap<String, Known>, node: &str, host: &str, inventory: Answer) -> Vec<Finding> {
    let Answer::Inventory { processes, taps, machines, switch_ports, namespaces } = inventory else {
        return vec![finding("missing", "inventory", host, host, "the host answered something else")];
    };
    let wanted = wanted_on(known, node);
    let mut findings = Vec::new();
    let there: BTreeSet<&str> = processes.iter().chain(machines.keys()).map(String::as_str).collect();
    for id in there.into_iter().filter(|id| !wanted.servers.contains(id)) {
        findings.push(match known.get(id) {
            Some(server) if server.deleted => finding("leftover", "machine", id, host, "its server was deleted"),
            Some(_) => finding(STRAY, "machine", id, host, "its server is not on this host; it is kept as it is"),
            None => finding(STRAY, "machine", id, host, "no server is known to which it belongs; it is kept as it is"),
        });
    }
    // Those of a stray go with it.
    let held: BTreeSet<&str> = machines.values().flatten().map(String::as_str).collect();
    let names: BTreeSet<&str> = taps.iter().chain(&switch_ports).map(String::as_str).collect();
    // A host without machines needs no port of any kind; one with some also has those of metadata.
    let is_stray =
        |name: &&str| !wanted.taps.contains(name) && !held.contains(name) && (name.starts_with("tap") || machines.is_empty());
    let devices = names.into_iter().filter(is_stray);
    findings.extend(devices.map(|name| finding(STRAY, "device", name, host, "no machine of this host has it")));
    if machines.is_empty() {
        findings.extend(namespaces.iter().map(|name| finding("leftover", "namespace", name, host, "no machine is here")));
    }
    findings
}

fn finding(kind: &str, thing: &str, id: &str, place: &str, detail: &str) -> Finding {
    Finding {
        room: "compute".to_owned(),
        kind: kind.to_owned(),
        thing: thing.to_owned(),
        id: id.to_owned(),
        place: place.to_owned(),
        detail: detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_server_wants_is_found() {
        let on = || BTreeSet::from(["h".to_owned()]);
        let server = Known { nodes: on(), taps: vec!["tap12345678-9a".to_owned()], ..Known::default() };
        let gone = Known { deleted: true, nodes: on(), ..Known::default() };
        let known = BTreeMap::from([("s".to_owned(), server), ("d".to_owned(), gone)]);
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let inventory = |machines: &[&str]| Answer::Inventory {
            processes: texts(&["s", "d"]),
            taps: texts(&["tap12345678-9a", "tapffffffff-ff", "tapeeeeeeee-ee"]),
            machines: machines.iter().map(|id| ((*id).to_owned(), texts(&["tapeeeeeeee-ee"]))).collect(),
            switch_ports: texts(&["tap12345678-9a", "fsm-1"]),
            namespaces: texts(&["ns"]),
        };
        let say = |found: Vec<Finding>| {
            found.into_iter().map(|one| format!("{} {} {}", one.kind, one.thing, one.id)).collect::<Vec<_>>()
        };
        let found = say(strays(&known, "h", "h", inventory(&["s", "unknown"])));
        assert_eq!(found, ["leftover machine d", "stray machine unknown", "stray device tapffffffff-ff"]);
        // On a host that has no machines, everything is too much.
        let found = say(strays(&known, "other", "other", inventory(&[])));
        assert_eq!(found.len(), 2 + 4 + 1, "{found:?}");
    }
}
