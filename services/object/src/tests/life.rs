// SPDX-License-Identifier: Apache-2.0
//! From nothing to objects and back.

use super::*;

#[tokio::test]
async fn an_account_counts_what_is_in_it() {
    let it = start().await;
    let talk = it.member();
    let said = talk.send("HEAD", ACCOUNT, Vec::new()).await;
    assert_eq!((said.status.as_u16(), header(&said, "x-account-bytes-used")), (204, "0"));
    container(&talk, "c").await;
    assert_eq!(talk.send("PUT", &format!("{ACCOUNT}/c"), Vec::new()).await.status, 202);
    for (name, data) in [("small", b"hello".to_vec()), ("large", large(1))] {
        let said = put(&talk, &format!("c/{name}"), data.clone()).await;
        assert_eq!(said.status, 201, "{}", said.body);
        let said = get(&talk, &format!("c/{name}")).await;
        assert_eq!(said.body.as_str().unwrap().as_bytes(), data);
        assert_eq!(header(&said, "content-length"), data.len().to_string());
    }
    put(&talk, "c/small", b"hello again".to_vec()).await.expect(201);
    let said = talk.send("HEAD", ACCOUNT, Vec::new()).await;
    assert_eq!(header(&said, "x-account-bytes-used"), "100011");
    assert_eq!(header(&said, "x-account-object-count"), "2");
    let said = talk.send("HEAD", &format!("{ACCOUNT}/c"), Vec::new()).await;
    assert_eq!((header(&said, "x-container-object-count"), header(&said, "x-container-bytes-used")), ("2", "100011"));
    talk.delete(&format!("{ACCOUNT}/c")).await.expect(409);
    for name in ["small", "large"] {
        talk.delete(&format!("{ACCOUNT}/c/{name}")).await.expect(204);
        talk.delete(&format!("{ACCOUNT}/c/{name}")).await.expect(404);
    }
    talk.delete(&format!("{ACCOUNT}/c")).await.expect(204);
    let said = talk.send("HEAD", ACCOUNT, Vec::new()).await;
    assert_eq!((header(&said, "x-account-bytes-used"), header(&said, "x-account-container-count")), ("0", "0"));
    it.work_until_nothing_is_left().await;
    it.is_sound().await;
}

#[tokio::test]
async fn metadata_is_kept_and_changed_as_swift_does() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    let path = format!("{ACCOUNT}/c");
    talk.header("x-container-meta-colour", "rot")
        .header("x-container-meta-b", "1")
        .send("POST", &path, Vec::new())
        .await
        .expect(204);
    talk.header("x-remove-container-meta-b", "x").send("POST", &path, Vec::new()).await.expect(204);
    let said = talk.send("HEAD", &path, Vec::new()).await;
    assert_eq!((header(&said, "x-container-meta-colour"), header(&said, "x-container-meta-b")), ("rot", ""));

    let with = talk.header("x-object-meta-a", "é").header("content-type", "text/x").header("content-encoding", "gzip");
    put(&with, "c/o", b"x".to_vec()).await.expect(201);
    let said = get(&talk, "c/o").await;
    assert_eq!(header(&said, "x-object-meta-a"), "é");
    assert_eq!((header(&said, "content-type"), header(&said, "content-encoding")), ("text/x", "gzip"));
    assert_eq!(header(&said, "etag"), "9dd4e461268c8034f5c8564e155c67a6");
    // A change replaces all of it, the type of the content aside.
    talk.header("x-object-meta-b", "2").send("POST", &format!("{path}/o"), Vec::new()).await.expect(202);
    let said = get(&talk, "c/o").await;
    assert_eq!((header(&said, "x-object-meta-a"), header(&said, "x-object-meta-b")), ("", "2"));
    assert_eq!((header(&said, "content-type"), header(&said, "content-encoding")), ("text/x", ""));
}

#[tokio::test]
async fn what_is_due_is_not_there_and_then_goes() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    container(&talk, "d").await;
    put(&talk.header("x-delete-after", "1"), "c/o", large(3)).await.expect(201);
    get(&talk, "c/o").await.expect(200);
    let past = types::Timestamp::now().seconds() - 1;
    put(&talk.header("x-delete-at", &past.to_string()), "c/p", b"x".to_vec()).await.expect(400);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    get(&talk, "c/o").await.expect(404);
    assert_eq!(get(&talk, "c").await.status, 204);
    put(&talk.header("x-delete-after", "1"), "d/o", large(3)).await.expect(201);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    talk.delete(&format!("{ACCOUNT}/d")).await.expect(204);
    it.work_until_nothing_is_left().await;
    let said = talk.send("HEAD", &format!("{ACCOUNT}/c"), Vec::new()).await;
    assert_eq!(header(&said, "x-container-object-count"), "0");
    it.is_sound().await;
}

#[tokio::test]
async fn names_are_data_whatever_they_are() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "..%2e").await;
    let long = "n".repeat(1024);
    for name in ["../../x", "%2e%2e/%2e%2e/x", "a//b/", "%E2%82%AC%20%22%3C%27", "x;rm%20-rf", "%0d%0aSet-Cookie:x", &long] {
        let said = put(&talk, &format!("..%2e/{name}"), name.as_bytes().to_vec()).await;
        assert_eq!(said.status, 201, "{name}: {}", said.body);
        let said = get(&talk, &format!("..%2e/{name}")).await;
        assert_eq!((said.status.as_u16(), said.body.as_str().unwrap()), (200, name));
    }
    let objects = it.world.folder.path().join("objects");
    let files: Vec<_> = std::fs::read_dir(objects).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(files.iter().all(|file| !file.to_string_lossy().contains('x')), "{files:?}");
    put(&talk, "..%2e/%00", b"x".to_vec()).await.expect(412);
    put(&talk, "..%2e/%ff", b"x".to_vec()).await.expect(412);
    put(&talk, &format!("..%2e/{long}n"), b"x".to_vec()).await.expect(400);
}
