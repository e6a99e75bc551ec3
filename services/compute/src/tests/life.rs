// SPDX-License-Identifier: Apache-2.0
//! Lives of servers: built, failed, moved to another host, deleted; with hosts that fail and hosts that die.

use std::time::{Duration, Instant};

use contracts::{
    Refusal,
    node::{MachineObserved, MachineState},
    nodes::ImageSource,
};
use serde_json::json;
use store::Actor;
use types::{Generation, ServerId, Timestamp};
use world::World;

use super::{
    Cloud, NETWORK,
    far::{Far, Manner, node_id},
    server, server_with,
};
use crate::{
    Patience,
    server::{Server, save::save, state::Power, table},
};

#[tokio::test]
async fn a_server_is_built_and_deleted() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let asked = Instant::now();
    let answer = cloud.member().post("/compute/v2.1/servers", server("web")).await;
    assert_eq!(answer.status, 202);
    let id = super::id_of(answer.body.clone());
    assert_eq!(answer.headers["location"], format!("http://cloud.test/compute/v2.1/servers/{id}"));
    assert_eq!(answer.body["server"]["adminPass"].as_str().unwrap().len(), 12);
    let shown = cloud.until(&id, "ACTIVE").await;
    assert!(asked.elapsed() < Duration::from_secs(1), "nothing waits for a clock");
    assert_eq!(shown["OS-EXT-STS:vm_state"], "active");
    assert_eq!(shown["OS-EXT-STS:power_state"], 1);
    assert_eq!(shown["OS-EXT-SRV-ATTR:host"], "h1");
    assert_eq!(shown["addresses"]["net"][0]["addr"], "10.0.0.1");
    assert_eq!(shown["addresses"]["net"][0]["OS-EXT-IPS-MAC:mac_addr"], "fa:16:3e:00:00:01");
    assert!(shown["OS-SRV-USG:launched_at"].is_string());
    let actions = cloud.member().get(&format!("/compute/v2.1/servers/{id}/os-instance-actions")).await.expect(200);
    assert_eq!(actions["instanceActions"][0]["action"], "create");
    cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    cloud.until_gone(&id).await;
    cloud.assert_clean().await;
    let actions = cloud.member().get(&format!("/compute/v2.1/servers/{id}/os-instance-actions")).await.expect(200);
    let finished: Vec<_> = actions["instanceActions"].as_array().unwrap().iter().map(|action| &action["action"]).collect();
    assert_eq!(finished, ["delete", "create"]);
}

#[tokio::test]
async fn a_node_is_told_what_its_machine_needs() {
    let mut cloud = Cloud::with_hosts(&["h1"]).await;
    let mut body = server("Web 1");
    body["server"]["metadata"] = json!({"role": "web"});
    body["server"]["user_data"] = json!("I2Nsb3VkLWNvbmZpZwo=");
    let id = super::id_of(cloud.member().post("/compute/v2.1/servers", body).await.expect(202));
    let other = cloud.create("other").await;
    cloud.until(&id, "ACTIVE").await;
    cloud.until(&other, "ACTIVE").await;
    cloud.stop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = cloud.store().statements();
    let machines = cloud.wanted(&node_id("h1")).await;
    assert_eq!(cloud.store().statements() - before, 4, "four statements however many machines");
    let machine = machines.iter().find(|machine| machine.server_id.as_str() == id).unwrap();
    assert_eq!((machine.memory_mb, machine.vcpus, machine.root().unwrap().size), (512, 1, 1 << 30));
    assert_eq!((machine.metadata.hostname.as_str(), machine.metadata.meta["role"].as_str()), ("web-1", "web"));
    assert_eq!(machine.metadata.user_data.as_ref().unwrap().reveal(), "I2Nsb3VkLWNvbmZpZwo=");
    assert_eq!(machine.metadata.admin_password, None, "a password is forgotten once it was told");
    assert_eq!(machine.nics().count(), 1);
    assert!(machine.root().unwrap().made, "it ran, so it has a disk, and none is made anew");
    assert!(machine.metadata.floating_ips.is_empty());
    *cloud.far.floating_ip.lock().unwrap() = Some([172, 24, 4, 9].into());
    let later = cloud.wanted(&node_id("h1")).await;
    assert_eq!(later[0].metadata.floating_ips, [std::net::IpAddr::from([172, 24, 4, 9])], "the address of now, not of boot");
    let sha512 = &machine.root().unwrap().sha512;
    assert!(cloud.compute.image_file(&node_id("h1"), sha512).await.is_ok());
    assert!(cloud.compute.image_file(&node_id("h2"), sha512).await.is_err(), "a host gets no image that it does not need");
}

#[tokio::test]
async fn what_was_written_and_not_told_is_told_soon() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    // As when a client hangs up between the commit of its request and the word to the node.
    let server = ServerId::new(id.as_str());
    let write = cloud.store().write(move |tx| -> crate::error::Result<_> {
        let before = table::find(tx, &server)?.unwrap();
        let after = Server { power: Power::Stopped, ..before.clone() };
        save(tx, &Actor::system("test"), "server.stop", &before, after)
    });
    write.await.unwrap();
    cloud.until(&id, "SHUTOFF").await;
}

#[tokio::test]
async fn no_valid_host_says_why() {
    let cloud = Cloud::with_hosts(&["h1", "h2"]).await;
    cloud.admin().put(&format!("/compute/v2.1/os-services/{}", node_id("h2")), json!({"status": "disabled"})).await.expect(200);
    let id =
        super::id_of(cloud.member().post("/compute/v2.1/servers", server_with("flavorRef", json!("m1.large"))).await.expect(202));
    let other =
        super::id_of(cloud.member().post("/compute/v2.1/servers", server_with("flavorRef", json!("m1.large"))).await.expect(202));
    // One of them fits; the other finds no room.
    let (mut active, mut failed) = (0, String::new());
    for id in [&id, &other] {
        for _ in 0..300 {
            let shown = cloud.admin().get(&format!("/compute/v2.1/servers/{id}")).await.expect(200);
            match shown["server"]["status"].as_str().unwrap() {
                "ACTIVE" => active += 1,
                "ERROR" => failed.clone_from(id),
                _ => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            }
            break;
        }
    }
    assert_eq!(active, 1);
    let fault = cloud.member().get(&format!("/compute/v2.1/servers/{failed}")).await.expect(200)["server"]["fault"].clone();
    let message = fault["message"].as_str().unwrap();
    assert!(message.starts_with("No valid host was found. There are not enough hosts available."), "{message}");
    assert!(message.contains("2 hosts: 1 is disabled, 1 lacks MEMORY_MB (needs 8192)"), "{message}");
    assert!(fault.get("details").is_none(), "hosts are not for tenants");
    let fault = cloud.admin().get(&format!("/compute/v2.1/servers/{failed}")).await.expect(200)["server"]["fault"].clone();
    assert!(fault["details"].as_str().unwrap().contains("h1: lacks MEMORY_MB"), "{fault}");
    // It stays listed until it is deleted, and holds nothing.
    cloud.member().delete(&format!("/compute/v2.1/servers/{failed}")).await.expect(204);
    cloud.until_gone(&failed).await;
}

#[tokio::test]
async fn a_host_that_fails_is_left_for_another() {
    let cloud = Cloud::with_hosts(&["h1", "h2"]).await;
    cloud.far.set_manner("h1", Manner::Fails("no space left on device".to_owned()));
    let id = cloud.create("web").await;
    let shown = cloud.until(&id, "ACTIVE").await;
    assert_eq!(shown["OS-EXT-SRV-ATTR:host"], "h2");
    assert!(shown.get("fault").is_none());
    cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    cloud.until_gone(&id).await;
    cloud.assert_clean().await;
}

#[tokio::test]
async fn a_server_that_no_host_can_build_is_in_error_and_holds_nothing() {
    let cloud = Cloud::with_hosts(&["h1", "h2"]).await;
    for host in ["h1", "h2"] {
        cloud.far.set_manner(host, Manner::Fails("no space left on device".to_owned()));
    }
    let id = cloud.create("web").await;
    let shown = cloud.until(&id, "ERROR").await;
    let message = shown["fault"]["message"].as_str().unwrap();
    assert!(message.contains("2 hosts: 2 failed to build it before"), "{message}");
    assert!(message.contains("no space left on device"), "{message}");
    tokio::time::sleep(Duration::from_millis(100)).await;
    cloud.assert_clean().await;
    let actions = cloud.admin().get(&format!("/compute/v2.1/servers/{id}/os-instance-actions")).await.expect(200);
    let request = actions["instanceActions"][0]["request_id"].as_str().unwrap().to_owned();
    let action = cloud.admin().get(&format!("/compute/v2.1/servers/{id}/os-instance-actions/{request}")).await.expect(200);
    assert_eq!(action["instanceAction"]["events"][0]["result"], "Error");
}

#[tokio::test]
async fn a_port_that_cannot_be_had_now_is_tried_again_and_one_that_never_can_is_an_error() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    cloud.far.refuse_ports.lock().unwrap().push(Refusal::unavailable("OVN does not answer."));
    let id = cloud.create("patient").await;
    cloud.until(&id, "ACTIVE").await;
    cloud.far.refuse_ports.lock().unwrap().push(Refusal::conflict("IP address 10.0.0.9 is in use."));
    let id = cloud.create("clashing").await;
    let shown = cloud.until(&id, "ERROR").await;
    assert!(shown["fault"]["message"].as_str().unwrap().contains("10.0.0.9 is in use"));
}

#[tokio::test]
async fn addresses_are_shown_while_network_does_not_answer() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    cloud.far.refuse_ports.lock().unwrap().push(Refusal::unavailable("OVN does not answer."));
    let shown = cloud.until(&id, "ACTIVE").await;
    assert_eq!(shown["addresses"]["net"][0]["addr"], "10.0.0.1");
}

#[tokio::test]
async fn a_server_is_deleted_while_it_is_being_built() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    cloud.far.set_manner("h1", Manner::Sleeps);
    let id = cloud.create("web").await;
    for _ in 0..100 {
        let shown = cloud.admin().get(&format!("/compute/v2.1/servers/{id}")).await.expect(200);
        if shown["server"]["OS-EXT-STS:task_state"] == "spawning" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    tokio::time::sleep(Duration::from_millis(100)).await;
    // The host has not said that it is gone: its address is not given to anybody yet.
    let shown = cloud.member().get(&format!("/compute/v2.1/servers/{id}")).await.expect(200);
    assert_eq!(shown["server"]["OS-EXT-STS:task_state"], "deleting");
    assert_eq!(cloud.far.ports().len(), 1);
    cloud.far.set_manner("h1", Manner::Works);
    cloud.far.bring_back("h1");
    cloud.until_gone(&id).await;
    cloud.assert_clean().await;
}

#[tokio::test]
async fn a_host_that_is_just_away_is_waited_for_and_one_that_stays_away_is_not() {
    let world = World::new(&[crate::ROOM.migrations(), placement::ROOM.migrations()]).await;
    let patience = Patience { returning_node: Duration::from_millis(400), ..Patience::default() };
    let mut cloud = Cloud::over(world, Far::new(None, &["h1"]), patience).await;
    // As after a restart of the controller: the host was last seen long ago, and will connect in a moment.
    cloud.far.lose("h1", Timestamp(0));
    cloud.wake();
    let id = cloud.create("patient").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(cloud.until(&id, "BUILD").await["OS-EXT-STS:task_state"], "scheduling");
    cloud.far.bring_back("h1");
    cloud.until(&id, "ACTIVE").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    cloud.far.lose("h1", Timestamp(0));
    let id = cloud.create("unlucky").await;
    let fault = cloud.until(&id, "ERROR").await["fault"]["message"].clone();
    assert!(fault.as_str().unwrap().ends_with("1 host: it is down."), "{fault}");
}

#[tokio::test]
async fn a_dead_host_does_not_hold_a_deleted_server_and_clears_up_when_it_returns() {
    let world = World::new(&[crate::ROOM.migrations(), placement::ROOM.migrations()]).await;
    let patience = Patience { dead_node: Duration::from_millis(300), returning_node: Duration::ZERO, ..Patience::default() };
    let mut cloud = Cloud::over(world, Far::new(None, &["h1"]), patience).await;
    cloud.wake();
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    cloud.far.lose("h1", Timestamp::now());
    assert_eq!(cloud.until(&id, "ACTIVE").await["host_status"], "UNKNOWN");
    cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    cloud.until_gone(&id).await;
    assert_eq!(cloud.far.machines().len(), 1, "the machine is still on the dead host");
    cloud.far.bring_back("h1");
    for _ in 0..100 {
        if cloud.far.machines().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    cloud.assert_clean().await;
}

#[tokio::test]
async fn an_older_report_changes_nothing() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let action = format!("/compute/v2.1/servers/{id}/action");
    cloud.member().post(&action, json!({"os-stop": null})).await.expect(202);
    cloud.until(&id, "SHUTOFF").await;
    let report = |generation, state| MachineObserved {
        server_id: ServerId::new(id.as_str()),
        generation: Generation(generation),
        reboots: 0,
        state,
        snapshot: None,
        devices: vec![],
    };
    let say = async |machine| cloud.far.report(&node_id("h1"), machine).await;
    say(report(1, MachineState::Running)).await;
    assert_eq!(cloud.until(&id, "SHUTOFF").await["OS-EXT-STS:power_state"], 4);
    // Nor does a report of a host where it is not.
    let elsewhere = report(9, MachineState::Running);
    cloud.far.report(&node_id("h2"), elsewhere).await;
    assert_eq!(cloud.until(&id, "SHUTOFF").await["OS-EXT-STS:power_state"], 4);
}

#[tokio::test]
async fn a_guest_that_switches_itself_off_is_stopped_and_stays_so() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    cloud.far.guest_stops(&id).await;
    let shown = cloud.until(&id, "SHUTOFF").await;
    assert_eq!(shown["OS-EXT-STS:task_state"], json!(null));
    cloud.far.bring_back("h1");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(cloud.until(&id, "SHUTOFF").await["OS-EXT-STS:vm_state"], "stopped");
}

#[tokio::test]
async fn many_servers_at_once_share_the_hosts_without_overfilling_them() {
    let cloud = Cloud::with_hosts(&["h1", "h2"]).await;
    let mut body = server("web");
    body["server"]["min_count"] = json!(10);
    body["server"]["networks"] = json!([{"uuid": NETWORK}]);
    cloud.member().post("/compute/v2.1/servers", body).await.expect(202);
    for _ in 0..300 {
        let list = cloud.member().get("/compute/v2.1/servers?status=ACTIVE").await.expect(200);
        if list["servers"].as_array().unwrap().len() == 10 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let list = cloud.admin().get("/compute/v2.1/servers/detail?sort_key=display_name&sort_dir=asc").await.expect(200);
    let servers = list["servers"].as_array().unwrap();
    assert!(servers.iter().all(|server| server["status"] == "ACTIVE"), "{list}");
    let mut addresses: Vec<&str> = servers.iter().map(|server| server["addresses"]["net"][0]["addr"].as_str().unwrap()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), 10);
    let on = |host: &str| servers.iter().filter(|server| server["OS-EXT-SRV-ATTR:host"] == host).count();
    assert!(on("h1").min(on("h2")) >= 3, "the emptier host takes the next one: {} and {}", on("h1"), on("h2"));
}
