// SPDX-License-Identifier: Apache-2.0
//! Compares what we own in OVN with the tables: at once where somebody else changed something, as the replica tells, and
//! slowly, a few keys at a time, all that there is. What somebody changed there is put right, and what belongs to something that
//! the tables know to be gone goes. What they know nothing of is kept: after they were put back to an earlier state, machines
//! that were made later go on with the ports that they have.
//!
//! A difference is no reason to write to OVN, but to have its key go through the reconciler once more, in a generation above all
//! that OVN was given: so what is deleted at the same time stays deleted.
//!
//! Invariant: rows of a thing that the tables never knew stay until the operator says that they shall go (test:
//! `rows_that_the_tables_do_not_know_are_kept`).
//!
//! Invariant: drift does not last (test: `drift_is_repaired`).

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use contracts::{
    Refusal,
    audit::{Finding, STRAY},
};
use ovn::{northbound::Applied, ovsdb::Touched};
use tokio::time::{Instant, sleep, sleep_until};
use types::Timestamp;

use super::{
    reconcile::ConvergeError,
    rows::{self, Desired},
};
use crate::{Room, keys};

pub struct Sweep {
    room: Arc<Room>,
    /// How far the slow look at everything is.
    cursor: String,
    /// What was touched and could not be looked at yet.
    open: BTreeSet<String>,
}

/// How often the slow look goes on, …
const STEP: Duration = Duration::from_secs(1);
/// … by how many keys, …
const KEYS_A_STEP: usize = 100;
/// … and how long it takes at least to see everything: a small cloud is not looked at all the time.
const ROUND: Duration = Duration::from_secs(60);
/// How many keys are read from the tables at once.
const CHUNK: usize = 200;
/// Changes come in bursts.
const BURST: Duration = Duration::from_millis(100);
/// For how long it is remembered that a thing is gone.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// A difference, and what removes it.
pub struct Difference {
    pub finding: Finding,
    repair: Repair,
}

enum Repair {
    /// The key goes to OVN again, in a generation above this.
    Above(u64),
    /// It is left as it is.
    Keep,
}

impl Sweep {
    pub fn new(room: Arc<Room>) -> Self {
        Self { room, cursor: String::new(), open: BTreeSet::new() }
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        let touched = self.room.northbound.follow_drift();
        // What was touched before is met by the slow look.
        touched.take();
        let mut round_ends = Instant::now() + ROUND;
        let mut next = Instant::now() + STEP;
        loop {
            let outcome = tokio::select! {
                () = touched.changed() => {
                    sleep(BURST).await;
                    self.heed(touched.take()).await.map(drop)
                }
                () = sleep_until(next) => {
                    next = Instant::now() + STEP;
                    let outcome = self.step().await;
                    if matches!(outcome, Ok(true)) {
                        next = next.max(round_ends);
                        round_ends = next + ROUND;
                    }
                    outcome.map(drop)
                }
            };
            if let Err(error) = outcome {
                tracing::warn!(%error, "OVN was not compared with the tables; it will be");
                sleep(STEP).await;
            }
        }
    }

    /// Compares everything, and removes every difference; answers how many there were.
    pub async fn repair(&self) -> Result<usize, ConvergeError> {
        if !self.room.northbound.client().is_current() {
            return Ok(0);
        }
        let differences = self.room.differences().await?;
        let repaired = self.remove(differences).await;
        self.forget_gone().await?;
        Ok(repaired)
    }

    /// Looks at what somebody else changed.
    pub async fn heed(&mut self, touched: Touched) -> Result<usize, ConvergeError> {
        match touched {
            Touched::All => self.cursor.clear(),
            Touched::These(mut keys) => self.open.append(&mut keys),
        }
        let mut repaired = 0;
        while !self.open.is_empty() {
            let some: Vec<String> = self.open.iter().take(CHUNK).cloned().collect();
            let differences = self.room.judge(some.clone()).await?;
            some.iter().for_each(|key| {
                self.open.remove(key);
            });
            repaired += self.remove(differences).await;
        }
        Ok(repaired)
    }

    /// Looks at the next few keys. True when it came to the end and begins anew.
    pub async fn step(&mut self) -> Result<bool, ConvergeError> {
        if !self.room.northbound.client().is_current() {
            return Ok(false);
        }
        self.heed(Touched::These(BTreeSet::new())).await?;
        let prefixes = self.room.prefixes_after(&self.cursor, KEYS_A_STEP).await?;
        match prefixes.last() {
            Some(last) => self.cursor.clone_from(last),
            None => {
                self.cursor.clear();
                self.forget_gone().await?;
                return Ok(true);
            }
        }
        let differences = self.room.judge(prefixes.iter().map(|prefix| key_of(prefix)).collect()).await?;
        self.remove(differences).await;
        Ok(false)
    }

    async fn remove(&self, differences: Vec<Difference>) -> usize {
        let mut repaired = 0;
        for Difference { finding, repair } in differences {
            let Repair::Above(found) = repair else { continue };
            tracing::warn!(kind = finding.kind, id = finding.id, detail = finding.detail, "OVN differed and is put right");
            // One that cannot be repaired must not keep the others from it.
            if let Err(error) = self.renew(&finding.id, found).await {
                tracing::warn!(id = finding.id, %error, "a difference in OVN could not be removed");
            }
            repaired += 1;
        }
        repaired
    }

    async fn renew(&self, key: &str, found: u64) -> Result<(), ConvergeError> {
        let (found, name) = (i64::try_from(found).unwrap_or(i64::MAX - 1), key.to_owned());
        self.room.store.write(move |tx| keys::renew(tx, &name, found)).await.map_err(crate::Error::from)?;
        self.room.converge(key).await
    }

    async fn forget_gone(&self) -> Result<(), ConvergeError> {
        let long_ago = Timestamp(Timestamp::now().0.saturating_sub(i64::try_from(REMEMBERED.as_micros()).unwrap_or(i64::MAX)));
        Ok(self.room.store.write(move |tx| keys::forget_gone(tx, long_ago)).await.map_err(crate::Error::from)?)
    }
}

impl Room {
    /// Everything in OVN that is not as the tables say. What is on its way there is no difference.
    pub async fn differences(&self) -> Result<Vec<Difference>, ConvergeError> {
        let (mut differences, mut after) = (Vec::new(), String::new());
        loop {
            let prefixes = self.prefixes_after(&after, CHUNK).await?;
            let Some(last) = prefixes.last() else { return Ok(differences) };
            after.clone_from(last);
            differences.extend(self.judge(prefixes.iter().map(|prefix| key_of(prefix)).collect()).await?);
        }
    }

    /// The next prefixes of keys, in order: of what the tables hold, and of what OVN has of ours.
    async fn prefixes_after(&self, after: &str, most: usize) -> Result<Vec<String>, ConvergeError> {
        let (key, limit) = (key_of(after), i64::try_from(most).unwrap_or(i64::MAX));
        let ours = self.store.list(move |tx| keys::after(tx, &key, limit)).await.map_err(crate::Error::from)?;
        let found = self.northbound.prefixes_after(after, most)?;
        // Each of both is whole up to its end, and so both are up to the last that is kept.
        let all: BTreeSet<String> = ours.into_iter().map(|key| format!("{key}/")).chain(found).collect();
        Ok(all.into_iter().take(most).collect())
    }

    /// What is not as the tables say under these keys.
    async fn judge(&self, keys: Vec<String>) -> Result<Vec<Difference>, ConvergeError> {
        let around = self.surroundings();
        let desired = self.store.list(move |tx| rows::desired(tx, &around, &keys)).await?;
        let judged = desired.iter().filter(|one| one.state.is_synced && one.is_known && is_ours(&one.key));
        let differences = judged.map(|one| self.difference(one)).collect::<Result<Vec<_>, ovn::Error>>()?;
        Ok(differences.into_iter().flatten().collect())
    }

    fn difference(&self, one: &Desired) -> Result<Option<Difference>, ovn::Error> {
        let scope = one.scope();
        let say = |kind: &str, detail: String, repair| {
            let finding = Finding {
                room: "network".to_owned(),
                kind: kind.to_owned(),
                thing: "OVN_Northbound".to_owned(),
                id: one.key.clone(),
                place: String::new(),
                detail,
            };
            Ok(Some(Difference { finding, repair }))
        };
        if !one.is_there {
            let owned = self.northbound.owned_under(&format!("{}/", one.key))?;
            let Some(newest) = owned.iter().map(|row| row.generation).max() else { return Ok(None) };
            return match one.state.is_gone {
                true => say("leftover", "its rows are in OVN and it is gone".to_owned(), Repair::Above(newest)),
                false => {
                    say(STRAY, "its rows are in OVN and the tables know nothing of it; they are kept".to_owned(), Repair::Keep)
                }
            };
        }
        match self.northbound.drift(std::slice::from_ref(&scope)) {
            Ok(applied) if applied.is_nothing() => Ok(None),
            Ok(applied) => say(kind_of(applied), describe(applied), Repair::Above(0)),
            Err(ovn::Error::Stale { theirs, .. }) => {
                let detail =
                    format!("OVN has its generation {theirs}, the tables, which are from before, {}", one.state.generation);
                say("differs", detail, Repair::Above(theirs))
            }
            Err(error @ ovn::Error::Unavailable { .. }) => Err(error),
            Err(error) => say("differs", error.to_string(), Repair::Above(0)),
        }
    }

    /// Has the rows of a key removed of which the tables know nothing, by the operator's word.
    pub async fn release_stray(&self, key: &str) -> Result<(), Refusal> {
        let owned = self.northbound.owned_under(&format!("{key}/")).map_err(|error| Refusal::unavailable(error.to_string()))?;
        let found = owned.iter().map(|row| row.generation).max().unwrap_or_default();
        let found = i64::try_from(found).unwrap_or(i64::MAX - 1);
        let name = key.to_owned();
        let release = move |tx: &mut store::Tx| {
            let is_known = keys::is_there(tx, &name)? || !keys::ahead(tx, &[name.as_str()])?.is_empty();
            if !is_known {
                keys::renew(tx, &name, found)?;
            }
            Ok(is_known)
        };
        match self.change(release).await? {
            true => Err(Refusal::conflict(format!("{key} is known by now: delete it instead."))),
            false => Ok(()),
        }
    }
}

fn key_of(prefix: &str) -> String {
    prefix.trim_end_matches('/').to_owned()
}

fn is_ours(key: &str) -> bool {
    keys::read(key).is_some()
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
