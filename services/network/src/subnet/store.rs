// SPDX-License-Identifier: Apache-2.0
//! The rows of subnets.

use std::net::IpAddr;

use access::{Allowed, Scope};
use ipnet::IpNet;
use store::{Direction, Select, Tx, params};
use types::{NetworkId, PortId, ProjectId, SubnetId, Timestamp};

use super::{COLUMNS, Route, Row, check};
use crate::{
    Error, Result,
    ipam::{Pool, range},
    keys,
    listing::{Listing, check_revision},
    network, port, quota,
    settings::Settings,
    subnet_pool, tag,
    who::{Change, Doer, within},
};

/// A subnet with what its view shows beside the row.
pub struct Found {
    pub row: Row,
    pub external: bool,
    pub tags: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Create {
    pub network_id: NetworkId,
    pub project_id: ProjectId,
    pub name: String,
    pub description: String,
    pub source: Source,
    /// None: the first address. `Some(None)`: no gateway.
    pub gateway_ip: Option<Option<IpAddr>>,
    pub enable_dhcp: bool,
    pub ipv6_ra_mode: Option<String>,
    pub ipv6_address_mode: Option<String>,
    /// None: all addresses but the gateway.
    pub allocation_pools: Option<Vec<Pool>>,
    /// None: the cloud's own.
    pub dns_nameservers: Option<Vec<IpAddr>>,
    pub host_routes: Vec<Route>,
    pub service_types: Vec<String>,
}

/// Where a new subnet's range comes from.
#[derive(Debug, Clone)]
pub enum Source {
    Given(IpNet),
    Pool(subnet_pool::store::Wish),
}

#[derive(Debug, Clone, Default)]
pub struct Update {
    pub name: Option<String>,
    pub description: Option<String>,
    pub gateway_ip: Option<Option<IpAddr>>,
    pub enable_dhcp: Option<bool>,
    pub allocation_pools: Option<Vec<Pool>>,
    pub dns_nameservers: Option<Vec<IpAddr>>,
    pub host_routes: Option<Vec<Route>>,
    pub service_types: Option<Vec<String>>,
}

/// Everybody sees the subnets of shared and external networks.
const VISIBLE: &str = "EXISTS (SELECT 1 FROM networks n WHERE n.id = subnets.network_id AND (n.shared = 1 OR n.external = 1)) \
    OR project_id = ";

pub fn create(tx: &mut Tx, doer: &Doer, _proof: &Allowed<()>, settings: &Settings, ask: &Create) -> Result<Found> {
    let network = network::store::get(tx, &ask.network_id)?;
    quota::take(tx, &ask.project_id, quota::Resource::Subnet, 1, settings)?;
    let (subnetpool_id, cidr) = match &ask.source {
        Source::Given(cidr) => (None, *cidr),
        Source::Pool(wish) => {
            let (pool, cidr) = subnet_pool::store::allocate(tx, &ask.project_id, wish)?;
            (Some(pool), cidr)
        }
    };
    check::check_cidr(&cidr)?;
    check::check_modes(&cidr, ask.enable_dhcp, ask.ipv6_ra_mode.as_deref(), ask.ipv6_address_mode.as_deref())?;
    let gateway_ip = ask.gateway_ip.unwrap_or_else(|| Some(range::default_gateway(&cidr)));
    if let Some(gateway) = gateway_ip {
        check::check_gateway(&cidr, gateway)?;
    }
    let allocation_pools = ask.allocation_pools.clone().unwrap_or_else(|| range::default_pools(&cidr, gateway_ip));
    range::check_pools(&cidr, &allocation_pools, gateway_ip)?;
    for other in of_network(tx, &ask.network_id)? {
        if other.cidr.contains(&cidr) || cidr.contains(&other.cidr) {
            let id = &other.id;
            return Err(Error::invalid(format!(
                "requested subnet with cidr: {cidr} for network: {} overlaps with another subnet, {id} ({})",
                network.id, other.cidr
            )));
        }
    }
    let now = Timestamp::now();
    let row = Row {
        id: SubnetId::generate(),
        network_id: ask.network_id.clone(),
        project_id: ask.project_id.clone(),
        name: ask.name.clone(),
        description: ask.description.clone(),
        cidr,
        gateway_ip,
        enable_dhcp: ask.enable_dhcp,
        ipv6_ra_mode: ask.ipv6_ra_mode.clone(),
        ipv6_address_mode: ask.ipv6_address_mode.clone(),
        allocation_pools,
        dns_nameservers: ask.dns_nameservers.clone().unwrap_or_else(|| settings.default_dns_for(&cidr)),
        host_routes: ask.host_routes.clone(),
        service_types: ask.service_types.clone(),
        subnetpool_id,
        created_at: now,
        updated_at: now,
        generation: 1,
    };
    tx.execute(
        "INSERT INTO subnets (id, network_id, project_id, name, description, ip_version, cidr, gateway_ip, enable_dhcp, \
         ipv6_ra_mode, ipv6_address_mode, allocation_pools, dns_nameservers, host_routes, service_types, created_at, \
         updated_at, generation, subnetpool_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        &params![
            &row.id,
            &row.network_id,
            &row.project_id,
            &row.name,
            &row.description,
            if row.is_v4() { 4 } else { 6 },
            row.cidr.to_string(),
            row.gateway_ip.map(|address| address.to_string()),
            row.enable_dhcp,
            row.ipv6_ra_mode.as_deref(),
            row.ipv6_address_mode.as_deref(),
            serde_json::json!(row.allocation_pools),
            serde_json::json!(row.dns_nameservers),
            serde_json::json!(row.host_routes),
            serde_json::json!(row.service_types),
            row.created_at,
            row.updated_at,
            row.generation,
            row.subnetpool_id.as_deref(),
        ],
    )?;
    keys::mark(tx, &keys::network(&row.network_id))?;
    port::distributed::settle(tx, doer, &network)?;
    if row.is_auto_address() {
        port::addresses::derive_for_all(tx, &row)?;
    }
    doer.record(tx, change("subnet.create", &row), None, Some(&row))?;
    Ok(Found { row, external: network.external, tags: Vec::new() })
}

/// The subnet, if it is within the scope or its network is shared or external.
pub fn find(tx: &mut Tx, scope: &Allowed<Scope>, id: &str) -> Result<Row> {
    let select = Select::new("subnets", COLUMNS).filter("id = ", id);
    let rows = within(select, scope.scope(), VISIBLE).rows(tx)?;
    match rows.first() {
        Some(row) => Ok(Row::from_row(row)?),
        None => Err(Error::SubnetNotFound { subnet_id: id.to_owned() }),
    }
}

/// The subnet, whoever asks: for what follows from something already allowed.
pub fn get(tx: &mut Tx, id: &SubnetId) -> Result<Row> {
    let sql = format!("SELECT {COLUMNS} FROM subnets WHERE id = $1");
    match tx.query_opt(&sql, &params![id])? {
        Some(row) => Ok(Row::from_row(&row)?),
        None => Err(Error::SubnetNotFound { subnet_id: id.to_string() }),
    }
}

pub fn of_network(tx: &mut Tx, network: &NetworkId) -> Result<Vec<Row>> {
    of_networks(tx, [network])
}

/// The subnets of many networks, oldest first, in one statement.
pub fn of_networks<'a>(tx: &mut Tx, networks: impl IntoIterator<Item = &'a NetworkId>) -> Result<Vec<Row>> {
    let select = Select::new("subnets", COLUMNS).filter_in("network_id", networks);
    let rows = select.sort(&[("created_at", Direction::Asc)], "id").rows(tx)?;
    Ok(rows.iter().map(Row::from_row).collect::<Result<_, _>>()?)
}

pub fn page(tx: &mut Tx, scope: &Allowed<Scope>, listing: &Listing) -> Result<Vec<Found>> {
    let select = listing.apply(within(Select::new("subnets", COLUMNS), scope.scope(), VISIBLE));
    let rows: Vec<Row> = select.rows(tx)?.iter().map(Row::from_row).collect::<Result<_, _>>()?;
    found(tx, listing.ordered(rows))
}

/// Adds what the view shows beside the row, in two statements however many rows there are.
pub fn found(tx: &mut Tx, rows: Vec<Row>) -> Result<Vec<Found>> {
    let networks = Select::new("networks", "id").filter_in("id", rows.iter().map(|row| &row.network_id));
    let external = networks.condition("external = 1").rows(tx)?;
    let external: Vec<NetworkId> = external.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    let mut tags = tag::of(tx, rows.iter().map(|row| row.id.as_str()))?;
    let with = |row: Row| Found {
        external: external.contains(&row.network_id),
        tags: tags.remove(row.id.as_str()).unwrap_or_default(),
        row,
    };
    Ok(rows.into_iter().map(with).collect())
}

pub fn update(
    tx: &mut Tx,
    doer: &Doer,
    _proof: &Allowed<()>,
    id: &SubnetId,
    revision: Option<i64>,
    ask: &Update,
) -> Result<Found> {
    let before = get(tx, id)?;
    check_revision(revision, before.generation)?;
    let mut row = before.clone();
    if let Some(name) = &ask.name {
        row.name.clone_from(name);
    }
    if let Some(description) = &ask.description {
        row.description.clone_from(description);
    }
    if let Some(routes) = &ask.host_routes {
        row.host_routes.clone_from(routes);
    }
    if let Some(servers) = &ask.dns_nameservers {
        row.dns_nameservers.clone_from(servers);
    }
    if let Some(types) = &ask.service_types {
        row.service_types.clone_from(types);
    }
    if let Some(pools) = &ask.allocation_pools {
        row.allocation_pools.clone_from(pools);
    }
    if let Some(gateway) = ask.gateway_ip
        && gateway != before.gateway_ip
    {
        refuse_if_gateway_in_use(tx, &before)?;
        if let Some(gateway) = gateway {
            check::check_gateway(&row.cidr, gateway)?;
        }
        row.gateway_ip = gateway;
    }
    if ask.allocation_pools.is_some() || ask.gateway_ip.is_some() {
        range::check_pools(&row.cidr, &row.allocation_pools, row.gateway_ip)?;
    }
    row.enable_dhcp = ask.enable_dhcp.unwrap_or(row.enable_dhcp);
    check::check_modes(&row.cidr, row.enable_dhcp, row.ipv6_ra_mode.as_deref(), row.ipv6_address_mode.as_deref())?;
    row.updated_at = Timestamp::now();
    row.generation += 1;
    tx.execute_cas(
        "UPDATE subnets SET name = $2, description = $3, gateway_ip = $4, enable_dhcp = $5, allocation_pools = $6, \
         dns_nameservers = $7, host_routes = $8, service_types = $9, updated_at = $10, generation = $11 \
         WHERE id = $1 AND generation = $12",
        &params![
            id,
            &row.name,
            &row.description,
            row.gateway_ip.map(|address| address.to_string()),
            row.enable_dhcp,
            serde_json::json!(row.allocation_pools),
            serde_json::json!(row.dns_nameservers),
            serde_json::json!(row.host_routes),
            serde_json::json!(row.service_types),
            row.updated_at,
            row.generation,
            before.generation,
        ],
    )?;
    keys::mark(tx, &keys::network(&row.network_id))?;
    if row.enable_dhcp != before.enable_dhcp {
        let network = network::store::get(tx, &row.network_id)?;
        port::distributed::settle(tx, doer, &network)?;
    }
    // Ports say which DHCP options apply to them, and those with options of their own repeat the subnet's.
    keys::mark_ports(tx, "id IN (SELECT port_id FROM port_addresses WHERE subnet_id = $1)", id.as_str())?;
    mark_routers(tx, id)?;
    doer.record(tx, change("subnet.update", &row), Some(&before), Some(&row))?;
    Ok(found(tx, vec![row])?.remove(0))
}

/// Deletes the subnet unless somebody still uses its addresses. Those that ports derived from their MACs go with it.
pub fn delete(tx: &mut Tx, doer: &Doer, _proof: &Allowed<()>, id: &SubnetId, revision: Option<i64>) -> Result<()> {
    let row = get(tx, id)?;
    check_revision(revision, row.generation)?;
    let users = tx.query(
        "SELECT p.id, p.project_id, p.device_owner FROM ports p JOIN port_addresses a ON a.port_id = p.id \
         WHERE a.subnet_id = $1 AND p.device_owner <> 'network:distributed' LIMIT 100",
        &params![id],
    )?;
    let mut names = Vec::new();
    for user in &users {
        let owner: &str = user.get(2)?;
        if row.is_auto_address() && !owner.starts_with("network:") {
            continue;
        }
        if doer.sees_project(user.get::<&str>(1)?) {
            names.push(format!("port {}", user.get::<&str>(0)?));
        } else {
            names.push("a port of another project".to_owned());
        }
    }
    if !names.is_empty() {
        names.truncate(5);
        let reason = format!("one or more ports have an IP allocation from this subnet ({}).", names.join(", "));
        return Err(Error::SubnetInUse { subnet_id: id.to_string(), reason });
    }
    keys::mark_ports(tx, "id IN (SELECT port_id FROM port_addresses WHERE subnet_id = $1)", id.as_str())?;
    tx.execute("DELETE FROM port_addresses WHERE subnet_id = $1", &params![id])?;
    tag::forget(tx, id.as_str())?;
    tx.execute("DELETE FROM subnets WHERE id = $1", &params![id])?;
    keys::mark(tx, &keys::network(&row.network_id))?;
    let network = network::store::get(tx, &row.network_id)?;
    port::distributed::settle(tx, doer, &network)?;
    doer.record(tx, change("subnet.delete", &row), Some(&row), None)?;
    Ok(())
}

fn change<'a>(action: &'static str, row: &'a Row) -> Change<'a> {
    Change { action, kind: "subnet", id: row.id.as_str(), project: row.project_id.as_str() }
}

/// Routers say in their advertisements what the subnet says, and route by its gateway.
fn mark_routers(tx: &mut Tx, id: &SubnetId) -> Result<()> {
    let sql = "SELECT DISTINCT p.device_id FROM ports p JOIN port_addresses a ON a.port_id = p.id \
               WHERE a.subnet_id = $1 AND p.device_owner IN ('network:router_interface', 'network:router_gateway')";
    for row in tx.query(sql, &params![id])? {
        keys::mark(tx, &keys::router(row.get::<&str>(0)?))?;
    }
    Ok(())
}

fn refuse_if_gateway_in_use(tx: &mut Tx, row: &Row) -> Result<()> {
    let Some(gateway) = row.gateway_ip else { return Ok(()) };
    let holder = tx.query_opt(
        "SELECT p.id FROM ports p JOIN port_addresses a ON a.port_id = p.id \
         WHERE a.subnet_id = $1 AND a.place = $2 AND p.device_owner = 'network:router_interface'",
        &params![&row.id, range::place(gateway)],
    )?;
    match holder {
        Some(port) => {
            let port: PortId = port.get(0)?;
            Err(Error::GatewayIpInUse { ip: gateway.to_string(), port_id: port.to_string() })
        }
        None => Ok(()),
    }
}
