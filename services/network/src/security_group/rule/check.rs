// SPDX-License-Identifier: Apache-2.0
//! What a rule may say. What gets past here becomes a match expression on every host, so nothing does that OVN could
//! read in another way or not at all (OSSA-2014-014, 2019-001, 2019-002).

use ipnet::IpNet;

use super::Says;
use crate::{
    Error, Result,
    input::{self, Input, LONGEST, bad, read_ethertype},
};

/// The names that Neutron knows, with IANA's numbers.
const PROTOCOLS: [(&str, u8); 24] = [
    ("ah", 51),
    ("dccp", 33),
    ("egp", 8),
    ("esp", 50),
    ("gre", 47),
    ("hopopt", 0),
    ("icmp", 1),
    ("icmpv6", 58),
    ("ipv6-icmp", 58),
    ("igmp", 2),
    ("ip", 0),
    ("ipip", 4),
    ("ipv6-encap", 41),
    ("ipv6-frag", 44),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ipv6-route", 43),
    ("ospf", 89),
    ("pgm", 113),
    ("rsvp", 46),
    ("sctp", 132),
    ("tcp", 6),
    ("udp", 17),
    ("udplite", 136),
];
const ONLY_IN_V6: [&str; 6] = ["ipv6-encap", "ipv6-frag", "ipv6-nonxt", "ipv6-opts", "ipv6-route", "ipv6-icmp"];

pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMP_V6: u8 = 58;
pub const SCTP: u8 = 132;
/// What the numbers may be depends on the protocol, so they are checked with it.
const ANY_NUMBER: std::ops::RangeInclusive<i64> = i64::MIN..=i64::MAX;
const DCCP: u8 = 33;
const UDP_LITE: u8 = 136;

/// The number of a protocol. `icmp` in an IPv6 rule means ICMPv6, as users write it.
pub fn protocol_number(name: &str, is_v4: bool) -> Option<u8> {
    let number = match name.parse::<u8>() {
        Ok(number) => number,
        Err(_) => PROTOCOLS.iter().find(|(known, _)| *known == name)?.1,
    };
    Some(if number == ICMP && !is_v4 { ICMP_V6 } else { number })
}

/// Reads what a rule says; `group` is for the errors.
pub fn read(input: &mut Input, group: &str) -> Result<Says> {
    let direction = input.required_text("direction")?;
    if !["ingress", "egress"].contains(&direction.as_str()) {
        return Err(bad("direction", format!("'{direction}' is not in ['ingress', 'egress']")));
    }
    let ethertype = input.text("ethertype", LONGEST)?.unwrap_or_else(|| "IPv4".to_owned());
    let ethertype = match read_ethertype(&ethertype) {
        Some(known) => known.to_owned(),
        None => return Err(Error::SecurityGroupRuleInvalidEtherType { ethertype }),
    };
    let protocol = read_protocol(input)?.map(|protocol| canonical(protocol, &ethertype));
    let mut ends = [None, None];
    for (end, name) in ends.iter_mut().zip(["port_range_min", "port_range_max"]) {
        *end = input.optional_number(name, ANY_NUMBER)?.flatten();
    }
    // All ports are no range.
    let [port_range_min, port_range_max] = if ends == [Some(1), Some(65_535)] { [None, None] } else { ends };
    let remote_group = input.optional_text("remote_group_id", LONGEST)?.flatten();
    let address_group = input.optional_text("remote_address_group_id", LONGEST)?.flatten();
    let says = Says {
        direction,
        ethertype,
        protocol,
        port_range_min,
        port_range_max,
        remote_group_id: remote_group.filter(|id| !id.is_empty()).map(Into::into),
        remote_ip_prefix: read_prefix(input)?,
        remote_address_group_id: address_group.filter(|id| !id.is_empty()).map(Into::into),
    };
    check(says, group)
}

fn read_protocol(input: &mut Input) -> Result<Option<String>> {
    let protocol = match input.take("protocol") {
        None | Some(serde_json::Value::Null) => return Ok(None),
        Some(serde_json::Value::Number(number)) => number.to_string(),
        Some(serde_json::Value::String(text)) => text.to_ascii_lowercase(),
        Some(other) => return Err(Error::SecurityGroupRuleInvalidProtocol { protocol: other.to_string() }),
    };
    match protocol.as_str() {
        "any" => Ok(None),
        _ if protocol_number(&protocol, true).is_some() => Ok(Some(protocol)),
        _ => Err(Error::SecurityGroupRuleInvalidProtocol { protocol }),
    }
}

/// The older names of ICMP in IPv6, and its number in IPv4, are taken for what they must mean there.
fn canonical(protocol: String, ethertype: &str) -> String {
    match protocol.as_str() {
        "icmp" | "icmpv6" if ethertype == "IPv6" => "ipv6-icmp".to_owned(),
        "1" if ethertype == "IPv6" => "58".to_owned(),
        _ => protocol,
    }
}

/// A prefix; a lone address is one too. It is kept as the user wrote it, host bits and all, once it was understood.
fn read_prefix(input: &mut Input) -> Result<Option<String>> {
    let text = input.optional_text("remote_ip_prefix", LONGEST)?.flatten().filter(|text| !text.is_empty());
    let Some(text) = text else { return Ok(None) };
    match input::read_prefix(&text) {
        Some(prefix) => Ok(Some(prefix.to_string())),
        None => Err(bad("remote_ip_prefix", format!("'{text}' is not a valid IP subnet"))),
    }
}

fn check(says: Says, group: &str) -> Result<Says> {
    let id = || group.to_owned();
    let remotes = [says.remote_group_id.is_some(), says.remote_ip_prefix.is_some(), says.remote_address_group_id.is_some()];
    if remotes.into_iter().filter(|is_named| *is_named).count() > 1 {
        return Err(Error::SecurityGroupMultipleRemoteEntites { id: id() });
    }
    if let Some(cidr) = &says.remote_ip_prefix {
        let is_v4 = cidr.parse::<IpNet>().is_ok_and(|net| matches!(net, IpNet::V4(_)));
        if is_v4 != says.is_v4() {
            return Err(Error::SecurityGroupRuleParameterConflict { ethertype: says.ethertype.clone(), cidr: cidr.clone() });
        }
    }
    let number = says.protocol.as_deref().and_then(|name| protocol_number(name, says.is_v4()));
    if let Some(name) = says.protocol.as_deref()
        && says.is_v4()
        && (ONLY_IN_V6.contains(&name) || number == Some(ICMP_V6))
    {
        let (ethertype, protocol) = (says.ethertype.clone(), name.to_owned());
        return Err(Error::SecurityGroupEthertypeConflictWithProtocol { ethertype, protocol });
    }
    let (min, max) = (says.port_range_min, says.port_range_max);
    match number {
        Some(ICMP | ICMP_V6) => {
            for (field, value) in [("type", min), ("code", max)] {
                if let Some(value) = value.filter(|value| !(0..=255).contains(value)) {
                    return Err(Error::SecurityGroupInvalidIcmpValue { field: field.to_owned(), value });
                }
            }
            match (min, max) {
                (None, Some(code)) => Err(Error::SecurityGroupMissingIcmpType { code }),
                _ => Ok(says),
            }
        }
        Some(DCCP | UDP_LITE) if min.is_some() || max.is_some() => {
            Err(Error::invalid("rules for DCCP and UDP-Lite cannot name ports in this cloud: the switches do not look into them"))
        }
        Some(TCP | UDP | SCTP) => {
            if let Some(port) = [min, max].into_iter().flatten().find(|port| !(1..=65_535).contains(port)) {
                return Err(Error::SecurityGroupInvalidPortValue { port });
            }
            match (min, max) {
                (None, None) => Ok(says),
                (Some(low), Some(high)) if low <= high => Ok(says),
                _ => Err(Error::SecurityGroupInvalidPortRange { range: range_text(min, max) }),
            }
        }
        _ if min.is_some() || max.is_some() => Err(Error::SecurityGroupProtocolRequiredWithPorts { id: id() }),
        _ => Ok(says),
    }
}

fn range_text(min: Option<i64>, max: Option<i64>) -> String {
    let end = |end: Option<i64>| end.map_or_else(|| "none".to_owned(), |port| port.to_string());
    format!("{} to {}", end(min), end(max))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use serde_json::{Value, json};

    use super::*;

    fn rule(extra: Value) -> Result<Says> {
        let mut body = json!({"direction": "ingress"});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        read(&mut Input::of("security_group_rule", body).unwrap(), "g")
    }

    #[test]
    fn rules_that_can_be() {
        assert_eq!(rule(json!({})).unwrap().ethertype, "IPv4");
        assert_eq!(
            rule(json!({"protocol": "TCP", "port_range_min": 80, "port_range_max": "90"})).unwrap().port_range_max,
            Some(90)
        );
        assert_eq!(rule(json!({"protocol": "icmp", "port_range_min": 8, "port_range_max": 0})).unwrap().port_range_max, Some(0));
        assert_eq!(rule(json!({"protocol": "any"})).unwrap().protocol, None);
        assert_eq!(rule(json!({"remote_ip_prefix": "10.0.0.1"})).unwrap().remote_ip_prefix.unwrap(), "10.0.0.1/32");
        assert!(rule(json!({"ethertype": "ipv6", "protocol": "icmp"})).is_ok());
        assert!(rule(json!({"protocol": "vrrp"})).is_err());
        assert!(rule(json!({"protocol": 112})).is_ok());
    }

    #[test]
    fn rules_that_cannot_be() {
        for bad in [
            json!({"direction": "up"}),
            json!({"ethertype": "IPX"}),
            json!({"protocol": "tcp && ip4.src == 0.0.0.0/0"}),
            json!({"protocol": 256}),
            json!({"protocol": -1}),
            json!({"protocol": ["tcp"]}),
            json!({"protocol": "tcp", "port_range_min": 0, "port_range_max": 10}),
            json!({"protocol": "tcp", "port_range_min": 80}),
            json!({"protocol": "tcp", "port_range_min": 90, "port_range_max": 80}),
            json!({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65536}),
            json!({"protocol": "tcp", "port_range_min": "80x"}),
            json!({"port_range_min": 80, "port_range_max": 80}),
            json!({"protocol": 112, "port_range_min": 80, "port_range_max": 80}),
            json!({"protocol": "icmp", "port_range_min": 256}),
            json!({"protocol": "icmp", "port_range_max": 3}),
            json!({"protocol": "icmpv6"}),
            json!({"remote_ip_prefix": "10.0.0.0/33"}),
            json!({"remote_ip_prefix": "::/0"}),
            json!({"remote_ip_prefix": "10.0.0.0/8 || 1"}),
            json!({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "x"}),
            json!({"remote_ip_prefix": "10.0.0.0/8", "remote_address_group_id": "x"}),
            json!({"remote_group_id": "x", "remote_address_group_id": "x"}),
        ] {
            assert!(rule(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_same_in_other_words_is_the_same() {
        let same = |a: Value, b: Value| rule(a).unwrap().sameness() == rule(b).unwrap().sameness();
        assert!(same(json!({"protocol": "tcp"}), json!({"protocol": 6})));
        assert!(!same(json!({"protocol": "tcp"}), json!({"protocol": "udp"})));
        assert!(same(json!({}), json!({"remote_ip_prefix": "0.0.0.0/0"})));
        assert!(same(json!({}), json!({"remote_ip_prefix": "10.0.0.7/0"})));
        assert!(same(json!({}), json!({"remote_ip_prefix": ""})));
        assert!(!same(json!({}), json!({"remote_ip_prefix": "10.0.0.0/8"})));
        assert!(same(json!({"remote_ip_prefix": "10.0.0.7/8"}), json!({"remote_ip_prefix": "10.0.0.0/255.0.0.0"})));
        assert!(same(json!({"remote_ip_prefix": "10.0.0.7"}), json!({"remote_ip_prefix": "10.0.0.7/32"})));
        let v6 = |extra: Value| {
            let mut rule = json!({"ethertype": "IPv6"});
            rule.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            rule
        };
        assert!(same(v6(json!({})), v6(json!({"remote_ip_prefix": "0::/0"}))));
        assert!(same(v6(json!({"remote_ip_prefix": "2001:DB8::/32"})), v6(json!({"remote_ip_prefix": "2001:db8:0::/32"}))));
        for spelling in [json!("icmp"), json!("icmpv6"), json!("ICMPv6"), json!(58), json!("58"), json!(1), json!("1")] {
            assert!(same(v6(json!({"protocol": "ipv6-icmp"})), v6(json!({ "protocol": spelling }))), "{spelling}");
        }
        for anything in [json!(null), json!("any"), json!("ip")] {
            assert!(same(json!({}), json!({ "protocol": anything })), "{anything}");
        }
        let ports = |low: i64, high: i64| json!({"protocol": "tcp", "port_range_min": low, "port_range_max": high});
        assert!(same(json!({"protocol": "tcp"}), ports(1, 65_535)));
        assert!(!same(json!({"protocol": "tcp"}), ports(2, 65_535)));
    }
}
