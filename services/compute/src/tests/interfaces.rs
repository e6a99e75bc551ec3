// SPDX-License-Identifier: Apache-2.0
//! Interfaces that are attached and detached.

use std::time::Duration;

use contracts::{Refusal, node::Feature};
use serde_json::{Value, json};
use types::PortId;
use world::World;

use super::{
    Cloud, NETWORK,
    far::{Far, Manner},
    operations::outcome,
    snapshots::until_task,
};
use crate::Patience;

const PORT: &str = "44444444-4444-4444-8444-444444444444";
const NOTHING: &str = "55555555-5555-4555-8555-555555555555";

async fn with_server() -> (Cloud, String, String) {
    with_server_of(Patience::default()).await
}

/// A cloud of one host with a server, and where its interfaces are.
async fn with_server_of(patience: Patience) -> (Cloud, String, String) {
    let world = World::new(&[crate::ROOM.migrations(), placement::ROOM.migrations()]).await;
    let mut cloud = Cloud::over(world, Far::new(None, &["h1"]), patience).await;
    cloud.wake();
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let path = format!("/compute/v2.1/servers/{id}/os-interface");
    (cloud, id, path)
}

async fn act(cloud: &Cloud, id: &str, wish: Value, status: &str) {
    cloud.member().post(&format!("/compute/v2.1/servers/{id}/action"), wish).await.expect(202);
    cloud.until(id, status).await;
    until_task(cloud, id, Value::Null).await;
}

async fn shown(cloud: &Cloud, path: &str) -> Vec<Value> {
    cloud.member().get(path).await.expect(200)["interfaceAttachments"].as_array().unwrap().clone()
}

fn has(cloud: &Cloud, id: &str, port: &str) -> bool {
    cloud.far.nics(id).contains(&contracts::node::DeviceId::nic(&PortId::new(port)))
}

async fn end(cloud: &Cloud, id: &str) {
    cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    cloud.until_gone(id).await;
    cloud.assert_clean().await;
}

#[tokio::test]
async fn an_interface_comes_and_goes_whether_a_server_runs_is_paused_or_stopped() {
    let (cloud, id, path) = with_server().await;
    for (wish, status) in [
        (None, "ACTIVE"),
        (Some(json!({"pause": null})), "PAUSED"),
        (Some(json!({"unpause": null})), "ACTIVE"),
        (Some(json!({"os-stop": null})), "SHUTOFF"),
    ] {
        if let Some(wish) = wish {
            act(&cloud, &id, wish, status).await;
        }
        let bodies = [
            json!({}),
            json!({"interfaceAttachment": {}}),
            json!({"interfaceAttachment": {"net_id": NETWORK, "tag": "second"}}),
            json!({"interfaceAttachment": {"port_id": PORT}}),
        ];
        for body in bodies {
            let made = cloud.member().post(&path, body.clone()).await.expect(200)["interfaceAttachment"].clone();
            let port = made["port_id"].as_str().unwrap().to_owned();
            let mut keys: Vec<&String> = made.as_object().unwrap().keys().collect();
            keys.sort();
            assert_eq!(keys, ["fixed_ips", "mac_addr", "net_id", "port_id", "port_state", "tag"]);
            assert_eq!((&made["net_id"], &made["tag"]), (&json!(NETWORK), &body["interfaceAttachment"]["tag"]));
            assert_eq!(made["fixed_ips"][0]["ip_address"].as_str().unwrap().split('.').count(), 4);
            let server = until_task(&cloud, &id, Value::Null).await;
            assert_eq!(server["status"], status);
            assert!(has(&cloud, &id, &port), "{status}: {body}");
            assert_eq!(outcome(&cloud, &id, "attach_interface").await.0, "Success");
            let one = cloud.member().get(&format!("{path}/{port}")).await.expect(200)["interfaceAttachment"].clone();
            assert_eq!(one["port_state"], if status == "ACTIVE" { "ACTIVE" } else { "DOWN" });
            assert_eq!(shown(&cloud, &path).await.len(), 2);

            cloud.member().delete(&format!("{path}/{port}")).await.expect(202);
            assert_eq!(until_task(&cloud, &id, Value::Null).await["status"], status);
            assert!(!has(&cloud, &id, &port), "{status}: {body}");
            assert_eq!(outcome(&cloud, &id, "detach_interface").await.0, "Success");
            assert_eq!((shown(&cloud, &path).await.len(), cloud.far.ports().len(), cloud.far.nics(&id).len()), (1, 1, 1));
            cloud.member().delete(&format!("{path}/{port}")).await.expect(404);
        }
    }
    end(&cloud, &id).await;
}

#[tokio::test]
async fn an_interface_that_cannot_be_plugged_in_leaves_nothing() {
    let (cloud, id, path) = with_server().await;
    cloud.far.set_manner("h1", Manner::CannotPlug("no slot is free".to_owned()));
    for body in [json!({}), json!({"interfaceAttachment": {"port_id": PORT}})] {
        cloud.member().post(&path, body).await.expect(200);
        assert_eq!(until_task(&cloud, &id, Value::Null).await["status"], "ACTIVE");
        assert_eq!(outcome(&cloud, &id, "attach_interface").await, (json!("Error"), json!("no slot is free")));
        assert_eq!((shown(&cloud, &path).await.len(), cloud.far.ports().len(), cloud.far.nics(&id).len()), (1, 1, 1));
    }
    // What network refuses is said at once.
    cloud.far.set_manner("h1", Manner::Works);
    for (refusal, status) in [
        (Refusal::conflict(format!("Port {PORT} is still in use.")), 409),
        (Refusal::exhausted("No more IP addresses available."), 400),
        (Refusal::unavailable("OVN does not answer."), 503),
    ] {
        cloud.far.refuse_ports.lock().unwrap().push(refusal.clone());
        let said = cloud.member().post(&path, json!({"interfaceAttachment": {"port_id": PORT}})).await.expect(status);
        assert!(said.to_string().contains(&refusal.message), "{said}");
        until_task(&cloud, &id, Value::Null).await;
        assert_eq!(outcome(&cloud, &id, "attach_interface").await, (json!("Error"), json!(refusal.message)));
        assert_eq!((shown(&cloud, &path).await.len(), cloud.far.ports().len()), (1, 1));
    }
    end(&cloud, &id).await;
}

#[tokio::test]
async fn an_interface_that_its_guest_keeps_stays_attached_until_the_server_is_stopped() {
    let brief = Duration::from_secs(4);
    let (cloud, id, path) = with_server_of(Patience { guest: brief, node: brief, ..Patience::default() }).await;
    let port = shown(&cloud, &path).await[0]["port_id"].as_str().unwrap().to_owned();
    let of_port = format!("{path}/{port}");
    cloud.far.set_manner("h1", Manner::KeepsCards);
    cloud.member().delete(&of_port).await.expect(202);
    // Meanwhile nothing else is done to it, and it carries no traffic that one could count on.
    cloud.member().post(&path, json!({})).await.expect(409);
    assert_eq!(cloud.member().get(&of_port).await.expect(200)["interfaceAttachment"]["port_state"], "DOWN");
    assert_eq!(until_task(&cloud, &id, Value::Null).await["status"], "ACTIVE");
    let (result, cause) = outcome(&cloud, &id, "detach_interface").await;
    assert_eq!(result, "Error");
    assert!(cause.as_str().unwrap().contains("Stop the server and detach it then."), "{cause}");
    assert_eq!((shown(&cloud, &path).await.len(), has(&cloud, &id, &port)), (1, true));

    act(&cloud, &id, json!({"os-stop": null}), "SHUTOFF").await;
    cloud.member().delete(&of_port).await.expect(202);
    until_task(&cloud, &id, Value::Null).await;
    assert_eq!((shown(&cloud, &path).await, cloud.far.ports()), (vec![], vec![]));

    // A host that says nothing: what it was told is taken back, and the port with it.
    act(&cloud, &id, json!({"os-start": null}), "ACTIVE").await;
    cloud.far.set_manner("h1", Manner::Sleeps);
    cloud.member().post(&path, json!({})).await.expect(200);
    until_task(&cloud, &id, Value::Null).await;
    assert_eq!(outcome(&cloud, &id, "attach_interface").await.0, "Error");
    assert_eq!((shown(&cloud, &path).await, cloud.far.ports()), (vec![], vec![]));
    cloud.far.set_manner("h1", Manner::Works);
    cloud.far.bring_back("h1");
    end(&cloud, &id).await;
}

#[tokio::test]
async fn an_interface_is_asked_for_as_nova_has_it() {
    let (cloud, id, path) = with_server().await;
    let attach = async |body: Value, status: u16| {
        cloud.member().post(&path, json!({"interfaceAttachment": body})).await.expect(status)["badRequest"]["message"].clone()
    };
    assert_eq!(attach(json!({"net_id": NETWORK, "port_id": PORT}), 400).await, "Must not input both network_id and port_id");
    let address = json!([{"ip_address": "10.0.0.9"}]);
    for body in [json!({"fixed_ips": address}), json!({"port_id": PORT, "fixed_ips": address})] {
        assert_eq!(attach(body, 400).await, "Must input network_id when request IP address");
    }
    for body in [
        json!({"net_id": "net"}),
        json!({"port_id": null}),
        json!({"port_id": 7}),
        json!({"net_id": NETWORK, "fixed_ips": []}),
        json!({"net_id": NETWORK, "fixed_ips": [{"ip_address": "10.0.0.9"}, {"ip_address": "10.0.0.8"}]}),
        json!({"net_id": NETWORK, "fixed_ips": [{"ip_address": "ten"}]}),
        json!({"net_id": NETWORK, "fixed_ips": [{"subnet_id": NOTHING}]}),
        json!({"tag": "a,b"}),
        json!({"name": "eth1"}),
        json!([]),
    ] {
        attach(body, 400).await;
    }
    cloud.member().post(&path, json!({"other": {}})).await.expect(400);
    let before = cloud.member().version("compute 2.48");
    before.post(&path, json!({"interfaceAttachment": {"tag": "a"}})).await.expect(400);
    attach(json!({"net_id": NOTHING}), 404).await;
    cloud.member().delete(&format!("{path}/{NOTHING}")).await.expect(404);
    for other in [cloud.talk.as_("member@p2"), cloud.talk.as_("reader@p1")] {
        let status = other.post(&path, json!({})).await.status;
        assert!(status == 404 || status == 403, "{status}");
    }
    cloud.member().post(&format!("/compute/v2.1/servers/{id}/action"), json!({"lock": null})).await.expect(202);
    cloud.talk.as_("member@p1").post(&path, json!({})).await.expect(409);
    cloud.member().post(&format!("/compute/v2.1/servers/{id}/action"), json!({"unlock": null})).await.expect(202);

    // A host that cannot plug anything into a running machine says so; one that is off has it at its next start.
    cloud.far.forget("h1", Feature::HotPlug);
    let port = shown(&cloud, &path).await[0]["port_id"].as_str().unwrap().to_owned();
    let said = cloud.member().post(&path, json!({})).await.expect(409);
    assert!(said["conflictingRequest"]["message"].as_str().unwrap().contains("h1 runs a version"), "{said}");
    cloud.member().delete(&format!("{path}/{port}")).await.expect(409);
    act(&cloud, &id, json!({"os-stop": null}), "SHUTOFF").await;
    cloud.member().post(&path, json!({})).await.expect(200);
    until_task(&cloud, &id, Value::Null).await;
    assert_eq!(cloud.far.nics(&id).len(), 2);
    end(&cloud, &id).await;
}

#[tokio::test]
async fn a_port_that_is_deleted_is_detached_from_its_server() {
    let short = Patience { guest: Duration::from_millis(300), ..Patience::default() };
    let (cloud, id, path) = with_server_of(short).await;
    cloud.member().post(&path, json!({})).await.expect(200);
    until_task(&cloud, &id, Value::Null).await;
    let ports: Vec<String> = shown(&cloud, &path).await.iter().map(|one| one["port_id"].as_str().unwrap().to_owned()).collect();
    cloud.far.delete_port(&ports[1]);
    cloud.far.bring_back("h1");
    until_gone(&cloud, &id, &ports[1]).await;
    assert!(has(&cloud, &id, &ports[0]));
    assert_eq!(outcome(&cloud, &id, "detach_interface").await.0, "Success");

    // A guest may keep its card, which leads nowhere: the server is rid of it all the same, and comes to rest.
    cloud.far.set_manner("h1", Manner::KeepsCards);
    cloud.far.delete_port(&ports[0]);
    cloud.far.bring_back("h1");
    for _ in 0..2000 {
        if claimed(&cloud, &id).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(claimed(&cloud, &id).await, 0);
    until_task(&cloud, &id, Value::Null).await;
    end(&cloud, &id).await;
}

async fn until_gone(cloud: &Cloud, id: &str, port: &str) {
    for _ in 0..500 {
        if !has(cloud, id, port) && claimed(cloud, id).await == 1 {
            until_task(cloud, id, Value::Null).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{id} has the NIC {port} after five seconds");
}

/// How many NICs the server holds.
async fn claimed(cloud: &Cloud, id: &str) -> usize {
    let id = id.to_owned();
    let sql = "SELECT id FROM server_claims WHERE server_id = $1 AND kind = 'port'";
    cloud.store().read(move |tx| tx.query(sql, &store::params![id.clone()])).await.unwrap().len()
}
