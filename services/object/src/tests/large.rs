// SPDX-License-Identifier: Apache-2.0
//! Objects that consist of others.

use serde_json::json;

use super::*;

async fn manifest(talk: &Talk, path: &str, list: serde_json::Value) -> Said {
    put(talk, &format!("{path}?multipart-manifest=put"), list.to_string().into_bytes()).await
}

#[tokio::test]
async fn a_manifest_is_read_as_one_object_in_whole_and_in_part() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    put(&talk, "c/1", large(1)).await.expect(201);
    put(&talk, "c/2", b"0123456789".to_vec()).await.expect(201);
    let bad = json!([{"path": "/c/1", "size_bytes": 1}, {"path": "/c/none"}, {"path": "c/2", "etag": "x"}]);
    let said = manifest(&talk, "c/big", bad).await;
    let said = said.expect(400);
    for why in ["Size Mismatch", "404 Not Found", "Etag Mismatch"] {
        assert!(said.as_str().unwrap().contains(why), "{said}");
    }
    let list = json!([{"path": "/c/1", "size_bytes": 100_000}, {"path": "/c/2", "range": "2-5"}]);
    let said = manifest(&talk, "c/big", list).await;
    assert_eq!(said.status, 201, "{}", said.body);
    let whole = [large(1), b"2345".to_vec()].concat();
    let said = get(&talk, "c/big").await;
    assert_eq!(said.body.as_str().unwrap().as_bytes(), whole);
    assert_eq!((header(&said, "x-static-large-object"), header(&said, "content-length")), ("True", "100004"));
    let said = get(&talk.header("range", "bytes=99998-100001"), "c/big").await;
    assert_eq!(said.body.as_str().unwrap().as_bytes(), &whole[99_998..100_002]);
    let list = get(&talk, "c/big?multipart-manifest=get").await.expect(200);
    assert_eq!((&list[1]["name"], &list[1]["range"]), (&json!("/c/2"), &json!("2-5")));
    let raw = get(&talk, "c/big?multipart-manifest=get&format=raw").await.expect(200);
    assert_eq!(raw[0]["path"], "/c/1");
    // Manifests may name manifests; and a segment that is another now is not passed off as what it was.
    manifest(&talk, "c/bigger", json!([{"path": "/c/big"}, {"path": "/c/2"}])).await.expect(201);
    assert_eq!(get(&talk, "c/bigger").await.body.as_str().unwrap().len(), 100_014);
    put(&talk, "c/1", large(2)).await.expect(201);
    get(&talk, "c/big").await.expect(409);
    put(&talk, "c/1", large(1)).await.expect(201);
    talk.delete(&format!("{ACCOUNT}/c/big?multipart-manifest=delete")).await.expect(200);
    get(&talk, "c/1").await.expect(404);
    get(&talk, "c/big").await.expect(404);
    it.work_until_nothing_is_left().await;
    it.is_sound().await;
}

#[tokio::test]
async fn manifests_of_manifests_do_not_grow_beyond_all_numbers() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    put(&talk, "c/0", large(1)).await.expect(201);
    let of = |name: u8| json!(vec![json!({"path": format!("/c/{name}")}); 1000]);
    for level in 0..3 {
        manifest(&talk, &format!("c/{}", level + 1), of(level)).await.expect(201);
    }
    let said = manifest(&talk, "c/4", of(3)).await.expect(413);
    assert!(said.as_str().unwrap().contains("which is the most here"), "{said}");
    it.is_sound().await;
}

#[tokio::test]
async fn one_request_names_so_many_and_no_more() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    put(&talk, "c/0", large(1)).await.expect(201);
    manifest(&talk, "c/many", json!(vec![json!({"path": "/c/0"}); 1001])).await.expect(413);
    let names = "c/none\n".repeat(10_001).into_bytes();
    talk.send("POST", &format!("{ACCOUNT}?bulk-delete"), names).await.expect(413);
    get(&talk, "c/0").await.expect(200);
}

#[tokio::test]
async fn all_that_begins_so_is_read_as_one() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    for (name, data) in [("s/1", large(1)), ("s/2", b"end".to_vec()), ("t", b"not".to_vec())] {
        put(&talk, &format!("c/{name}"), data).await.expect(201);
    }
    put(&talk.header("x-object-manifest", "c/s/"), "c/all", Vec::new()).await.expect(201);
    let said = get(&talk, "c/all").await;
    assert_eq!(said.body.as_str().unwrap().as_bytes(), [large(1), b"end".to_vec()].concat());
    assert_eq!(header(&said, "content-length"), "100003");
    let said = get(&talk.header("range", "bytes=-4"), "c/all").await;
    assert_eq!(said.body.as_str().unwrap().len(), 4);
    put(&talk, "c/s/3", b"more".to_vec()).await.expect(201);
    assert_eq!(header(&talk.send("HEAD", &format!("{ACCOUNT}/c/all"), Vec::new()).await, "content-length"), "100007");
    talk.header("destination", "c/copy").send("COPY", &format!("{ACCOUNT}/c/all"), Vec::new()).await.expect(201);
    assert_eq!(get(&talk, "c/copy").await.body.as_str().unwrap().len(), 100_007);
    it.is_sound().await;
}

#[tokio::test]
async fn a_manifest_gives_nothing_of_anothers_away() {
    let it = start().await;
    let talk = it.member();
    for name in ["private", "public"] {
        container(&talk, name).await;
    }
    talk.header("x-container-read", ".r:*,.rlistings")
        .header("x-container-write", "*:*")
        .send("POST", &format!("{ACCOUNT}/public"), Vec::new())
        .await
        .expect(204);
    put(&talk, "private/secret", b"secret".to_vec()).await.expect(201);
    // The owner may; whoever only writes into the public container may not name what he cannot read.
    let list = json!([{"path": "/private/secret"}]);
    let other = it.talk.as_("member@p2");
    let said = manifest(&other, "public/stolen", list.clone()).await.expect(400);
    assert!(said.as_str().unwrap().contains("404 Not Found") && !said.as_str().unwrap().contains("Mismatch"), "{said}");
    manifest(&talk, "public/owned", list).await.expect(201);
    put(&other.header("x-object-manifest", "private/s"), "public/dlo", Vec::new()).await.expect(201);
    assert_eq!(get(&talk, "public/owned").await.expect(200), "secret");
    assert_eq!(get(&talk, "public/dlo").await.expect(200), "secret");
    for (who, status) in [(it.talk.clone(), 401), (other.clone(), 403)] {
        for name in ["owned", "dlo"] {
            let said = get(&who, &format!("public/{name}")).await;
            assert_eq!(said.status, status, "{name}");
            assert!(!said.body.to_string().contains("secret"));
        }
    }
}
