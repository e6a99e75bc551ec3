// SPDX-License-Identifier: Apache-2.0
//! The arithmetic of pools: the first free prefix of a length.

use ipnet::IpNet;

use crate::range::{from_number, number};

/// The lowest prefix of this length within `prefixes` that overlaps none of `taken`.
pub fn first_free(prefixes: &[IpNet], taken: &[IpNet], length: u8) -> Option<IpNet> {
    let mut prefixes: Vec<&IpNet> = prefixes.iter().filter(|prefix| prefix.prefix_len() <= length).collect();
    prefixes.sort_by_key(|prefix| number(prefix.network()));
    prefixes.into_iter().find_map(|prefix| first_free_in(prefix, taken, length))
}

/// Goes from obstacle to obstacle, so the cost is that of the subnets which are there, not of those that could be.
fn first_free_in(prefix: &IpNet, taken: &[IpNet], length: u8) -> Option<IpNet> {
    let size_bits = u32::from(prefix.max_prefix_len() - length);
    let last = number(prefix.broadcast());
    let mut start = number(prefix.network());
    let mut obstacles: Vec<(u128, u128)> =
        taken.iter().filter(|net| overlap(net, prefix)).map(|net| (number(net.network()), number(net.broadcast()))).collect();
    obstacles.sort_unstable();
    for (from, to) in obstacles {
        if from > end_of(start, size_bits) {
            break;
        }
        if to >= start {
            start = align_up(to.checked_add(1)?, size_bits)?;
        }
    }
    if start > last || end_of(start, size_bits) > last {
        return None;
    }
    IpNet::new(from_number(start, matches!(prefix, IpNet::V4(_))), length).ok()
}

pub fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

fn end_of(start: u128, size_bits: u32) -> u128 {
    start | (1_u128.checked_shl(size_bits).map_or(u128::MAX, |size| size - 1))
}

fn align_up(address: u128, size_bits: u32) -> Option<u128> {
    let mask = 1_u128.checked_shl(size_bits).map_or(u128::MAX, |size| size - 1);
    address.checked_add(mask).map(|sum| sum & !mask)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn cut(prefixes: &[&str], taken: &[&str], length: u8) -> Option<String> {
        let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
        first_free(&nets(prefixes), &nets(taken), length).map(|net| net.to_string())
    }

    #[test]
    fn the_first_gap_that_fits() {
        assert_eq!(cut(&["10.0.0.0/16"], &[], 24).unwrap(), "10.0.0.0/24");
        assert_eq!(cut(&["10.0.0.0/16"], &["10.0.0.0/24", "10.0.1.0/24"], 24).unwrap(), "10.0.2.0/24");
        assert_eq!(cut(&["10.0.0.0/16"], &["10.0.0.0/26"], 24).unwrap(), "10.0.1.0/24");
        assert_eq!(cut(&["10.0.0.0/16"], &["10.0.1.0/24"], 24).unwrap(), "10.0.0.0/24");
        assert_eq!(cut(&["10.0.0.0/24", "10.1.0.0/24"], &["10.0.0.0/25"], 24).unwrap(), "10.1.0.0/24");
        assert_eq!(cut(&["10.0.0.0/24"], &["10.0.0.0/25", "10.0.0.128/25"], 26), None);
        assert_eq!(cut(&["10.0.0.0/24"], &["10.0.0.0/24"], 24), None);
        assert_eq!(cut(&["10.0.0.0/24"], &[], 16), None);
        assert_eq!(cut(&["2001:db8::/48"], &["2001:db8::/64"], 64).unwrap(), "2001:db8:0:1::/64");
        assert_eq!(cut(&["::/0"], &[], 64).unwrap(), "::/64");
    }
}
