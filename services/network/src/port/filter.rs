// SPDX-License-Identifier: Apache-2.0
//! The filters of ports that look into other tables. Several values of one are alternatives; different ones must all hold.

use std::net::IpAddr;

use store::Select;

use crate::{Error, Result};

/// `fixed_ips=ip_address=…`, `subnet_id=…` and `ip_address_substr=…`.
pub fn by_addresses(mut select: Select, wishes: &[String]) -> Result<Select> {
    let (mut addresses, mut subnets, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    for wish in wishes {
        match wish.split_once('=') {
            Some(("ip_address", text)) => {
                addresses.push(text.parse().map_or_else(|_| text.to_owned(), |address: IpAddr| address.to_string()));
            }
            Some(("subnet_id", id)) => subnets.push(id.to_owned()),
            Some(("ip_address_substr", part)) => parts.push(part.to_ascii_lowercase()),
            _ => return Err(Error::bad(format!("'{wish}' is not a filter of fixed_ips: write ip_address=… or subnet_id=…"))),
        }
    }
    if !addresses.is_empty() {
        select = select.condition_in(["id IN (SELECT port_id FROM port_addresses WHERE address IN ", ")"], addresses, vec![]);
    }
    if !subnets.is_empty() {
        select = select.condition_in(["id IN (SELECT port_id FROM port_addresses WHERE subnet_id IN ", ")"], subnets, vec![]);
    }
    if !parts.is_empty() {
        // No address has a character by which a pattern would mean more than itself.
        parts.retain(|part| part.chars().all(|c| c.is_ascii_hexdigit() || ".:".contains(c)));
        let among = ["id IN (SELECT port_id FROM port_addresses WHERE ", ")"];
        select = select.condition_each(among, "address LIKE ?", parts.iter().map(|part| format!("%{part}%")));
    }
    Ok(select)
}

pub fn by_groups(select: Select, groups: &[String]) -> Select {
    if groups.is_empty() {
        return select;
    }
    let among = ["id IN (SELECT port_id FROM port_security_groups WHERE security_group_id IN ", ")"];
    select.condition_in(among, groups.iter().cloned(), vec![])
}
