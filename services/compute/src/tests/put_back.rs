// SPDX-License-Identifier: Apache-2.0
//! A host that knows more than the tables, as after they were put back to an earlier state, and one that knows less.

use std::time::Duration;

use contracts::audit::{Audit, STRAY};
use serde_json::json;

use super::{Cloud, far::node_id};

const UNKNOWN: &str = "77777777-7777-4777-8777-777777777777";

async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("after five seconds it is not so that {what}");
}

#[tokio::test]
async fn a_machine_that_no_row_knows_is_kept_until_the_operator_says_that_it_shall_go() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    cloud.far.put_machine("h1", UNKNOWN, 3);
    cloud.far.bring_back("h1");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(cloud.far.machines().len(), 2);
    let findings = cloud.compute.audit().await.unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    let stray = &findings[0];
    assert_eq!(
        (stray.kind.as_str(), stray.thing.as_str(), stray.id.as_str(), stray.place.as_str()),
        (STRAY, "machine", UNKNOWN, "h1")
    );

    cloud.compute.remove_stray(stray).await.unwrap();
    until("the stray is gone", || cloud.far.machines().len() == 1).await;
    assert_eq!(cloud.compute.audit().await.unwrap(), []);
    let mine = contracts::audit::Finding { id: id.clone(), ..stray.clone() };
    assert!(cloud.compute.remove_stray(&mine).await.is_err(), "what is known is deleted, not removed");
    cloud.until(&id, "ACTIVE").await;
}

#[tokio::test]
async fn a_machine_of_a_deleted_server_that_is_found_again_goes() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    cloud.member().delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    cloud.until_gone(&id).await;
    // As a host does that was put back to yesterday.
    cloud.far.put_machine("h1", &id, 1);
    cloud.far.bring_back("h1");
    until("the machine is gone", || cloud.far.machines().is_empty()).await;
    // What the node has given up is not said any more, once its report has been taken down.
    let named = async {
        while !cloud.released(&node_id("h1")).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), named).await.expect("the name is forgotten");
    cloud.assert_clean().await;
}

#[tokio::test]
async fn what_is_wanted_after_the_tables_were_put_back_reaches_a_host_that_heard_more() {
    let cloud = Cloud::with_hosts(&["h1"]).await;
    let id = cloud.create("web").await;
    cloud.until(&id, "ACTIVE").await;
    // The host was told of changes that the tables do not know any more.
    cloud.far.put_machine("h1", &id, 40);
    let report = contracts::node::MachineObserved {
        server_id: id.as_str().into(),
        generation: types::Generation(40),
        reboots: 2,
        state: contracts::node::MachineState::Running,
        snapshot: None,
        devices: vec![],
    };
    cloud.far.report(&node_id("h1"), report).await;
    let machine = cloud.wanted(&node_id("h1")).await.remove(0);
    assert!(machine.generation.0 > 40 && machine.reboots == 2, "{:?}, {}", machine.generation, machine.reboots);
    cloud.member().post(&format!("/compute/v2.1/servers/{id}/action"), json!({"os-stop": null})).await.expect(202);
    cloud.until(&id, "SHUTOFF").await;
}
