// SPDX-License-Identifier: Apache-2.0
//! Ranges of addresses within a subnet: defaults, checks, and where free ones may lie.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use types::Mac;

use crate::{Error, Result};

/// Addresses from `start` to `end`, both included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    pub start: IpAddr,
    pub end: IpAddr,
}

impl Pool {
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.start.is_ipv4() && (number(self.start)..=number(self.end)).contains(&number(address))
    }

    /// How many addresses there are; saturates for the whole of IPv6.
    pub fn size(&self) -> u128 {
        (number(self.end) - number(self.start)).saturating_add(1)
    }

    /// The address at this place of the pool, counted from its start.
    pub fn at(&self, place: u128) -> IpAddr {
        from_number(number(self.start) + place, self.start.is_ipv4())
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.start) || other.contains(self.start)
    }

    pub fn text(&self) -> String {
        format!("{}-{}", self.start, self.end)
    }
}

pub fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

pub fn from_number(number: u128, is_v4: bool) -> IpAddr {
    if is_v4 { IpAddr::V4(u32::try_from(number).unwrap_or(u32::MAX).into()) } else { IpAddr::V6(Ipv6Addr::from(number)) }
}

/// An address as the tables sort it: 32 hex digits.
pub fn place(address: IpAddr) -> String {
    format!("{:032x}", number(address))
}

/// The gateway that a subnet has unless its owner says otherwise: the first address after the network's own.
pub fn default_gateway(cidr: &IpNet) -> IpAddr {
    match usable(cidr) {
        Some(pool) => pool.start,
        None => cidr.network(),
    }
}

/// The addresses that a port of this subnet can have: without the network's own and, in IPv4, the broadcast address.
pub fn usable(cidr: &IpNet) -> Option<Pool> {
    let (first, last) = (number(cidr.network()), number(cidr.broadcast()));
    let is_v4 = matches!(cidr, IpNet::V4(_));
    let host_bits = cidr.max_prefix_len() - cidr.prefix_len();
    let (first, last) = match (is_v4, host_bits) {
        // Point-to-point and host prefixes have no address to spare (RFC 3021).
        (_, 0 | 1) => (first, last),
        (true, _) => (first + 1, last - 1),
        (false, _) => (first + 1, last),
    };
    (first <= last).then(|| Pool { start: from_number(first, is_v4), end: from_number(last, is_v4) })
}

/// All usable addresses but the gateway.
pub fn default_pools(cidr: &IpNet, gateway: Option<IpAddr>) -> Vec<Pool> {
    let Some(all) = usable(cidr) else { return Vec::new() };
    let Some(gateway) = gateway.filter(|gateway| all.contains(*gateway)) else { return vec![all] };
    let is_v4 = gateway.is_ipv4();
    let mut pools = Vec::new();
    if gateway != all.start {
        pools.push(Pool { start: all.start, end: from_number(number(gateway) - 1, is_v4) });
    }
    if gateway != all.end {
        pools.push(Pool { start: from_number(number(gateway) + 1, is_v4), end: all.end });
    }
    pools
}

/// Refuses pools that are no ranges, reach outside, overlap, or hold the gateway.
pub fn check_pools(cidr: &IpNet, pools: &[Pool], gateway: Option<IpAddr>) -> Result<()> {
    let usable = usable(cidr);
    for pool in pools {
        if pool.start.is_ipv4() != pool.end.is_ipv4() || number(pool.start) > number(pool.end) {
            return Err(Error::InvalidAllocationPool { pool: pool.text() });
        }
        let inside = usable.as_ref().is_some_and(|all| all.contains(pool.start) && all.contains(pool.end));
        if !inside {
            return Err(Error::OutOfBoundsAllocationPool { pool: pool.text(), cidr: cidr.to_string() });
        }
    }
    for (i, pool) in pools.iter().enumerate() {
        if let Some(other) = pools[..i].iter().find(|other| other.overlaps(pool)) {
            return Err(Error::OverlappingAllocationPools { one: other.text(), other: pool.text(), cidr: cidr.to_string() });
        }
    }
    if let Some(gateway) = gateway
        && let Some(pool) = pools.iter().find(|pool| pool.contains(gateway))
    {
        return Err(Error::GatewayConflictWithAllocationPools { gateway: gateway.to_string(), pool: pool.text() });
    }
    Ok(())
}

/// The address that a port derives from its MAC in a /64 (RFC 4291, appendix A).
pub fn eui64(prefix: &IpNet, mac: Mac) -> Option<IpAddr> {
    let IpNet::V6(prefix) = prefix else { return None };
    let [a, b, c, d, e, f] = mac.0;
    let interface = u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
    let bits = (u128::from(prefix.network()) & !u128::from(u64::MAX)) | u128::from(interface);
    Some(IpAddr::V6(Ipv6Addr::from(bits)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn pools(cidr: &str, gateway: Option<&str>) -> Vec<String> {
        let gateway = gateway.map(|text| text.parse().unwrap());
        default_pools(&cidr.parse().unwrap(), gateway).iter().map(Pool::text).collect()
    }

    fn check(cidr: &str, list: &[(&str, &str)], gateway: &str) -> Result<()> {
        let pool = |(start, end): &(&str, &str)| Pool { start: start.parse().unwrap(), end: end.parse().unwrap() };
        let list: Vec<Pool> = list.iter().map(pool).collect();
        check_pools(&cidr.parse().unwrap(), &list, Some(gateway.parse().unwrap()))
    }

    #[test]
    fn default_pools_leave_out_the_gateway_and_the_ends() {
        assert_eq!(pools("192.0.2.0/24", Some("192.0.2.1")), ["192.0.2.2-192.0.2.254"]);
        assert_eq!(pools("192.0.2.0/24", Some("192.0.2.254")), ["192.0.2.1-192.0.2.253"]);
        assert_eq!(pools("192.0.2.0/24", Some("192.0.2.9")), ["192.0.2.1-192.0.2.8", "192.0.2.10-192.0.2.254"]);
        assert_eq!(pools("192.0.2.0/24", None), ["192.0.2.1-192.0.2.254"]);
        assert_eq!(pools("192.0.2.0/30", Some("192.0.2.1")), ["192.0.2.2-192.0.2.2"]);
        assert_eq!(pools("192.0.2.6/31", Some("192.0.2.6")), ["192.0.2.7-192.0.2.7"]);
        assert_eq!(pools("2001:db8::/64", Some("2001:db8::1")), ["2001:db8::2-2001:db8::ffff:ffff:ffff:ffff"]);
    }

    #[test]
    fn pools_that_cannot_be_are_refused() {
        let net = "192.0.2.0/24";
        assert!(check(net, &[("192.0.2.2", "192.0.2.9"), ("192.0.2.10", "192.0.2.20")], "192.0.2.1").is_ok());
        let refused = |list, gateway| check(net, list, gateway).unwrap_err();
        assert!(matches!(refused(&[("192.0.2.9", "192.0.2.2")], "192.0.2.1"), Error::InvalidAllocationPool { .. }));
        assert!(matches!(refused(&[("192.0.2.9", "192.0.3.2")], "192.0.2.1"), Error::OutOfBoundsAllocationPool { .. }));
        assert!(matches!(refused(&[("192.0.2.9", "192.0.2.255")], "192.0.2.1"), Error::OutOfBoundsAllocationPool { .. }));
        assert!(matches!(
            refused(&[("192.0.2.2", "192.0.2.9"), ("192.0.2.9", "192.0.2.20")], "192.0.2.1"),
            Error::OverlappingAllocationPools { .. }
        ));
        assert!(matches!(refused(&[("192.0.2.2", "192.0.2.9")], "192.0.2.5"), Error::GatewayConflictWithAllocationPools { .. }));
    }

    #[test]
    fn addresses_from_macs() {
        let mac: Mac = "fa:16:3e:00:00:01".parse().unwrap();
        let address = eui64(&"2001:db8::/64".parse().unwrap(), mac).unwrap();
        assert_eq!(address.to_string(), "2001:db8::f816:3eff:fe00:1");
        assert_eq!(eui64(&"192.0.2.0/24".parse().unwrap(), mac), None);
    }
}
