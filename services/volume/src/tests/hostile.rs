// SPDX-License-Identifier: Apache-2.0
//! What tenants send who mean no good.

use serde_json::{Value, json};

use super::Cloud;

#[tokio::test]
async fn names_are_data() {
    let cloud = Cloud::new().await;
    for name in
        ["'; DROP TABLE volumes; --", "../../etc/passwd", "a\nb\r\nX-Evil: 1", "%s%n", "\u{202e}gnp", "{\"a\":\"b\"}", "💾"]
    {
        let id = cloud.begin(json!({"size": 1, "name": name, "metadata": {name.replace(['\n', '\r'], ""): name}})).await;
        let shown = cloud.until(&id, "available").await;
        assert_eq!(shown["name"], name);
        let query: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let listed = cloud.member().get(&format!("/volume/v3/volumes?name={query}")).await.expect(200);
        assert_eq!(listed["volumes"].as_array().unwrap().len(), 1, "{name}");
        cloud.member().delete(&format!("/volume/v3/volumes/{id}")).await.expect(202);
        cloud.until(&id, "gone").await;
    }
}

#[tokio::test]
async fn wrong_bodies_are_refused_with_a_sentence() {
    let cloud = Cloud::new().await;
    let many: serde_json::Map<String, Value> = (0..129).map(|number| (number.to_string(), json!("x"))).collect();
    for ask in [
        json!({}),
        json!({"size": 0}),
        json!({"size": -1}),
        json!({"size": "#$%"}),
        json!({"size": 1u64 << 40}),
        json!({"size": 1, "name": "x".repeat(256)}),
        json!({"size": 1, "metadata": {"k": 1}}),
        json!({"size": 1, "metadata": {"k": "v".repeat(256)}}),
        json!({"size": 1, "metadata": many}),
        json!({"size": 1, "snapshot_id": "no uuid"}),
        json!({"size": 1, "multiattach": true}),
        json!({"size": 1, "what": "ever"}),
        json!({"size": 1, "availability_zone": "mars"}),
    ] {
        let said = cloud.member().post("/volume/v3/volumes", json!({"volume": ask})).await;
        let body = said.expect(400);
        assert!(body["badRequest"]["message"].as_str().unwrap().len() > 20, "{ask}: {body}");
    }
    for path in ["volumes?limit=-1", "volumes?limit=x", "volumes?offset=-1", "volumes?sort=nothing", "volumes?metadata={"] {
        cloud.member().get(&format!("/volume/v3/{path}")).await.expect(400);
    }
}

#[tokio::test]
async fn a_path_that_names_another_project_is_refused() {
    let cloud = Cloud::new().await;
    let talk = cloud.talk.as_("member@0123456789abcdef0123456789abcdef");
    let own = "/volume/v3/0123456789abcdef0123456789abcdef/volumes";
    talk.get(own).await.expect(200);
    talk.get("/volume/v3/fedcba9876543210fedcba9876543210/volumes").await.expect(400);
    let id = talk.post(own, json!({"volume": {"size": 1}})).await.expect(202)["volume"]["id"].as_str().unwrap().to_owned();
    let shown = talk.get(&format!("{own}/{id}")).await.expect(200);
    let link = shown["volume"]["links"][0]["href"].as_str().unwrap();
    assert_eq!(link, format!("http://cloud.test{own}/{id}"));
}
