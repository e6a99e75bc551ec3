// SPDX-License-Identifier: Apache-2.0
//! The rows of routers.

use access::Allowed;
use std::collections::HashMap;

use store::{Select, Tx, params};
use types::{PortId, ProjectId, RouterId, Timestamp};

use super::{Gateway, Row, connected, gateway, gateway::GatewayWish};
use crate::{
    Error, Result, keys, port, quota,
    resource::{By, Gathered, Kept, Managed},
    subnet::Route,
    tag,
};

/// A router with what its view shows beside the row.
pub struct Found {
    pub row: Row,
    pub gateway: Option<Gateway>,
    pub tags: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Create {
    pub project_id: ProjectId,
    pub name: String,
    pub description: String,
    pub admin_state_up: bool,
    pub gateway: Option<GatewayWish>,
    pub availability_zone_hints: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Update {
    pub name: Option<String>,
    pub description: Option<String>,
    pub admin_state_up: Option<bool>,
    /// `Some(None)` takes the gateway away.
    pub gateway: Option<Option<GatewayWish>>,
    pub routes: Option<Vec<Route>>,
}

const MOST_ROUTES: usize = 30;

impl Gathered for Row {
    type Found = Found;

    /// Adds gateways and tags, in three statements however many rows there are.
    fn with_rest(tx: &mut Tx, rows: Vec<Self>) -> Result<Vec<Found>> {
        let ports: Vec<PortId> = rows.iter().filter_map(|row| row.gateway_port_id.clone()).collect();
        let mut addresses = port::table::addresses_of_many(tx, &ports)?;
        let mut gateways: HashMap<PortId, Gateway> = HashMap::new();
        for row in Select::new("ports", "id, network_id").filter_in("id", &ports).rows(tx)? {
            let id: PortId = row.get(0)?;
            let fixed_ips = addresses.remove(&id).unwrap_or_default();
            gateways.insert(id, Gateway { network_id: row.get(1)?, fixed_ips });
        }
        let mut tags = tag::of(tx, rows.iter().map(|row| row.id.as_str()))?;
        let with = |row: Row| Found {
            gateway: row.gateway_port_id.as_ref().and_then(|port| gateways.remove(port)),
            tags: tags.remove(row.id.as_str()).unwrap_or_default(),
            row,
        };
        Ok(rows.into_iter().map(with).collect())
    }
}

impl Managed for Row {
    type Create = Create;
    type Update = Update;

    fn create(tx: &mut Tx, by: &By, allowed: &Allowed<Create>) -> Result<Found> {
        let ask = allowed.thing();
        let By { doer, settings, .. } = by;
        quota::take(tx, &ask.project_id, &super::QUOTA, 1, settings)?;
        let now = Timestamp::now();
        let row = Row {
            id: RouterId::generate(),
            project_id: ask.project_id.clone(),
            name: ask.name.clone(),
            description: ask.description.clone(),
            admin_state_up: ask.admin_state_up,
            gateway_port_id: None,
            enable_snat: true,
            routes: Vec::new(),
            availability_zone_hints: ask.availability_zone_hints.clone(),
            created_at: now,
            updated_at: now,
            generation: 1,
        };
        Row::insert(
            tx,
            &params![
                &row.id,
                &row.project_id,
                &row.name,
                &row.description,
                row.admin_state_up,
                store::Value::Null,
                row.enable_snat,
                serde_json::json!(row.routes),
                serde_json::json!(row.availability_zone_hints),
                row.created_at,
                row.updated_at,
                row.generation,
            ],
        )?;
        let mut made = row.clone();
        if let Some(wish) = &ask.gateway {
            gateway::set(tx, doer, &mut made, wish)?;
            write(tx, &row, &mut made)?;
        }
        keys::mark(tx, &keys::router(&made.id))?;
        doer.made(tx, &made)?;
        made.with_rest_of_one(tx)
    }

    fn update(tx: &mut Tx, by: &By, allowed: &Allowed<Self>, ask: &Update) -> Result<Found> {
        let this = allowed.thing();
        let By { doer, .. } = by;
        let mut row = this.clone();
        if let Some(name) = &ask.name {
            row.name.clone_from(name);
        }
        if let Some(description) = &ask.description {
            row.description.clone_from(description);
        }
        row.admin_state_up = ask.admin_state_up.unwrap_or(row.admin_state_up);
        match &ask.gateway {
            None => {}
            Some(None) => gateway::clear(tx, doer, &mut row)?,
            Some(Some(wish)) => gateway::set(tx, doer, &mut row, wish)?,
        }
        if let Some(routes) = &ask.routes {
            check_routes(tx, &row, routes)?;
            row.routes.clone_from(routes);
        }
        write(tx, this, &mut row)?;
        doer.changed(tx, this, &row)?;
        row.with_rest_of_one(tx)
    }

    fn delete(tx: &mut Tx, by: &By, allowed: &Allowed<Self>) -> Result<()> {
        let this = allowed.thing();
        let By { doer, .. } = by;
        if !connected::of_router(tx, &this.id)?.is_empty() {
            return Err(Error::RouterInUse { router_id: this.id.to_string(), reason: "it still has interfaces".to_owned() });
        }
        let mut row = this.clone();
        gateway::clear(tx, doer, &mut row)?;
        tag::forget(tx, row.id.as_str())?;
        tx.execute("DELETE FROM routers WHERE id = $1", &params![&row.id])?;
        keys::mark(tx, &keys::router(&row.id))?;
        doer.removed(tx, this)?;
        Ok(())
    }
}

/// Writes a changed row as its next generation.
pub fn write(tx: &mut Tx, before: &Row, row: &mut Row) -> Result<()> {
    row.updated_at = Timestamp::now();
    row.generation = before.generation + 1;
    tx.execute_cas(
        "UPDATE routers SET name = $2, description = $3, admin_state_up = $4, gateway_port_id = $5, enable_snat = $6, \
         routes = $7, updated_at = $8, generation = $9 WHERE id = $1 AND generation = $10",
        &params![
            &row.id,
            &row.name,
            &row.description,
            row.admin_state_up,
            row.gateway_port_id.as_ref(),
            row.enable_snat,
            serde_json::json!(row.routes),
            row.updated_at,
            row.generation,
            before.generation,
        ],
    )?;
    keys::mark(tx, &keys::router(&row.id))?;
    Ok(())
}

/// A next hop must be a neighbour of the router, and not the router itself.
fn check_routes(tx: &mut Tx, row: &Row, routes: &[Route]) -> Result<()> {
    if routes.len() > MOST_ROUTES {
        return Err(Error::RoutesExhausted { router_id: row.id.to_string(), most: MOST_ROUTES });
    }
    let connected = connected::connected_subnets(tx, row)?;
    let own = connected::own_addresses(tx, row)?;
    for route in routes {
        let refuse = |reason: &str| {
            let routes = format!("to {} by {}", route.destination, route.nexthop);
            Err(Error::InvalidRoutes { routes, reason: reason.to_owned() })
        };
        if !connected.iter().any(|subnet| subnet.cidr.contains(&route.nexthop)) {
            return refuse("the nexthop is not connected with router");
        }
        if own.contains(&route.nexthop) {
            return refuse("the nexthop is used by router");
        }
    }
    Ok(())
}
