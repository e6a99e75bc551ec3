// SPDX-License-Identifier: Apache-2.0
//! Absent, null and empty are three things: what Neutron makes of each attribute of each body.

use serde_json::{Value, json};
use world::Talk;

use super::fixture::{Cloud, create, id, path, update};

/// What a value means for an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Is {
    Fine,
    Wrong,
    /// Names a thing that is not there.
    Unknown,
}
use Is::{Fine, Unknown, Wrong};

/// An attribute, what null is to it, and the empty text; and whether it can be given when a thing is made, and be changed.
type Line = (&'static str, Is, Is, &'static str);

const NETWORK: &[Line] = &[
    ("name", Wrong, Fine, "post put"),
    ("description", Wrong, Fine, "post put"),
    ("admin_state_up", Wrong, Wrong, "post put"),
    ("shared", Wrong, Wrong, "post put"),
    ("router:external", Wrong, Wrong, "post put"),
    ("is_default", Wrong, Wrong, "post put"),
    ("port_security_enabled", Wrong, Wrong, "post put"),
    ("mtu", Wrong, Wrong, "post put"),
    ("dns_domain", Wrong, Fine, "post put"),
    ("availability_zone_hints", Wrong, Wrong, "post"),
    ("provider:network_type", Wrong, Wrong, "post"),
    ("provider:physical_network", Wrong, Wrong, "post"),
    ("provider:segmentation_id", Wrong, Wrong, "post"),
    ("project_id", Wrong, Fine, "post"),
    ("id", Wrong, Wrong, "post put"),
    ("status", Wrong, Wrong, "post put"),
];
const SUBNET: &[Line] = &[
    ("name", Wrong, Fine, "post put"),
    ("description", Wrong, Fine, "post put"),
    ("enable_dhcp", Wrong, Wrong, "post put"),
    ("gateway_ip", Fine, Wrong, "post put"),
    ("allocation_pools", Fine, Wrong, "post put"),
    ("dns_nameservers", Fine, Wrong, "post put"),
    ("host_routes", Fine, Wrong, "post put"),
    ("service_types", Fine, Wrong, "post put"),
    ("segment_id", Fine, Wrong, "post put"),
    ("ipv6_ra_mode", Fine, Wrong, "post"),
    ("ipv6_address_mode", Fine, Wrong, "post"),
    ("subnetpool_id", Fine, Wrong, "post"),
    ("use_default_subnetpool", Wrong, Wrong, "post"),
    ("prefixlen", Wrong, Wrong, "post"),
    ("cidr", Wrong, Wrong, "post"),
    ("ip_version", Wrong, Wrong, "post"),
    ("network_id", Wrong, Wrong, "post"),
];
const POOL: &[Line] = &[
    ("name", Wrong, Wrong, "post put"),
    ("description", Wrong, Fine, "post put"),
    ("prefixes", Wrong, Wrong, "post put"),
    ("default_prefixlen", Wrong, Wrong, "post put"),
    ("min_prefixlen", Wrong, Wrong, "post put"),
    ("max_prefixlen", Wrong, Wrong, "post put"),
    ("default_quota", Wrong, Wrong, "post put"),
    ("is_default", Wrong, Wrong, "post put"),
    ("shared", Wrong, Wrong, "post"),
];
const PORT: &[Line] = &[
    ("name", Wrong, Fine, "post put"),
    ("description", Wrong, Fine, "post put"),
    ("admin_state_up", Wrong, Wrong, "post put"),
    ("mac_address", Wrong, Wrong, "post put"),
    ("fixed_ips", Wrong, Wrong, "post put"),
    ("device_id", Wrong, Fine, "post put"),
    ("device_owner", Wrong, Fine, "post put"),
    ("security_groups", Fine, Wrong, "post put"),
    ("port_security_enabled", Wrong, Wrong, "post put"),
    ("allowed_address_pairs", Fine, Wrong, "post put"),
    ("extra_dhcp_opts", Fine, Wrong, "post put"),
    ("dns_name", Wrong, Fine, "post put"),
    ("binding:host_id", Fine, Fine, "post put"),
    ("binding:profile", Fine, Wrong, "post put"),
    ("binding:vnic_type", Wrong, Wrong, "post put"),
    ("network_id", Wrong, Wrong, "post"),
];
const ROUTER: &[Line] = &[
    ("name", Wrong, Fine, "post put"),
    ("description", Wrong, Fine, "post put"),
    ("admin_state_up", Wrong, Wrong, "post put"),
    ("external_gateway_info", Fine, Wrong, "post put"),
    ("routes", Fine, Wrong, "put"),
    ("availability_zone_hints", Wrong, Wrong, "post"),
];
const FLOATING: &[Line] = &[
    ("description", Wrong, Fine, "post put"),
    ("port_id", Fine, Wrong, "post put"),
    ("fixed_ip_address", Fine, Wrong, "post put"),
    ("floating_ip_address", Fine, Wrong, "post"),
    ("subnet_id", Fine, Wrong, "post"),
    ("floating_network_id", Wrong, Wrong, "post"),
];
const GROUP: &[Line] =
    &[("name", Wrong, Fine, "post put"), ("description", Wrong, Fine, "post put"), ("stateful", Wrong, Wrong, "post put")];
const RULE: &[Line] = &[
    ("direction", Wrong, Wrong, "post"),
    ("ethertype", Wrong, Wrong, "post"),
    ("protocol", Fine, Wrong, "post"),
    ("port_range_min", Fine, Wrong, "post"),
    ("port_range_max", Fine, Wrong, "post"),
    ("remote_group_id", Fine, Fine, "post"),
    ("remote_ip_prefix", Fine, Fine, "post"),
    ("description", Wrong, Fine, "post"),
    ("security_group_id", Wrong, Unknown, "post"),
];

#[tokio::test]
async fn null_and_empty_are_to_each_attribute_what_they_are_to_neutron() {
    let cloud = Cloud::quiet().await;
    let admin = cloud.admin();
    let all: serde_json::Map<String, Value> =
        ["network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule"]
            .into_iter()
            .map(|name| (name.to_owned(), json!(-1)))
            .collect();
    admin.put(&path("quotas/admin"), json!({ "quota": all })).await.expect(200);
    let network = id(&create(&admin, "networks", "network", json!({})).await);
    let (public, _) = cloud.external("172.24.0.0/16").await;
    let group = id(&create(&admin, "security-groups", "security_group", json!({})).await);
    let subnet = json!({"network_id": network, "ip_version": 4, "cidr": "10.255.0.0/24"});
    let pool = json!({"name": "p", "prefixes": ["10.0.0.0/8"]});
    let bodies = [
        ("networks", "network", json!({}), NETWORK),
        ("subnets", "subnet", subnet, SUBNET),
        ("subnetpools", "subnetpool", pool, POOL),
        ("ports", "port", json!({"network_id": network}), PORT),
        ("routers", "router", json!({}), ROUTER),
        ("floatingips", "floatingip", json!({"floating_network_id": public}), FLOATING),
        ("security-groups", "security_group", json!({}), GROUP),
        ("security-group-rules", "security_group_rule", json!({"security_group_id": group, "direction": "ingress"}), RULE),
    ];
    let mut differences = Vec::new();
    for (collection, key, body, lines) in bodies {
        let here = Place { talk: &admin, collection, key };
        // A subnet has its range for itself, so each goes before the next comes.
        let changed = if collection == "security-group-rules" {
            None
        } else {
            Some(id(&create(&admin, collection, key, body.clone()).await))
        };
        for (name, null, empty, when) in lines {
            for (value, wanted) in [(Value::Null, null), (json!(""), empty)] {
                for verb in when.split(' ') {
                    let found = match (verb, &changed) {
                        ("put", Some(id)) => here.put(id, name, &value).await,
                        ("put", None) => unreachable!(),
                        _ => here.post(&body, name, &value).await,
                    };
                    let right = match wanted {
                        Fine => found < 300,
                        Wrong => found == 400,
                        Unknown => found == 404,
                    };
                    if !right {
                        differences.push(format!("{verb} {collection} {name}={value} should be {wanted:?} and is {found}"));
                    }
                }
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

struct Place<'a> {
    talk: &'a Talk,
    collection: &'a str,
    key: &'a str,
}

impl Place<'_> {
    async fn put(&self, id: &str, name: &str, value: &Value) -> u16 {
        let said = self.talk.put(&path(&format!("{}/{id}", self.collection)), json!({ self.key: { name: value } })).await;
        said.status.as_u16()
    }

    /// Makes one, and takes it away again if it was made.
    async fn post(&self, body: &Value, name: &str, value: &Value) -> u16 {
        let mut body = body.clone();
        if self.collection == "subnets" && name != "cidr" {
            body["cidr"] = json!("10.0.0.0/24");
        }
        body[name] = value.clone();
        let said = self.talk.post(&path(self.collection), json!({ self.key: body })).await;
        let status = said.status.as_u16();
        if status == 201 {
            let made = id(&said.body[self.key]);
            self.talk.delete(&path(&format!("{}/{made}", self.collection))).await.expect(204);
        }
        status
    }
}

#[tokio::test]
async fn the_same_in_other_words_is_refused_as_the_same() {
    let cloud = Cloud::quiet().await;
    let member = cloud.member();
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let own = "fa:16:3e:00:00:01";
    for (pairs, status) in [
        // One pair names the port's own MAC, the other takes it.
        (json!([{"ip_address": "10.0.0.9"}, {"ip_address": "10.0.0.9", "mac_address": "FA-16-3E-00-00-01"}]), 400),
        (json!([{"ip_address": "2001:db8::9"}, {"ip_address": "2001:DB8:0::9"}]), 400),
        (json!([{"ip_address": "10.0.0.9"}, {"ip_address": "10.0.0.9", "mac_address": "fa:16:3e:00:00:02"}]), 201),
    ] {
        let ask = json!({"network_id": network, "mac_address": own, "allowed_address_pairs": pairs});
        let said = member.post(&path("ports"), json!({ "port": ask })).await;
        assert_eq!(said.status.as_u16(), status, "{pairs}: {}", said.body);
    }
    let servers = json!({"subnet": {"network_id": network, "ip_version": 6, "cidr": "2001:DB8::/64",
        "dns_nameservers": ["2001:db8::53", "2001:DB8:0::53"]}});
    member.post(&path("subnets"), servers).await.expect(400);
    let spelled = json!({"network_id": network, "ip_version": 4, "cidr": "10.1.0.0/255.255.255.0"});
    assert_eq!(create(&member, "subnets", "subnet", spelled).await["cidr"], "10.1.0.0/24");
    // A network's id in capitals is the same network's.
    create(&member, "ports", "port", json!({"network_id": network.to_uppercase()})).await;
    let mixed = async |first: &str, second: &str| {
        let port = json!({"port": {"network_id": network, "security_groups": [first, second]}});
        member.post(&path("ports"), port).await
    };
    let stateless = json!({"name": "s", "stateful": "no"});
    let stateless = id(&create(&member, "security-groups", "security_group", stateless).await);
    let stateful = id(&create(&member, "security-groups", "security_group", json!({"name": "t"})).await);
    super::fixture::refused(mixed(&stateless, &stateful).await, 409, "SecurityGroupConflict");
    let port = id(&create(&member, "ports", "port", json!({"network_id": network, "security_groups": [stateful]})).await);
    update(&member, "ports", "port", &port, json!({"security_groups": [stateless]})).await;
}

#[tokio::test]
async fn rules_of_birth_and_rules_in_other_words_are_not_made_twice() {
    let cloud = Cloud::quiet().await;
    let member = cloud.member();
    let group = id(&create(&member, "security-groups", "security_group", json!({"name": "g"})).await);
    let post = async |rule: Value| {
        let mut ask = json!({"security_group_id": group});
        ask.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
        member.post(&path("security-group-rules"), json!({ "security_group_rule": ask })).await
    };
    for rule in [
        json!({"direction": "egress"}),
        json!({"direction": "egress", "remote_ip_prefix": "0.0.0.0/0"}),
        json!({"direction": "egress", "remote_ip_prefix": "0.0.0.0/0.0.0.0", "protocol": "any"}),
        json!({"direction": "egress", "ethertype": "IPv6", "remote_ip_prefix": "::/0"}),
        json!({"direction": "egress", "ethertype": "ipv6", "remote_ip_prefix": "0:0::/0"}),
    ] {
        super::fixture::refused(post(rule).await, 409, "SecurityGroupRuleExists");
    }
    let ping = json!({"direction": "ingress", "ethertype": "IPv6", "protocol": "icmp", "remote_ip_prefix": "2001:DB8::7/32"});
    let made = post(ping).await.expect(201)["security_group_rule"].clone();
    assert_eq!(made["protocol"], "ipv6-icmp");
    assert_eq!(
        (made["remote_ip_prefix"].clone(), made["normalized_cidr"].clone()),
        (json!("2001:db8::7/32"), json!("2001:db8::/32"))
    );
    for protocol in [json!("icmpv6"), json!("ipv6-icmp"), json!(58), json!("58"), json!(1)] {
        let again =
            json!({"direction": "ingress", "ethertype": "IPv6", "protocol": protocol, "remote_ip_prefix": "2001:db8::/32"});
        super::fixture::refused(post(again).await, 409, "SecurityGroupRuleExists");
    }
    let all_ports = json!({"direction": "ingress", "protocol": 6, "port_range_min": 1, "port_range_max": 65535});
    let made = post(all_ports).await.expect(201)["security_group_rule"].clone();
    assert_eq!(made["port_range_min"], Value::Null);
    super::fixture::refused(post(json!({"direction": "ingress", "protocol": "tcp"})).await, 409, "SecurityGroupRuleExists");
}
