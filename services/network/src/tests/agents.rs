// SPDX-License-Identifier: Apache-2.0
//! The hosts as OVN knows them, with the translator between the two databases running.

use super::fixture::{Cloud, path, until};

#[tokio::test]
async fn a_host_that_answers_no_more_is_not_alive() {
    let mut cloud = Cloud::live().await;
    cloud.start_northd();
    cloud.add_chassis("hv1", "physnet1:br-ex");
    cloud.add_chassis("hv2", "");
    for host in ["hv1", "hv2"] {
        cloud.south.run("ovn-sbctl", &["create", "Chassis_Private", &format!("name={host}")]);
    }
    let asked = || cloud.south.run("ovn-sbctl", &["--bare", "--columns=nb_cfg", "list", "SB_Global"]);
    until("the hosts to be asked by the clock", async || asked() == "1").await;
    assert_eq!(alive(&cloud).await, [true, true], "both may still answer");

    for _ in 0..2 {
        cloud.network.room.northbound.ask_hypervisors().await.unwrap();
    }
    until("the questions to arrive", async || asked() == "3").await;
    cloud.south.run("ovn-sbctl", &["set", "Chassis_Private", "hv2", "nb_cfg=3", "nb_cfg_timestamp=1700000000000"]);
    until("the dead host to be noticed", async || alive(&cloud).await == [false, true]).await;
    let answered = cloud.admin().get(&path("agents?host=hv2.test")).await.expect(200);
    assert_eq!(answered["agents"][0]["heartbeat_timestamp"], "2023-11-14 22:13:20");
}

/// In the order of the hosts' names.
async fn alive(cloud: &Cloud) -> Vec<bool> {
    let agents = cloud.admin().get(&path("agents")).await.expect(200);
    agents["agents"].as_array().unwrap().iter().map(|agent| agent["alive"].as_bool().unwrap()).collect()
}
