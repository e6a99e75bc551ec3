// SPDX-License-Identifier: Apache-2.0
//! Compares the volumes that hosts have with those that there are.

use std::collections::HashSet;

use contracts::{
    BoxFuture, Refusal,
    audit::{Audit, Finding, STRAY},
};

use crate::{BlockStorage, error::Result, volume::state::Life};

impl Audit for BlockStorage {
    fn audit(&self) -> BoxFuture<'_, Result<Vec<Finding>, Refusal>> {
        Box::pin(async move {
            let (known, missing) = self
                .store
                .list(|tx| -> Result<_> {
                    let rows = tx.query("SELECT id, life, host FROM volumes", &[])?;
                    let mut known = HashSet::new();
                    let mut missing = Vec::new();
                    for row in &rows {
                        let (id, life): (String, &str) = (row.get(0)?, row.get(1)?);
                        if life == Life::Missing.word() {
                            missing.push((id.clone(), row.get::<Option<String>>(2)?.unwrap_or_default()));
                        }
                        known.insert(id);
                    }
                    Ok((known, missing))
                })
                .await?;
            let mut findings: Vec<Finding> = missing
                .into_iter()
                .map(|(id, place)| finding("missing", &id, &place, "its host does not have it any more"))
                .collect();
            for node in self.nodes.list().await? {
                let volumes = node.strays.iter().filter_map(contracts::node::ThingId::as_volume);
                for id in volumes.filter(|id| !known.contains(id.as_str())) {
                    findings.push(finding(STRAY, id.as_str(), &node.hostname, "no volume is known under this id; it is kept"));
                }
            }
            Ok(findings)
        })
    }

    fn remove_stray<'a>(&'a self, stray: &'a Finding) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            Err(Refusal::conflict(format!(
                "What lies of volume {} on {} holds a tenant's data that no table knows; look at it there, and remove it by hand.",
                stray.id, stray.place
            )))
        })
    }
}

fn finding(kind: &str, id: &str, place: &str, detail: &str) -> Finding {
    Finding {
        room: "volume".to_owned(),
        kind: kind.to_owned(),
        thing: "volume".to_owned(),
        id: id.to_owned(),
        place: place.to_owned(),
        detail: detail.to_owned(),
    }
}
