// SPDX-License-Identifier: Apache-2.0
//! Addresses that nobody holds any more here, while OVN may still know them at their last holder.
//!
//! Nobody waits for OVN, and still no two have an address there at once: an address that is leaving is the last to be handed
//! out, and who gets it, or asks for it by name, needs the key that held it. So that key goes to OVN in the same transaction,
//! if it has not been there by then.
//!
//! Invariant: OVN never knows an address of a subnet at two places (test: `an_address_is_never_in_ovn_twice`).

use std::net::IpAddr;

use store::{Result, Select, Tx, params};
use types::{PortId, SubnetId};

use crate::range;

/// The port is about to give back all its addresses; OVN knows them under this key.
pub fn leave_all(tx: &mut Tx, port: &PortId, key: &str) -> Result<()> {
    let sql = "INSERT INTO leaving_addresses (subnet_id, place, north_key) SELECT subnet_id, place, $2 FROM port_addresses \
               WHERE port_id = $1 ON CONFLICT (subnet_id, place, north_key) DO NOTHING";
    tx.execute(sql, &params![port, key]).map(drop)
}

pub fn leave(tx: &mut Tx, subnet: &SubnetId, address: IpAddr, key: &str) -> Result<()> {
    let sql = "INSERT INTO leaving_addresses (subnet_id, place, north_key) VALUES ($1, $2, $3) \
               ON CONFLICT (subnet_id, place, north_key) DO NOTHING";
    tx.execute(sql, &params![subnet, range::place(address), key]).map(drop)
}

/// OVN has the newest generation of this key, so it knows none of its former addresses.
pub fn left(tx: &mut Tx, key: &str) -> Result<()> {
    let sql = "DELETE FROM leaving_addresses WHERE north_key = $1 \
               AND EXISTS (SELECT 1 FROM north_keys WHERE id = $1 AND synced_generation >= generation)";
    tx.execute(sql, &params![key]).map(drop)
}

/// Addresses, as places, with the keys under which OVN may still know them; in one statement.
pub struct Leaving(Vec<(SubnetId, String, String)>);

impl Leaving {
    pub fn among<'a>(tx: &mut Tx, addresses: impl Iterator<Item = (&'a SubnetId, IpAddr)>) -> Result<Self> {
        let (mut subnets, mut places) = (Vec::new(), Vec::new());
        for (subnet, address) in addresses {
            if !subnets.contains(&subnet) {
                subnets.push(subnet);
            }
            places.push(range::place(address));
        }
        let select = Select::new("leaving_addresses", "subnet_id, place, north_key");
        let select = select.filter_in("subnet_id", subnets).filter_in("place", places);
        let rows = select.sort(&[], "north_key").rows(tx)?;
        Ok(Self(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect::<Result<_>>()?))
    }

    /// The keys under which OVN may know this address, beside its holder's own.
    pub fn keys(&self, subnet: &SubnetId, address: IpAddr, own: &str) -> impl Iterator<Item = String> {
        let place = range::place(address);
        let here = self.0.iter().filter(move |(at, leaving, key)| at == subnet && *leaving == place && key != own);
        here.map(|(_, _, key)| key.clone())
    }
}
