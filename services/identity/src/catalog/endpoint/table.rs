// SPDX-License-Identifier: Apache-2.0
//! The table of endpoints.

use access::{Allowed, Scope};
use store::{Actor, Row, Select, Tx, params};
use types::EndpointId;

use super::{Endpoint, EndpointUpdate, Interface, NewEndpoint};
use crate::{
    body::{merge, own_attributes, refuse_change},
    catalog::{
        region::{self, NewRegion},
        service,
    },
    change,
    error::{Error, Result},
};

const COLUMNS: &str = "id, service_id, region_id, interface, url, enabled, extra";

pub fn select(_: &Allowed<Scope>) -> Select {
    Select::new("catalog_endpoints", COLUMNS)
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<Endpoint>> {
    select.rows(tx)?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, _: &Allowed<Scope>, id: &EndpointId) -> Result<Endpoint> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM catalog_endpoints WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| Error::not_found("endpoint", id.as_str()))
}

pub fn create(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, new: &NewEndpoint) -> Result<Endpoint> {
    refuse_bad_url(new.url.as_str())?;
    service::table::get(tx, allowed, &new.service_id).map_err(Error::in_body)?;
    let region = match (&new.region_id, &new.region) {
        (Some(id), _) => Some(region::table::get(tx, allowed, id).map_err(Error::in_body)?.id),
        (None, Some(name)) => Some(ensure_region(tx, allowed, actor, name)?),
        (None, None) => None,
    };
    let endpoint = Endpoint {
        id: EndpointId::generate(),
        interface: new.interface,
        region_id: region.clone(),
        service_id: new.service_id.clone(),
        url: new.url.as_str().to_owned(),
        enabled: new.enabled,
        region,
        extra: own_attributes(new.extra.clone()),
    };
    let sql = "INSERT INTO catalog_endpoints (id, service_id, region_id, interface, url, enabled, extra) \
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    tx.execute(sql, &row(&endpoint))?;
    change::record(tx, actor, "endpoint", endpoint.id.as_str(), None, Some(&endpoint))?;
    Ok(endpoint)
}

pub fn update(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    actor: &Actor,
    id: &EndpointId,
    update: &EndpointUpdate,
) -> Result<Endpoint> {
    let before = get(tx, allowed, id)?;
    refuse_change("id", id.as_str(), &update.extra)?;
    let mut endpoint = before.clone();
    if let Some(interface) = update.interface {
        endpoint.interface = interface;
    }
    if let Some(service) = &update.service_id {
        endpoint.service_id = service::table::get(tx, allowed, service).map_err(Error::in_body)?.id;
    }
    if let Some(url) = &update.url {
        refuse_bad_url(url.as_str())?;
        endpoint.url = url.as_str().to_owned();
    }
    match (&update.region_id, &update.region) {
        (Some(Some(id)), _) => endpoint.region_id = Some(region::table::get(tx, allowed, id).map_err(Error::in_body)?.id),
        (None, Some(Some(name))) => endpoint.region_id = Some(ensure_region(tx, allowed, actor, name)?),
        (Some(None), _) | (None, Some(None)) => endpoint.region_id = None,
        (None, None) => {}
    }
    endpoint.region = endpoint.region_id.clone();
    if let Some(enabled) = update.enabled {
        endpoint.enabled = enabled;
    }
    merge(&mut endpoint.extra, update.extra.clone(), &[]);
    let sql = "UPDATE catalog_endpoints SET service_id = $2, region_id = $3, interface = $4, url = $5, enabled = $6, \
               extra = $7 WHERE id = $1";
    tx.execute(sql, &row(&endpoint))?;
    change::record(tx, actor, "endpoint", id.as_str(), Some(&before), Some(&endpoint))?;
    Ok(endpoint)
}

pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &EndpointId) -> Result<()> {
    let endpoint = get(tx, allowed, id)?;
    tx.execute("DELETE FROM policy_associations WHERE endpoint_id = $1", &params![id])?;
    tx.execute("DELETE FROM catalog_endpoints WHERE id = $1", &params![id])?;
    change::record(tx, actor, "endpoint", id.as_str(), Some(&endpoint), None)
}

/// A region that is named in the older way comes into being with its first endpoint.
fn ensure_region(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, name: &str) -> Result<String> {
    match region::table::get(tx, allowed, name) {
        Err(Error::NotFound { .. }) => {
            let new =
                NewRegion { id: Some(name.to_owned()), description: None, parent_region_id: None, extra: Default::default() };
            Ok(region::table::create(tx, allowed, actor, &new)?.id)
        }
        other => Ok(other?.id),
    }
}

/// Only what the catalog can fill in may be asked for, else every login would fail on this endpoint.
fn refuse_bad_url(url: &str) -> Result<()> {
    let known = ["project_id", "tenant_id", "user_id"];
    let mut rest = url.replace("$(", "%(");
    for name in known {
        rest = rest.replace(&format!("%({name})s"), "");
    }
    if rest.contains("%(") {
        return Err(Error::Invalid(format!("The URL can hold %({})s, nothing else of this form.", known.join(")s, %("))));
    }
    Ok(())
}

fn row(endpoint: &Endpoint) -> [store::Value; 7] {
    let extra = serde_json::Value::Object(endpoint.extra.clone());
    params![
        &endpoint.id,
        &endpoint.service_id,
        endpoint.region_id.as_ref(),
        endpoint.interface.as_str(),
        &endpoint.url,
        endpoint.enabled,
        extra,
    ]
}

fn read(row: &Row) -> Result<Endpoint> {
    let region: Option<String> = row.get(2)?;
    Ok(Endpoint {
        id: row.get(0)?,
        service_id: row.get(1)?,
        region_id: region.clone(),
        interface: match row.get::<&str>(3)? {
            "internal" => Interface::Internal,
            "admin" => Interface::Admin,
            _ => Interface::Public,
        },
        url: row.get(4)?,
        enabled: row.get(5)?,
        region,
        extra: row.json(6)?,
    })
}
