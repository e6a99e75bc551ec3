// SPDX-License-Identifier: Apache-2.0
//! Compares everything we own in OVN with the tables, by the clock: what somebody else changed there is put right, and
//! what belongs to nothing any more goes.
//!
//! Invariant: drift does not last (test: `drift_is_repaired`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use contracts::audit::Finding;
use ovn::northbound::{Applied, Scope};

use super::rows;
use crate::{Room, keys};

pub struct Sweep {
    room: Arc<Room>,
}

const CLOCK: Duration = Duration::from_secs(60);
/// How many keys are read from the tables at once.
const CHUNK: usize = 200;

/// A difference and the scope that removes it.
pub struct Difference {
    pub finding: Finding,
    pub scope: Scope,
}

impl Sweep {
    pub fn new(room: Arc<Room>) -> Self {
        Self { room }
    }

    /// Runs until it is dropped.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(CLOCK).await;
            if let Err(error) = self.repair().await {
                tracing::warn!(%error, "the sweep of OVN was not finished; the next one goes on");
            }
        }
    }

    /// Removes every difference; answers how many there were.
    pub async fn repair(&self) -> Result<usize, super::reconcile::ConvergeError> {
        if !self.room.northbound.client().is_current() {
            return Ok(0);
        }
        let differences = self.room.differences().await?;
        for difference in &differences {
            let finding = &difference.finding;
            tracing::warn!(kind = finding.kind, id = finding.id, detail = finding.detail, "OVN differed and is put right");
            // One that cannot be repaired must not keep the others from it.
            if let Err(error) = self.room.northbound.apply(std::slice::from_ref(&difference.scope)).await {
                tracing::warn!(id = finding.id, %error, "a difference in OVN could not be removed");
            }
        }
        Ok(differences.len())
    }
}

impl Room {
    /// Everything in OVN that is not as the tables say. What is on its way there is no difference.
    pub async fn differences(&self) -> Result<Vec<Difference>, super::reconcile::ConvergeError> {
        let owned = self.northbound.owned()?;
        let wanted = self.store.list(all_keys).await?;
        let mut differences = Vec::new();
        for chunk in wanted.chunks(CHUNK) {
            let (around, chunk) = (self.surroundings(), chunk.to_vec());
            let desired = self.store.list(move |tx| known(chunk.iter().map(|key| rows::desired(tx, &around, key)))).await?;
            for one in desired.into_iter().filter(|one| one.is_synced && one.is_there) {
                let scope = one.scope();
                let found = self.northbound.drift(std::slice::from_ref(&scope));
                let (kind, detail) = match found {
                    Ok(applied) if applied.is_nothing() => continue,
                    Ok(applied) => (kind_of(applied), describe(applied)),
                    // It changed since we read it, and is in OVN already.
                    Err(ovn::Error::Stale { .. }) => continue,
                    Err(error @ ovn::Error::Unavailable { .. }) => return Err(error.into()),
                    Err(error) => ("differs", error.to_string()),
                };
                differences.push(Difference { finding: finding(kind, &one.key, detail), scope });
            }
        }
        for difference in leftovers(&owned, &wanted) {
            // What was deleted while we looked is gone by now.
            if !self.northbound.owned_under(&format!("{}/", difference.finding.id))?.is_empty() {
                differences.push(difference);
            }
        }
        Ok(differences)
    }
}

/// What can be said now; gateways cannot be judged before the hosts are known.
fn known(all: impl Iterator<Item = crate::Result<rows::Desired>>) -> crate::Result<Vec<rows::Desired>> {
    all.filter(|one| !matches!(one, Err(crate::Error::HostsUnknown))).collect()
}

/// The keys of everything in the tables, and of what is on its way out.
fn all_keys(tx: &mut store::Tx) -> crate::Result<Vec<String>> {
    let mut all = vec![keys::DROP.to_owned()];
    for (kind, table) in keys::KINDS {
        for row in tx.query(&format!("SELECT id FROM {table}"), &[])? {
            all.push(format!("{kind}/{}", row.get::<&str>(0)?));
        }
    }
    for row in tx.query("SELECT id FROM north_keys WHERE synced_generation < generation", &[])? {
        all.push(row.get(0)?);
    }
    Ok(all)
}

/// Rows of our kinds whose thing is in no table.
fn leftovers(owned: &[ovn::northbound::OwnedRow], wanted: &[String]) -> Vec<Difference> {
    let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    let mut strays: BTreeMap<String, u64> = BTreeMap::new();
    for row in owned {
        let mut parts = row.key.splitn(3, '/');
        let (Some(kind), Some(id), Some(_)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let key = format!("{kind}/{id}");
        let is_ours = keys::KINDS.iter().any(|(known, _)| *known == kind);
        if is_ours && !wanted.contains(key.as_str()) {
            let newest = strays.entry(key).or_default();
            *newest = row.generation.max(*newest);
        }
    }
    let stray = |(key, generation): (String, u64)| Difference {
        finding: finding("leftover", &key, "its rows are in OVN and it is in no table".to_owned()),
        scope: Scope::new(format!("{key}/"), generation, Vec::new()),
    };
    strays.into_iter().map(stray).collect()
}

fn finding(kind: &str, key: &str, detail: String) -> Finding {
    Finding { room: "network".to_owned(), kind: kind.to_owned(), thing: "OVN_Northbound".to_owned(), id: key.to_owned(), detail }
}

fn kind_of(applied: Applied) -> &'static str {
    match applied {
        Applied { inserted: 1.., updated: 0, deleted: 0, .. } => "missing",
        Applied { inserted: 0, updated: 0, deleted: 1.., .. } => "leftover",
        _ => "differs",
    }
}

fn describe(applied: Applied) -> String {
    format!(
        "{} rows are missing, {} differ, {} are too many, {} memberships differ",
        applied.inserted, applied.updated, applied.deleted, applied.relinked
    )
}
