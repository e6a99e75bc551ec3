// SPDX-License-Identifier: Apache-2.0
//! Compares the volumes that hosts have with those that there are.

use std::collections::HashSet;

use contracts::{
    BoxFuture, Refusal,
    audit::{Audit, Finding, STRAY},
    node::ThingId,
};

use store::params;
use types::VolumeId;

use super::released;
use crate::{
    BlockStorage,
    error::{Error, Result},
    volume::state::Life,
};

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
                let volumes = node.strays.iter().filter_map(ThingId::as_volume);
                for id in volumes.filter(|id| !known.contains(id.as_str())) {
                    findings.push(finding(STRAY, id.as_str(), &node.hostname, "no volume is known under this id; it is kept"));
                }
            }
            Ok(findings)
        })
    }

    fn remove_stray<'a>(&'a self, stray: &'a Finding) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let node = self.nodes.list().await?.into_iter().find(|node| node.hostname == stray.place);
            let node = node.ok_or_else(|| Refusal::not_found(format!("There is no host {}.", stray.place)))?.id;
            let (of, volume) = (node.clone(), VolumeId::new(stray.id.as_str()));
            let write = self.store.write(move |tx| -> Result<_> {
                let known = tx.query("SELECT id FROM volumes WHERE id = $1", &params![&volume])?;
                if !known.is_empty() {
                    return Err(Error::conflict(format!("The volume {volume} is known: delete it instead.")));
                }
                released::insert(tx, &of, &volume)?;
                Ok(volume.clone())
            });
            let volume = write.await?;
            self.nodes.tell(&node, &[ThingId::volume(&volume)]);
            Ok(())
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
