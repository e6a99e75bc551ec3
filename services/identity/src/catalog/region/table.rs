// SPDX-License-Identifier: Apache-2.0
//! The table of regions.

use access::{Allowed, Scope};
use store::{Actor, Row, Select, Tx, params};

use super::{NewRegion, Region, RegionUpdate};
use crate::{
    body::{merge, own_attributes, refuse_change},
    change,
    error::{Error, Result},
};

const COLUMNS: &str = "id, parent_region_id, description, extra";

pub fn select(_: &Allowed<Scope>) -> Select {
    Select::new("catalog_regions", COLUMNS)
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<Region>> {
    select.rows(tx)?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, _: &Allowed<Scope>, id: &str) -> Result<Region> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM catalog_regions WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| Error::not_found("region", id))
}

pub fn create(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, new: &NewRegion) -> Result<Region> {
    let region = Region {
        id: new.id.clone().filter(|id| !id.is_empty()).unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string()),
        description: new.description.clone().unwrap_or_default(),
        parent_region_id: new.parent_region_id.clone(),
        extra: own_attributes(new.extra.clone()),
    };
    if region.id.chars().count() > 255 {
        return Err(Error::Invalid("Invalid input for field/attribute region.id: it has at most 255 characters.".into()));
    }
    if let Some(parent) = &region.parent_region_id {
        get(tx, allowed, parent)?;
    }
    let sql = "INSERT INTO catalog_regions (id, parent_region_id, description, extra) VALUES ($1, $2, $3, $4)";
    let extra = serde_json::Value::Object(region.extra.clone());
    tx.execute(sql, &params![&region.id, region.parent_region_id.as_ref(), &region.description, extra]).map_err(|error| {
        if error.is_unique("id") {
            return Error::conflict("region", format!("Duplicate ID, {}.", region.id));
        }
        error.into()
    })?;
    change::record(tx, actor, "region", &region.id, None, Some(&region))?;
    Ok(region)
}

pub fn update(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str, update: &RegionUpdate) -> Result<Region> {
    let before = get(tx, allowed, id)?;
    refuse_change("id", id, &update.extra)?;
    let mut region = before.clone();
    if let Some(description) = &update.description {
        region.description = description.clone().unwrap_or_default();
    }
    if let Some(parent) = &update.parent_region_id {
        if let Some(parent) = parent {
            refuse_circle(tx, allowed, id, parent)?;
        }
        region.parent_region_id = parent.clone();
    }
    merge(&mut region.extra, update.extra.clone(), &[]);
    let sql = "UPDATE catalog_regions SET parent_region_id = $2, description = $3, extra = $4 WHERE id = $1";
    let extra = serde_json::Value::Object(region.extra.clone());
    tx.execute(sql, &params![id, region.parent_region_id.as_ref(), &region.description, extra])?;
    change::record(tx, actor, "region", id, Some(&before), Some(&region))?;
    Ok(region)
}

pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str) -> Result<()> {
    let region = get(tx, allowed, id)?;
    if tx.query_opt("SELECT 1 FROM catalog_regions WHERE parent_region_id = $1", &params![id])?.is_some() {
        return Err(Error::Forbidden(format!(
            "Unable to delete region {id} because it or its child regions have associated endpoints."
        )));
    }
    if tx.query_opt("SELECT 1 FROM catalog_endpoints WHERE region_id = $1", &params![id])?.is_some() {
        return Err(Error::Forbidden(format!(
            "Unable to delete region {id} because it or its child regions have associated endpoints."
        )));
    }
    tx.execute("DELETE FROM policy_associations WHERE region_id = $1", &params![id])?;
    tx.execute("DELETE FROM catalog_regions WHERE id = $1", &params![id])?;
    change::record(tx, actor, "region", id, Some(&region), None)
}

fn refuse_circle(tx: &mut Tx, allowed: &Allowed<Scope>, id: &str, parent: &str) -> Result<()> {
    let mut at = Some(parent.to_owned());
    while let Some(region) = at {
        if region == id {
            return Err(Error::Invalid(format!(
                "The region {parent} lies within the region {id}; it cannot be its parent as well."
            )));
        }
        at = get(tx, allowed, &region)?.parent_region_id;
    }
    Ok(())
}

fn read(row: &Row) -> Result<Region> {
    Ok(Region { id: row.get(0)?, parent_region_id: row.get(1)?, description: row.get(2)?, extra: row.json(3)? })
}
