// SPDX-License-Identifier: Apache-2.0
//! Brings OVN to what the tables say, one key at a time.

use std::sync::Arc;

use ovn::northbound::Scope;
use store::Tx;
use work::{KeyedReconciler, Step};

use super::rows::{self, Desired};
use crate::{Room, ipam::leaving, keys};

pub struct Reconciler {
    room: Arc<Room>,
}

const OLD_DROP_GROUP: &str = "drop/group";

impl Reconciler {
    pub fn new(room: Arc<Room>) -> Self {
        Self { room }
    }
}

impl KeyedReconciler for Reconciler {
    fn name(&self) -> &'static str {
        "network"
    }

    async fn pending(&self, after: &str, limit: usize) -> Result<Vec<String>, String> {
        let after = after.to_owned();
        self.room.store.read(move |tx| keys::pending(tx, &after, limit)).await.map_err(|error| error.to_string())
    }

    async fn converge(&self, key: &str) -> Result<Step, String> {
        if key == keys::OLD_DROP && self.room.northbound.has_members(OLD_DROP_GROUP) {
            // Its ports go to the groups of their networks, each in its own time; before that it protects them.
            return Ok(Step::Wait);
        }
        match self.room.converge(key).await {
            Ok(()) => Ok(Step::Settled),
            Err(ConvergeError::Tables(crate::Error::HostsUnknown)) => Ok(Step::Wait),
            Err(error) => Err(error.to_string()),
        }
    }

    fn blocked(&self) -> Option<String> {
        self.room.northbound.client().why_not_current()
    }
}

/// Why a key was not brought to OVN.
#[derive(Debug, thiserror::Error)]
pub enum ConvergeError {
    #[error("read what is wanted: {0}")]
    Tables(#[from] crate::Error),
    #[error("write it to OVN: {0}")]
    Ovn(#[from] ovn::Error),
}

impl Room {
    /// Writes the rows of a key to OVN, together with what they lean on, and notes that it has them.
    pub async fn converge(&self, key: &str) -> Result<(), ConvergeError> {
        let written = self.write_out(key).await?;
        self.settle(written).await
    }

    /// Writes the rows of a key to OVN, together with what they lean on.
    pub async fn write_out(&self, key: &str) -> Result<Written, ConvergeError> {
        let (around, wanted) = (self.surroundings(), key.to_owned());
        let mut desired: Vec<Desired> =
            self.store.list(move |tx| rows::with_needs(tx, &around, std::slice::from_ref(&wanted))).await?;
        let outcome = self.northbound.apply(&scopes(&desired)).await;
        let outcome = match outcome {
            // What the rows lean on was settled once, and somebody took it out of OVN since.
            Err(ovn::Error::MissingRow { .. }) => {
                let (around, needs) = (self.surroundings(), desired.iter().flat_map(|one| one.needs.clone()).collect::<Vec<_>>());
                let all = self.store.list(move |tx| rows::desired(tx, &around, &needs)).await?;
                let known: Vec<String> = desired.iter().map(|one| one.key.clone()).collect();
                let mut first: Vec<Desired> = all.into_iter().filter(|one| !known.contains(&one.key)).collect();
                first.sort_by(|a, b| a.key.cmp(&b.key));
                first.dedup_by(|a, b| a.key == b.key);
                first.append(&mut desired);
                desired = first;
                self.northbound.apply(&scopes(&desired)).await
            }
            outcome => outcome,
        };
        let settled: Vec<(String, i64, bool)> =
            desired.into_iter().map(|one| (one.key, one.state.generation, one.is_there)).collect();
        match outcome {
            Ok(_) => Ok(Written(settled)),
            Err(error) => {
                let found = match &error {
                    ovn::Error::Stale { theirs, .. } => i64::try_from(*theirs).ok(),
                    _ => None,
                };
                let key = key.to_owned();
                self.store.write(move |tx| keys::fail(tx, &key, found)).await.map_err(crate::Error::from)?;
                Err(error.into())
            }
        }
    }

    /// Notes that OVN has what was written.
    pub async fn settle(&self, Written(keys): Written) -> Result<(), ConvergeError> {
        let settle =
            move |tx: &mut Tx| keys.iter().try_for_each(|(key, generation, is_there)| settle(tx, key, *generation, *is_there));
        Ok(self.store.write(settle).await.map_err(crate::Error::from)?)
    }
}

/// Keys that OVN has, with the generation in which it has each, and whether there are rows of it.
#[must_use]
pub struct Written(Vec<(String, i64, bool)>);

fn settle(tx: &mut Tx, key: &str, generation: i64, is_there: bool) -> store::Result<()> {
    // A key that OVN has for the first time gave nothing back.
    if keys::settle(tx, key, generation, is_there)? && generation > 1 { leaving::left(tx, key) } else { Ok(()) }
}

fn scopes(desired: &[Desired]) -> Vec<Scope> {
    desired.iter().map(Desired::scope).collect()
}
