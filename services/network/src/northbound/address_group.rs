// SPDX-License-Identifier: Apache-2.0
//! Address groups in OVN: a set of addresses for each family, which matches of rules name. A set that changes changes flows and
//! no rule.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use ovn::{
    northbound::{DesiredRow, Table},
    ovsdb::Datum,
};
use types::AddressGroupId;

use super::rows::Rows;
use crate::{Result, address_group::Row, keys};

/// Names of sets are part of match expressions, where hyphens mean something else. `family` is `ip4` or `ip6`.
pub fn set_name(id: &AddressGroupId, family: &str) -> String {
    format!("ag_{}_{family}", id.as_str().replace('-', "_"))
}

pub fn rows(group: &Row) -> Result<Rows> {
    let of = |family: &str, is_of: fn(&IpNet) -> bool| {
        let addresses = group.addresses.iter().filter(|address| is_of(address)).flat_map(said);
        DesiredRow::new(Table::AddressSet, format!("{}/{family}", keys::address_group(&group.id)))
            .set("name", set_name(&group.id, family))
            .set("addresses", Datum::set(addresses))
    };
    let rows = vec![of("ip4", |address| matches!(address, IpNet::V4(_))), of("ip6", |address| matches!(address, IpNet::V6(_)))];
    Ok(Rows { rows, needs: Vec::new() })
}

/// A prefix of no length is no constant for OVN; its halves are.
fn said(address: &IpNet) -> Vec<String> {
    if address.prefix_len() > 0 {
        return vec![address.to_string()];
    }
    let halves: Vec<IpNet> = match address {
        IpNet::V4(_) => Ipv4Net::default().subnets(1).into_iter().flatten().map(IpNet::V4).collect(),
        IpNet::V6(_) => Ipv6Net::default().subnets(1).into_iter().flatten().map(IpNet::V6).collect(),
    };
    halves.iter().map(ToString::to_string).collect()
}
