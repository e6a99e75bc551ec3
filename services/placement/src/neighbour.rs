// SPDX-License-Identifier: Apache-2.0
//! The room's door for fleet and compute.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{
    BoxFuture, Refusal,
    placement::{Capacity, Claim, Inventory, Placement as Door, Resources},
};
use store::{Actor, params};
use types::{AllocationConsumer, NodeId, ProjectId, ProviderId, UserId};

use crate::{
    Placement,
    allocation::table::{self as allocations, Allocations, Consumer},
    error::Error,
    inventory::table::{self as inventories, Inventories, ONE},
    names::table as names,
    provider::table as providers,
};

impl Door for Placement {
    fn ensure_provider<'a>(
        &'a self,
        node: &'a NodeId,
        name: &'a str,
        wanted: &'a BTreeMap<String, Inventory>,
        traits: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        let (id, name, traits) = (node.to_string(), name.to_owned(), traits.clone());
        let wanted: Inventories = wanted.iter().map(|(class, inventory)| (class.clone(), whole(inventory))).collect();
        Box::pin(async move {
            let write = self.store.write(move |tx| {
                let actor = Actor::system("fleet");
                let provider = match providers::get(tx, &id) {
                    Err(Error::NoProvider(_)) => providers::insert(tx, &actor, &id, &name)?,
                    Ok(provider) if provider.name != name => providers::rename(tx, &actor, &id, &name)?,
                    other => other?,
                };
                for name in &traits {
                    names::ensure(tx, names::TRAIT, name)?;
                }
                if inventories::of_provider(tx, &id)? == wanted && names::traits_of(tx, &id)? == traits {
                    return Ok::<_, Error>(());
                }
                providers::raise_generation(tx, &id, provider.generation)?;
                providers::changing(tx, &actor, "resource_provider.inventories", &id, |tx| {
                    inventories::replace(tx, &id, &wanted)?;
                    names::replace_traits(tx, &id, &traits)
                })
            });
            Ok(write.await?)
        })
    }

    fn release_provider<'a>(&'a self, node: &'a NodeId) -> BoxFuture<'a, Result<(), Refusal>> {
        let id = node.to_string();
        Box::pin(async move {
            let write = self.store.write(move |tx| match providers::delete(tx, &Actor::system("fleet"), &id) {
                Err(Error::NoProvider(_)) => Ok(()),
                done => done,
            });
            Ok(write.await?)
        })
    }

    fn capacities(&self) -> BoxFuture<'_, Result<Vec<Capacity>, Refusal>> {
        Box::pin(async move { Ok(self.store.list(inventories::capacities).await?) })
    }

    fn claim<'a>(
        &'a self,
        consumer: &'a AllocationConsumer,
        provider: &'a ProviderId,
        resources: &'a Resources,
        project: &'a ProjectId,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Claim, Refusal>> {
        let wanted = Consumer {
            id: consumer.to_string(),
            project: project.to_string(),
            user: user.to_string(),
            kind: Some("INSTANCE".into()),
            generation: 0,
        };
        let held: Allocations = [(provider.to_string(), resources.clone())].into();
        Box::pin(async move {
            let write = self.store.write(move |tx| allocations::claim(tx, &Actor::system("compute"), &wanted, &held));
            match write.await {
                Ok(()) => Ok(Claim::Held),
                Err(Error::Full { class, .. }) => Ok(Claim::Full(vec![class])),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn set_aside<'a>(
        &'a self,
        consumer: &'a AllocationConsumer,
        under: &'a AllocationConsumer,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        let (from, to) = (consumer.to_string(), under.to_string());
        Box::pin(async move {
            let write = self.store.write(move |tx| {
                if allocations::consumer(tx, &to)?.is_some() {
                    return Ok(());
                }
                allocations::hand_over(tx, &Actor::system("compute"), &from, &to, "MIGRATION")
            });
            Ok(write.await?)
        })
    }

    fn take_back<'a>(
        &'a self,
        from: &'a AllocationConsumer,
        consumer: &'a AllocationConsumer,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        let (from, to) = (from.to_string(), consumer.to_string());
        Box::pin(async move {
            Ok(self.store.write(move |tx| allocations::hand_over(tx, &Actor::system("compute"), &from, &to, "INSTANCE")).await?)
        })
    }

    fn held<'a>(&'a self, consumer: &'a AllocationConsumer) -> BoxFuture<'a, Result<Option<ProviderId>, Refusal>> {
        let id = consumer.to_string();
        Box::pin(async move {
            let held = self.store.read(move |tx| allocations::of_consumer(tx, &id)).await?;
            Ok(held.into_keys().next().map(ProviderId::new))
        })
    }

    fn release<'a>(&'a self, consumer: &'a AllocationConsumer) -> BoxFuture<'a, Result<(), Refusal>> {
        let id = consumer.to_string();
        Box::pin(async move {
            let write = self.store.write(move |tx| match allocations::consumer(tx, &id)? {
                None => Ok::<_, Error>(()),
                Some(consumer) => allocations::replace(tx, &Actor::system("compute"), &consumer, &Allocations::new()),
            });
            Ok(write.await?)
        })
    }

    fn consumers(&self) -> BoxFuture<'_, Result<Vec<AllocationConsumer>, Refusal>> {
        Box::pin(async move {
            let read = self.store.list(|tx| {
                let rows = tx.query("SELECT id FROM placement_consumers ORDER BY id", &params![])?;
                rows.iter().map(|row| Ok(AllocationConsumer::new(row.get::<String>(0)?))).collect::<Result<Vec<_>, Error>>()
            });
            Ok(read.await?)
        })
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn whole(inventory: &Inventory) -> inventories::Inventory {
    inventories::Inventory {
        total: inventory.total,
        reserved: inventory.reserved,
        min_unit: 1,
        max_unit: inventory.total,
        step_size: 1,
        ratio: (inventory.allocation_ratio * ONE as f64).round() as i64,
    }
}
