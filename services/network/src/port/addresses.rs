// SPDX-License-Identifier: Apache-2.0
//! Which addresses a port gets: the ones it names, or one of each IP version, and those it derives from its MAC.

use std::net::IpAddr;

use store::{Tx, params};
use types::{Mac, PortId, SubnetId};

use super::{FixedIp, ROUTER_INTERFACE, Row};
use crate::{Error, Result, ipam, keys, range, resource::Kept, subnet, who::Doer};

/// An entry of `fixed_ips` as a client writes it; at least one of the two is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub subnet: Option<SubnetId>,
    pub address: Option<IpAddr>,
}

/// The port for which addresses are looked for.
pub struct Seeker<'a> {
    pub doer: &'a Doer,
    pub port: &'a Row,
}

/// Gives a new port its addresses.
pub fn allocate(tx: &mut Tx, seeker: &Seeker<'_>, wishes: Option<&[Wish]>) -> Result<Vec<FixedIp>> {
    let subnets = subnet::of_network(tx, &seeker.port.network_id)?;
    let mut fixed = match wishes {
        Some(wishes) => {
            let mut fixed = Vec::with_capacity(wishes.len());
            for wish in wishes {
                fixed.push(grant(tx, seeker, &subnets, wish)?);
            }
            fixed
        }
        None => {
            let mut fixed = Vec::new();
            for is_v4 in [true, false] {
                fixed.extend(one_of(tx, seeker, &subnets, is_v4)?);
            }
            fixed
        }
    };
    let nothing_wanted = wishes.is_some_and(<[Wish]>::is_empty);
    if seeker.port.device_owner != ROUTER_INTERFACE && !nothing_wanted {
        for subnet in subnets.iter().filter(|subnet| subnet.is_auto_address()) {
            if !fixed.iter().any(|other| other.subnet_id == subnet.id) {
                fixed.extend(derive(tx, &seeker.port.id, seeker.port.mac_address, subnet)?);
            }
        }
    }
    Ok(fixed)
}

/// Changes the addresses of a port to what is wished: what it has already stays, what is not named goes.
pub fn reassign(tx: &mut Tx, seeker: &Seeker<'_>, current: &[FixedIp], wishes: &[Wish]) -> Result<Vec<FixedIp>> {
    let subnets = subnet::of_network(tx, &seeker.port.network_id)?;
    let mut spare: Vec<FixedIp> = current.to_vec();
    let mut fixed: Vec<Option<FixedIp>> = vec![None; wishes.len()];
    let fits = |wish: &Wish, has: &FixedIp| {
        wish.subnet.as_ref().is_none_or(|subnet| *subnet == has.subnet_id)
            && wish.address.is_none_or(|address| address == has.ip_address)
    };
    // Addresses that are named are matched first, so that an open wish does not take them.
    for exact in [true, false] {
        for (place, wish) in wishes.iter().enumerate() {
            if fixed[place].is_none() && wish.address.is_some() == exact {
                let found = spare.iter().position(|has| fits(wish, has));
                fixed[place] = found.map(|index| spare.remove(index));
            }
        }
    }
    for gone in &spare {
        ipam::table::release(tx, &gone.subnet_id, gone.ip_address, &seeker.port.key_of_addresses())?;
    }
    let mut all = Vec::with_capacity(wishes.len());
    for (wish, kept) in wishes.iter().zip(fixed) {
        all.push(match kept {
            Some(kept) => kept,
            None => grant(tx, seeker, &subnets, wish)?,
        });
    }
    Ok(all)
}

/// A subnet came whose guests derive their addresses: those that are there already do so too, hundreds in a statement.
pub fn derive_for_all(tx: &mut Tx, subnet: &subnet::Row) -> Result<()> {
    let sql = "SELECT id, mac_address FROM ports WHERE network_id = $1 AND device_owner NOT LIKE 'network:%' \
               AND EXISTS (SELECT 1 FROM port_addresses a WHERE a.port_id = ports.id)";
    let mut derived: Vec<(PortId, IpAddr)> = Vec::new();
    for row in tx.query(sql, &params![&subnet.network_id])? {
        if let Ok(mac) = row.get::<&str>(1)?.parse()
            && let Some(address) = range::eui64(&subnet.cidr, mac)
        {
            derived.push((row.get(0)?, address));
        }
    }
    ipam::table::insert_many(tx, &subnet.id, &derived)?;
    keys::mark_ports(tx, "id IN (SELECT port_id FROM port_addresses WHERE subnet_id = $1)", subnet.id.as_str())?;
    Ok(())
}

fn grant(tx: &mut Tx, seeker: &Seeker<'_>, subnets: &[subnet::Row], wish: &Wish) -> Result<FixedIp> {
    let subnet = match (&wish.subnet, wish.address) {
        (Some(id), _) => match subnets.iter().find(|subnet| subnet.id == *id) {
            Some(subnet) => subnet,
            None => return Err(not_here(tx, seeker, id)?),
        },
        (None, Some(address)) => subnets
            .iter()
            .find(|subnet| subnet.cidr.contains(&address))
            .ok_or_else(|| Error::InvalidIpForNetwork { address: address.to_string() })?,
        (None, None) => return Err(Error::invalid("a fixed IP names a subnet, an address or both")),
    };
    let fixed = |ip_address| FixedIp { subnet_id: subnet.id.clone(), ip_address };
    match wish.address {
        Some(address) => {
            if subnet.is_auto_address() && !super::is_trusted(&seeker.port.device_owner) {
                let derived = range::eui64(&subnet.cidr, seeker.port.mac_address);
                if derived != Some(address) {
                    let (address, subnet_id) = (address.to_string(), subnet.id.to_string());
                    return Err(Error::AllocationOnAutoAddressSubnet { address, subnet_id });
                }
            }
            ipam::table::take(tx, seeker.doer, subnet, &seeker.port.id, address)?;
            Ok(fixed(address))
        }
        None if subnet.is_auto_address() && !super::is_trusted(&seeker.port.device_owner) => {
            derive(tx, &seeker.port.id, seeker.port.mac_address, subnet)?.ok_or_else(|| exhausted(seeker, &[subnet]))
        }
        None => match ipam::table::take_any(tx, subnet, &seeker.port.id)? {
            Some(address) => Ok(fixed(address)),
            None => Err(exhausted(seeker, &[subnet])),
        },
    }
}

/// Why a subnet cannot be meant here. Of one that the author may not see he does not learn that it is elsewhere.
fn not_here(tx: &mut Tx, seeker: &Seeker<'_>, id: &SubnetId) -> Result<Error> {
    let seen = subnet::Row::within(subnet::Row::select().filter("id = ", id), &seeker.doer.sees).rows(tx)?;
    Ok(match seen.is_empty() {
        true => Error::SubnetNotFound { subnet_id: id.to_string() },
        false => Error::invalid(format!("subnet {id} is not on network {}", seeker.port.network_id)),
    })
}

/// An address of the first subnet of this version that has one; none where the network has no such subnet.
fn one_of(tx: &mut Tx, seeker: &Seeker<'_>, subnets: &[subnet::Row], is_v4: bool) -> Result<Option<FixedIp>> {
    let serves =
        |subnet: &subnet::Row| subnet.service_types.is_empty() || subnet.service_types.contains(&seeker.port.device_owner);
    let fitting: Vec<&subnet::Row> =
        subnets.iter().filter(|subnet| subnet.is_v4() == is_v4 && !subnet.is_auto_address() && serves(subnet)).collect();
    for subnet in &fitting {
        if let Some(ip_address) = ipam::table::take_any(tx, subnet, &seeker.port.id)? {
            return Ok(Some(FixedIp { subnet_id: subnet.id.clone(), ip_address }));
        }
    }
    if fitting.is_empty() { Ok(None) } else { Err(exhausted(seeker, &fitting)) }
}

/// The address that follows from the MAC, unless another port has it.
fn derive(tx: &mut Tx, port: &PortId, mac: Mac, subnet: &subnet::Row) -> Result<Option<FixedIp>> {
    let Some(ip_address) = range::eui64(&subnet.cidr, mac) else { return Ok(None) };
    let sql = "SELECT 1 FROM port_addresses WHERE subnet_id = $1 AND place = $2";
    if tx.query_opt(sql, &params![&subnet.id, range::place(ip_address)])?.is_some() {
        return Ok(None);
    }
    ipam::table::insert(tx, &subnet.id, port, ip_address)?;
    Ok(Some(FixedIp { subnet_id: subnet.id.clone(), ip_address }))
}

fn exhausted(seeker: &Seeker<'_>, subnets: &[&subnet::Row]) -> Error {
    let names: Vec<&str> = subnets.iter().map(|subnet| subnet.id.as_str()).collect();
    Error::IpAddressGenerationFailure { net_id: seeker.port.network_id.to_string(), subnets: names.join(", ") }
}
