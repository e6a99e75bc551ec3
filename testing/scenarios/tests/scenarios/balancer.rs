// SPDX-License-Identifier: Apache-2.0
//! Load balancers that OVN carries: connections are spread, a member that is dead is out, one that is drained keeps what it has,
//! a floating address leads there, and nothing is left of one that is deleted.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use lab::wait_until;
use scenarios::{Api, Cloud, Stand, ask_from, id, text};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);
const VIP: &str = "10.30.0.50";

struct Balancer<'a> {
    api: &'a Api,
    id: String,
    pool: String,
}

fn lbaas(rest: &str) -> String {
    format!("/load-balancer/v2.0/lbaas/{rest}")
}

fn port(api: &Api, network: &str) -> Result<Value> {
    api.make_port(json!({"network_id": network}))
}

impl<'a> Balancer<'a> {
    fn make(api: &'a Api, subnet: &str, address: &str) -> Result<Self> {
        let ask = json!({"loadbalancer": {"name": "front", "vip_subnet_id": subnet, "vip_address": address, "provider": "ovn"}});
        let made = api.post(&lbaas("loadbalancers"), &ask)?["loadbalancer"].take();
        ensure!(made["vip_address"] == address, "{made}");
        let balancer = id(&made)?;
        let ask = json!({"listener": {"loadbalancer_id": balancer, "protocol": "TCP", "protocol_port": 80}});
        let listener = id(&api.post(&lbaas("listeners"), &ask)?["listener"])?;
        let ask = json!({"pool": {"listener_id": listener, "protocol": "TCP", "lb_algorithm": "SOURCE_IP_PORT"}});
        let pool = id(&api.post(&lbaas("pools"), &ask)?["pool"])?;
        Ok(Self { api, id: balancer, pool })
    }

    fn add(&self, pool: &str, address: &str, port: u16) -> Result<String> {
        let ask = json!({"member": {"address": address, "protocol_port": port}});
        id(&self.api.post(&lbaas(&format!("pools/{pool}/members")), &ask)?["member"])
    }

    fn watch(&self) -> Result<()> {
        let ask = json!({"healthmonitor": {"pool_id": self.pool, "type": "TCP", "delay": 1, "timeout": 1, "max_retries": 1,
            "max_retries_down": 2}});
        self.api.post(&lbaas("healthmonitors"), &ask).map(drop)
    }

    fn shown(&self) -> Result<Value> {
        Ok(self.api.get(&lbaas(&format!("loadbalancers/{}", self.id)))?["loadbalancer"].take())
    }

    fn wait(&self, status: &str) -> Result<()> {
        let mut last = Value::Null;
        let waited = wait_until(&format!("the load balancer to be {status}"), SOON, || {
            last = self.shown()?;
            Ok(last["provisioning_status"] == "ACTIVE" && last["operating_status"] == status)
        });
        waited.with_context(|| {
            format!("{last:#} {:#}", self.api.get(&lbaas(&format!("loadbalancers/{}/status", self.id))).unwrap_or_default())
        })
    }
}

fn names(said: Vec<String>) -> BTreeSet<String> {
    said.into_iter().collect()
}

fn both() -> BTreeSet<String> {
    ["a", "b"].map(str::to_owned).into()
}

#[test]
fn ovn_spreads_connections_over_members_that_live() -> Result<()> {
    let cloud = Cloud::start()?;
    let external = cloud.make_external()?;
    let desk = cloud.lab.host("desk")?;
    desk.run(["ip", "address", "add", "172.24.4.9/24", "dev", "eth1"])?;
    let tenant = cloud.tenant("shop")?;
    let network = tenant.make_network("web")?;
    let subnet = tenant.make_subnet(&network, "10.30.0.0/24")?;
    tenant.make_router(&external, &subnet)?;
    tenant.allow("tcp", None)?;
    tenant.allow("udp", None)?;
    let (one, two) = (cloud.host("hv1")?, cloud.host("hv2")?);
    let gateway = Some("10.30.0.1");
    let a = Stand::plug(one, "a", &port(&tenant, &network)?, gateway)?;
    let b = Stand::plug(two, "b", &port(&tenant, &network)?, gateway)?;
    let client = Stand::plug(one, "c", &port(&tenant, &network)?, gateway)?;
    let _server_a = a.serve()?;
    let server_b = b.serve()?;

    let balancer = Balancer::make(&tenant, &subnet, VIP)?;
    let members = [balancer.add(&balancer.pool, &a.address, 80)?, balancer.add(&balancer.pool, &b.address, 80)?];
    balancer.wait("ONLINE")?;
    wait_until("connections to be spread", SOON, || Ok(names(client.ask("tcp", VIP, 80, 20)?) == both()))?;

    balancer.watch()?;
    balancer.wait("ONLINE")?;
    drop(server_b);
    balancer.wait("DEGRADED")?;
    wait_until("the dead to be out", SOON, || Ok(names(client.ask("tcp", VIP, 80, 10)?) == names(vec!["a".into()])))?;
    let _server_b = b.serve()?;
    balancer.wait("ONLINE")?;
    wait_until("it to be in again", SOON, || Ok(names(client.ask("tcp", VIP, 80, 20)?) == both()))?;

    // Datagrams at another port of the same address.
    let ask = json!({"listener": {"loadbalancer_id": balancer.id, "protocol": "UDP", "protocol_port": 53}});
    let listener = id(&tenant.post(&lbaas("listeners"), &ask)?["listener"])?;
    let ask = json!({"pool": {"listener_id": listener, "protocol": "UDP", "lb_algorithm": "SOURCE_IP_PORT"}});
    let datagrams = id(&tenant.post(&lbaas("pools"), &ask)?["pool"])?;
    for member in [&a, &b] {
        balancer.add(&datagrams, &member.address, 53)?;
    }
    wait_until("datagrams to be spread", SOON, || Ok(names(client.ask("udp", VIP, 53, 20)?) == both()))?;

    // From outside, by a floating address.
    let vip = text(&balancer.shown()?["vip_port_id"])?;
    let ask = json!({"floatingip": {"floating_network_id": external, "port_id": vip}});
    let floating = text(&tenant.post("/network/v2.0/floatingips", &ask)?["floatingip"]["floating_ip_address"])?;
    wait_until("the floating address to lead there", SOON, || Ok(names(ask_from(&desk, "tcp", &floating, 80, 20)?) == both()))?;

    // One that is drained keeps what it has.
    let mut held: Vec<_> = (0..6).map(|_| client.hold(VIP, 8)).collect::<Result<_>>()?;
    std::thread::sleep(Duration::from_secs(1));
    let path = lbaas(&format!("pools/{}/members/{}", balancer.pool, members[0]));
    tenant.put(&path, &json!({"member": {"weight": 0}}))?;
    wait_until(
        "new connections to go elsewhere",
        SOON,
        || Ok(names(client.ask("tcp", VIP, 80, 10)?) == names(vec!["b".into()])),
    )?;
    for one in &mut held {
        wait_until("a held connection to end", SOON, || Ok(!one.is_alive()?))?;
        ensure!(!one.log()?.contains("Error"), "a connection was lost: {}", one.log()?);
    }

    let refused = tenant.ask("DELETE", &format!("/network/v2.0/ports/{vip}"), &json!({}))?;
    ensure!(refused.status == 409, "the address of a load balancer is deleted under it: {refused}");
    gone(&cloud, &balancer)?;

    // A network that no router knows.
    let network = tenant.make_network("alone")?;
    let subnet = tenant.make_subnet(&network, "10.31.0.0/24")?;
    let d = Stand::plug(one, "d", &port(&tenant, &network)?, None)?;
    let e = Stand::plug(two, "e", &port(&tenant, &network)?, None)?;
    let _server_d = d.serve()?;
    let balancer = Balancer::make(&tenant, &subnet, "10.31.0.50")?;
    balancer.add(&balancer.pool, &d.address, 80)?;
    wait_until(
        "it to serve without a router",
        SOON,
        || Ok(names(e.ask("tcp", "10.31.0.50", 80, 5)?) == names(vec!["d".into()])),
    )?;
    gone(&cloud, &balancer)?;

    for stand in [a, b, client, d, e] {
        stand.unplug()?;
    }
    cloud.passed()
}

/// Deletes it with all of it, and looks that nothing of it is left anywhere.
fn gone(cloud: &Cloud, balancer: &Balancer) -> Result<()> {
    let path = lbaas(&format!("loadbalancers/{}", balancer.id));
    balancer.api.delete(&format!("{path}?cascade=true"))?;
    wait_until("the load balancer to be gone", SOON, || Ok(balancer.api.ask("GET", &path, &json!({}))?.status == 404))?;
    let northbound = format!("--db=unix:{}", cloud.home().join("run/nb.sock").display());
    for table in ["load_balancer", "load_balancer_health_check"] {
        let rows = cloud.central.run(["ovn-nbctl", &northbound, "--bare", "--columns=_uuid", "list", table])?;
        ensure!(rows.trim().is_empty(), "{table} has rows left: {rows}");
    }
    let ports = cloud.admin.get("/network/v2.0/ports")?;
    let left: Vec<_> = ports["ports"]
        .as_array()
        .context("a list of ports")?
        .iter()
        .filter(|port| {
            let owner = port["device_owner"].as_str().unwrap_or_default();
            owner == "Octavia" || owner == "network:load_balancer_probe"
        })
        .collect();
    ensure!(left.is_empty(), "ports are left: {left:?}");
    cloud.wait_for_clean_audit()
}
