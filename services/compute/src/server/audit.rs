// SPDX-License-Identifier: Apache-2.0
//! Compares what the neighbours hold for servers with the servers that there are.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{
    BoxFuture, Refusal,
    audit::{Audit, Finding},
    node::{Answer, Ask},
};
use store::Tx;

use crate::{Compute, error::Result};

/// What we know of a server for this purpose.
struct Known {
    deleted: bool,
    holds_claims: bool,
    host: Option<String>,
}

impl Audit for Compute {
    fn audit(&self) -> BoxFuture<'_, Result<Vec<Finding>, Refusal>> {
        Box::pin(async move {
            let known = self.store.list(read).await?;
            let mut findings = Vec::new();
            for (id, server) in &known {
                if server.deleted && server.holds_claims {
                    findings.push(finding("leftover", "claim", id, "its server is deleted"));
                }
            }
            for consumer in self.placement.consumers().await? {
                let id = consumer.as_str();
                // A consumer that is no server of ours is another's business only if it is none of ours by name either.
                match known.get(id) {
                    Some(server) if server.holds_claims => {}
                    Some(_) => findings.push(finding("leftover", "allocation", id, "its server holds no claims any more")),
                    None => findings.push(finding("leftover", "allocation", id, "there is no such server")),
                }
            }
            for node in self.nodes.list().await?.into_iter().filter(|node| node.up) {
                let Answer::Inventory { processes, .. } = self.nodes.ask(&node.id, Ask::Inventory).await? else {
                    findings.push(finding("missing", "inventory", node.id.as_str(), "the host does not tell what it has"));
                    continue;
                };
                let there: BTreeSet<&str> = processes.iter().map(String::as_str).collect();
                for process in &there {
                    let wanted = known.iter().any(|(id, server)| {
                        process.contains(id.as_str()) && !server.deleted && server.host.as_deref() == Some(node.hostname.as_str())
                    });
                    if !wanted {
                        findings.push(finding("leftover", "machine", process, &format!("on host {}", node.hostname)));
                    }
                }
            }
            Ok(findings)
        })
    }
}

fn read(tx: &mut Tx) -> Result<BTreeMap<String, Known>> {
    let rows = tx.query(
        "SELECT id, deleted_at, (SELECT count(*) FROM server_claims WHERE server_id = servers.id), host FROM servers",
        &[],
    )?;
    let mut known = BTreeMap::new();
    for row in &rows {
        let deleted = row.get::<Option<i64>>(1)?.is_some();
        known.insert(row.get(0)?, Known { deleted, holds_claims: row.get::<i64>(2)? > 0, host: row.get(3)? });
    }
    Ok(known)
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
