// SPDX-License-Identifier: Apache-2.0
//! The table of which policy is for what.

use std::collections::HashMap;

use access::{Allowed, Scope};
use store::{Actor, Tx, params};
use types::EndpointId;

use super::For;
use crate::{
    catalog::{
        endpoint::{Endpoint, table as endpoints},
        region::table as regions,
        service::table as services,
    },
    change,
    error::{Error, Result},
    policy::{Document, table as policies},
};

/// Makes the policy the one for this; whichever was before is so no more.
pub fn associate(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, policy: &str, with: &For) -> Result<()> {
    refuse_unknown(tx, allowed, policy, with)?;
    let [endpoint, service, region] = with.key();
    let sql = "INSERT INTO policy_associations (endpoint_id, service_id, region_id, policy_id) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (endpoint_id, service_id, region_id) DO UPDATE SET policy_id = excluded.policy_id";
    tx.execute(sql, &params![endpoint, service, region, policy])?;
    change::record(tx, actor, "policy_association", policy, None, Some(&state(policy, with)))
}

pub fn check(tx: &mut Tx, allowed: &Allowed<Scope>, policy: &str, with: &For) -> Result<()> {
    refuse_unknown(tx, allowed, policy, with)?;
    let [endpoint, service, region] = with.key();
    let sql =
        "SELECT 1 FROM policy_associations WHERE endpoint_id = $1 AND service_id = $2 AND region_id = $3 AND policy_id = $4";
    tx.query_opt(sql, &params![endpoint, service, region, policy])?.ok_or_else(|| not_associated(policy)).map(drop)
}

pub fn dissociate(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, policy: &str, with: &For) -> Result<()> {
    refuse_unknown(tx, allowed, policy, with)?;
    let [endpoint, service, region] = with.key();
    let sql = "DELETE FROM policy_associations WHERE endpoint_id = $1 AND service_id = $2 AND region_id = $3 AND policy_id = $4";
    if tx.execute(sql, &params![endpoint, service, region, policy])? == 0 {
        return Err(not_associated(policy));
    }
    change::record(tx, actor, "policy_association", policy, Some(&state(policy, with)), None)
}

/// The policy that holds for an endpoint: its own, else its service's in its region or in one around that, else its
/// service's.
pub fn of_endpoint(tx: &mut Tx, allowed: &Allowed<Scope>, id: &EndpointId) -> Result<Document> {
    let endpoint = endpoints::get(tx, allowed, id)?;
    let sql = "SELECT endpoint_id, region_id, policy_id FROM policy_associations WHERE endpoint_id = $1 OR service_id = $2";
    let mut own = None;
    let mut by_region: HashMap<String, String> = HashMap::new();
    for row in tx.query(sql, &params![id, &endpoint.service_id])? {
        match row.get::<&str>(0)? {
            "" => drop(by_region.insert(row.get(1)?, row.get(2)?)),
            _ => own = Some(row.get::<String>(2)?),
        }
    }
    if own.is_none() {
        for region in around(tx, endpoint.region_id)? {
            own = own.or_else(|| by_region.remove(&region));
        }
    }
    let found = own.or_else(|| by_region.remove(""));
    let policy = found.ok_or_else(|| Error::not_found("policy for endpoint", id.as_str()))?;
    policies::get(tx, allowed, &policy)
}

/// The endpoints for which a policy is.
pub fn endpoints(tx: &mut Tx, allowed: &Allowed<Scope>, policy: &str) -> Result<Vec<Endpoint>> {
    policies::get(tx, allowed, policy)?;
    let sql = "WITH RECURSIVE covered (service_id, region_id) AS (
                   SELECT service_id, region_id FROM policy_associations WHERE policy_id = $1 AND region_id <> ''
                   UNION SELECT covered.service_id, r.id FROM catalog_regions r
                         JOIN covered ON r.parent_region_id = covered.region_id
               )
               SELECT e.id FROM catalog_endpoints e
               WHERE EXISTS (SELECT 1 FROM policy_associations a WHERE a.policy_id = $1 AND a.region_id = ''
                             AND (a.endpoint_id = e.id OR a.service_id = e.service_id))
                  OR EXISTS (SELECT 1 FROM covered WHERE covered.service_id = e.service_id AND covered.region_id = e.region_id)";
    let rows = tx.query(sql, &params![policy])?;
    let ids: Vec<EndpointId> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    endpoints::list(tx, &endpoints::select(allowed).filter_in("id", &ids))
}

/// The region and those around it, innermost first.
fn around(tx: &mut Tx, region: Option<String>) -> Result<Vec<String>> {
    let sql = "WITH RECURSIVE around (id, parent, depth) AS (
                   SELECT id, parent_region_id, 0 FROM catalog_regions WHERE id = $1
                   UNION ALL SELECT r.id, r.parent_region_id, around.depth + 1 FROM catalog_regions r
                             JOIN around ON r.id = around.parent
               )
               SELECT id FROM around ORDER BY depth";
    Ok(tx.query(sql, &params![region])?.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?)
}

fn refuse_unknown(tx: &mut Tx, allowed: &Allowed<Scope>, policy: &str, with: &For) -> Result<()> {
    policies::get(tx, allowed, policy)?;
    match with {
        For::Endpoint(endpoint) => endpoints::get(tx, allowed, endpoint).map(drop),
        For::Service(service) => services::get(tx, allowed, service).map(drop),
        For::ServiceInRegion(service, region) => {
            services::get(tx, allowed, service)?;
            regions::get(tx, allowed, region).map(drop)
        }
    }
}

fn not_associated(policy: &str) -> Error {
    Error::not_found("policy association", policy)
}

fn state(policy: &str, with: &For) -> serde_json::Value {
    let [endpoint, service, region] = with.key();
    serde_json::json!({"policy_id": policy, "endpoint_id": endpoint, "service_id": service, "region_id": region})
}
