// SPDX-License-Identifier: Apache-2.0
//! Our answers, key by key, beside the examples of Swift's API reference.

use std::collections::BTreeSet;

use super::*;

fn keys(document: &serde_json::Value) -> BTreeSet<&str> {
    document.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn answers_have_the_keys_of_swifts_examples() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "marktwain").await;
    put(&talk, "marktwain/goodbye", b"Goodbye World!".to_vec()).await.expect(201);
    let containers = talk.get(&format!("{ACCOUNT}?format=json")).await.expect(200);
    assert_eq!(keys(&containers[0]), BTreeSet::from(["count", "bytes", "name", "last_modified"]));
    let objects = get(&talk, "marktwain?format=json").await.expect(200);
    assert_eq!(keys(&objects[0]), BTreeSet::from(["hash", "last_modified", "bytes", "name", "content_type"]));
    assert_eq!(objects[0]["hash"], "451e372e48e0f6b1114fa0724aa79fa1");
    assert_eq!(objects[0]["last_modified"].as_str().unwrap().len(), "2014-01-15T16:41:49.390270".len());
    let info = it.talk.get("/object-store/info").await.expect(200);
    assert!(keys(&info).is_superset(&BTreeSet::from(["swift", "slo", "tempurl"])));
    assert!(keys(&info["swift"]).contains("version"));
    let slo = BTreeSet::from(["max_manifest_segments", "max_manifest_size", "min_segment_size"]);
    assert_eq!(keys(&info["slo"]), slo);
    assert_eq!(it.talk.get("/object-store/healthcheck").await.expect(200), "OK");
}
