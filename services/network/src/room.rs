// SPDX-License-Identifier: Apache-2.0
//! What every handler and loop of the room shares.

use std::{collections::BTreeSet, sync::Arc};

use access::InForce;
use api::Fault;
use ovn::{
    northbound::Northbound,
    southbound::{Chassis, Southbound},
};
use store::{Store, Tx};
use tokio::sync::watch;
use work::Bell;

use crate::{Error, northbound::rows::Surroundings, settings::Settings};

pub struct Room {
    pub store: Store,
    pub northbound: Northbound,
    pub southbound: Southbound,
    pub settings: Arc<Settings>,
    /// For what a neighbour asks in a caller's name.
    pub policies: InForce,
    pub bell: Bell,
    /// The hosts as OVN last told us; kept while it cannot be reached, so that gateways stay where they are. None until
    /// it has told us once.
    chassis: watch::Sender<Option<Arc<Vec<Chassis>>>>,
}

/// On PostgreSQL two transactions may choose the same free address or number; the unique key refuses one of them, and
/// the second choice is another.
const CHOICES: usize = 8;

impl Room {
    pub fn new(store: Store, northbound: Northbound, southbound: Southbound, settings: Settings, policies: InForce) -> Self {
        let (settings, bell, chassis) = (Arc::new(settings), Bell::new(), watch::Sender::default());
        Self { store, northbound, southbound, settings, policies, bell, chassis }
    }

    /// The same room, doing the work of the lead that this store is bound to.
    pub fn led(&self, store: Store) -> Self {
        let lead = store.term().and_then(|term| u64::try_from(term).ok());
        Self {
            northbound: lead.map_or_else(|| self.northbound.clone(), |lead| self.northbound.led(lead)),
            southbound: self.southbound.clone(),
            settings: self.settings.clone(),
            policies: self.policies.clone(),
            bell: self.bell.clone(),
            chassis: self.chassis.clone(),
            store,
        }
    }

    /// Runs a change; the reconciler hears of it when it is durable.
    pub async fn write<T, F>(&self, change: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Fn(&mut Tx) -> crate::Result<T> + Send + Sync + 'static,
    {
        Ok(self.change(change).await?)
    }

    /// The same for callers that are not HTTP handlers.
    pub async fn change<T, F>(&self, change: F) -> crate::Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut Tx) -> crate::Result<T> + Send + Sync + 'static,
    {
        let outcome = self.change_unheard(change).await;
        self.bell.ring();
        outcome
    }

    /// The same for who brings the change to OVN himself, and rings when he has.
    pub async fn change_unheard<T, F>(&self, change: F) -> crate::Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut Tx) -> crate::Result<T> + Send + Sync + 'static,
    {
        let change = Arc::new(change);
        let mut left = CHOICES;
        loop {
            let attempt = change.clone();
            left -= 1;
            match self.store.write(move |tx| attempt(tx)).await {
                Err(Error::Store(store::Error::Unique { .. })) if left > 0 => {}
                outcome => return outcome,
            }
        }
    }

    pub async fn read<T, F>(&self, look: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Fn(&mut Tx) -> crate::Result<T> + Send + Sync + 'static,
    {
        Ok(self.store.read(look).await?)
    }

    pub async fn list<T, F>(&self, look: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Fn(&mut Tx) -> crate::Result<T> + Send + Sync + 'static,
    {
        Ok(self.store.list(look).await?)
    }

    pub fn surroundings(&self) -> Surroundings {
        Surroundings { settings: self.settings.clone(), chassis: self.chassis.borrow().clone() }
    }

    pub fn set_chassis(&self, chassis: Vec<Chassis>) {
        self.chassis.send_replace(Some(Arc::new(chassis)));
    }

    /// Tells of each change of the hosts.
    pub fn chassis(&self) -> watch::Receiver<Option<Arc<Vec<Chassis>>>> {
        self.chassis.subscribe()
    }

    /// The physical networks that some host has a bridge to.
    pub fn physical_networks(&self) -> Vec<String> {
        let around = self.surroundings();
        let mapped =
            around.chassis.iter().flat_map(|chassis| chassis.iter()).flat_map(|chassis| chassis.bridge_mappings.keys().cloned());
        let all: BTreeSet<String> = mapped.chain(self.settings.physical_networks.iter().cloned()).collect();
        all.into_iter().collect()
    }
}
