// SPDX-License-Identifier: Apache-2.0
//! Every filter of every list: none, one, several and unknown ones, and values in every spelling.

use serde_json::json;
use world::Talk;

use super::fixture::{Cloud, create, id, path, refused, update};

/// What Neutron's definitions of each resource mark as filters (`is_filter`), and attributes that they do not.
const DEFINED: [(&str, &[&str], &[&str]); 10] = [
    (
        "networks",
        &[
            "id",
            "name",
            "project_id",
            "tenant_id",
            "description",
            "admin_state_up",
            "shared",
            "router:external",
            "mtu",
            "status",
            "provider:network_type",
            "provider:physical_network",
            "provider:segmentation_id",
            "is_default",
            "revision_number",
            "tags",
            "tags-any",
            "not-tags",
            "not-tags-any",
        ],
        &["subnets", "dns_domain", "port_security_enabled", "availability_zones", "created_at", "colour"],
    ),
    (
        "subnets",
        &[
            "id",
            "name",
            "project_id",
            "tenant_id",
            "description",
            "network_id",
            "ip_version",
            "cidr",
            "gateway_ip",
            "enable_dhcp",
            "subnetpool_id",
            "ipv6_ra_mode",
            "ipv6_address_mode",
            "shared",
            "router:external",
            "revision_number",
            "tags",
            "tags-any",
            "not-tags",
            "not-tags-any",
        ],
        &["allocation_pools", "dns_nameservers", "host_routes", "service_types", "prefixlen", "updated_at"],
    ),
    (
        "subnetpools",
        &[
            "id",
            "name",
            "project_id",
            "description",
            "ip_version",
            "default_prefixlen",
            "min_prefixlen",
            "max_prefixlen",
            "default_quota",
            "shared",
            "is_default",
            "revision_number",
            "tags",
        ],
        &["prefixes", "created_at"],
    ),
    (
        "ports",
        &[
            "id",
            "name",
            "project_id",
            "tenant_id",
            "network_id",
            "description",
            "admin_state_up",
            "mac_address",
            "device_id",
            "device_owner",
            "status",
            "binding:host_id",
            "security_groups",
            "revision_number",
            "tags",
        ],
        &["allowed_address_pairs", "dns_name", "port_security_enabled", "extra_dhcp_opts", "binding:vif_type", "updated_at"],
    ),
    (
        "routers",
        &["id", "name", "project_id", "tenant_id", "description", "admin_state_up", "revision_number", "tags"],
        &["external_gateway_info", "routes", "status"],
    ),
    (
        "floatingips",
        &[
            "id",
            "project_id",
            "tenant_id",
            "description",
            "floating_network_id",
            "floating_ip_address",
            "port_id",
            "fixed_ip_address",
            "router_id",
            "status",
            "revision_number",
            "tags",
        ],
        &["dns_name", "port_details", "subnet_id"],
    ),
    (
        "security-groups",
        &["id", "name", "project_id", "tenant_id", "description", "stateful", "revision_number", "tags"],
        &["security_group_rules", "created_at"],
    ),
    (
        "security-group-rules",
        &[
            "id",
            "project_id",
            "tenant_id",
            "security_group_id",
            "description",
            "direction",
            "ethertype",
            "protocol",
            "port_range_min",
            "port_range_max",
            "remote_group_id",
            "remote_ip_prefix",
            "normalized_cidr",
            "belongs_to_default_sg",
            "revision_number",
        ],
        &["tags", "created_at"],
    ),
    (
        "agents",
        &["id", "agent_type", "binary", "topic", "host", "admin_state_up", "alive", "availability_zone", "description"],
        &["configurations", "heartbeat_timestamp"],
    ),
    (
        "network-ip-availabilities",
        &["network_id", "network_name", "project_id", "tenant_id", "ip_version"],
        &["total_ips", "used_ips"],
    ),
];

#[tokio::test]
async fn lists_filter_by_what_neutron_filters_by_and_by_nothing_else() {
    let cloud = Cloud::quiet().await;
    for (collection, filters, others) in DEFINED {
        for talk in [cloud.admin(), cloud.member()] {
            for filter in filters {
                // A number, a word and a flag, each alone and twice.
                for query in [format!("{filter}=1"), format!("{filter}=1&{filter}=0")] {
                    talk.get(&path(&format!("{collection}?{query}"))).await.expect(200);
                }
            }
            for other in others {
                refused(talk.get(&path(&format!("{collection}?{other}=1"))).await, 400, "HTTPBadRequest");
            }
        }
        for query in ["sort_key=id&sort_dir=desc", "limit=1", "fields=id", "limit=0&marker=nothing", "page_reverse=perhaps"] {
            cloud.admin().get(&path(&format!("{collection}?{query}"))).await.expect(200);
        }
    }
    for wrong in ["limit=-1", "limit=x", "sort_key=id", "sort_key=id&sort_dir=up", "sort_key=colour&sort_dir=asc"] {
        refused(cloud.admin().get(&path(&format!("networks?{wrong}"))).await, 400, "HTTPBadRequest");
    }
    for wrong in ["admin_state_up=perhaps", "mtu=big", "admin_state_up="] {
        refused(cloud.admin().get(&path(&format!("networks?{wrong}"))).await, 400, "HTTPBadRequest");
    }
}

/// The names of a list, sorted.
async fn names(talk: &Talk, collection: &str, query: &str) -> Vec<String> {
    let key = collection.replace('-', "_");
    let list = talk.get(&path(&format!("{collection}?{query}"))).await.expect(200);
    let label = if key == "floatingips" || key == "security_group_rules" { "description" } else { "name" };
    let mut names: Vec<String> =
        list[&key].as_array().unwrap().iter().map(|item| item[label].as_str().unwrap().to_owned()).collect();
    names.retain(|name| !name.is_empty() && name != "default");
    names.sort();
    names
}

#[track_caller]
fn same(query: &str, found: &[String], wanted: &[&str]) {
    assert_eq!(found, wanted, "{query}");
}

#[tokio::test]
async fn several_values_are_alternatives_and_several_filters_must_all_hold() {
    let cloud = Cloud::quiet().await;
    let (member, admin) = (cloud.member(), cloud.admin());
    let mut networks = Vec::new();
    for (name, up) in [("a", true), ("b", false), ("c", true)] {
        networks.push(id(&create(&member, "networks", "network", json!({"name": name, "admin_state_up": up})).await));
    }
    update(&admin, "networks", "network", &networks[2], json!({"shared": true})).await;
    cloud.external("172.24.4.0/24").await;
    for (query, wanted) in [
        ("name=a", &["a"][..]),
        ("name=a&name=b", &["a", "b"]),
        ("name=a&name=nothing", &["a"]),
        ("name=nothing", &[]),
        ("name=a&name=b&admin_state_up=true", &["a"]),
        ("admin_state_up=true&admin_state_up=false", &["a", "b", "c", "public"]),
        ("admin_state_up=Off&project_id=p1", &["b"]),
        ("admin_state_up=f", &["b"]),
        ("admin_state_up=YES&tenant_id=p1", &["a", "c"]),
        ("shared=1", &["c"]),
        ("router:external=True", &["public"]),
        ("router:external=False&shared=no", &["a", "b"]),
        ("status=ACTIVE&name=c", &["c"]),
        ("status=DOWN", &[]),
    ] {
        same(query, &names(&member, "networks", query).await, wanted);
    }
    // What he may not see tells him nothing.
    same("hidden", &names(&member, "networks", "provider:network_type=geneve").await, &[]);
    same("seen", &names(&admin, "networks", "provider:network_type=flat&provider:network_type=vlan").await, &["public"]);

    for (name, network, version, cidr) in
        [("four", 0, 4, "10.0.0.0/24"), ("six", 0, 6, "2001:db8::/64"), ("shared", 2, 4, "10.2.0.0/16")]
    {
        let ask = json!({"name": name, "network_id": networks[network], "ip_version": version, "cidr": cidr});
        create(&member, "subnets", "subnet", ask).await;
    }
    for (query, wanted) in [
        ("shared=false&router:external=false", &["four", "six"][..]),
        ("shared=true", &["shared"]),
        ("router:external=true&name=", &[]),
        ("ip_version=6", &["six"]),
        ("ip_version=4&ip_version=6&shared=0", &["four", "six"]),
        ("cidr=10.0.0.0/24&cidr=10.2.0.0/16", &["four", "shared"]),
        ("cidr=10.0.0.0/255.255.255.0", &["four"]),
        ("cidr=2001:DB8:0::/64", &["six"]),
        ("cidr=nonsense", &[]),
        ("gateway_ip=2001:0db8::1", &["six"]),
        ("gateway_ip=10.2.0.1&gateway_ip=10.0.0.1", &["four", "shared"]),
        ("gateway_ip=", &[]),
        ("enable_dhcp=t&cidr=10.0.0.0/24", &["four"]),
    ] {
        same(query, &names(&member, "subnets", query).await, wanted);
    }
}

#[tokio::test]
async fn ports_are_found_by_addresses_macs_and_groups_in_every_spelling() {
    let cloud = Cloud::quiet().await;
    let member = cloud.member();
    let (network, four) = cloud.network("10.0.0.0/24").await;
    let six = json!({"network_id": network, "ip_version": 6, "cidr": "2001:db8::/64"});
    let six = id(&create(&member, "subnets", "subnet", six).await);
    let mut groups = Vec::new();
    for name in ["g1", "g2"] {
        groups.push(id(&create(&member, "security-groups", "security_group", json!({ "name": name })).await));
    }
    for (name, last, address, group) in [("a", 1, "10.0.0.101", 0), ("b", 2, "10.0.0.102", 1), ("c", 3, "2001:db8::c", 0)] {
        let ask = json!({"name": name, "network_id": network, "mac_address": format!("fa:16:3e:00:00:0{last}"),
            "fixed_ips": [{"ip_address": address}], "security_groups": [groups[group]]});
        create(&member, "ports", "port", ask).await;
    }
    let (first, second) = (&groups[0], &groups[1]);
    for (query, wanted) in [
        ("fixed_ips=ip_address%3D10.0.0.101".to_owned(), &["a"][..]),
        ("fixed_ips=ip_address%3D10.0.0.101&fixed_ips=ip_address%3D10.0.0.102".to_owned(), &["a", "b"]),
        ("fixed_ips=ip_address%3D2001:DB8:0:0::C".to_owned(), &["c"]),
        ("fixed_ips=ip_address%3D10.0.0.101&fixed_ips=ip_address%3D10.0.0.250".to_owned(), &["a"]),
        (format!("fixed_ips=subnet_id%3D{four}"), &["a", "b"]),
        (format!("fixed_ips=subnet_id%3D{four}&fixed_ips=subnet_id%3D{six}"), &["a", "b", "c"]),
        (format!("fixed_ips=subnet_id%3D{six}&fixed_ips=ip_address%3D10.0.0.101"), &[]),
        ("fixed_ips=ip_address_substr%3D0.0.10".to_owned(), &["a", "b"]),
        ("fixed_ips=ip_address_substr%3DDB8&fixed_ips=ip_address_substr%3D.101".to_owned(), &["a", "c"]),
        ("fixed_ips=ip_address_substr%3D%25".to_owned(), &[]),
        (format!("security_groups={first}"), &["a", "c"]),
        (format!("security_groups={first}&security_groups={second}"), &["a", "b", "c"]),
        (format!("security_groups={second}&fixed_ips=subnet_id%3D{six}"), &[]),
        ("mac_address=FA-16-3E-00-00-01".to_owned(), &["a"]),
        ("mac_address=fa163e000002&mac_address=fa16.3e00.0003".to_owned(), &["b", "c"]),
        ("mac_address=fa:16:3e:0:0:1".to_owned(), &["a"]),
        ("mac_address=nonsense".to_owned(), &[]),
    ] {
        same(&query, &names(&member, "ports", &query).await, wanted);
    }
    for wrong in ["fixed_ips=10.0.0.101", "fixed_ips=colour%3Dblue", "fixed_ips="] {
        refused(member.get(&path(&format!("ports?{wrong}"))).await, 400, "HTTPBadRequest");
    }
    // Who may not see the host learns nothing by it.
    let hidden = member.get(&path("ports?binding:host_id=")).await.expect(200);
    assert_eq!(hidden["ports"], json!([]));
    let twin = json!({"port": {"network_id": network, "mac_address": "FA163E.000001"}});
    refused(member.post(&path("ports"), twin).await, 409, "MacAddressInUse");
}

#[tokio::test]
async fn any_number_of_tags() {
    let cloud = Cloud::quiet().await;
    let member = cloud.member();
    let all: Vec<String> = (0..9).map(|number| format!("t{number}")).collect();
    for tag in &all {
        let network = id(&create(&member, "networks", "network", json!({ "name": tag })).await);
        member.put(&path(&format!("networks/{network}/tags")), json!({"tags": [tag, "every"]})).await.expect(200);
    }
    create(&member, "networks", "network", json!({"name": "bare"})).await;
    let list = all.join(",");
    let apart = all.iter().map(|tag| format!("tags-any={tag}")).collect::<Vec<_>>().join("&");
    let everything: Vec<&str> = all.iter().map(String::as_str).collect();
    let with_bare: Vec<&str> = ["bare"].into_iter().chain(everything.iter().copied()).collect();
    for (query, wanted) in [
        (format!("tags-any={list}"), &everything[..]),
        (apart, &everything[..]),
        (format!("not-tags-any={list}"), &["bare"]),
        (format!("not-tags-any={list},every"), &["bare"]),
        (format!("tags={list}"), &[]),
        (format!("not-tags={list}"), &with_bare),
        ("tags=t0,every".to_owned(), &["t0"]),
        ("tags=every&tags=t0".to_owned(), &["t0"]),
        ("tags=t0,t0".to_owned(), &["t0"]),
        ("not-tags=t0,every".to_owned(), &with_bare.iter().copied().filter(|name| *name != "t0").collect::<Vec<_>>()),
        ("tags-any=t0,none&not-tags=t1".to_owned(), &["t0"]),
        ("tags-any=none".to_owned(), &[]),
    ] {
        same(&query, &names(&member, "networks", &query).await, wanted);
    }
    // And pages of them.
    let page = member.get(&path(&format!("networks?tags-any={list}&limit=5&sort_key=name&sort_dir=asc"))).await.expect(200);
    let next = page["networks_links"][0]["href"].as_str().unwrap().strip_prefix("http://cloud.test").unwrap();
    let rest = member.get(next).await.expect(200);
    assert_eq!(
        rest["networks"].as_array().unwrap().iter().map(|n| n["name"].clone()).collect::<Vec<_>>(),
        [json!("t5"), json!("t6"), json!("t7"), json!("t8")]
    );
}

#[tokio::test]
async fn rules_and_floating_addresses_by_their_values() {
    let cloud = Cloud::quiet().await;
    let (member, admin) = (cloud.member(), cloud.admin());
    let group = id(&create(&member, "security-groups", "security_group", json!({"name": "g"})).await);
    for (description, rule) in [
        ("host bits", json!({"remote_ip_prefix": "10.1.2.3/8", "protocol": "TCP"})),
        ("six", json!({"ethertype": "IPv6", "remote_ip_prefix": "2001:DB8:0::/32", "protocol": "icmp"})),
        ("range", json!({"protocol": "udp", "port_range_min": 80, "port_range_max": 90})),
    ] {
        let mut ask = json!({"security_group_id": group, "direction": "ingress", "description": description});
        ask.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
        create(&member, "security-group-rules", "security_group_rule", ask).await;
    }
    for (query, wanted) in [
        ("remote_ip_prefix=10.1.2.3/8", &["host bits"][..]),
        ("remote_ip_prefix=2001:db8::/32", &["six"]),
        ("normalized_cidr=10.0.0.0/8&normalized_cidr=2001:DB8::/32", &["host bits", "six"]),
        ("normalized_cidr=10.1.2.3/8", &[]),
        ("protocol=TCP&protocol=udp", &["host bits", "range"]),
        ("protocol=ipv6-icmp", &["six"]),
        ("ethertype=ipv6", &["six"]),
        ("port_range_min=80&port_range_min=81", &["range"]),
        ("belongs_to_default_sg=true", &[]),
        ("belongs_to_default_sg=0&direction=ingress", &["host bits", "range", "six"]),
    ] {
        same(query, &names(&member, "security-group-rules", query).await, wanted);
    }
    let default = admin.get(&path("security-group-rules?belongs_to_default_sg=true&project_id=p1")).await.expect(200);
    assert_eq!(default["security_group_rules"].as_array().unwrap().len(), 4);

    let (public, _) = cloud.external("172.24.4.0/24").await;
    for last in [51, 52] {
        let ask = json!({"floating_network_id": public, "floating_ip_address": format!("172.24.4.{last}"),
            "description": last.to_string(), "project_id": "p1"});
        create(&admin, "floatingips", "floatingip", ask).await;
    }
    for (query, wanted) in [
        ("floating_ip_address=172.24.4.51", &["51"][..]),
        ("floating_ip_address=172.24.4.51&floating_ip_address=172.24.4.52", &["51", "52"]),
        ("status=DOWN&description=52", &["52"]),
        ("fixed_ip_address=172.24.4.51", &[]),
    ] {
        same(query, &names(&member, "floatingips", query).await, wanted);
    }
}

#[tokio::test]
async fn lists_that_are_in_no_table_filter_alike() {
    let cloud = Cloud::live().await;
    let mut networks = Vec::new();
    for cidr in ["10.0.0.0/24", "10.1.0.0/24"] {
        networks.push(cloud.network(cidr).await.0);
    }
    for host in ["hv1", "hv2", "hv3"] {
        cloud.add_chassis(host, "");
    }
    let admin = cloud.admin();
    let count = async |collection: &str, query: &str| {
        let body = admin.get(&path(&format!("{collection}?{query}"))).await.expect(200);
        body[collection.replace('-', "_")].as_array().map(Vec::len)
    };
    super::fixture::until("the hosts to be known", async || count("agents", "").await == Some(3)).await;
    for (query, found) in [
        ("id=hv1&id=hv2", 2),
        ("id=hv1&host=hv2.test", 0),
        ("alive=True", 3),
        ("alive=no", 0),
        ("alive=no&alive=yes", 3),
        ("agent_type=OVN%20Controller%20agent&host=hv3.test", 1),
    ] {
        assert_eq!(count("agents", query).await, Some(found), "{query}");
    }
    let [first, second] = networks.as_slice() else { unreachable!() };
    for (query, found) in [
        (format!("network_id={first}&network_id={second}"), 2),
        (format!("network_id={first}&ip_version=4"), 1),
        ("ip_version=6".to_owned(), 0),
        ("ip_version=6&ip_version=4".to_owned(), 2),
        ("network_name=net&project_id=p1".to_owned(), 2),
        ("tenant_id=p2".to_owned(), 0),
    ] {
        assert_eq!(count("network-ip-availabilities", &query).await, Some(found), "{query}");
    }
    assert_eq!(count("availability_zones", "resource=router").await, Some(1));
    assert_eq!(count("service-providers", "default=true&default=false").await, Some(1));
    for wrong in ["availability_zones?colour=blue", "service-providers?colour=blue", "floatingip_pools?colour=blue"] {
        refused(admin.get(&path(wrong)).await, 400, "HTTPBadRequest");
    }
}
