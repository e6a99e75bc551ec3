// SPDX-License-Identifier: Apache-2.0
//! What a request says of a member.

use std::net::IpAddr;

use api::{Cx, Fault};
use serde_json::json;
use types::{MemberId, SubnetId, Timestamp};

use super::Member;
use crate::{
    Balancers, Edit,
    input::{Input, Read, wrong},
    pool::Pool,
};

/// Where the member is. It stays where it is: another address is another member.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub address: IpAddr,
    pub port: i64,
    pub subnet: Option<SubnetId>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Says {
    name: Option<String>,
    admin_state_up: Option<bool>,
    tags: Option<Vec<String>>,
    weight: Option<i64>,
    backup: Option<bool>,
    monitor_address: Option<Option<IpAddr>>,
    monitor_port: Option<Option<i64>>,
}

impl Place {
    pub async fn read(room: &Balancers, cx: &Cx, input: &mut Input) -> Read<Self> {
        let address = input.address("address")?;
        let address = input.required("address", address)?;
        if !is_reachable(address) {
            return Err(wrong("address", &json!(address), "Value should be the address of a machine"));
        }
        let port = input.required_whole("protocol_port", 1..=65_535)?;
        let subnet = input.id("subnet_id")?.flatten().map(SubnetId::new);
        if let Some(subnet) = &subnet {
            room.vips.sees_subnet(cx.caller()?, subnet).await?;
        }
        Ok(Self { address, port, subnet })
    }

    pub fn is_of(&self, member: &Member) -> bool {
        (member.address, member.protocol_port) == (self.address, self.port)
    }

    pub fn member(&self, edit: &Edit<'_>, pool: &Pool) -> Member {
        Member {
            id: MemberId::generate(),
            project_id: pool.project_id.clone(),
            load_balancer_id: edit.balancer.id.clone(),
            pool_id: pool.id.clone(),
            name: String::new(),
            admin_state_up: true,
            tags: Vec::new(),
            address: self.address,
            protocol_port: self.port,
            subnet_id: self.subnet.clone(),
            weight: 1,
            backup: false,
            monitor_address: None,
            monitor_port: None,
            health: String::new(),
            provisioning_status: "PENDING_CREATE".to_owned(),
            operating_status: "OFFLINE".to_owned(),
            changed_in: edit.balancer.generation,
            created_at: Timestamp::now(),
            updated_at: None,
        }
    }
}

impl Says {
    pub fn read(input: &mut Input) -> Read<Self> {
        let monitor_address = if input.has("monitor_address") { Some(input.address("monitor_address")?) } else { None };
        if monitor_address.flatten().is_some_and(|address| !is_reachable(address)) {
            return Err(Fault::bad_request("Validation failure: monitor_address should be the address of a machine"));
        }
        let says = Self {
            name: input.label("name")?,
            admin_state_up: input.flag("admin_state_up")?,
            tags: input.tags()?,
            weight: input.whole("weight", 0..=256)?,
            backup: input.flag("backup")?,
            monitor_address,
            monitor_port: input.whole_or_null("monitor_port", 1..=65_535)?,
        };
        let kind = input.text_or_null("vnic_type", 0..=64)?.flatten();
        match kind.as_deref() {
            None | Some("normal") => Ok(says),
            Some(other) => Err(wrong("vnic_type", &json!(other), "Value should be one of: 'normal'")),
        }
    }

    pub fn apply(&self, member: &mut Member) {
        fn set<T: Clone>(field: &mut T, value: &Option<T>) {
            if let Some(value) = value {
                field.clone_from(value);
            }
        }
        set(&mut member.name, &self.name);
        set(&mut member.admin_state_up, &self.admin_state_up);
        set(&mut member.tags, &self.tags);
        set(&mut member.weight, &self.weight);
        set(&mut member.backup, &self.backup);
        set(&mut member.monitor_address, &self.monitor_address);
        set(&mut member.monitor_port, &self.monitor_port);
    }
}

/// Nothing of a host itself, and no address that means many or the one who asks: those would lead a tenant to what is the
/// cloud's, the metadata of its machines among it.
fn is_reachable(address: IpAddr) -> bool {
    let is_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.to_ipv4_mapped().is_some(),
    };
    !(is_local || address.is_loopback() || address.is_multicast() || address.is_unspecified())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::is_reachable;

    #[test]
    fn nothing_of_a_host_is_a_member() {
        for address in
            ["127.0.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "::1", "fe80::1", "::ffff:127.0.0.1"]
        {
            assert!(!is_reachable(address.parse().unwrap()), "{address}");
        }
        for address in ["10.0.0.4", "192.0.2.1", "2001:db8::1"] {
            assert!(is_reachable(address.parse().unwrap()), "{address}");
        }
    }
}
