// SPDX-License-Identifier: Apache-2.0
//! Hands out addresses within a transaction.

use std::{collections::HashSet, net::IpAddr};

use store::{Tx, Value, params};
use types::{PortId, SubnetId};

use super::leaving;
use crate::{
    Error, Result,
    range::{self, Pool},
    subnet,
    who::Doer,
};

/// Addresses are handed out at random from the low end of the pools, so that whoever chooses addresses for himself finds
/// the rest free, and one that was given back is not at once another's. When the low end is crowded the next window is
/// looked at, one statement each; only when all are is a gap looked for.
const WINDOWS: [u128; 4] = [64, 1024, 16_384, u128::MAX];
const GUESSES: usize = 16;
/// How many addresses at the end of a pool are looked at for a free one.
const LAST: i64 = 64;
/// How many addresses are written in one statement.
const AT_ONCE: usize = 250;
/// How many addresses are read at once where a gap is looked for.
const STRIDE: i64 = 256;

/// Gives a chosen address to the port.
pub fn take(tx: &mut Tx, doer: &Doer, subnet: &subnet::Row, port: &PortId, address: IpAddr) -> Result<()> {
    let usable = range::usable(&subnet.cidr).is_some_and(|all| all.contains(address));
    if !usable {
        return Err(Error::InvalidIpForSubnet { address: address.to_string() });
    }
    let holder = tx.query_opt(
        "SELECT p.id, p.project_id FROM port_addresses a JOIN ports p ON p.id = a.port_id WHERE a.subnet_id = $1 AND a.place = $2",
        &params![&subnet.id, range::place(address)],
    )?;
    if let Some(holder) = holder {
        let is_visible = doer.sees_project(holder.get::<&str>(1)?);
        let holder = if is_visible { format!(" by port {}", holder.get::<&str>(0)?) } else { String::new() };
        let (address, subnet_id) = (address.to_string(), subnet.id.to_string());
        return Err(Error::IpAddressAlreadyAllocated { address, subnet_id, holder });
    }
    insert(tx, &subnet.id, port, address)
}

/// Gives a free address of the subnet's pools to the port; none if there is none.
pub fn take_any(tx: &mut Tx, subnet: &subnet::Row, port: &PortId) -> Result<Option<IpAddr>> {
    let Some(address) = free(tx, subnet)? else { return Ok(None) };
    insert(tx, &subnet.id, port, address)?;
    Ok(Some(address))
}

/// The last free address of the subnet's pools, if it is one of the last [`LAST`] that are not.
pub fn last(tx: &mut Tx, subnet: &subnet::Row) -> Result<Option<IpAddr>> {
    let Some(pool) = subnet.allocation_pools.last() else { return Ok(None) };
    let sql =
        "SELECT place FROM port_addresses WHERE subnet_id = $1 AND place >= $2 AND place <= $3 ORDER BY place DESC LIMIT $4";
    let rows = tx.query(sql, &params![&subnet.id, range::place(pool.start), range::place(pool.end), LAST])?;
    let mut next = Some(range::number(pool.end));
    for row in &rows {
        if next != u128::from_str_radix(row.get(0)?, 16).ok() {
            break;
        }
        next = next.and_then(|taken| taken.checked_sub(1));
    }
    let address = next.map(|number| range::from_number(number, pool.end.is_ipv4()));
    Ok(address.filter(|address| pool.contains(*address)))
}

pub fn insert(tx: &mut Tx, subnet: &SubnetId, port: &PortId, address: IpAddr) -> Result<()> {
    tx.execute(
        "INSERT INTO port_addresses (subnet_id, place, address, port_id) VALUES ($1, $2, $3, $4)",
        &params![subnet, range::place(address), address.to_string(), port],
    )?;
    Ok(())
}

/// Gives each port its address, unless another has it.
pub fn insert_many(tx: &mut Tx, subnet: &SubnetId, all: &[(PortId, IpAddr)]) -> Result<()> {
    for some in all.chunks(AT_ONCE) {
        let rows: Vec<String> =
            (0..some.len()).map(|row| format!("($1, ${}, ${}, ${})", 3 * row + 2, 3 * row + 3, 3 * row + 4)).collect();
        let sql = format!(
            "INSERT INTO port_addresses (subnet_id, place, address, port_id) VALUES {} ON CONFLICT (subnet_id, place) DO NOTHING",
            rows.join(", ")
        );
        let values =
            some.iter().flat_map(|(port, address)| [range::place(*address).into(), address.to_string().into(), port.into()]);
        let values: Vec<Value> = std::iter::once(subnet.into()).chain(values).collect();
        tx.execute(&sql, &values)?;
    }
    Ok(())
}

/// Takes an address away that OVN knows under this key.
pub fn release(tx: &mut Tx, subnet: &SubnetId, address: IpAddr, key: &str) -> Result<()> {
    leaving::leave(tx, subnet, address, key)?;
    tx.execute("DELETE FROM port_addresses WHERE subnet_id = $1 AND place = $2", &params![subnet, range::place(address)])?;
    Ok(())
}

/// Takes all addresses of a port away, which OVN knows under this key.
pub fn release_all(tx: &mut Tx, port: &PortId, key: &str) -> Result<()> {
    leaving::leave_all(tx, port, key)?;
    tx.execute("DELETE FROM port_addresses WHERE port_id = $1", &params![port])?;
    Ok(())
}

fn free(tx: &mut Tx, subnet: &subnet::Row) -> Result<Option<IpAddr>> {
    let pools = &subnet.allocation_pools;
    let total = pools.iter().fold(0_u128, |total, pool| total.saturating_add(pool.size()));
    for window in WINDOWS {
        let guesses = guesses(pools, total.min(window));
        let rows = tx.query(&taken_among(guesses.len()), &among(&subnet.id, &guesses))?;
        let taken: HashSet<&str> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
        if let Some(address) = guesses.into_iter().find(|guess| !taken.contains(range::place(*guess).as_str())) {
            return Ok(Some(address));
        }
        if window >= total {
            break;
        }
    }
    for pool in pools {
        if let Some(gap) = gap(tx, &subnet.id, pool)? {
            return Ok(Some(gap));
        }
    }
    Ok(None)
}

/// Random ones of the first `window` addresses of the pools.
fn guesses(pools: &[Pool], window: u128) -> Vec<IpAddr> {
    if window == 0 {
        return Vec::new();
    }
    let pick = |_| {
        let mut place = uuid::Uuid::new_v4().as_u128() % window;
        pools.iter().find_map(|pool| {
            if place < pool.size() {
                return Some(pool.at(place));
            }
            place -= pool.size();
            None
        })
    };
    (0..GUESSES).filter_map(pick).collect()
}

/// Picks those of so many places that are held, or that OVN may still know at their last holder.
fn taken_among(guesses: usize) -> String {
    let places: Vec<String> = (2..guesses + 2).map(|place| format!("${place}")).collect();
    let places = places.join(", ");
    format!(
        "SELECT place FROM port_addresses WHERE subnet_id = $1 AND place IN ({places}) \
         UNION ALL SELECT place FROM leaving_addresses WHERE subnet_id = $1 AND place IN ({places})"
    )
}

fn among(subnet: &SubnetId, guesses: &[IpAddr]) -> Vec<Value> {
    let places = guesses.iter().map(|guess| range::place(*guess).into());
    std::iter::once(subnet.into()).chain(places).collect()
}

/// The first address that nobody holds after a random place of the pool, or else before it: in a pool with some room it is
/// near, wherever one begins.
fn gap(tx: &mut Tx, subnet: &SubnetId, pool: &Pool) -> Result<Option<IpAddr>> {
    let (start, end) = (range::number(pool.start), range::number(pool.end));
    let from = start + uuid::Uuid::new_v4().as_u128() % pool.size();
    let found = match first_gap(tx, subnet, from, end)? {
        None if from > start => first_gap(tx, subnet, start, from - 1)?,
        found => found,
    };
    Ok(found.map(|number| range::from_number(number, pool.start.is_ipv4())))
}

fn first_gap(tx: &mut Tx, subnet: &SubnetId, from: u128, to: u128) -> Result<Option<u128>> {
    let sql = "SELECT place FROM port_addresses WHERE subnet_id = $1 AND place >= $2 AND place <= $3 ORDER BY place LIMIT $4";
    let place = |number| format!("{number:032x}");
    let mut next = from;
    loop {
        let rows = tx.query(sql, &params![subnet, place(next), place(to), STRIDE])?;
        for row in &rows {
            let taken = u128::from_str_radix(row.get(0)?, 16).unwrap_or(u128::MAX);
            if taken > next {
                return Ok(Some(next));
            }
            next = taken.saturating_add(1);
        }
        if next > to {
            return Ok(None);
        }
        if i64::try_from(rows.len()).unwrap_or(STRIDE) < STRIDE {
            return Ok(Some(next));
        }
    }
}
