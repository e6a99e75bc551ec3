// SPDX-License-Identifier: Apache-2.0
//! Lists: pages, filters, what belongs in them.

use serde_json::json;

use super::{create, start, upload};

#[tokio::test]
async fn pages_follow_each_other() {
    let it = start().await;
    let (world, talk) = (&it.world, it.member());
    for _ in 0..5 {
        create(&talk, "raw").await;
    }
    let mut seen = Vec::new();
    let mut path = "/image/v2/images?limit=2&sort=name:asc,created_at:desc".to_owned();
    loop {
        let page = talk.get(&path).await.expect(200);
        seen.extend(page["images"].as_array().unwrap().iter().map(|image| image["id"].to_string()));
        match page["next"].as_str() {
            Some(next) => path = format!("/image{next}"),
            None => break,
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    let before = world.store.statements();
    talk.get("/image/v2/images").await.expect(200);
    assert_eq!(world.store.statements() - before, 1);
    talk.get("/image/v2/images?marker=nothing").await.expect(400);
    talk.get("/image/v2/images?limit=-1").await.expect(400);
    talk.get("/image/v2/images?sort_key=secret").await.expect(400);
    talk.get("/image/v2/images?visibility=odd").await.expect(400);
}

#[tokio::test]
async fn filters_keep_what_they_say() {
    let it = start().await;
    let talk = it.member();
    let small = create(&talk, "raw").await;
    let large = create(&talk, "qcow2").await;
    let named = json!({"name": "a,b", "min_ram": 64, "os_distro": "debian", "tags": ["red"], "os_hidden": true});
    talk.post("/image/v2/images", named).await.expect(201);
    upload(&talk, &small, vec![1; 600]).await.expect(204);
    let count = async |query: &str| {
        let page = talk.get(&format!("/image/v2/images?{query}")).await.expect(200);
        page["images"].as_array().unwrap().len()
    };
    for (query, expected) in [
        ("", 2),
        ("os_hidden=true", 1),
        ("os_hidden=true&os_distro=debian", 1),
        ("os_hidden=true&os_distro=arch", 0),
        ("os_hidden=true&tag=red&name=in:%22a,b%22", 1),
        ("status=active", 1),
        // The last of several values counts.
        ("status=queued&status=active", 1),
        ("size=1&size=600", 1),
        ("status=in:active,queued", 2),
        ("disk_format=qcow2", 1),
        ("disk_format=in:qcow2,raw", 2),
        ("size_min=600", 1),
        ("size_min=601", 0),
        ("size_max=600", 1),
        ("size=600", 1),
        ("created_at=gt:2000-01-01T00:00:00Z", 2),
        ("created_at=lt:2000-01-01T00:00:00Z", 0),
        ("visibility=shared", 2),
        ("visibility=private", 0),
        ("protected=true", 0),
        ("store=file", 1),
        ("store=slow", 0),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    assert_eq!(count(&format!("id=in:{small},{large}")).await, 2);
    for bad in ["size_min=-1", "created_at=gt:yesterday", "protected=perhaps", "member_status=odd", "os_hidden=odd"] {
        talk.get(&format!("/image/v2/images?{bad}")).await.expect(400);
    }
}
