// SPDX-License-Identifier: Apache-2.0
//! What objects were before.

use super::*;

async fn names(talk: &Talk, container: &str) -> Vec<String> {
    let listed = get(talk, &format!("{container}?format=json")).await.expect(200);
    listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

async fn with_history(talk: &Talk, header: &str) {
    container(talk, "old").await;
    talk.header(header, "old").send("PUT", &format!("{ACCOUNT}/c"), Vec::new()).await.expect(201);
    let said = talk.send("HEAD", &format!("{ACCOUNT}/c"), Vec::new()).await;
    assert_eq!(super::header(&said, header), "old");
}

#[tokio::test]
async fn what_is_replaced_or_removed_can_be_had_back() {
    let it = start().await;
    let talk = it.member();
    with_history(&talk, "x-versions-location").await;
    for seed in 1..=3 {
        put(&talk, "c/o", large(seed)).await.expect(201);
    }
    put(&talk, "c/oo", b"another".to_vec()).await.expect(201);
    let old = names(&talk, "old").await;
    assert!(old.len() == 2 && old.iter().all(|name| name.starts_with("001o/")), "{old:?}");
    for seed in [2, 1] {
        talk.delete(&format!("{ACCOUNT}/c/o")).await.expect(204);
        assert_eq!(get(&talk, "c/o").await.body.as_str().unwrap().as_bytes(), large(seed));
    }
    talk.delete(&format!("{ACCOUNT}/c/o")).await.expect(204);
    talk.delete(&format!("{ACCOUNT}/c/o")).await.expect(404);
    assert_eq!((names(&talk, "c").await, names(&talk, "old").await), (vec!["oo".to_owned()], vec![]));
    it.work_until_nothing_is_left().await;
    it.is_sound().await;
}

#[tokio::test]
async fn a_journal_keeps_what_was_removed_and_says_when() {
    let it = start().await;
    let talk = it.member();
    with_history(&talk, "x-history-location").await;
    put(&talk, "c/o", b"v1".to_vec()).await.expect(201);
    put(&talk, "c/o", b"v2".to_vec()).await.expect(201);
    talk.delete(&format!("{ACCOUNT}/c/o")).await.expect(204);
    talk.delete(&format!("{ACCOUNT}/c/o")).await.expect(404);
    let listed = get(&talk, "old?format=json").await.expect(200);
    let kinds: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["content_type"].as_str().unwrap()).collect();
    assert_eq!(kinds[2], "application/x-deleted;swift_versions_deleted=1");
    assert_eq!(kinds.len(), 3);
    // As a stack the mark goes first: what came after it is removed, and then what was before it is back.
    talk.header("x-versions-location", "old").send("POST", &format!("{ACCOUNT}/c"), Vec::new()).await.expect(204);
    put(&talk, "c/o", b"v3".to_vec()).await.expect(201);
    talk.delete(&format!("{ACCOUNT}/c/o")).await.expect(204);
    get(&talk, "c/o").await.expect(404);
    talk.delete(&format!("{ACCOUNT}/c/o")).await.expect(204);
    assert_eq!(get(&talk, "c/o").await.body.as_str().unwrap(), "v2");
    it.is_sound().await;
}

#[tokio::test]
async fn a_history_that_cannot_be_kept_refuses_what_would_be_lost() {
    let it = start().await;
    let talk = it.member();
    with_history(&talk, "x-versions-location").await;
    put(&talk, "c/o", b"v1".to_vec()).await.expect(201);
    talk.delete(&format!("{ACCOUNT}/old")).await.expect(204);
    put(&talk, "c/o", b"v2".to_vec()).await.expect(412);
    assert_eq!(get(&talk, "c/o").await.body.as_str().unwrap(), "v1");
    let both = talk.header("x-versions-location", "a").header("x-history-location", "b");
    both.send("POST", &format!("{ACCOUNT}/c"), Vec::new()).await.expect(400);
    talk.header("x-versions-location", "a%2Fb").send("POST", &format!("{ACCOUNT}/c"), Vec::new()).await.expect(412);
    talk.header("x-remove-versions-location", "x").send("POST", &format!("{ACCOUNT}/c"), Vec::new()).await.expect(204);
    put(&talk, "c/o", b"v2".to_vec()).await.expect(201);
    it.is_sound().await;
}

#[tokio::test]
async fn versions_count_and_stay_within_the_quota() {
    let it = start().await;
    let talk = it.member();
    with_history(&talk, "x-versions-location").await;
    talk.header("x-container-meta-quota-bytes", "250000").send("POST", &format!("{ACCOUNT}/old"), Vec::new()).await.expect(204);
    for seed in 1..=3 {
        put(&talk, "c/o", large(seed)).await.expect(201);
    }
    put(&talk, "c/o", large(4)).await.expect(413);
    assert_eq!(get(&talk, "c/o").await.body.as_str().unwrap().as_bytes(), large(3));
    let said = talk.send("HEAD", ACCOUNT, Vec::new()).await;
    assert_eq!(header(&said, "x-account-bytes-used"), "300000");
    it.is_sound().await;
}
