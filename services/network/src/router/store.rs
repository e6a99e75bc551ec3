// SPDX-License-Identifier: Apache-2.0
//! The rows of routers.

use std::collections::HashMap;

use access::{Allowed, Scope};
use store::{Select, Tx, params};
use types::{PortId, ProjectId, RouterId, Timestamp};

use super::{COLUMNS, Gateway, Row, gateway, gateway::GatewayWish, interface};
use crate::{
    Error, Result, keys,
    listing::{Listing, check_revision},
    port, quota,
    settings::Settings,
    subnet::Route,
    tag,
    who::{Change, Doer, within},
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

pub fn create(tx: &mut Tx, doer: &Doer, _proof: &Allowed<()>, settings: &Settings, ask: &Create) -> Result<Found> {
    quota::take(tx, &ask.project_id, quota::Resource::Router, 1, settings)?;
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
    let sql = format!("INSERT INTO routers ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");
    tx.execute(
        &sql,
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
    doer.record(tx, change("router.create", &made), None, Some(&made))?;
    Ok(found(tx, vec![made])?.remove(0))
}

pub fn find(tx: &mut Tx, scope: &Allowed<Scope>, id: &str) -> Result<Row> {
    let select = Select::new("routers", COLUMNS).filter("id = ", id);
    let rows = within(select, scope.scope(), "project_id = ").rows(tx)?;
    match rows.first() {
        Some(row) => Ok(Row::from_row(row)?),
        None => Err(Error::RouterNotFound { router_id: id.to_owned() }),
    }
}

/// The router, whoever asks: for what follows from something already allowed.
pub fn get(tx: &mut Tx, id: &RouterId) -> Result<Row> {
    let sql = format!("SELECT {COLUMNS} FROM routers WHERE id = $1");
    match tx.query_opt(&sql, &params![id])? {
        Some(row) => Ok(Row::from_row(&row)?),
        None => Err(Error::RouterNotFound { router_id: id.to_string() }),
    }
}

pub fn page(tx: &mut Tx, scope: &Allowed<Scope>, listing: &Listing) -> Result<Vec<Found>> {
    let select = listing.apply(within(Select::new("routers", COLUMNS), scope.scope(), "project_id = "));
    let rows: Vec<Row> = select.rows(tx)?.iter().map(Row::from_row).collect::<Result<_, _>>()?;
    found(tx, listing.ordered(rows))
}

/// Adds gateways and tags, in three statements however many rows there are.
pub fn found(tx: &mut Tx, rows: Vec<Row>) -> Result<Vec<Found>> {
    let ports: Vec<PortId> = rows.iter().filter_map(|row| row.gateway_port_id.clone()).collect();
    let mut addresses = port::store::addresses_of_many(tx, &ports)?;
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

pub fn update(tx: &mut Tx, doer: &Doer, scope: &Allowed<Scope>, id: &str, revision: Option<i64>, ask: &Update) -> Result<Found> {
    let before = find(tx, scope, id)?;
    check_revision(revision, before.generation)?;
    let mut row = before.clone();
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
    write(tx, &before, &mut row)?;
    doer.record(tx, change("router.update", &row), Some(&before), Some(&row))?;
    Ok(found(tx, vec![row])?.remove(0))
}

/// Adds routes to those that are there, or takes some away, whatever else changes them at the same time.
pub fn edit_routes(
    tx: &mut Tx,
    doer: &Doer,
    scope: &Allowed<Scope>,
    id: &str,
    edit: impl FnOnce(Vec<Route>) -> Vec<Route>,
) -> Result<Found> {
    let routes = edit(find(tx, scope, id)?.routes);
    update(tx, doer, scope, id, None, &Update { routes: Some(routes), ..Update::default() })
}

pub fn delete(tx: &mut Tx, doer: &Doer, scope: &Allowed<Scope>, id: &str, revision: Option<i64>) -> Result<()> {
    let before = find(tx, scope, id)?;
    check_revision(revision, before.generation)?;
    if !interface::of_router(tx, &before.id)?.is_empty() {
        return Err(Error::RouterInUse { router_id: id.to_owned(), reason: "it still has interfaces".to_owned() });
    }
    let mut row = before.clone();
    gateway::clear(tx, doer, &mut row)?;
    tag::forget(tx, id)?;
    tx.execute("DELETE FROM routers WHERE id = $1", &params![id])?;
    keys::mark(tx, &keys::router(id))?;
    doer.record(tx, change("router.delete", &before), Some(&before), None)?;
    Ok(())
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
    let connected = interface::connected_subnets(tx, row)?;
    let own = interface::own_addresses(tx, row)?;
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

fn change<'a>(action: &'static str, row: &'a Row) -> Change<'a> {
    Change { action, kind: "router", id: row.id.as_str(), project: row.project_id.as_str() }
}
