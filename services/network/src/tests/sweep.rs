// SPDX-License-Identifier: Apache-2.0
//! How a difference between OVN and the tables is found: where OVN tells that somebody changed something, and where nobody does.

use contracts::audit::Audit;
use ovn::ovsdb::Touched;
use serde_json::json;

use super::fixture::{Cloud, create, id, path, until};
use crate::northbound::Sweep;

/// Hears what was touched until it is this.
async fn until_touched(touched: &ovn::ovsdb::Follower, key: &str) {
    let expected = Touched::These([key.to_owned()].into());
    tokio::time::timeout_at(super::fixture::soon(), touched.changed()).await.expect("somebody touched something");
    assert_eq!(touched.take(), expected);
}

#[tokio::test]
async fn only_what_others_change_is_looked_at_and_put_right() {
    let cloud = Cloud::live().await;
    let room = &cloud.network.room;
    let touched = room.northbound.follow_drift();
    assert_eq!(touched.take(), Touched::All, "the first look is at everything");
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let member = cloud.member();
    let port = id(&create(&member, "ports", "port", json!({"network_id": network})).await);
    let gone = id(&create(&member, "ports", "port", json!({"network_id": network})).await);
    member.delete(&path(&format!("ports/{gone}"))).await.expect(204);
    cloud.settled().await;
    // That a host plugged it is OVN's own to say.
    cloud.nbctl(&["set", "Logical_Switch_Port", &port, "up=true"]);
    until("the port to be up", async || super::fixture::show(&member, "ports", "port", &port).await["status"] == "ACTIVE").await;
    assert_eq!(touched.take(), Touched::These([].into()), "what we write ourselves is no news");

    let mut sweep = Sweep::new(room.clone());
    let key = format!("port/{port}");
    let row = ["Logical_Switch_Port", port.as_str()];
    let addresses = cloud.nbctl(&["get", row[0], row[1], "addresses"]);
    let drop_group = format!("drop_{}", network.replace('-', "_"));
    for damage in [
        vec!["lsp-set-addresses", &port, "unknown"],
        vec!["lsp-del", &port],
        vec!["clear", "Port_Group", &drop_group, "ports"],
        vec!["remove", row[0], row[1], "external_ids", "ferrostack\\:key"],
    ] {
        cloud.nbctl(&damage);
        until_touched(&touched, &key).await;
        assert_eq!(sweep.heed(Touched::These([key.clone()].into())).await.unwrap(), 1, "{damage:?}");
        assert_eq!(cloud.nbctl(&["get", row[0], row[1], "addresses"]), addresses, "{damage:?}");
        assert!(cloud.network.audit().await.unwrap().is_empty(), "{damage:?}");
        touched.take();
    }
}

#[tokio::test]
async fn what_others_change_does_not_last() {
    let cloud = Cloud::whole().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let port = id(&create(&cloud.member(), "ports", "port", json!({"network_id": network})).await);
    cloud.settled().await;
    cloud.nbctl(&["lsp-set-addresses", &port, "unknown"]);
    let is_right = async || !cloud.nbctl(&["get", "Logical_Switch_Port", &port, "addresses"]).contains("unknown");
    until("the addresses to be put right", is_right).await;
}

/// OVN tells nothing of it, for there it is as it was written.
#[tokio::test]
async fn a_difference_that_nobody_tells_is_found_by_the_slow_look() {
    let cloud = Cloud::quiet().await;
    let room = &cloud.network.room;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let port = id(&create(&cloud.member(), "ports", "port", json!({"network_id": network})).await);
    room.converge(&format!("port/{port}")).await.unwrap();
    let (sql, values) = ("UPDATE ports SET admin_state_up = 0 WHERE id = $1", store::params![port.as_str()]);
    room.store.write(move |tx| tx.execute(sql, &values)).await.unwrap();
    let mut sweep = Sweep::new(room.clone());
    let mut steps = 0;
    while !sweep.step().await.unwrap() {
        steps += 1;
    }
    assert_eq!(steps, 1, "so few keys are seen in one step");
    assert_eq!(cloud.nbctl(&["get", "Logical_Switch_Port", &port, "enabled"]), "false");
}

/// Whatever somebody did while we were not connected is known when we are again.
#[tokio::test]
async fn what_others_changed_while_ovn_was_out_of_reach_is_looked_at() {
    let mut cloud = Cloud::live().await;
    let (network, _) = cloud.network("10.0.0.0/24").await;
    let port = id(&create(&cloud.member(), "ports", "port", json!({"network_id": network})).await);
    cloud.settled().await;
    let touched = cloud.network.room.northbound.follow_drift();
    touched.take();
    cloud.north.pause();
    until("the loss to be noticed", async || !cloud.network.room.northbound.client().is_current()).await;
    cloud.north.resume();
    cloud.nbctl(&["lsp-set-addresses", &port, "unknown"]);
    until_touched(&touched, &format!("port/{port}")).await;
}
