// SPDX-License-Identifier: Apache-2.0
//! Load balancers in OVN, as the balancer room asks for them.

use std::sync::Arc;

use contracts::vips::{Backend, Check, Spread, SpreadService, Transport, Vip, VipWish, Vips};
use serde_json::json;
use types::LoadBalancerId;
use world::caller;

use super::fixture::{Cloud, create, id, path, refused, until};

fn spread(check: bool) -> Spread {
    let backend = |last: u8| Backend { address: [10, 0, 0, last].into(), port: 8080, subnet_id: None };
    let check = check.then_some(Check { delay: 5, timeout: 3, rise: 2, fall: 3 });
    let (transport, backends) = (Transport::Tcp, vec![backend(11), backend(12)]);
    let service = SpreadService { id: "http".to_owned(), transport, port: 80, affinity: None, by_client: false, backends, check };
    Spread { services: vec![service] }
}

struct Front<'a> {
    cloud: &'a Cloud,
    id: LoadBalancerId,
    vip: Vip,
    subnet: String,
}

/// A load balancer at 10.0.0.50, in a network without a router.
async fn front(cloud: &Cloud) -> Front<'_> {
    let (_, subnet) = cloud.network("10.0.0.0/24").await;
    let member = Arc::new(caller("member@p1").unwrap());
    let wish =
        VipWish { subnet: Some(subnet.as_str().into()), address: Some("10.0.0.50".parse().unwrap()), ..VipWish::default() };
    let vip = cloud.network.plan(&member, &wish).await.unwrap();
    let id = LoadBalancerId::generate();
    let (vip, _) = cloud.network.ensure(&"p1".into(), &id, "front", &vip, None).await.unwrap();
    // Said again it is the same.
    let (again, _) = cloud.network.ensure(&"p1".into(), &id, "front", &vip, None).await.unwrap();
    assert_eq!(again, vip);
    Front { cloud, id, vip, subnet }
}

impl Front<'_> {
    async fn spread(&self, spread: &Spread) {
        self.cloud.network.spread(&"p1".into(), &self.id, &self.vip, spread).await.unwrap();
    }

    fn column(&self, table: &str, column: &str) -> String {
        self.cloud.nbctl(&["--bare", &format!("--columns={column}"), "list", table])
    }
}

#[tokio::test]
async fn a_load_balancer_stands_where_its_clients_are() {
    let cloud = Cloud::live().await;
    cloud.add_chassis("a", "physnet1:br-ex");
    let front = front(&cloud).await;
    front.spread(&spread(false)).await;
    assert_eq!(front.column("load_balancer", "vips"), "10.0.0.50:80=10.0.0.11:8080,10.0.0.12:8080");
    let own = format!("lb-{}", front.id);
    assert_eq!(front.column("logical_router", "name"), own, "without a router it has one of its own");

    let member = cloud.member();
    let (outside, _) = cloud.external("172.24.0.0/24").await;
    let router = create(&member, "routers", "router", json!({"external_gateway_info": {"network_id": outside}})).await;
    let interface = path(&format!("routers/{}/add_router_interface", id(&router)));
    member.put(&interface, json!({"subnet_id": front.subnet})).await.expect(200);
    cloud.settled().await;
    assert_eq!(
        front.column("logical_router", "name"),
        format!("neutron-{}", id(&router)),
        "its own is gone, the tenant's has it"
    );
    assert_eq!(front.column("logical_router", "load_balancer"), front.column("load_balancer", "_uuid"));

    let ask = json!({"floating_network_id": outside, "port_id": front.vip.port_id});
    let floating = create(&member, "floatingips", "floatingip", ask).await;
    cloud.settled().await;
    let address = floating["floating_ip_address"].as_str().unwrap();
    assert!(front.column("load_balancer", "vips").contains(&format!("{address}:80=10.0.0.11:8080,10.0.0.12:8080")));
    assert!(!front.column("nat", "type").contains("dnat"), "the load balancer answers for it, and no translation");
    let of = path(&format!("floatingips/{}", id(&floating)));
    member.put(&of, json!({"floatingip": {"port_id": null}})).await.expect(200);
    cloud.settled().await;
    assert!(!front.column("load_balancer", "vips").contains(address));
}

#[tokio::test]
async fn another_projects_router_does_not_carry_a_load_balancer() {
    let cloud = Cloud::live().await;
    let admin = cloud.admin();
    let network = create(&admin, "networks", "network", json!({"name": "for all", "shared": true})).await;
    let subnet = json!({"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24"});
    let subnet = id(&create(&admin, "subnets", "subnet", subnet).await);
    let others = create(&admin, "routers", "router", json!({})).await;
    let interface = path(&format!("routers/{}/add_router_interface", id(&others)));
    admin.put(&interface, json!({"subnet_id": subnet})).await.expect(200);
    let member = Arc::new(caller("member@p1").unwrap());
    let vip = cloud.network.plan(&member, &VipWish { subnet: Some(subnet.as_str().into()), ..VipWish::default() }).await.unwrap();
    let balancer = LoadBalancerId::generate();
    let (vip, _) = cloud.network.ensure(&"p1".into(), &balancer, "front", &vip, None).await.unwrap();
    cloud.network.spread(&"p1".into(), &balancer, &vip, &spread(false)).await.unwrap();
    cloud.settled().await;
    let carries =
        |name: String| cloud.nbctl(&["--bare", "--columns=load_balancer", "find", "logical_router", &format!("name={name}")]);
    assert_eq!(carries(format!("neutron-{}", id(&others))), "");
    assert_ne!(carries(format!("lb-{balancer}")), "");
}

#[tokio::test]
async fn checks_ask_from_an_address_of_their_own_and_follow_the_members_ports() {
    let cloud = Cloud::live().await;
    let front = front(&cloud).await;
    front.spread(&spread(true)).await;
    assert_eq!(front.column("load_balancer_health_check", "vip"), "10.0.0.50:80");
    assert_eq!(front.column("load_balancer", "ip_port_mappings"), "", "nothing is there to be asked");
    let ask = json!({"network_id": front.vip.network_id, "fixed_ips": [{"ip_address": "10.0.0.11"}]});
    let port = create(&cloud.member(), "ports", "port", ask).await;
    cloud.settled().await;
    let mapping = front.column("load_balancer", "ip_port_mappings");
    let from = mapping.strip_prefix(&format!("10.0.0.11={}:", id(&port))).unwrap_or_else(|| panic!("{mapping}"));
    assert!(!["10.0.0.50", "10.0.0.1", "10.0.0.11"].contains(&from), "{from} is somebody's");
    cloud.member().delete(&path(&format!("ports/{}", id(&port)))).await.expect(204);
    cloud.settled().await;
    assert_eq!(front.column("load_balancer", "ip_port_mappings"), "");
    // Without checks nothing is left of them.
    front.spread(&spread(false)).await;
    assert_eq!(front.column("load_balancer_health_check", "vip"), "");
    let probes = cloud.admin().get(&path("ports?device_owner=network:load_balancer_probe")).await.expect(200);
    assert_eq!(probes["ports"], json!([]));
}

#[tokio::test]
async fn nothing_is_left_of_a_load_balancer_that_is_released_and_its_port_is_not_deleted_before() {
    let cloud = Cloud::whole().await;
    let front = front(&cloud).await;
    front.spread(&spread(true)).await;
    let of = path(&format!("ports/{}", front.vip.port_id));
    refused(cloud.member().delete(&of).await, 409, "ServicePortInUse");
    // What somebody takes out of OVN comes back.
    cloud.nbctl(&["lb-del", &format!("lb-{}-http", front.id)]);
    until("the load balancer to be there again", async || !front.column("load_balancer", "vips").is_empty()).await;
    for _ in 0..2 {
        cloud.network.release(&front.id, &front.vip).await.unwrap();
    }
    cloud.settled().await;
    for table in ["load_balancer", "load_balancer_health_check", "logical_router"] {
        assert_eq!(front.column(table, "_uuid"), "", "{table}");
    }
    cloud.member().get(&of).await.expect(404);
}
