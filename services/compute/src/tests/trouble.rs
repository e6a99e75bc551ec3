// SPDX-License-Identifier: Apache-2.0
//! Machines that break down by themselves: what tenant and operator learn of it, and the way out.

use contracts::{
    audit::Audit,
    node::{Failure, MachineObserved, MachineState},
};
use serde_json::{Value, json};
use types::{Generation, ServerId};

use super::{Cloud, far::node_id, id_of, server};

async fn say(cloud: &Cloud, id: &str, generation: i64, state: MachineState) {
    let machine = MachineObserved {
        server_id: ServerId::new(id),
        generation: Generation(generation),
        reboots: 0,
        state,
        snapshot: None,
        devices: vec![],
    };
    cloud.far.report(&node_id("h1"), machine).await;
}

fn failed(cause: &str, how: Failure) -> MachineState {
    MachineState::Failed { cause: cause.to_owned(), transient: false, how }
}

async fn latest_action(cloud: &Cloud, id: &str) -> Value {
    let path = format!("/compute/v2.1/servers/{id}/os-instance-actions");
    let actions = cloud.member().get(&path).await.expect(200)["instanceActions"].clone();
    let latest = actions[0]["request_id"].as_str().unwrap().to_owned();
    cloud.member().get(&format!("{path}/{latest}")).await.expect(200)["instanceAction"].clone()
}

#[tokio::test]
async fn a_machine_that_broke_down_is_in_error_with_its_cause_until_a_hard_reboot() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    assert_eq!(cloud.compute.audit().await.unwrap(), []);

    say(&cloud, &id, 1, failed("the guest's kernel panicked", Failure::Crashed)).await;
    let shown = cloud.until(&id, "ERROR").await;
    assert_eq!(shown["fault"]["message"], "the guest's kernel panicked");
    assert_eq!(
        (&shown["OS-EXT-STS:vm_state"], &shown["OS-EXT-STS:power_state"], &shown["OS-EXT-STS:task_state"]),
        (&json!("error"), &json!(6), &Value::Null)
    );
    let action = latest_action(&cloud, &id).await;
    assert_eq!((&action["action"], &action["message"]), (&json!("stop"), &json!("the guest's kernel panicked")));
    assert_eq!(action["events"][0]["result"], "Error");
    let found = cloud.compute.audit().await.unwrap();
    assert_eq!((found.len(), found[0].thing.as_str(), found[0].id.as_str()), (1, "machine", id.as_str()));
    assert!(found[0].place == "h1" && found[0].detail.contains("panicked"), "{:?}", found[0]);

    // Said again it is no news.
    let count = async || {
        let path = format!("/compute/v2.1/servers/{id}/os-instance-actions");
        cloud.member().get(&path).await.expect(200)["instanceActions"].as_array().unwrap().len()
    };
    let before = count().await;
    say(&cloud, &id, 1, failed("the guest's kernel panicked", Failure::Crashed)).await;
    assert_eq!(count().await, before);

    let action = format!("/compute/v2.1/servers/{id}/action");
    cloud.member().post(&action, json!({"os-start": null})).await.expect(409);
    cloud.member().post(&action, json!({"reboot": {"type": "HARD"}})).await.expect(202);
    assert_eq!(cloud.until(&id, "ACTIVE").await["fault"], Value::Null);
    assert_eq!(cloud.compute.audit().await.unwrap(), []);
}

#[tokio::test]
async fn a_machine_that_breaks_down_before_anybody_heard_that_it_ran_was_built_all_the_same() {
    let cloud = Cloud::with_hosts(&["h1", "h2"]).await;
    cloud.far.set_manner("h1", super::far::Manner::Sleeps);
    let mut wish = server("web");
    wish["server"]["availability_zone"] = json!("nova:h1");
    let id = id_of(cloud.admin().post("/compute/v2.1/servers", wish).await.expect(202));
    let task = async || cloud.until(&id, "BUILD").await["OS-EXT-STS:task_state"].clone();
    while task().await != "spawning" {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    say(&cloud, &id, 1, failed("the machine's process was lost", Failure::Crashed)).await;
    let shown = cloud.until(&id, "ERROR").await;
    assert_eq!(
        (&shown["fault"]["message"], &shown["OS-EXT-SRV-ATTR:host"]),
        (&json!("the machine's process was lost"), &json!("h1"))
    );
    assert_ne!(shown["OS-SRV-USG:launched_at"], Value::Null);
}

#[tokio::test]
async fn a_machine_that_is_held_still_is_in_error_until_it_goes_on_by_itself() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    say(&cloud, &id, 1, failed("the disk root has no room left", Failure::Held)).await;
    let shown = cloud.until(&id, "ERROR").await;
    assert_eq!(
        (&shown["fault"]["message"], &shown["OS-EXT-STS:power_state"]),
        (&json!("the disk root has no room left"), &json!(3))
    );
    assert_eq!(latest_action(&cloud, &id).await["action"], "pause");
    assert_eq!(cloud.compute.audit().await.unwrap().len(), 1);
    say(&cloud, &id, 1, MachineState::Running).await;
    let shown = cloud.until(&id, "ACTIVE").await;
    assert_eq!((&shown["OS-EXT-STS:power_state"], &shown["fault"]), (&json!(1), &Value::Null));
    assert_eq!(cloud.compute.audit().await.unwrap(), []);

    // It can be stopped meanwhile.
    say(&cloud, &id, 1, failed("the disk root has no room left", Failure::Held)).await;
    cloud.until(&id, "ERROR").await;
    cloud.member().post(&format!("/compute/v2.1/servers/{id}/action"), json!({"os-stop": null})).await.expect(202);
    cloud.until(&id, "SHUTOFF").await;
}

#[tokio::test]
async fn a_watchdog_is_as_the_image_or_the_flavor_says() {
    use contracts::node::WatchdogAction;
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let (admin, specs) = (cloud.admin(), "/compute/v2.1/flavors/m1.tiny/os-extra_specs");
    admin.post(specs, json!({"extra_specs": {"hw:watchdog_action": "bark"}})).await.expect(400);
    for (word, action) in [(None, None), (Some("reset"), Some(WatchdogAction::Reset)), (Some("disabled"), None)] {
        if let Some(word) = word {
            admin.post(specs, json!({"extra_specs": {"hw:watchdog_action": word}})).await.expect(200);
        }
        let id = cloud.create("web").await;
        cloud.until(&id, "ACTIVE").await;
        let machines = cloud.wanted(&node_id("h1")).await;
        let machine = machines.into_iter().find(|machine| machine.server_id.as_str() == id).unwrap();
        assert_eq!(machine.watchdog, action, "{word:?}");
    }
}
