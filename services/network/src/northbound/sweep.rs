// SPDX-License-Identifier: Apache-2.0
//! Compares everything we own in OVN with the tables, by the clock: what somebody else changed there is put right, and
//! what belongs to something that the tables know to be gone goes. What they know nothing of is kept: after they were put back
//! to an earlier state, machines that were made later go on with the ports that they have.
//!
//! Invariant: rows of a thing that the tables never knew stay until the operator says that they shall go (test:
//! `rows_that_the_tables_do_not_know_are_kept`).
//!
//! Invariant: drift does not last (test: `drift_is_repaired`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use contracts::{
    Refusal,
    audit::{Finding, STRAY},
};
use ovn::northbound::{Applied, Scope};
use types::Timestamp;

use super::{reconcile::ConvergeError, rows};
use crate::{Room, keys};

pub struct Sweep {
    room: Arc<Room>,
}

const CLOCK: Duration = Duration::from_secs(60);
/// How many keys are read from the tables at once.
const CHUNK: usize = 200;
/// For how long it is remembered that a thing is gone.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// A difference, and what removes it.
pub struct Difference {
    pub finding: Finding,
    repair: Repair,
}

enum Repair {
    Apply(Scope),
    /// OVN was given a later generation of this key than the tables know: they go on above it.
    GoAbove {
        key: String,
        found: u64,
    },
    /// It is left as it is.
    Keep,
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
    pub async fn repair(&self) -> Result<usize, ConvergeError> {
        if !self.room.northbound.client().is_current() {
            return Ok(0);
        }
        let differences = self.room.differences().await?;
        let mut repaired = 0;
        for Difference { finding, repair } in differences {
            // One that cannot be repaired must not keep the others from it.
            let outcome = match repair {
                Repair::Keep => continue,
                Repair::Apply(scope) => self.room.northbound.apply(&[scope]).await.map(drop).map_err(ConvergeError::from),
                Repair::GoAbove { key, found } => self.go_above(key, found).await,
            };
            tracing::warn!(kind = finding.kind, id = finding.id, detail = finding.detail, "OVN differed and is put right");
            if let Err(error) = outcome {
                tracing::warn!(id = finding.id, %error, "a difference in OVN could not be removed");
            }
            repaired += 1;
        }
        let long_ago = Timestamp(Timestamp::now().0.saturating_sub(i64::try_from(REMEMBERED.as_micros()).unwrap_or(i64::MAX)));
        self.room.store.write(move |tx| keys::forget_gone(tx, long_ago)).await.map_err(crate::Error::from)?;
        Ok(repaired)
    }

    async fn go_above(&self, key: String, found: u64) -> Result<(), ConvergeError> {
        let found = i64::try_from(found).unwrap_or(i64::MAX - 1);
        self.room.store.write(move |tx| keys::fail(tx, &key, Some(found))).await.map_err(crate::Error::from)?;
        self.room.bell.ring();
        Ok(())
    }
}

impl Room {
    /// Everything in OVN that is not as the tables say. What is on its way there is no difference.
    pub async fn differences(&self) -> Result<Vec<Difference>, ConvergeError> {
        let owned = self.northbound.owned()?;
        let wanted = self.store.list(all_keys).await?;
        let mut differences = Vec::new();
        for chunk in wanted.chunks(CHUNK) {
            let (around, chunk) = (self.surroundings(), chunk.to_vec());
            let desired = self.store.list(move |tx| known(chunk.iter().map(|key| rows::desired(tx, &around, key)))).await?;
            for one in desired.into_iter().filter(|one| one.is_synced && one.is_there) {
                let scope = one.scope();
                let found = self.northbound.drift(std::slice::from_ref(&scope));
                let (kind, detail, repair) = match found {
                    Ok(applied) if applied.is_nothing() => continue,
                    Ok(applied) => (kind_of(applied), describe(applied), Repair::Apply(scope)),
                    Err(ovn::Error::Stale { theirs, .. }) => {
                        let key = one.key.clone();
                        let (now, _) = self.store.read(move |tx| keys::generation(tx, &key)).await.map_err(crate::Error::from)?;
                        if u64::try_from(now).unwrap_or_default() >= theirs {
                            // It changed since we read it, and is in OVN already.
                            continue;
                        }
                        let detail = format!("OVN has its generation {theirs}, the tables, which are from before, {now}");
                        ("differs", detail, Repair::GoAbove { key: one.key.clone(), found: theirs })
                    }
                    Err(error @ ovn::Error::Unavailable { .. }) => return Err(error.into()),
                    Err(error) => ("differs", error.to_string(), Repair::Apply(scope)),
                };
                differences.push(Difference { finding: finding(kind, &one.key, detail), repair });
            }
        }
        let gone = self.store.list(keys::gone).await.map_err(crate::Error::from)?;
        for difference in leftovers(&owned, &wanted, &gone) {
            // What was deleted while we looked is gone by now.
            if !self.northbound.owned_under(&format!("{}/", difference.finding.id))?.is_empty() {
                differences.push(difference);
            }
        }
        Ok(differences)
    }

    /// Has the rows of a key removed of which the tables know nothing, by the operator's word.
    pub async fn release_stray(&self, key: &str) -> Result<(), Refusal> {
        let owned = self.northbound.owned_under(&format!("{key}/")).map_err(|error| Refusal::unavailable(error.to_string()))?;
        let found = owned.iter().map(|row| row.generation).max().unwrap_or_default();
        let found = i64::try_from(found).unwrap_or(i64::MAX - 1);
        let name = key.to_owned();
        let release = move |tx: &mut store::Tx| {
            let is_known = all_keys(tx)?.contains(&name);
            if !is_known {
                keys::release(tx, &name, found)?;
            }
            Ok(is_known)
        };
        match self.change(release).await? {
            true => Err(Refusal::conflict(format!("{key} is known by now: delete it instead."))),
            false => Ok(()),
        }
    }
}

/// What can be said now; gateways cannot be judged before the hosts are known.
fn known(all: impl Iterator<Item = crate::Result<rows::Desired>>) -> crate::Result<Vec<rows::Desired>> {
    all.filter(|one| !matches!(one, Err(crate::Error::HostsUnknown))).collect()
}

/// The keys of everything in the tables, and of what is on its way out.
fn all_keys(tx: &mut store::Tx) -> crate::Result<Vec<String>> {
    let mut all = vec![keys::DROP.to_owned()];
    for kind in keys::kinds() {
        for row in tx.query(&format!("SELECT id FROM {}", kind.table), &[])? {
            all.push(format!("{}/{}", kind.name, row.get::<&str>(0)?));
        }
    }
    for row in tx.query("SELECT id FROM north_keys WHERE synced_generation < generation", &[])? {
        all.push(row.get(0)?);
    }
    Ok(all)
}

/// Rows of our kinds whose thing is in no table.
fn leftovers(owned: &[ovn::northbound::OwnedRow], wanted: &[String], gone: &[String]) -> Vec<Difference> {
    let set = |keys: &'_ [String]| keys.iter().cloned().collect::<BTreeSet<String>>();
    let (wanted, gone) = (set(wanted), set(gone));
    let mut strays: BTreeMap<String, u64> = BTreeMap::new();
    for row in owned {
        let mut parts = row.key.splitn(3, '/');
        let (Some(kind), Some(id), Some(_)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let key = format!("{kind}/{id}");
        let is_ours = keys::kinds().any(|known| known.name == kind);
        if is_ours && !wanted.contains(&key) {
            let newest = strays.entry(key).or_default();
            *newest = row.generation.max(*newest);
        }
    }
    let difference = |(key, generation): (String, u64)| {
        if gone.contains(&key) {
            let finding = finding("leftover", &key, "its rows are in OVN and it is gone".to_owned());
            return Difference { finding, repair: Repair::Apply(Scope::new(format!("{key}/"), generation, Vec::new())) };
        }
        let finding = finding(STRAY, &key, "its rows are in OVN and the tables know nothing of it; they are kept".to_owned());
        Difference { finding, repair: Repair::Keep }
    };
    strays.into_iter().map(difference).collect()
}

fn finding(kind: &str, key: &str, detail: String) -> Finding {
    Finding {
        room: "network".to_owned(),
        kind: kind.to_owned(),
        thing: "OVN_Northbound".to_owned(),
        id: key.to_owned(),
        place: String::new(),
        detail,
    }
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
