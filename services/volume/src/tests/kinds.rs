// SPDX-License-Identifier: Apache-2.0
//! Types of volumes: what they ask for, and how a volume becomes one of another.

use serde_json::{Value, json};

use super::{Cloud, id_of};

async fn make(cloud: &Cloud, ask: Value) -> String {
    id_of(&cloud.admin().post("/volume/v3/types", json!({"volume_type": ask})).await.expect(200)["volume_type"])
}

#[tokio::test]
async fn a_volume_becomes_one_of_another_type_within_the_quota() {
    let cloud = Cloud::new().await;
    let slow = make(&cloud, json!({"name": "slow"})).await;
    let id = cloud.volume(2).await;
    let snapshot = cloud.snapshot(&id).await;
    cloud.act(&id, json!({"os-retype": {"new_type": "nothing"}})).await.expect(404);
    cloud.act(&id, json!({"os-retype": {"new_type": "__DEFAULT__"}})).await.expect(400);
    cloud.act(&id, json!({"os-retype": {"new_type": "slow", "migration_policy": "always"}})).await.expect(400);
    cloud
        .talk
        .as_("reader@p1")
        .post(&format!("/volume/v3/volumes/{id}/action"), json!({"os-retype": {"new_type": "slow"}}))
        .await
        .expect(403);
    let quota = async |most: i64| {
        let set = json!({"quota_set": {"gigabytes_slow": most, "gigabytes": 4}});
        cloud.admin().put("/volume/v3/os-quota-sets/p1", set).await.expect(200);
    };
    quota(3).await;
    cloud.act(&id, json!({"os-retype": {"new_type": "slow"}})).await.expect(413);
    // What it takes of all types together stays the same.
    quota(4).await;
    cloud.act(&id, json!({"os-retype": {"new_type": slow, "migration_policy": "on-demand"}})).await.expect(202);
    assert_eq!(cloud.show(&id).await["volume_type"], "slow");
    let used = cloud.admin().get("/volume/v3/os-quota-sets/p1?usage=true").await.expect(200)["quota_set"].clone();
    assert_eq!((&used["gigabytes_slow"]["in_use"], &used["snapshots_slow"]["in_use"]), (&json!(4), &json!(1)));
    assert_eq!(used["gigabytes___DEFAULT__"]["in_use"], 0);
    cloud.member().get(&format!("/volume/v3/snapshots/{snapshot}")).await.expect(200);
}

#[tokio::test]
async fn what_a_type_asks_for_a_host_must_have() {
    let cloud = Cloud::new().await;
    make(
        &cloud,
        json!({"name": "ours", "extra_specs": {
        "volume_backend_name": "disks", "capabilities:thin_provisioning_support": "<is> True", "other:thing": "noted"}}),
    )
    .await;
    make(&cloud, json!({"name": "theirs", "extra_specs": {"vendor_name": "somebody"}})).await;
    let id = cloud.begin(json!({"size": 1, "volume_type": "ours"})).await;
    cloud.until(&id, "available").await;
    let id = cloud.begin(json!({"size": 1, "volume_type": "theirs"})).await;
    cloud.until(&id, "error").await;
    let said = cloud.member().get(&format!("/volume/v3/messages?resource_uuid={id}")).await.expect(200);
    assert!(said["messages"][0]["user_message"].as_str().unwrap().contains("type of this volume"), "{said}");
}

#[tokio::test]
async fn no_type_is_believed_to_encrypt() {
    let cloud = Cloud::new().await;
    let kind = make(&cloud, json!({"name": "safe"})).await;
    let path = format!("/volume/v3/types/{kind}/encryption");
    let ask = json!({"encryption": {"provider": "luks", "control_location": "front-end"}});
    let said = cloud.admin().post(&path, ask.clone()).await.expect(400);
    assert!(said["badRequest"]["message"].as_str().unwrap().contains("not encrypted"), "{said}");
    cloud.admin().post("/volume/v3/types/none/encryption", ask.clone()).await.expect(404);
    cloud.member().post(&path, ask).await.expect(403);
    assert_eq!(cloud.admin().get(&path).await.expect(200), json!({}));
    cloud.admin().delete(&format!("{path}/provider")).await.expect(404);
}
