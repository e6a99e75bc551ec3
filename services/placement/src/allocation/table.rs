// SPDX-License-Identifier: Apache-2.0
//! The tables of consumers and allocations, and the one place where room is given away.

use std::collections::BTreeMap;

use contracts::placement::Resources;
use store::{Actor, Change, Event, Row, Tx, params};

use crate::{
    error::Error,
    inventory::{
        self,
        table::{Inventories, OF_PROVIDER, USED_OF},
    },
    provider::{self, table::Provider},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    pub id: String,
    pub project: String,
    pub user: String,
    pub kind: Option<String>,
    pub generation: i64,
}

/// By provider.
pub type Allocations = BTreeMap<String, Resources>;

pub fn consumer(tx: &mut Tx, id: &str) -> Result<Option<Consumer>, Error> {
    let sql = "SELECT id, project_id, user_id, consumer_type, generation FROM placement_consumers WHERE id = $1";
    let Some(row) = tx.query_opt(sql, &params![id])? else { return Ok(None) };
    Ok(Some(Consumer { id: row.get(0)?, project: row.get(1)?, user: row.get(2)?, kind: row.get(3)?, generation: row.get(4)? }))
}

const OF_CONSUMER: &str = "SELECT provider_id, resource_class, used FROM placement_allocations WHERE consumer_id = $1";

pub fn of_consumer(tx: &mut Tx, consumer: &str) -> Result<Allocations, Error> {
    read(&tx.query(OF_CONSUMER, &params![consumer])?)
}

fn read(rows: &[Row]) -> Result<Allocations, Error> {
    let mut allocations = Allocations::new();
    for row in rows {
        allocations.entry(row.get(0)?).or_default().insert(row.get(1)?, row.get(2)?);
    }
    Ok(allocations)
}

/// By consumer, for one provider.
pub fn of_provider_by_consumer(tx: &mut Tx, provider: &str) -> Result<BTreeMap<String, Resources>, Error> {
    let sql = "SELECT consumer_id, resource_class, used FROM placement_allocations WHERE provider_id = $1";
    let mut allocations: BTreeMap<String, Resources> = BTreeMap::new();
    for row in &tx.query(sql, &params![provider])? {
        allocations.entry(row.get(0)?).or_default().insert(row.get(1)?, row.get(2)?);
    }
    Ok(allocations)
}

/// Makes the consumer hold exactly this, all or nothing. Capacity is checked against the sum of all allocations in
/// this very transaction, and each provider's generation is raised, so that two takers of the last room cannot both win.
pub fn replace(tx: &mut Tx, actor: &Actor, wanted: &Consumer, allocations: &Allocations) -> Result<(), Error> {
    let (before, hosts) = look(tx, &wanted.id, allocations.keys())?;
    put(tx, actor, wanted, allocations, before, hosts)
}

/// The same for who asks again when he is not sure to have been heard: what he holds already is no change.
pub fn claim(tx: &mut Tx, actor: &Actor, wanted: &Consumer, allocations: &Allocations) -> Result<(), Error> {
    let (before, hosts) = look(tx, &wanted.id, allocations.keys())?;
    if before == *allocations { Ok(()) } else { put(tx, actor, wanted, allocations, before, hosts) }
}

fn put(
    tx: &mut Tx,
    actor: &Actor,
    wanted: &Consumer,
    allocations: &Allocations,
    before: Allocations,
    hosts: Vec<Option<Host>>,
) -> Result<(), Error> {
    if !before.is_empty() {
        tx.later("DELETE FROM placement_allocations WHERE consumer_id = $1", &params![wanted.id.as_str()])?;
    }
    if allocations.is_empty() {
        tx.later("DELETE FROM placement_consumers WHERE id = $1", &params![wanted.id.as_str()])?;
    } else {
        tx.later(
            "INSERT INTO placement_consumers (id, project_id, user_id, consumer_type, generation) VALUES ($1, $2, $3, $4, 1) \
             ON CONFLICT (id) DO UPDATE SET project_id = $2, user_id = $3, consumer_type = $4, generation = placement_consumers.generation + 1",
            &params![wanted.id.as_str(), wanted.project.as_str(), wanted.user.as_str(), wanted.kind.clone()],
        )?;
    }
    for ((id, resources), host) in allocations.iter().zip(hosts) {
        let gone = || Error::Invalid(format!("Allocation for resource provider '{id}' that does not exist."));
        let Host { provider, inventories, mut used } = host.ok_or_else(gone)?;
        // What this one gives back is free for it again.
        for (class, amount) in before.get(id).into_iter().flatten() {
            used.entry(class.clone()).and_modify(|used| *used -= amount);
        }
        for (class, amount) in resources {
            check(id, class, *amount, &inventories, &used)?;
            tx.later(
                "INSERT INTO placement_allocations (consumer_id, provider_id, resource_class, used) VALUES ($1, $2, $3, $4)",
                &params![wanted.id.as_str(), id.as_str(), class.as_str(), *amount],
            )?;
        }
        provider::table::raise_generation(tx, id, provider.generation)?;
    }
    let there = |allocations| Some(allocations).filter(|held: &&Allocations| !held.is_empty());
    let change = Change { before: there(&before), after: there(allocations) };
    let action = if allocations.is_empty() { "allocation.delete" } else { "allocation.replace" };
    let event = Event::of(actor, action, ("allocation", &wanted.id), &change)?;
    tx.record(if wanted.project.is_empty() { event } else { event.of_project(wanted.project.clone()) })?;
    Ok(())
}

/// The one holds exactly what the other held, if that held anything. No room is taken that was not, so none is asked for:
/// a host of which more was given than it has can still be left.
pub fn hand_over(tx: &mut Tx, actor: &Actor, from: &str, to: &str, kind: &str) -> Result<(), Error> {
    let Some(giver) = consumer(tx, from)? else { return Ok(()) };
    let held = of_consumer(tx, from)?;
    if let Some(taker) = consumer(tx, to)? {
        replace(tx, actor, &taker, &Allocations::new())?;
    }
    tx.execute(
        "INSERT INTO placement_consumers (id, project_id, user_id, consumer_type, generation) VALUES ($1, $2, $3, $4, 1)",
        &params![to, giver.project.as_str(), giver.user.as_str(), kind],
    )?;
    tx.execute("UPDATE placement_allocations SET consumer_id = $1 WHERE consumer_id = $2", &params![to, from])?;
    tx.execute("DELETE FROM placement_consumers WHERE id = $1", &params![from])?;
    for id in held.keys() {
        let generation = provider::table::get(tx, id)?.generation;
        provider::table::raise_generation(tx, id, generation)?;
    }
    for (id, before, after) in [(from, Some(&held), None), (to, None, Some(&held))] {
        tx.record(Event {
            actor: actor.clone(),
            action: if after.is_some() { "allocation.replace" } else { "allocation.delete" }.to_owned(),
            resource_type: "allocation",
            resource_id: id.to_owned(),
            project_id: Some(giver.project.clone()).filter(|project| !project.is_empty()),
            before: before.map(|held| serde_json::json!(held)),
            after: after.map(|held| serde_json::json!(held)),
        })?;
    }
    Ok(())
}

/// A host as one looks for room on it.
struct Host {
    provider: Provider,
    inventories: Inventories,
    used: Resources,
}

/// What the consumer holds, and these providers, if they are there: all is asked for at once.
fn look<'a>(
    tx: &mut Tx,
    consumer: &str,
    providers: impl Iterator<Item = &'a String> + Clone,
) -> Result<(Allocations, Vec<Option<Host>>), Error> {
    let consumer = params![consumer];
    let of_providers: Vec<_> = providers.map(|id| params![id.as_str()]).collect();
    let mut asked = vec![(OF_CONSUMER, &consumer[..])];
    for id in &of_providers {
        asked.extend([(provider::table::GET, &id[..]), (OF_PROVIDER, &id[..]), (USED_OF, &id[..])]);
    }
    let mut answers = tx.queries(&asked)?.into_iter();
    let mut next = || answers.next().unwrap_or_default();
    let held = read(&next())?;
    let hosts = of_providers.iter().map(|_| {
        let (found, inventories, used) = (next(), next(), next());
        let Some(row) = found.first() else { return Ok(None) };
        let (inventories, used) = (inventory::table::read_all(&inventories)?, inventory::table::read_used(&used)?);
        Ok(Some(Host { provider: provider::table::from_row(row)?, inventories, used }))
    });
    let hosts = hosts.collect::<Result<_, Error>>()?;
    Ok((held, hosts))
}

fn check(provider: &str, class: &str, amount: i64, inventories: &Inventories, used: &Resources) -> Result<(), Error> {
    let full = |cause: String| Error::Full { provider: provider.to_owned(), class: class.to_owned(), cause };
    let inventory = inventories.get(class).ok_or_else(|| full("The provider has no inventory of this class.".into()))?;
    if amount < inventory.min_unit || amount > inventory.max_unit || amount % inventory.step_size != 0 {
        let (least, most, step) = (inventory.min_unit, inventory.max_unit, inventory.step_size);
        return Err(full(format!("One allocation takes from {least} to {most} in steps of {step}, not {amount}.")));
    }
    let used = *used.get(class).unwrap_or(&0);
    // Saturating, since a client names the amount.
    if used.saturating_add(amount) > inventory.capacity() {
        return Err(full(format!(
            "The requested amount would exceed the capacity: {amount} more than {used} of {}.",
            inventory.capacity()
        )));
    }
    Ok(())
}

/// Sums by class of what a project's (and user's) consumers hold.
pub fn usage_of(tx: &mut Tx, project: &str, user: Option<&str>) -> Result<Resources, Error> {
    let sql = "SELECT a.resource_class, CAST(SUM(a.used) AS BIGINT) FROM placement_allocations a \
               JOIN placement_consumers c ON c.id = a.consumer_id WHERE c.project_id = $1 AND ($2 = '' OR c.user_id = $2) \
               GROUP BY a.resource_class";
    let rows = tx.query(sql, &params![project, user.unwrap_or_default()])?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
