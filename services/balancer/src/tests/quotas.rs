// SPDX-License-Identifier: Apache-2.0
//! What projects may have.

use serde_json::json;

use super::{Cloud, SUBNET, path};

#[tokio::test]
async fn racing_creates_of_load_balancers_stay_within_the_quota() {
    let cloud = Cloud::asleep().await;
    let admin = cloud.talk.as_("admin@admin");
    let set = admin.put(&path("quotas/p1"), json!({"quota": {"loadbalancer": 3, "l7policy": 5}})).await.expect(202);
    assert_eq!((&set["quota"]["loadbalancer"], &set["quota"]["load_balancer"]), (&json!(3), &json!(3)));
    let ask = || async { cloud.member().post(&path("loadbalancers"), json!({"loadbalancer": {"vip_subnet_id": SUBNET}})).await };
    let said = futures_util::future::join_all((0..8).map(|_| ask())).await;
    let made = said.iter().filter(|said| said.status == 201).count();
    assert_eq!(made, 3);
    let refused = said.into_iter().find(|said| said.status != 201).unwrap().expect(403);
    assert_eq!(
        refused,
        json!({"faultcode": "Client", "faultstring": "Quota has been met for resources: Load Balancer", "debuginfo": null})
    );
    let listed = admin.get(&path("quotas")).await.expect(200);
    assert_eq!((&listed["quotas"][0]["project_id"], listed["quotas"].as_array().unwrap().len()), (&json!("p1"), 1));
    admin.delete(&path("quotas/p1")).await.expect(204);
    let standing = admin.get(&path("quotas/defaults")).await.expect(200);
    assert_eq!(cloud.member().get(&path("quotas/p1")).await.expect(200), standing);
}
