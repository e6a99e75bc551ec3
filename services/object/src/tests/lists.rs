// SPDX-License-Identifier: Apache-2.0
//! Lists as they are sent.

use super::*;

#[tokio::test]
async fn lists_come_in_three_forms() {
    let it = start().await;
    let talk = it.member();
    assert_eq!(talk.get(ACCOUNT).await.status, 204);
    assert_eq!(talk.get(&format!("{ACCOUNT}?format=json")).await.expect(200), serde_json::json!([]));
    for name in ["c", "d"] {
        container(&talk, name).await;
    }
    for name in ["a%261", "b/1", "b/2"] {
        put(&talk, &format!("c/{name}"), b"x".to_vec()).await.expect(201);
    }
    assert_eq!(talk.get(ACCOUNT).await.expect(200), "c\nd\n");
    assert_eq!(get(&talk, "c").await.expect(200), "a&1\nb/1\nb/2\n");
    assert_eq!(get(&talk, "c?delimiter=/").await.expect(200), "a&1\nb/\n");
    assert_eq!(get(&talk, "c?delimiter=/&reverse=true&limit=1").await.expect(200), "b/\n");
    assert_eq!(get(&talk, "c?prefix=b/&marker=b/1").await.expect(200), "b/2\n");
    assert_eq!(get(&talk, "c?path=b").await.expect(200), "b/1\nb/2\n");
    let json = get(&talk.header("accept", "application/json"), "c?delimiter=/").await.expect(200);
    assert_eq!(json[1], serde_json::json!({"subdir": "b/"}));
    assert_eq!((&json[0]["name"], &json[0]["bytes"]), (&"a&1".into(), &1.into()));
    let xml = get(&talk, "c?format=xml&delimiter=/").await.expect(200);
    let xml = xml.as_str().unwrap();
    assert!(
        xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<container name=\"c\"><object><name>a&amp;1</name>"),
        "{xml}"
    );
    assert!(xml.ends_with("<subdir name=\"b/\"><name>b/</name></subdir></container>"), "{xml}");
}

#[tokio::test]
async fn a_page_costs_as_few_statements_however_much_there_is() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    let mut costs = Vec::new();
    for more in [20, 200] {
        for i in 0..more {
            put(&talk, &format!("c/{more}-{i:04}"), b"x".to_vec()).await.expect(201);
        }
        let before = it.world.store.statements();
        get(&talk, "c?limit=10&format=json").await.expect(200);
        costs.push(it.world.store.statements() - before);
    }
    assert_eq!(costs[0], costs[1]);
}
