// SPDX-License-Identifier: Apache-2.0
//! The rows of subnets.

use access::Allowed;
use std::net::IpAddr;

use ipnet::IpNet;
use store::{Select, Tx, params};
use types::{NetworkId, PortId, ProjectId, SubnetId, Timestamp};

use super::{Route, Row, check};
use crate::{
    Error, Result, keys, network, port, quota,
    range::{self, Pool},
    resource::{By, Gathered, Kept, Managed},
    subnet_pool, tag,
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
    Pool(subnet_pool::table::Wish),
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

impl Gathered for Row {
    type Found = Found;

    /// Adds what the view shows beside the row, in two statements however many rows there are.
    fn with_rest(tx: &mut Tx, rows: Vec<Self>) -> Result<Vec<Found>> {
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
}

impl Managed for Row {
    type Create = Create;
    type Update = Update;

    fn create(tx: &mut Tx, by: &By, allowed: &Allowed<Create>) -> Result<Found> {
        let ask = allowed.thing();
        let By { doer, settings, .. } = by;
        let network = network::Row::get(tx, &ask.network_id)?;
        quota::take(tx, &ask.project_id, &super::QUOTA, 1, settings)?;
        let (subnetpool_id, cidr) = match &ask.source {
            Source::Given(cidr) => (None, *cidr),
            Source::Pool(wish) => {
                let (pool, cidr) = subnet_pool::table::allocate(tx, &ask.project_id, wish)?;
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
        for other in super::of_network(tx, &ask.network_id)? {
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
        doer.made(tx, &row)?;
        Ok(Found { row, external: network.external, tags: Vec::new() })
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
            && gateway != this.gateway_ip
        {
            refuse_if_gateway_in_use(tx, this)?;
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
                &row.id,
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
                this.generation,
            ],
        )?;
        keys::mark(tx, &keys::network(&row.network_id))?;
        if row.enable_dhcp != this.enable_dhcp {
            let network = network::Row::get(tx, &row.network_id)?;
            port::distributed::settle(tx, doer, &network)?;
        }
        // Ports say which DHCP options apply to them, and those with options of their own repeat the subnet's.
        keys::mark_ports(tx, "id IN (SELECT port_id FROM port_addresses WHERE subnet_id = $1)", row.id.as_str())?;
        mark_routers(tx, &row.id)?;
        doer.changed(tx, this, &row)?;
        row.with_rest_of_one(tx)
    }

    /// Deletes the subnet unless somebody still uses its addresses. Those that ports derived from their MACs go with it.
    fn delete(tx: &mut Tx, by: &By, allowed: &Allowed<Self>) -> Result<()> {
        let this = allowed.thing();
        let By { doer, .. } = by;
        let users = tx.query(
            "SELECT p.id, p.project_id, p.device_owner FROM ports p JOIN port_addresses a ON a.port_id = p.id \
             WHERE a.subnet_id = $1 AND p.device_owner <> 'network:distributed' LIMIT 100",
            &params![&this.id],
        )?;
        let mut names = Vec::new();
        for user in &users {
            let owner: &str = user.get(2)?;
            if this.is_auto_address() && !owner.starts_with("network:") {
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
            return Err(Error::SubnetInUse { subnet_id: this.id.to_string(), reason });
        }
        keys::mark_ports(tx, "id IN (SELECT port_id FROM port_addresses WHERE subnet_id = $1)", this.id.as_str())?;
        tx.execute("DELETE FROM port_addresses WHERE subnet_id = $1", &params![&this.id])?;
        tag::forget(tx, this.id.as_str())?;
        tx.execute("DELETE FROM subnets WHERE id = $1", &params![&this.id])?;
        keys::mark(tx, &keys::network(&this.network_id))?;
        let network = network::Row::get(tx, &this.network_id)?;
        port::distributed::settle(tx, doer, &network)?;
        doer.removed(tx, this)?;
        Ok(())
    }
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
