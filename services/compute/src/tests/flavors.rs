// SPDX-License-Identifier: Apache-2.0
//! Flavors and keypairs.

use serde_json::{Value, json};

use super::Cloud;

fn flavor(name: &str) -> Value {
    json!({"flavor": {"name": name, "ram": 1024, "vcpus": 2, "disk": 10, "id": "42"}})
}

#[tokio::test]
async fn the_operator_makes_flavors_and_tenants_use_them() {
    let cloud = Cloud::asleep(&[]).await;
    let (admin, member) = (cloud.admin(), cloud.member());
    member.post("/compute/v2.1/flavors", flavor("big")).await.expect(403);
    let made = admin.post("/compute/v2.1/flavors", flavor("big")).await.expect(200);
    assert_eq!((&made["flavor"]["id"], &made["flavor"]["swap"]), (&json!("42"), &json!(0)));
    admin.post("/compute/v2.1/flavors", flavor("big")).await.expect(409);
    admin.post("/compute/v2.1/flavors", json!({"flavor": {"name": "big", "ram": 1, "vcpus": 1, "disk": 0}})).await.expect(409);
    for bad in [
        json!({"flavor": {"name": "x", "ram": 0, "vcpus": 1, "disk": 0}}),
        json!({"flavor": {"name": "x", "ram": 1, "vcpus": -1, "disk": 0}}),
        json!({"flavor": {"name": "x", "ram": 1, "vcpus": 1}}),
        json!({"flavor": {"name": "x", "ram": 1, "vcpus": 1, "disk": 0, "id": "a/b"}}),
        json!({"flavor": {"name": "x", "ram": 1, "vcpus": 1, "disk": 0, "rxtx_factor": 0}}),
        json!({"flavor": {"name": "x", "ram": 4_294_967_296_i64, "vcpus": 1, "disk": 0}}),
    ] {
        admin.post("/compute/v2.1/flavors", bad).await.expect(400);
    }
    member.get("/compute/v2.1/flavors/42").await.expect(200);
    let list = member.get("/compute/v2.1/flavors/detail?minRam=1024&sort_key=memory_mb").await.expect(200);
    let names: Vec<_> = list["flavors"].as_array().unwrap().iter().map(|flavor| flavor["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["big", "m1.small", "m1.medium", "m1.large"]);
    member.get("/compute/v2.1/flavors?minRam=lots").await.expect(400);
    member.get("/compute/v2.1/flavors?marker=nope").await.expect(400);

    let page = member.get("/compute/v2.1/flavors?limit=2").await.expect(200);
    assert_eq!(page["flavors_links"][0]["rel"], "next");

    let specs = "/compute/v2.1/flavors/42/os-extra_specs";
    admin.post(specs, json!({"extra_specs": {"hw:cpu_policy": "shared"}})).await.expect(200);
    admin.post(specs, json!({"extra_specs": {"hw:cpu_policy": "wild"}})).await.expect(400);
    admin.put(&format!("{specs}/a"), json!({"a": "b"})).await.expect(200);
    admin.put(&format!("{specs}/a"), json!({"c": "b"})).await.expect(400);
    assert_eq!(member.get(&format!("{specs}/a")).await.expect(200), json!({"a": "b"}));
    admin.delete(&format!("{specs}/a")).await.expect(200);
    admin.delete(&format!("{specs}/a")).await.expect(404);
    let shown = member.get("/compute/v2.1/flavors/42").await.expect(200);
    assert_eq!(shown["flavor"]["extra_specs"], json!({"hw:cpu_policy": "shared"}));
    admin.put("/compute/v2.1/flavors/42", json!({"flavor": {"description": "for shops"}})).await.expect(200);
    admin.delete("/compute/v2.1/flavors/42").await.expect(202);
    admin.delete("/compute/v2.1/flavors/42").await.expect(404);
}

#[tokio::test]
async fn a_private_flavor_is_for_those_who_have_access() {
    let cloud = Cloud::asleep(&[]).await;
    let (admin, member) = (cloud.admin(), cloud.member());
    let mut body = flavor("secret");
    body["flavor"]["os-flavor-access:is_public"] = json!(false);
    admin.post("/compute/v2.1/flavors", body).await.expect(200);
    member.get("/compute/v2.1/flavors/42").await.expect(404);
    admin.get("/compute/v2.1/flavors/42").await.expect(200);
    let action = "/compute/v2.1/flavors/42/action";
    admin.post(action, json!({"addTenantAccess": {"tenant": "p1"}})).await.expect(200);
    admin.post(action, json!({"addTenantAccess": {"tenant": "p1"}})).await.expect(409);
    member.get("/compute/v2.1/flavors/42").await.expect(200);
    assert_eq!(member.get("/compute/v2.1/flavors").await.expect(200)["flavors"].as_array().unwrap().len(), 7);
    assert_eq!(
        cloud.talk.as_("member@p2").get("/compute/v2.1/flavors").await.expect(200)["flavors"].as_array().unwrap().len(),
        6
    );
    let access = admin.get("/compute/v2.1/flavors/42/os-flavor-access").await.expect(200);
    assert_eq!(access["flavor_access"], json!([{"flavor_id": "42", "tenant_id": "p1"}]));
    admin.post(action, json!({"removeTenantAccess": {"tenant": "p1"}})).await.expect(200);
    admin.post(action, json!({"removeTenantAccess": {"tenant": "p1"}})).await.expect(404);
    member.get("/compute/v2.1/flavors/42").await.expect(404);
    let list = admin.get("/compute/v2.1/flavors?is_public=none").await.expect(200);
    assert_eq!(list["flavors"].as_array().unwrap().len(), 7);
    let list = admin.get("/compute/v2.1/flavors?is_public=false").await.expect(200);
    assert_eq!(list["flavors"].as_array().unwrap().len(), 1);
}

pub(super) const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJ9bxqUoKzGEHBZzFDrTzPwLSSpKTu4Nq8YMYgHYYtd a@b";

#[tokio::test]
async fn keypairs_belong_to_their_user() {
    let cloud = Cloud::asleep(&[]).await;
    let member = cloud.member();
    let path = "/compute/v2.1/os-keypairs";
    let made = member.post(path, json!({"keypair": {"name": "k", "public_key": KEY, "type": "ssh"}})).await.expect(201);
    assert_eq!((&made["keypair"]["type"], &made["keypair"]["user_id"]), (&json!("ssh"), &json!("user-of-p1")));
    member.post(path, json!({"keypair": {"name": "k", "public_key": KEY}})).await.expect(409);
    member.post(path, json!({"keypair": {"name": "l", "public_key": "ssh-rsa nonsense"}})).await.expect(400);
    member.post(path, json!({"keypair": {"name": "l"}})).await.expect(400);
    member.post(path, json!({"keypair": {"name": "a/b", "public_key": KEY}})).await.expect(400);
    member.post(path, json!({"keypair": {"name": "x", "public_key": KEY, "user_id": "another"}})).await.expect(403);
    // Another project of the same user sees it; another user does not.
    cloud.talk.as_("member@p2/user-of-p1").get(&format!("{path}/k")).await.expect(200);
    cloud.talk.as_("member@p1/other").get(&format!("{path}/k")).await.expect(404);
    cloud.admin().get(&format!("{path}/k?user_id=user-of-p1")).await.expect(200);
    cloud.talk.as_("member@p1/other").get(&format!("{path}/k?user_id=user-of-p1")).await.expect(403);
    let list = member.get(&format!("{path}?limit=1")).await.expect(200);
    assert_eq!(list["keypairs"][0]["keypair"]["name"], "k");
    assert_eq!(list["keypairs_links"][0]["rel"], "next");

    // Before 2.92 the cloud makes keys, and before 2.2 it answered 200.
    let old = member.version("compute 2.1");
    let made = old.post(path, json!({"keypair": {"name": "made"}})).await.expect(200);
    assert!(made["keypair"]["private_key"].as_str().unwrap().contains("OPENSSH PRIVATE KEY"));
    assert!(made["keypair"].get("type").is_none());
    let shown = old.get(&format!("{path}/made")).await.expect(200);
    assert!(shown["keypair"].get("private_key").is_none(), "the private half is told once");
    old.delete(&format!("{path}/made")).await.expect(202);
    member.delete(&format!("{path}/k")).await.expect(204);
    member.delete(&format!("{path}/k")).await.expect(404);
}
