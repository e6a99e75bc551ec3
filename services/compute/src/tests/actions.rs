// SPDX-License-Identifier: Apache-2.0
//! What is done to servers, and when it may be.

use serde_json::json;

use super::{Cloud, far::Manner};

#[tokio::test]
async fn stop_start_reboot() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let action = format!("/compute/v2.1/servers/{id}/action");
    let member = cloud.member();
    let said = member.post(&action, json!({"os-start": null})).await.expect(409);
    assert_eq!(said["conflictingRequest"]["message"], format!("Cannot 'start' instance {id} while it is in vm_state active"));
    member.post(&action, json!({"os-stop": null})).await.expect(202);
    let stopped = cloud.until(&id, "SHUTOFF").await;
    assert_eq!((&stopped["OS-EXT-STS:vm_state"], &stopped["OS-EXT-STS:power_state"]), (&json!("stopped"), &json!(4)));
    member.post(&action, json!({"os-stop": null})).await.expect(409);
    member.post(&action, json!({"reboot": {"type": "SOFT"}})).await.expect(409);
    member.post(&action, json!({"os-start": null})).await.expect(202);
    cloud.until(&id, "ACTIVE").await;

    cloud.far.set_manner("h1", Manner::Sleeps);
    member.post(&action, json!({"reboot": {"type": "soft"}})).await.expect(202);
    assert_eq!(cloud.until(&id, "REBOOT").await["OS-EXT-STS:task_state"], "rebooting");
    member.post(&action, json!({"reboot": {"type": "SOFT"}})).await.expect(409);
    member.post(&action, json!({"reboot": {"type": "HARD"}})).await.expect(202);
    assert_eq!(cloud.until(&id, "HARD_REBOOT").await["OS-EXT-STS:task_state"], "rebooting_hard");
    cloud.far.set_manner("h1", Manner::Works);
    cloud.far.bring_back("h1");
    cloud.until(&id, "ACTIVE").await;
    member.post(&action, json!({"reboot": {"type": "WARM"}})).await.expect(400);
    member.post(&action, json!({"reboot": {}})).await.expect(400);
    let actions = member.get(&format!("/compute/v2.1/servers/{id}/os-instance-actions")).await.expect(200);
    let names: Vec<_> = actions["instanceActions"].as_array().unwrap().iter().map(|action| action["action"].clone()).collect();
    assert_eq!(names, ["reboot", "reboot", "start", "stop", "create"]);
}

#[tokio::test]
async fn a_locked_server_is_left_alone() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let path = format!("/compute/v2.1/servers/{id}");
    let action = format!("{path}/action");
    let member = cloud.member();
    member.post(&action, json!({"lock": {"locked_reason": "payday"}})).await.expect(202);
    let shown = member.get(&path).await.expect(200);
    assert_eq!((&shown["server"]["locked"], &shown["server"]["locked_reason"]), (&json!(true), &json!("payday")));
    let said = member.post(&action, json!({"os-stop": null})).await.expect(409);
    assert_eq!(said["conflictingRequest"]["message"], format!("Instance {id} is locked"));
    member.delete(&path).await.expect(409);
    assert_eq!(member.get("/compute/v2.1/servers?locked=true").await.expect(200)["servers"].as_array().unwrap().len(), 1);
    member.post(&action, json!({"unlock": null})).await.expect(202);
    // What the operator locked, only he unlocks.
    cloud.talk.as_("admin@p9").post(&action, json!({"lock": null})).await.expect(202);
    member.post(&action, json!({"unlock": null})).await.expect(409);
    cloud.admin().post(&action, json!({"os-stop": null})).await.expect(202);
    cloud.until(&id, "SHUTOFF").await;
    cloud.admin().delete(&path).await.expect(204);
    cloud.until_gone(&id).await;
}

#[tokio::test]
async fn state_reset_console_and_password() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let action = format!("/compute/v2.1/servers/{id}/action");
    let (member, admin) = (cloud.member(), cloud.admin());
    member.post(&action, json!({"os-resetState": {"state": "error"}})).await.expect(403);
    admin.post(&action, json!({"os-resetState": {"state": "error"}})).await.expect(202);
    assert_eq!(cloud.until(&id, "ERROR").await["OS-EXT-STS:power_state"], 1);
    admin.post(&action, json!({"os-resetState": {"state": "active"}})).await.expect(202);
    cloud.until(&id, "ACTIVE").await;
    admin.post(&action, json!({"os-resetState": {"state": "happy"}})).await.expect(400);

    let said = member.post(&action, json!({"os-getConsoleOutput": {"length": 5}})).await.expect(200);
    assert_eq!(said["output"], format!("{id} says Some(5)"));
    let said = member.post(&action, json!({"os-getConsoleOutput": {"length": -1}})).await.expect(200);
    assert_eq!(said["output"], format!("{id} says None"));
    member.post(&action, json!({"os-getConsoleOutput": {"length": "many"}})).await.expect(400);
    cloud.far.lose("h1", types::Timestamp::now());
    member.post(&action, json!({"os-getConsoleOutput": {}})).await.expect(503);

    let said = member.post(&action, json!({"changePassword": {"adminPass": "x"}})).await.expect(501);
    assert!(said["notImplemented"]["message"].as_str().unwrap().starts_with("Unable to set password on instance"));
}

#[tokio::test]
async fn names_metadata_and_tags() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    let path = format!("/compute/v2.1/servers/{id}");
    let member = cloud.member();
    let shown =
        member.put(&path, json!({"server": {"name": "shop", "description": "sells", "hostname": "shop.example.com"}})).await;
    let shown = shown.expect(200)["server"].clone();
    assert_eq!((&shown["name"], &shown["description"]), (&json!("shop"), &json!("sells")));
    assert_eq!(shown["OS-EXT-SRV-ATTR:hostname"], "shop.example.com");
    member.put(&path, json!({"server": {"name": ""}})).await.expect(400);
    member.put(&path, json!({"server": {"flavor": "big"}})).await.expect(400);

    member.post(&format!("{path}/metadata"), json!({"metadata": {"a": "1", "b": "2"}})).await.expect(200);
    member.put(&format!("{path}/metadata/a"), json!({"meta": {"a": "3"}})).await.expect(200);
    member.put(&format!("{path}/metadata/a"), json!({"meta": {"b": "3"}})).await.expect(400);
    assert_eq!(member.get(&format!("{path}/metadata/a")).await.expect(200), json!({"meta": {"a": "3"}}));
    member.delete(&format!("{path}/metadata/b")).await.expect(204);
    member.delete(&format!("{path}/metadata/b")).await.expect(404);
    let many: serde_json::Map<_, _> = (0..200).map(|n| (n.to_string(), json!("x"))).collect();
    member.put(&format!("{path}/metadata"), json!({"metadata": many})).await.expect(403);
    assert_eq!(member.get(&format!("{path}/metadata")).await.expect(200), json!({"metadata": {"a": "3"}}));

    assert_eq!(member.put(&format!("{path}/tags/red"), json!(null)).await.status, 201);
    assert_eq!(member.put(&format!("{path}/tags/red"), json!(null)).await.status, 204);
    member.get(&format!("{path}/tags/red")).await.expect(204);
    member.get(&format!("{path}/tags/blue")).await.expect(404);
    member.put(&format!("{path}/tags"), json!({"tags": ["red", "green", "red"]})).await.expect(200);
    assert_eq!(member.get(&format!("{path}/tags")).await.expect(200), json!({"tags": ["red", "green"]}));
    for (query, count) in [
        ("tags=red,green", 1),
        ("tags=red,blue", 0),
        ("tags-any=blue,red", 1),
        ("not-tags=red,green", 0),
        ("not-tags=red,blue", 1),
        ("not-tags-any=blue", 1),
        ("not-tags-any=blue,red", 0),
    ] {
        let list = member.get(&format!("/compute/v2.1/servers?{query}")).await.expect(200);
        assert_eq!(list["servers"].as_array().unwrap().len(), count, "{query}");
    }
    member.delete(&format!("{path}/tags/green")).await.expect(204);
    member.delete(&format!("{path}/tags")).await.expect(204);
    assert_eq!(member.get(&format!("{path}/tags")).await.expect(200), json!({"tags": []}));
    member.version("compute 2.25").get(&format!("{path}/tags")).await.expect(404);
}
