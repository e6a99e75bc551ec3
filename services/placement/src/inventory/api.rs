// SPDX-License-Identifier: Apache-2.0
//! `/resource_providers/{uuid}/inventories`

use std::{collections::BTreeMap, sync::Arc};

use api::{Cx, Fault, Reply, Routes, json, no_content};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::table::{self, Inventories, Inventory, ONE};
use crate::{Placement, error::Error, inventory::policy, names, provider};

pub fn routes() -> Routes<Placement> {
    Routes::new()
        .get("/resource_providers/{uuid}/inventories", &policy::LIST, list)
        .put("/resource_providers/{uuid}/inventories", &policy::UPDATE, replace)
        .delete("/resource_providers/{uuid}/inventories", &policy::DELETE, delete_all)
        .get("/resource_providers/{uuid}/inventories/{class}", &policy::SHOW, show)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    resource_provider_generation: i64,
    inventories: BTreeMap<String, AskOne>,
}

/// The largest number that the original takes.
const LARGEST: i64 = 0x7fff_ffff;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskOne {
    total: i64,
    #[serde(default)]
    reserved: i64,
    #[serde(default = "one")]
    min_unit: i64,
    #[serde(default = "largest")]
    max_unit: i64,
    #[serde(default = "one")]
    step_size: i64,
    #[serde(default = "one_to_one")]
    allocation_ratio: f64,
}

fn one() -> i64 {
    1
}

fn largest() -> i64 {
    LARGEST
}

fn one_to_one() -> f64 {
    1.0
}

impl AskOne {
    fn check(self, class: &str) -> Result<Inventory, Error> {
        let invalid = |what: &str| Error::Invalid(format!("JSON does not validate: {class}: {what}"));
        let within = |name: &str, number: i64, least: i64| {
            if (least..=LARGEST).contains(&number) {
                Ok(())
            } else {
                Err(invalid(&format!("{name} is between {least} and {LARGEST}")))
            }
        };
        within("total", self.total, 1)?;
        within("reserved", self.reserved, 0)?;
        within("min_unit", self.min_unit, 1)?;
        within("max_unit", self.max_unit, 1)?;
        within("step_size", self.step_size, 1)?;
        if self.reserved > self.total {
            return Err(invalid("reserved is not more than total"));
        }
        if !(self.allocation_ratio > 0.0 && self.allocation_ratio <= 1e6) {
            return Err(invalid("allocation_ratio is more than 0 and at most a million"));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        let ratio = (self.allocation_ratio * ONE as f64).round() as i64;
        Ok(Inventory {
            total: self.total,
            reserved: self.reserved,
            min_unit: self.min_unit,
            max_unit: self.max_unit,
            step_size: self.step_size,
            ratio,
        })
    }
}

const INVENTORIES: &str = "resource_provider.inventories";

async fn list(room: Arc<Placement>, cx: Cx) -> Reply {
    let id = cx.param("uuid").to_owned();
    let read = room.store.read(move |tx| {
        let provider = provider::table::get(tx, &id)?;
        Ok::<_, Error>((provider.generation, table::of_provider(tx, &id)?))
    });
    let (generation, inventories) = read.await?;
    json(StatusCode::OK, &view_all(generation, &inventories))
}

async fn replace(room: Arc<Placement>, mut cx: Cx) -> Reply {
    let ask: Ask = cx.json().await?;
    let (id, actor) = (cx.param("uuid").to_owned(), cx.actor());
    let mut wanted = Inventories::new();
    for (class, one) in ask.inventories {
        let inventory = one.check(&class)?;
        wanted.insert(class, inventory);
    }
    let read_generation = ask.resource_provider_generation;
    let written = room.store.write(move |tx| {
        provider::table::get(tx, &id)?;
        let generation = provider::table::raise_generation(tx, &id, read_generation)?;
        for class in wanted.keys() {
            names::table::check_class(tx, class)?;
        }
        provider::table::changing(tx, &actor, INVENTORIES, &id, |tx| table::replace(tx, &id, &wanted))?;
        Ok::<_, Error>((generation, wanted.clone()))
    });
    let (generation, inventories) = written.await?;
    json(StatusCode::OK, &view_all(generation, &inventories))
}

async fn delete_all(room: Arc<Placement>, cx: Cx) -> Reply {
    let (id, actor) = (cx.param("uuid").to_owned(), cx.actor());
    let write = room.store.write(move |tx| {
        let provider = provider::table::get(tx, &id)?;
        provider::table::raise_generation(tx, &id, provider.generation)?;
        provider::table::changing(tx, &actor, INVENTORIES, &id, |tx| table::replace(tx, &id, &Inventories::new()))
    });
    write.await?;
    no_content()
}

async fn show(room: Arc<Placement>, cx: Cx) -> Reply {
    let (id, class) = (cx.param("uuid").to_owned(), cx.param("class").to_owned());
    let read = room.store.read(move |tx| {
        let provider = provider::table::get(tx, &id)?;
        let inventory = table::of_provider(tx, &id)?.remove(&class);
        let inventory = inventory.ok_or_else(|| Error::NoInventory(id.clone(), class.clone()))?;
        Ok::<_, Error>((provider.generation, inventory))
    });
    let (generation, inventory) = read.await.map_err(Fault::from)?;
    let mut view = view(&inventory);
    view["resource_provider_generation"] = json!(generation);
    json(StatusCode::OK, &view)
}

fn view_all(generation: i64, inventories: &Inventories) -> Value {
    let views: serde_json::Map<_, _> = inventories.iter().map(|(class, inventory)| (class.clone(), view(inventory))).collect();
    json!({"resource_provider_generation": generation, "inventories": views})
}

#[allow(clippy::cast_precision_loss)]
fn view(inventory: &Inventory) -> Value {
    json!({
        "total": inventory.total, "reserved": inventory.reserved, "min_unit": inventory.min_unit, "max_unit": inventory.max_unit,
        "step_size": inventory.step_size, "allocation_ratio": inventory.ratio as f64 / ONE as f64,
    })
}
