// SPDX-License-Identifier: Apache-2.0
//! Compares what the neighbours hold for servers with the servers that there are: claims, allocations, and all that
//! the hosts find when they look.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{
    BoxFuture, Refusal,
    audit::{Audit, Finding},
    node::{Answer, Ask},
};
use store::Tx;

use super::{FaultNote, claim};
use crate::{Compute, error::Result};

/// What we know of a server for this purpose.
#[derive(Debug, Default)]
struct Known {
    deleted: bool,
    claims: usize,
    /// The host that has its machine, or may have.
    host: Option<String>,
    taps: Vec<String>,
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
                findings.push(finding("leftover", "claim", id, "its server is deleted"));
            }
            for consumer in self.placement.consumers().await? {
                match known.get(consumer.as_str()) {
                    Some(server) if server.claims > 0 => {}
                    Some(_) => {
                        findings.push(finding("leftover", "allocation", consumer.as_str(), "its server holds nothing any more"))
                    }
                    None => findings.push(finding("leftover", "allocation", consumer.as_str(), "there is no such server")),
                }
            }
            findings.extend(self.store.list(broken).await?);
            for node in self.nodes.list().await?.into_iter().filter(|node| node.up) {
                let wanted = wanted_on(&known, &node.hostname);
                match self.nodes.ask(&node.id, Ask::Inventory).await {
                    Ok(inventory) => findings.extend(strays(&wanted, &node.hostname, inventory)),
                    Err(refusal) => findings.push(finding("missing", "inventory", &node.hostname, &refusal.message)),
                }
            }
            Ok(findings)
        })
    }
}

fn read(tx: &mut Tx) -> Result<BTreeMap<String, Known>> {
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    for row in &tx.query("SELECT id, deleted_at, host FROM servers", &[])? {
        let deleted = row.get::<Option<i64>>(1)?.is_some();
        known.insert(row.get(0)?, Known { deleted, host: row.get(2)?, ..Known::default() });
    }
    for row in &tx.query("SELECT server_id, kind, position, ask, facts FROM server_claims", &[])? {
        let claim = claim::from_row(row)?;
        let server = known.entry(claim.server_id.to_string()).or_default();
        server.claims += 1;
        server.taps.extend(claim.nic.map(|nic| tap(nic.port_id.as_str())));
    }
    Ok(known)
}

/// Servers whose machine ran and broke down, or is held still.
fn broken(tx: &mut Tx) -> Result<Vec<Finding>> {
    let rows = tx.query(
        "SELECT id, host, fault FROM servers WHERE deleted_at IS NULL AND deleting_at IS NULL AND phase = 'built' \
         AND found IN ('failed', 'held') AND found_current = 1 ORDER BY id",
        &[],
    )?;
    rows.iter()
        .map(|row| {
            let (id, host, fault): (String, Option<String>, Option<FaultNote>) = (row.get(0)?, row.get(1)?, row.json(2)?);
            let cause = fault.map_or_else(|| "no cause was given".to_owned(), |fault| fault.message);
            Ok(finding("differs", "machine", &id, &format!("on host {}: {cause}", host.unwrap_or_default())))
        })
        .collect()
}

/// How every agent of OpenStack's, ours too, names the tap of a port.
fn tap(port: &str) -> String {
    format!("tap{}", port.chars().take(11).collect::<String>())
}

fn wanted_on<'a>(known: &'a BTreeMap<String, Known>, host: &str) -> Wanted<'a> {
    let mut wanted = Wanted::default();
    for (id, server) in known.iter().filter(|(_, server)| !server.deleted && server.host.as_deref() == Some(host)) {
        wanted.servers.insert(id);
        wanted.taps.extend(server.taps.iter().map(String::as_str));
    }
    wanted
}

fn strays(wanted: &Wanted<'_>, host: &str, inventory: Answer) -> Vec<Finding> {
    let Answer::Inventory { processes, taps, disks, switch_ports, namespaces } = inventory else {
        return vec![finding("missing", "inventory", host, "the host answered something else")];
    };
    let on_host = format!("on host {host}");
    let mut findings = Vec::new();
    for (thing, ids) in [("process", &processes), ("disk", &disks)] {
        let strays = ids.iter().filter(|id| !wanted.servers.contains(id.as_str()));
        findings.extend(strays.map(|id| finding("leftover", thing, id, &on_host)));
    }
    for (thing, names) in [("tap", &taps), ("switch port", &switch_ports)] {
        // A host without servers needs no port of any kind; one with some also has those of metadata.
        let is_stray =
            |name: &&String| !wanted.taps.contains(name.as_str()) && (name.starts_with("tap") || wanted.servers.is_empty());
        findings.extend(names.iter().filter(is_stray).map(|name| finding("leftover", thing, name, &on_host)));
    }
    if wanted.servers.is_empty() {
        findings.extend(namespaces.iter().map(|name| finding("leftover", "namespace", name, &on_host)));
    }
    findings
}

fn finding(kind: &str, thing: &str, id: &str, detail: &str) -> Finding {
    Finding {
        room: "compute".to_owned(),
        kind: kind.to_owned(),
        thing: thing.to_owned(),
        id: id.to_owned(),
        detail: detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_server_wants_is_found() {
        let server = Known { host: Some("h".to_owned()), taps: vec![tap("12345678-9abc-4def")], ..Known::default() };
        let gone = Known { deleted: true, host: Some("h".to_owned()), ..Known::default() };
        let known = BTreeMap::from([("s".to_owned(), server), ("d".to_owned(), gone)]);
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let inventory = |namespaces| Answer::Inventory {
            processes: texts(&["s", "d"]),
            taps: texts(&["tap12345678-9a", "tapffffffff-ff"]),
            disks: texts(&["s"]),
            switch_ports: texts(&["tap12345678-9a", "fsm-1"]),
            namespaces,
        };
        let found = strays(&wanted_on(&known, "h"), "h", inventory(texts(&["ns"])));
        let found: Vec<_> = found.iter().map(|finding| (finding.thing.as_str(), finding.id.as_str())).collect();
        assert_eq!(found, [("process", "d"), ("tap", "tapffffffff-ff")]);
        // On a host that has none of them, everything is too much.
        assert_eq!(strays(&wanted_on(&known, "other"), "other", inventory(texts(&["ns"]))).len(), 8);
    }
}
