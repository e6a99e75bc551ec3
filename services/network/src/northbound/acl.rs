// SPDX-License-Identifier: Apache-2.0
//! Security groups in OVN: a port group each, with a rule for each rule; and for each network one group of all its guarded
//! ports, which drops what none of them allows. Of a network and not of the cloud, so that nothing grows with the ports of others.
//!
//! The addresses of a group (`$pg_…_ip4`) are derived by ovn-northd from the ports in it, so that a port which joins a
//! group is known to every rule that names the group at once.
//!
//! Invariant: nothing that a client wrote becomes part of a match as text (test: `matches_are_made_of_parsed_values`).

use ::store::Tx;
use ovn::northbound::{DesiredRow, Table};
use types::{NetworkId, SecurityGroupId};

use super::{address_group, rows::Rows};
use crate::{
    Result, keys,
    resource::Kept,
    security_group::{
        self,
        rule::{self, Says, check},
    },
};

const DROP_PRIORITY: i64 = 1001;
const ALLOW_PRIORITY: i64 = 1002;

pub fn group_key(id: &SecurityGroupId) -> String {
    format!("{}/group", keys::security_group(id))
}

/// Names of groups are part of match expressions, where hyphens mean something else.
fn group_name(id: &SecurityGroupId) -> String {
    format!("pg_{}", id.as_str().replace('-', "_"))
}

pub fn group(tx: &mut Tx, id: &SecurityGroupId) -> Result<Rows> {
    let mut rows = vec![DesiredRow::new(Table::PortGroup, group_key(id)).set("name", group_name(id))];
    let mut needs = Vec::new();
    let group = security_group::Row::get(tx, id)?;
    for rule in rule::table::of_groups(tx, [id])? {
        let Some(expression) = expression(id, &rule.says) else { continue };
        if let Some(remote) = rule.says.remote_group_id.as_ref().filter(|remote| *remote != id) {
            needs.push(keys::security_group(remote));
        }
        needs.extend(rule.says.remote_address_group_id.as_ref().map(keys::address_group));
        let ingress = rule.says.direction == "ingress";
        let acl = DesiredRow::new(Table::Acl, format!("{}/rule/{}", keys::security_group(id), rule.id))
            .set("direction", if ingress { "to-lport" } else { "from-lport" })
            .set("priority", ALLOW_PRIORITY)
            .set("action", if group.stateful { "allow-related" } else { "allow-stateless" })
            .set("match", expression)
            .member_of(Table::PortGroup, group_key(id));
        rows.push(acl);
    }
    Ok(Rows { rows, needs })
}

/// The key of the group that drops on this network.
pub fn drop_key(network: &NetworkId) -> String {
    format!("{}/drop", keys::network(network))
}

pub fn drop_group(network: &NetworkId) -> Vec<DesiredRow> {
    let name = format!("drop_{}", network.as_str().replace('-', "_"));
    let acl = |rule: &str, direction: &str, priority: i64, expression: String, action: &str| {
        DesiredRow::new(Table::Acl, format!("{}/{rule}", drop_key(network)))
            .set("direction", direction)
            .set("priority", priority)
            .set("action", action)
            .set("match", expression)
            .member_of(Table::PortGroup, drop_key(network))
    };
    vec![
        DesiredRow::new(Table::PortGroup, drop_key(network)).set("name", name.as_str()),
        acl("ingress", "to-lport", DROP_PRIORITY, format!("outport == @{name} && ip"), "drop"),
        acl("egress", "from-lport", DROP_PRIORITY, format!("inport == @{name} && ip"), "drop"),
        // A guest may ask for its address whatever its groups say; only the switch itself hears it.
        acl(
            "dhcp4",
            "from-lport",
            ALLOW_PRIORITY,
            format!("inport == @{name} && ip4 && ip4.dst == 255.255.255.255 && udp && udp.src == 68 && udp.dst == 67"),
            "allow",
        ),
        acl(
            "dhcp6",
            "from-lport",
            ALLOW_PRIORITY,
            format!("inport == @{name} && ip6 && ip6.dst == ff02::1:2 && udp && udp.src == 546 && udp.dst == 547"),
            "allow",
        ),
    ]
}

/// The match of a rule; none for one that cannot be understood, which then allows nothing.
fn expression(group: &SecurityGroupId, says: &Says) -> Option<String> {
    let ingress = says.direction == "ingress";
    let (port, far) = if ingress { ("outport", "src") } else { ("inport", "dst") };
    let ip = if says.is_v4() { "ip4" } else { "ip6" };
    let mut terms = vec![format!("{port} == @{}", group_name(group)), ip.to_owned()];
    if let Some(remote) = &says.remote_group_id {
        terms.push(format!("{ip}.{far} == ${}_{ip}", group_name(remote)));
    }
    if let Some(remote) = &says.remote_address_group_id {
        terms.push(format!("{ip}.{far} == ${}", address_group::set_name(remote, ip)));
    }
    if let Some(prefix) = &says.remote_ip_prefix {
        let prefix: ipnet::IpNet = prefix.parse().ok()?;
        if prefix.prefix_len() > 0 {
            terms.push(format!("{ip}.{far} == {}", prefix.trunc()));
        }
    }
    if let Some(protocol) = &says.protocol {
        let number = check::protocol_number(protocol, says.is_v4())?;
        // The name `ip` means any protocol; the number behind it would mean one.
        if protocol != "ip" {
            terms.extend(protocol_terms(number, says));
        }
    }
    Some(terms.join(" && "))
}

fn protocol_terms(number: u8, says: &Says) -> Vec<String> {
    let with_ports = |name: &str| {
        let mut terms = vec![name.to_owned()];
        match (says.port_range_min, says.port_range_max) {
            (Some(low), Some(high)) if low == high => terms.push(format!("{name}.dst == {low}")),
            (Some(low), Some(high)) => {
                terms.push(format!("{name}.dst >= {low}"));
                terms.push(format!("{name}.dst <= {high}"));
            }
            _ => {}
        }
        terms
    };
    match number {
        check::TCP => with_ports("tcp"),
        check::UDP => with_ports("udp"),
        check::SCTP => with_ports("sctp"),
        check::ICMP | check::ICMP_V6 => {
            let name = if number == check::ICMP { "icmp4" } else { "icmp6" };
            let mut terms = vec![name.to_owned()];
            terms.extend(says.port_range_min.map(|kind| format!("{name}.type == {kind}")));
            terms.extend(says.port_range_max.map(|code| format!("{name}.code == {code}")));
            terms
        }
        other => vec![format!("ip.proto == {other}")],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn says() -> Says {
        Says {
            direction: "ingress".into(),
            ethertype: "IPv4".into(),
            protocol: None,
            port_range_min: None,
            port_range_max: None,
            remote_group_id: None,
            remote_ip_prefix: None,
            remote_address_group_id: None,
        }
    }

    fn text(says: Says) -> Option<String> {
        expression(&"1-2".into(), &says)
    }

    #[test]
    fn matches_are_made_of_parsed_values() {
        assert_eq!(text(says()).unwrap(), "outport == @pg_1_2 && ip4");
        let tcp = Says { protocol: Some("tcp".into()), port_range_min: Some(80), port_range_max: Some(90), ..says() };
        assert_eq!(text(tcp.clone()).unwrap(), "outport == @pg_1_2 && ip4 && tcp && tcp.dst >= 80 && tcp.dst <= 90");
        let from = Says { remote_ip_prefix: Some("10.0.0.7/8".into()), ..tcp };
        assert_eq!(
            text(from).unwrap(),
            "outport == @pg_1_2 && ip4 && ip4.src == 10.0.0.0/8 && tcp && tcp.dst >= 80 && tcp.dst <= 90"
        );
        let peers = Says { direction: "egress".into(), ethertype: "IPv6".into(), remote_group_id: Some("3-4".into()), ..says() };
        assert_eq!(text(peers).unwrap(), "inport == @pg_1_2 && ip6 && ip6.dst == $pg_3_4_ip6");
        let listed = Says { remote_address_group_id: Some("5-6".into()), ..says() };
        assert_eq!(text(listed).unwrap(), "outport == @pg_1_2 && ip4 && ip4.src == $ag_5_6_ip4");
        let ping = Says { ethertype: "IPv6".into(), protocol: Some("icmp".into()), port_range_min: Some(128), ..says() };
        assert_eq!(text(ping).unwrap(), "outport == @pg_1_2 && ip6 && icmp6 && icmp6.type == 128");
        let number = Says { protocol: Some("112".into()), ..says() };
        assert_eq!(text(number).unwrap(), "outport == @pg_1_2 && ip4 && ip.proto == 112");
        assert_eq!(text(Says { protocol: Some("tcp || 1".into()), ..says() }), None);
        assert_eq!(text(Says { remote_ip_prefix: Some("0/0 || 1".into()), ..says() }), None);
    }
}
