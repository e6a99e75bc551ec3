// SPDX-License-Identifier: Apache-2.0
//! Which segment a network gets: the one its maker names, or a free one.

use std::ops::RangeInclusive;

use store::{Tx, params};

use super::Segment;
use crate::{Error, Result, settings::Settings};

/// `provider:*` of a request.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    pub network_type: Option<String>,
    pub physical_network: Option<String>,
    pub segmentation_id: Option<i64>,
}

const VLANS: RangeInclusive<i64> = 1..=4094;
/// A datapath key of OVN has 24 bits.
const TUNNELS: RangeInclusive<i64> = 1..=16_777_215;

impl Wish {
    pub fn is_empty(&self) -> bool {
        self.network_type.is_none() && self.physical_network.is_none() && self.segmentation_id.is_none()
    }

    /// What can be said without the tables.
    pub fn check(&self, known_physical: &[String]) -> Result<()> {
        let kind = match (&self.network_type, self.is_empty()) {
            (Some(kind), _) => kind.as_str(),
            (None, true) => return Ok(()),
            (None, false) => return Err(Error::invalid("provider:network_type required")),
        };
        match kind {
            "geneve" => {
                if self.physical_network.is_some() {
                    return Err(Error::invalid("provider:physical_network specified for a geneve network"));
                }
                self.check_id(&TUNNELS)
            }
            "flat" | "vlan" => {
                let Some(physical) = &self.physical_network else {
                    return Err(Error::invalid(format!("physical_network required for {kind} provider network")));
                };
                if !known_physical.contains(physical) {
                    let known = if known_physical.is_empty() { "none".to_owned() } else { known_physical.join(", ") };
                    return Err(Error::invalid(format!(
                        "physical_network '{physical}' is mapped to a bridge on no host (known: {known})"
                    )));
                }
                if kind == "vlan" {
                    return self.check_id(&VLANS);
                }
                match self.segmentation_id {
                    Some(_) => Err(Error::invalid("segmentation_id specified for flat provider network")),
                    None => Ok(()),
                }
            }
            other => Err(Error::invalid(format!("network_type value '{other}' is not one of geneve, flat, vlan"))),
        }
    }

    fn check_id(&self, range: &RangeInclusive<i64>) -> Result<()> {
        match self.segmentation_id {
            Some(id) if !range.contains(&id) => {
                Err(Error::invalid(format!("segmentation_id {id} is not between {} and {}", range.start(), range.end())))
            }
            _ => Ok(()),
        }
    }

    /// The segment itself, in the transaction that makes the network.
    pub fn allocate(&self, tx: &mut Tx, settings: &Settings) -> Result<Segment> {
        let network_type = self.network_type.clone().unwrap_or_else(|| "geneve".to_owned());
        let physical = self.physical_network.clone();
        let segmentation_id = match (network_type.as_str(), &physical, self.segmentation_id) {
            ("flat", Some(physical), _) => {
                let sql = "SELECT 1 FROM networks WHERE network_type = 'flat' AND physical_network = $1";
                if tx.query_opt(sql, &params![physical])?.is_some() {
                    return Err(Error::FlatNetworkInUse { physical_network: physical.clone() });
                }
                None
            }
            ("vlan", Some(physical), Some(vlan_id)) => {
                if is_vlan_taken(tx, physical, vlan_id)? {
                    return Err(Error::VlanIdInUse { vlan_id, physical_network: physical.clone() });
                }
                Some(vlan_id)
            }
            ("vlan", Some(physical), None) => {
                let Some(range) = settings.vlans.get(physical) else {
                    return Err(Error::invalid(format!(
                        "segmentation_id required: no range of VLANs of {physical} is set aside for choosing one"
                    )));
                };
                Some(free(range, "vlan", |id| is_vlan_taken(tx, physical, id))?)
            }
            (_, _, Some(tunnel_id)) => {
                if is_tunnel_taken(tx, tunnel_id)? {
                    return Err(Error::TunnelIdInUse { tunnel_id });
                }
                Some(tunnel_id)
            }
            _ => Some(free(&settings.tunnel_ids, "geneve", |id| is_tunnel_taken(tx, id))?),
        };
        Ok(Segment { network_type, physical_network: physical, segmentation_id })
    }
}

fn is_vlan_taken(tx: &mut Tx, physical: &str, id: i64) -> Result<bool> {
    let sql = "SELECT 1 FROM networks WHERE network_type = 'vlan' AND physical_network = $1 AND segmentation_id = $2";
    Ok(tx.query_opt(sql, &params![physical, id])?.is_some())
}

fn is_tunnel_taken(tx: &mut Tx, id: i64) -> Result<bool> {
    let sql = "SELECT 1 FROM networks WHERE network_type = 'geneve' AND segmentation_id = $1";
    Ok(tx.query_opt(sql, &params![id])?.is_some())
}

/// A random start and the next free number from there: a handful of looks unless the range is nearly full.
fn free(range: &RangeInclusive<i64>, kind: &str, mut is_taken: impl FnMut(i64) -> Result<bool>) -> Result<i64> {
    let size = range.end() - range.start() + 1;
    let random = uuid::Uuid::new_v4().as_u128() % u128::try_from(size.max(1)).unwrap_or(1);
    let start = i64::try_from(random).unwrap_or(0);
    for step in 0..size {
        let id = range.start() + (start + step) % size;
        if !is_taken(id)? {
            return Ok(id);
        }
    }
    Err(Error::NoNetworkAvailable { kind: kind.to_owned() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn wish(kind: Option<&str>, physical: Option<&str>, id: Option<i64>) -> Wish {
        Wish { network_type: kind.map(str::to_owned), physical_network: physical.map(str::to_owned), segmentation_id: id }
    }

    #[test]
    fn only_segments_that_can_be_are_accepted() {
        let known = ["physnet1".to_owned()];
        let ok = |kind, physical, id| wish(kind, physical, id).check(&known).is_ok();
        assert!(ok(None, None, None));
        assert!(ok(Some("geneve"), None, Some(7)));
        assert!(ok(Some("flat"), Some("physnet1"), None));
        assert!(ok(Some("vlan"), Some("physnet1"), Some(4094)));
        assert!(!ok(None, Some("physnet1"), None));
        assert!(!ok(Some("geneve"), Some("physnet1"), None));
        assert!(!ok(Some("flat"), None, None));
        assert!(!ok(Some("flat"), Some("physnet1"), Some(1)));
        assert!(!ok(Some("vlan"), Some("physnet2"), Some(1)));
        assert!(!ok(Some("vlan"), Some("physnet1"), Some(4095)));
        assert!(!ok(Some("vxlan"), None, None));
    }

    #[test]
    fn free_finds_the_last_one_and_then_none() {
        assert_eq!(free(&(1..=5), "vlan", |id| Ok(id != 3)).unwrap(), 3);
        assert!(matches!(free(&(1..=5), "vlan", |_| Ok(true)), Err(Error::NoNetworkAvailable { .. })));
    }
}
