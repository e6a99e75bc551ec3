// SPDX-License-Identifier: Apache-2.0
//! The rows of subnet pools, and cutting subnets from them.

use access::Allowed;
use ipnet::IpNet;
use store::{Tx, params};
use types::{ProjectId, Timestamp};

use super::{Row, cut};
use crate::{
    Error, Result,
    resource::{By, Gathered, Kept, Managed},
    tag,
};

/// What a subnet's maker wants of a pool.
#[derive(Debug, Clone)]
pub struct Wish {
    pub pool: Choice,
    pub prefixlen: Option<u16>,
    pub cidr: Option<IpNet>,
}

#[derive(Debug, Clone)]
pub enum Choice {
    Named(String),
    /// The default one of this IP version.
    Default(u16),
}

#[derive(Debug, Clone, Default)]
pub struct Update {
    pub name: Option<String>,
    pub description: Option<String>,
    pub prefixes: Option<Vec<IpNet>>,
    pub default_prefixlen: Option<u16>,
    pub min_prefixlen: Option<u16>,
    pub max_prefixlen: Option<u16>,
    pub default_quota: Option<Option<i64>>,
    pub is_default: Option<bool>,
}

/// A pool with its tags.
pub type Found = (Row, Vec<String>);

impl Gathered for Row {
    type Found = Found;

    fn with_rest(tx: &mut Tx, rows: Vec<Self>) -> Result<Vec<Found>> {
        let mut tags = tag::of(tx, rows.iter().map(|row| row.id.as_str()))?;
        let with = |row: Row| (tags.remove(&row.id).unwrap_or_default(), row);
        Ok(rows.into_iter().map(with).map(|(tags, row)| (row, tags)).collect())
    }
}

impl Managed for Row {
    type Create = Row;
    type Update = Update;

    fn create(tx: &mut Tx, by: &By, allowed: &Allowed<Row>) -> Result<Found> {
        let row = allowed.thing();
        check(row)?;
        refuse_second_default(tx, row)?;
        Row::insert(
            tx,
            &params![
                &row.id,
                &row.project_id,
                &row.name,
                &row.description,
                row.ip_version,
                serde_json::json!(row.prefixes),
                row.default_prefixlen,
                row.min_prefixlen,
                row.max_prefixlen,
                row.default_quota,
                row.shared,
                row.is_default,
                row.created_at,
                row.updated_at,
                row.generation,
            ],
        )?;
        by.doer.made(tx, row)?;
        Ok((row.clone(), Vec::new()))
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
        if let Some(prefixes) = &ask.prefixes {
            row.prefixes = merged(prefixes);
        }
        row.default_prefixlen = ask.default_prefixlen.unwrap_or(row.default_prefixlen);
        row.min_prefixlen = ask.min_prefixlen.unwrap_or(row.min_prefixlen);
        row.max_prefixlen = ask.max_prefixlen.unwrap_or(row.max_prefixlen);
        row.default_quota = ask.default_quota.unwrap_or(row.default_quota);
        row.is_default = ask.is_default.unwrap_or(row.is_default);
        check(&row)?;
        if row.is_default && !this.is_default {
            refuse_second_default(tx, &row)?;
        }
        for subnet in subnets_of(tx, &row.id)? {
            if !row.prefixes.iter().any(|prefix| prefix.contains(&subnet)) {
                return Err(Error::IllegalSubnetPoolPrefixUpdate {
                    msg: format!("the subnet {subnet} was cut from what is to go"),
                });
            }
        }
        row.updated_at = Timestamp::now();
        row.generation += 1;
        tx.execute_cas(
            "UPDATE subnet_pools SET name = $2, description = $3, prefixes = $4, default_prefixlen = $5, min_prefixlen = $6, \
             max_prefixlen = $7, default_quota = $8, is_default = $9, updated_at = $10, generation = $11 \
             WHERE id = $1 AND generation = $12",
            &params![
                &row.id,
                &row.name,
                &row.description,
                serde_json::json!(row.prefixes),
                row.default_prefixlen,
                row.min_prefixlen,
                row.max_prefixlen,
                row.default_quota,
                row.is_default,
                row.updated_at,
                row.generation,
                this.generation,
            ],
        )?;
        doer.changed(tx, this, &row)?;
        let tags = tag::of_one(tx, &row.id)?;
        Ok((row, tags))
    }

    fn delete(tx: &mut Tx, by: &By, allowed: &Allowed<Self>) -> Result<()> {
        let this = allowed.thing();
        let By { doer, .. } = by;
        if !subnets_of(tx, &this.id)?.is_empty() {
            return Err(Error::SubnetPoolDeleteError { reason: "Subnet pool has existing allocations".to_owned() });
        }
        tag::forget(tx, this.id.as_str())?;
        tx.execute("DELETE FROM subnet_pools WHERE id = $1", &params![&this.id])?;
        doer.removed(tx, this)?;
        Ok(())
    }
}

/// The prefix that a subnet of this project gets, and the pool it is from.
pub fn allocate(tx: &mut Tx, project: &ProjectId, wish: &Wish) -> Result<(String, IpNet)> {
    let pool = match &wish.pool {
        Choice::Named(id) => {
            let sql = format!("SELECT {} FROM subnet_pools WHERE id = $1 AND (shared = 1 OR project_id = $2)", Row::COLUMNS);
            let found = tx.query_opt(&sql, &params![id, project])?;
            found.ok_or_else(|| Error::SubnetPoolNotFound { subnetpool_id: id.clone() })?
        }
        Choice::Default(version) => {
            let sql = format!("SELECT {} FROM subnet_pools WHERE is_default = 1 AND ip_version = $1", Row::COLUMNS);
            tx.query_opt(&sql, &params![*version])?
                .ok_or_else(|| Error::bad(format!("No default subnetpool found for IPv{version}")))?
        }
    };
    let pool = Row::read(&pool)?;
    let taken = subnets_of(tx, &pool.id)?;
    let length = match (wish.cidr, wish.prefixlen) {
        (Some(cidr), _) => u16::from(cidr.prefix_len()),
        (None, Some(length)) => length,
        (None, None) => pool.default_prefixlen,
    };
    if length < pool.min_prefixlen {
        return Err(Error::MinPrefixSubnetAllocationError { prefixlen: length, min_prefixlen: pool.min_prefixlen });
    }
    if length > pool.max_prefixlen {
        return Err(Error::MaxPrefixSubnetAllocationError { prefixlen: length, max_prefixlen: pool.max_prefixlen });
    }
    refuse_over_quota(tx, &pool, project, length)?;
    let refuse = |reason: String| Err(Error::SubnetAllocationError { reason });
    let cidr = match wish.cidr {
        Some(cidr) if !pool.prefixes.iter().any(|prefix| prefix.contains(&cidr)) => {
            return refuse(format!("Cannot allocate requested subnet {cidr}: it lies outside the pool"));
        }
        Some(cidr) if taken.iter().any(|other| cut::overlap(other, &cidr)) => {
            return refuse(format!("Cannot allocate requested subnet {cidr} from the available set of prefixes"));
        }
        Some(cidr) => cidr,
        None => match cut::first_free(&pool.prefixes, &taken, u8::try_from(length).unwrap_or(u8::MAX)) {
            Some(cidr) => cidr,
            None => return refuse(format!("Insufficient prefix space to allocate subnet size /{length}")),
        },
    };
    // Two subnets at once must not get the same: the pool's generation is what they would both change.
    let sql = "UPDATE subnet_pools SET generation = generation + 1 WHERE id = $1 AND generation = $2";
    tx.execute_cas(sql, &params![&pool.id, pool.generation])?;
    Ok((pool.id, cidr))
}

fn subnets_of(tx: &mut Tx, pool: &str) -> Result<Vec<IpNet>> {
    let rows = tx.query("SELECT cidr FROM subnets WHERE subnetpool_id = $1", &params![pool])?;
    let unreadable = || store::Error::Column { index: 0, wanted: "prefix", found: "text" };
    Ok(rows.iter().map(|row| row.get::<&str>(0)?.parse().map_err(|_| unreadable())).collect::<Result<_, _>>()?)
}

/// A quota counts IPv4 addresses, or IPv6 networks of 64 bits.
fn refuse_over_quota(tx: &mut Tx, pool: &Row, project: &ProjectId, length: u16) -> Result<()> {
    let Some(most) = pool.default_quota else { return Ok(()) };
    let bits = if pool.ip_version == 4 { 32 } else { 64 };
    let size = |length: u16| 1_i64.checked_shl(bits - u32::from(length).min(bits)).unwrap_or(i64::MAX);
    let rows = tx.query("SELECT cidr FROM subnets WHERE subnetpool_id = $1 AND project_id = $2", &params![&pool.id, project])?;
    let mut used = size(length);
    for row in &rows {
        let held = row.get::<&str>(0)?.parse::<IpNet>().map_or(0, |net| size(u16::from(net.prefix_len())));
        used = used.saturating_add(held);
    }
    if used > most { Err(Error::SubnetPoolQuotaExceeded { most }) } else { Ok(()) }
}

fn refuse_second_default(tx: &mut Tx, row: &Row) -> Result<()> {
    let sql = "SELECT id FROM subnet_pools WHERE is_default = 1 AND ip_version = $1 AND id <> $2";
    match tx.query_opt(sql, &params![row.ip_version, &row.id])? {
        Some(_) if row.is_default => {
            Err(Error::invalid(format!("A default subnetpool for IPv{} has already been set", row.ip_version)))
        }
        _ => Ok(()),
    }
}

/// Lengths in order, and prefixes that can hold the shortest of them.
fn check(row: &Row) -> Result<()> {
    let widest = if row.ip_version == 4 { 32 } else { 128 };
    if row.min_prefixlen > row.max_prefixlen || row.max_prefixlen > widest {
        return Err(Error::IllegalSubnetPoolPrefixBounds {
            prefixes: format!("min {} and max {}", row.min_prefixlen, row.max_prefixlen),
        });
    }
    if !(row.min_prefixlen..=row.max_prefixlen).contains(&row.default_prefixlen) {
        return Err(Error::IllegalSubnetPoolPrefixBounds { prefixes: format!("default {}", row.default_prefixlen) });
    }
    match row.prefixes.iter().find(|prefix| u16::from(prefix.prefix_len()) > row.max_prefixlen) {
        Some(prefix) => Err(Error::invalid(format!("the prefix {prefix} is too small for any subnet of the pool"))),
        None => Ok(()),
    }
}

/// Without prefixes that lie in others, in order.
pub fn merged(prefixes: &[IpNet]) -> Vec<IpNet> {
    IpNet::aggregate(&prefixes.to_vec())
}
