// SPDX-License-Identifier: Apache-2.0
//! The rows of ports.

use access::Allowed;
use std::collections::HashMap;

use access::Scope;
use serde_json::{Map, Value};
use store::{Direction, Select, Tx, params};
use types::{Mac, NetworkId, PortId, ProjectId, SecurityGroupId, Timestamp};

use super::{
    AddressPair, DhcpOption, FLOATING_IP, FixedIp, ROUTER_GATEWAY, ROUTER_INTERFACE, Row,
    addresses::{self, Seeker, Wish},
    check::PairWish,
    is_trusted,
};
use crate::{
    Error, Result, balancer, floating_ip, ipam, keys,
    listing::Listing,
    network, quota,
    resource::{By, Gathered, Kept, Managed},
    security_group, tag,
    who::Doer,
};

/// A port with what its view shows beside the row.
#[derive(Debug, Clone)]
pub struct Found {
    pub row: Row,
    pub fixed_ips: Vec<FixedIp>,
    pub security_groups: Vec<SecurityGroupId>,
    pub tags: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Create {
    pub id: PortId,
    pub project_id: ProjectId,
    pub network_id: NetworkId,
    pub name: String,
    pub description: String,
    pub admin_state_up: bool,
    pub mac_address: Option<Mac>,
    /// None: one address of each version.
    pub fixed_ips: Option<Vec<Wish>>,
    pub device_id: String,
    pub device_owner: String,
    /// None: the default group of the project.
    pub security_groups: Option<Vec<SecurityGroupId>>,
    /// None: as the network says.
    pub port_security_enabled: Option<bool>,
    pub allowed_address_pairs: Vec<PairWish>,
    pub extra_dhcp_opts: Vec<DhcpOption>,
    pub dns_name: String,
    pub host_id: String,
    pub vnic_type: String,
    pub profile: Map<String, Value>,
}

#[derive(Debug, Clone, Default)]
pub struct Update {
    pub name: Option<String>,
    pub description: Option<String>,
    pub admin_state_up: Option<bool>,
    pub mac_address: Option<Mac>,
    pub fixed_ips: Option<Vec<Wish>>,
    pub device_id: Option<String>,
    pub device_owner: Option<String>,
    pub security_groups: Option<Vec<SecurityGroupId>>,
    pub port_security_enabled: Option<bool>,
    pub allowed_address_pairs: Option<Vec<PairWish>>,
    pub extra_dhcp_opts: Option<Vec<DhcpOption>>,
    pub dns_name: Option<String>,
    pub host_id: Option<String>,
    pub vnic_type: Option<String>,
    pub profile: Option<Map<String, Value>>,
}

impl Create {
    /// A port of which nothing else is said.
    pub fn on(project_id: ProjectId, network_id: NetworkId) -> Self {
        Self {
            id: PortId::generate(),
            project_id,
            network_id,
            name: String::new(),
            description: String::new(),
            admin_state_up: true,
            mac_address: None,
            fixed_ips: None,
            device_id: String::new(),
            device_owner: String::new(),
            security_groups: None,
            port_security_enabled: None,
            allowed_address_pairs: Vec::new(),
            extra_dhcp_opts: Vec::new(),
            dns_name: String::new(),
            host_id: String::new(),
            vnic_type: "normal".to_owned(),
            profile: Map::new(),
        }
    }
}

impl Gathered for Row {
    type Found = Found;

    /// The filters that look into other tables.
    fn narrow(select: Select, listing: &Listing) -> Result<Select> {
        let select = super::filter::by_addresses(select, listing.special("fixed_ips"))?;
        Ok(super::filter::by_groups(select, listing.special("security_groups")))
    }

    /// Adds what the view shows beside the row, in three statements however many rows there are.
    fn with_rest(tx: &mut Tx, rows: Vec<Self>) -> Result<Vec<Found>> {
        let mut addresses = addresses_of_many(tx, rows.iter().map(|row| &row.id))?;
        let mut groups: HashMap<PortId, Vec<SecurityGroupId>> = HashMap::new();
        let select = Select::new("port_security_groups", "port_id, security_group_id");
        let select = select.filter_in("port_id", rows.iter().map(|row| &row.id));
        for row in select.sort(&[], "security_group_id").rows(tx)? {
            groups.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
        let mut tags = tag::of(tx, rows.iter().map(|row| row.id.as_str()))?;
        let with = |row: Row| Found {
            fixed_ips: addresses.remove(&row.id).unwrap_or_default(),
            security_groups: groups.remove(&row.id).unwrap_or_default(),
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
        security_group::table::ensure_default(tx, doer, &ask.project_id, settings)?;
        insert(tx, doer, &network, ask)
    }

    fn update(tx: &mut Tx, by: &By, allowed: &Allowed<Self>, ask: &Update) -> Result<Found> {
        let this = allowed.thing();
        let By { doer, .. } = by;
        let mut row = this.clone();
        let replace = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
        };
        replace(&mut row.name, &ask.name);
        replace(&mut row.description, &ask.description);
        replace(&mut row.device_id, &ask.device_id);
        replace(&mut row.device_owner, &ask.device_owner);
        replace(&mut row.dns_name, &ask.dns_name);
        replace(&mut row.host_id, &ask.host_id);
        replace(&mut row.vnic_type, &ask.vnic_type);
        row.admin_state_up = ask.admin_state_up.unwrap_or(row.admin_state_up);
        row.port_security_enabled = ask.port_security_enabled.unwrap_or(row.port_security_enabled);
        if let Some(mac) = ask.mac_address.filter(|mac| *mac != this.mac_address) {
            if !this.host_id.is_empty() {
                return Err(Error::PortBound { port_id: row.id.to_string(), host: this.host_id.clone() });
            }
            refuse_taken_mac(tx, &row.network_id, mac)?;
            row.mac_address = mac;
        }
        if let Some(wishes) = &ask.allowed_address_pairs {
            row.allowed_address_pairs = pairs(wishes, row.mac_address)?;
        }
        if let Some(options) = &ask.extra_dhcp_opts {
            row.extra_dhcp_opts.clone_from(options);
        }
        if let Some(profile) = &ask.profile {
            row.profile.clone_from(profile);
        }
        let mut extras = this.clone().with_rest_of_one(tx)?;
        if let Some(wishes) = &ask.fixed_ips {
            let kept = addresses::reassign(tx, &Seeker { doer, port: &row }, &extras.fixed_ips, wishes)?;
            refuse_if_floating_needs(tx, &row.id, &kept)?;
            extras.fixed_ips = kept;
        }
        if let Some(groups) = &ask.security_groups {
            tx.execute("DELETE FROM port_security_groups WHERE port_id = $1", &params![&row.id])?;
            join_groups(tx, doer, &row, groups)?;
            extras.security_groups.clone_from(groups);
        }
        if !row.port_security_enabled {
            if !extras.security_groups.is_empty() {
                // Either this request wants them, or they are there already.
                return Err(match ask.security_groups {
                    Some(_) => Error::PortSecurityAndIPRequiredForSecurityGroups { port_id: row.id.to_string() },
                    None => Error::PortSecurityPortHasSecurityGroup { port_id: row.id.to_string() },
                });
            }
            if !row.allowed_address_pairs.is_empty() {
                return Err(Error::AddressPairAndPortSecurityRequired { port_id: row.id.to_string() });
            }
        }
        write(tx, doer, this, &mut row)?;
        if row.is_router_interface() || row.device_owner == ROUTER_GATEWAY {
            keys::mark(tx, &keys::router(&row.device_id))?;
        }
        Ok(Found { row, ..extras })
    }

    /// Deletes a port on a user's wish. What belongs to a router or a floating address goes with that.
    fn delete(tx: &mut Tx, by: &By, allowed: &Allowed<Self>) -> Result<()> {
        let this = allowed.thing();
        let By { doer, .. } = by;
        let holder = match this.device_owner.as_str() {
            ROUTER_INTERFACE => Some(("routers", "it is an interface of router")),
            ROUTER_GATEWAY => Some(("routers", "it is the gateway of router")),
            FLOATING_IP => Some(("floating_ips", "it holds the address of floating IP")),
            _ => None,
        };
        if let Some(balancer) = balancer::holder(tx, &this.id)? {
            let reason = format!("it is the address of load balancer {balancer}.");
            return Err(Error::ServicePortInUse { port_id: this.id.to_string(), reason });
        }
        if let Some((table, what)) = holder {
            let sql = format!("SELECT 1 FROM {table} WHERE id = $1");
            if tx.query_opt(&sql, &params![&this.device_id])?.is_some() {
                let reason = format!("{what} {}.", this.device_id);
                return Err(Error::ServicePortInUse { port_id: this.id.to_string(), reason });
            }
        }
        floating_ip::lost(tx, doer, this)?;
        erase(tx, doer, this)?;
        doer.removed(tx, this)?;
        Ok(())
    }
}

/// Writes a port that the cloud itself or an allowed caller wants.
pub fn insert(tx: &mut Tx, doer: &Doer, network: &network::Row, ask: &Create) -> Result<Found> {
    let mac_address = match ask.mac_address {
        Some(mac) => {
            refuse_taken_mac(tx, &network.id, mac)?;
            mac
        }
        None => free_mac(tx, &network.id)?,
    };
    let trusted = is_trusted(&ask.device_owner);
    let port_security_enabled = !trusted && ask.port_security_enabled.unwrap_or(network.port_security_enabled);
    let now = Timestamp::now();
    let row = Row {
        id: ask.id.clone(),
        network_id: network.id.clone(),
        project_id: ask.project_id.clone(),
        name: ask.name.clone(),
        description: ask.description.clone(),
        admin_state_up: ask.admin_state_up,
        mac_address,
        device_id: ask.device_id.clone(),
        device_owner: ask.device_owner.clone(),
        port_security_enabled,
        allowed_address_pairs: pairs(&ask.allowed_address_pairs, mac_address)?,
        extra_dhcp_opts: ask.extra_dhcp_opts.clone(),
        dns_name: ask.dns_name.clone(),
        host_id: ask.host_id.clone(),
        vnic_type: ask.vnic_type.clone(),
        profile: ask.profile.clone(),
        up: false,
        created_at: now,
        updated_at: now,
        generation: 1,
        network_owner: (network.project_id != ask.project_id).then(|| network.project_id.clone()),
    };
    if !row.allowed_address_pairs.is_empty() && !port_security_enabled {
        return Err(Error::AddressPairAndPortSecurityRequired { port_id: row.id.to_string() });
    }
    insert_row(tx, &row)?;
    let fixed_ips = addresses::allocate(tx, &Seeker { doer, port: &row }, ask.fixed_ips.as_deref())?;
    let groups = match (&ask.security_groups, port_security_enabled) {
        (Some(groups), _) => groups.clone(),
        (None, true) => vec![security_group::table::default_of(tx, &row.project_id)?],
        (None, false) => Vec::new(),
    };
    if !groups.is_empty() && !port_security_enabled {
        return Err(Error::PortSecurityAndIPRequiredForSecurityGroups { port_id: row.id.to_string() });
    }
    join_groups(tx, doer, &row, &groups)?;
    mark_checks(tx, &fixed_ips)?;
    keys::mark(tx, &keys::port(&row.id))?;
    doer.made(tx, &row)?;
    Ok(Found { row, fixed_ips, security_groups: groups, tags: Vec::new() })
}

/// Load balancers that check members at these addresses ask at their ports.
fn mark_checks(tx: &mut Tx, fixed: &[FixedIp]) -> Result<()> {
    let addresses: Vec<String> = fixed.iter().map(|fixed| fixed.ip_address.to_string()).collect();
    balancer::mark_backed_by(tx, &addresses)
}

pub fn addresses_of(tx: &mut Tx, id: &PortId) -> Result<Vec<FixedIp>> {
    Ok(addresses_of_many(tx, [id])?.remove(id).unwrap_or_default())
}

/// The addresses of many ports, IPv4 first, in one statement.
pub fn addresses_of_many<'a>(tx: &mut Tx, ports: impl IntoIterator<Item = &'a PortId>) -> Result<HashMap<PortId, Vec<FixedIp>>> {
    let mut addresses: HashMap<PortId, Vec<FixedIp>> = HashMap::new();
    let select = Select::new("port_addresses", "port_id, subnet_id, address").filter_in("port_id", ports);
    for row in select.sort(&[("place", Direction::Asc)], "subnet_id").rows(tx)? {
        let unreadable = store::Error::Column { index: 2, wanted: "address", found: "text" };
        let ip_address = row.get::<&str>(2)?.parse().map_err(|_| unreadable)?;
        addresses.entry(row.get(0)?).or_default().push(FixedIp { subnet_id: row.get(1)?, ip_address });
    }
    Ok(addresses)
}

/// Writes a changed row as its next generation.
pub fn write(tx: &mut Tx, doer: &Doer, before: &Row, row: &mut Row) -> Result<()> {
    row.updated_at = Timestamp::now();
    row.generation = before.generation + 1;
    tx.execute_cas(
        "UPDATE ports SET name = $2, description = $3, admin_state_up = $4, mac_address = $5, device_id = $6, \
         device_owner = $7, port_security_enabled = $8, allowed_address_pairs = $9, extra_dhcp_opts = $10, dns_name = $11, \
         host_id = $12, vnic_type = $13, profile = $14, updated_at = $15, generation = $16 WHERE id = $1 AND generation = $17",
        &params![
            &row.id,
            &row.name,
            &row.description,
            row.admin_state_up,
            row.mac_address.to_string(),
            &row.device_id,
            &row.device_owner,
            row.port_security_enabled,
            serde_json::json!(row.allowed_address_pairs),
            serde_json::json!(row.extra_dhcp_opts),
            &row.dns_name,
            &row.host_id,
            &row.vnic_type,
            serde_json::json!(row.profile),
            row.updated_at,
            row.generation,
            before.generation,
        ],
    )?;
    keys::mark(tx, &keys::port(&row.id))?;
    doer.changed(tx, before, row)?;
    Ok(())
}

/// Takes a port and all that hangs on it out of the tables; floating addresses that led to it lead nowhere.
pub fn erase(tx: &mut Tx, doer: &Doer, row: &Row) -> Result<()> {
    let id = &row.id;
    let held = addresses_of(tx, id)?;
    mark_checks(tx, &held)?;
    floating_ip::leading::disassociate_port(tx, doer, id)?;
    ipam::table::release_all(tx, id, &row.key_of_addresses())?;
    tag::forget(tx, id.as_str())?;
    tx.execute("DELETE FROM port_security_groups WHERE port_id = $1", &params![id])?;
    tx.execute("DELETE FROM ports WHERE id = $1", &params![id])?;
    super::count::change(tx, &row.project_id, id, -1)?;
    keys::mark(tx, &keys::port(id))?;
    Ok(())
}

fn insert_row(tx: &mut Tx, row: &Row) -> Result<()> {
    Row::insert(
        tx,
        &params![
            &row.id,
            &row.network_id,
            &row.project_id,
            &row.name,
            &row.description,
            row.admin_state_up,
            row.mac_address.to_string(),
            &row.device_id,
            &row.device_owner,
            row.port_security_enabled,
            serde_json::json!(row.allowed_address_pairs),
            serde_json::json!(row.extra_dhcp_opts),
            &row.dns_name,
            &row.host_id,
            &row.vnic_type,
            serde_json::json!(row.profile),
            row.up,
            row.created_at,
            row.updated_at,
            row.generation,
            row.network_owner.as_ref(),
        ],
    )?;
    super::count::change(tx, &row.project_id, &row.id, 1)
}

/// Groups of the port's own project, or any where the author sees all projects. All of them track connections, or none:
/// what one lets pass untracked the other would drop.
fn join_groups(tx: &mut Tx, doer: &Doer, row: &Row, groups: &[SecurityGroupId]) -> Result<()> {
    let mut tracks = None;
    for id in groups {
        let group = security_group::Row::get(tx, id)?;
        if group.project_id != row.project_id && !matches!(doer.sees, Scope::All) {
            return Err(Error::SecurityGroupNotFound { id: id.to_string() });
        }
        if *tracks.get_or_insert(group.stateful) != group.stateful {
            let reason = "Cannot apply both stateful and stateless security groups on the same port at the same time";
            return Err(Error::SecurityGroupConflict { reason: reason.to_owned() });
        }
        let sql = "INSERT INTO port_security_groups (port_id, security_group_id) VALUES ($1, $2)";
        tx.execute(sql, &params![&row.id, id])?;
    }
    Ok(())
}

/// With the port's own MAC where none is named; that may make two of them the same.
fn pairs(wishes: &[PairWish], own: Mac) -> Result<Vec<AddressPair>> {
    let mut pairs: Vec<AddressPair> = Vec::with_capacity(wishes.len());
    for wish in wishes {
        let pair = AddressPair { ip_address: wish.ip_address.clone(), mac_address: wish.mac_address.unwrap_or(own) };
        if pairs.contains(&pair) {
            let (mac_address, ip_address) = (pair.mac_address.to_string(), pair.ip_address);
            return Err(Error::DuplicateAddressPairInRequest { mac_address, ip_address });
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

fn is_mac_taken(tx: &mut Tx, network: &NetworkId, mac: Mac) -> Result<bool> {
    let sql = "SELECT 1 FROM ports WHERE network_id = $1 AND mac_address = $2";
    Ok(tx.query_opt(sql, &params![network, mac.to_string()])?.is_some())
}

fn refuse_taken_mac(tx: &mut Tx, network: &NetworkId, mac: Mac) -> Result<()> {
    if is_mac_taken(tx, network, mac)? {
        return Err(Error::MacAddressInUse { mac: mac.to_string(), net_id: network.to_string() });
    }
    Ok(())
}

fn free_mac(tx: &mut Tx, network: &NetworkId) -> Result<Mac> {
    loop {
        let mac = Mac::generate();
        if !is_mac_taken(tx, network, mac)? {
            return Ok(mac);
        }
    }
}

/// A floating address leads to one of the port's; that one cannot be taken away under it.
fn refuse_if_floating_needs(tx: &mut Tx, id: &PortId, kept: &[FixedIp]) -> Result<()> {
    let sql = "SELECT fixed_ip_address, floating_ip_address FROM floating_ips WHERE port_id = $1";
    for row in tx.query(sql, &params![id])? {
        let fixed: &str = row.get(0)?;
        if !kept.iter().any(|other| other.ip_address.to_string() == fixed) {
            let floating: &str = row.get(1)?;
            return Err(Error::bad(format!(
                "Bad port request: Cannot update the fixed_ips of the port {id}: the floating IP {floating} leads to {fixed}. \
                 Lead it elsewhere first."
            )));
        }
    }
    Ok(())
}
