// SPDX-License-Identifier: Apache-2.0
//! Past advisories on the image API, one test each.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{create, imports::import, message, patch, show, start, start_with, task_of, upload};

/// CVE-2026-34881: a web download that reaches what only the cloud can reach, by spelling or by redirect.
#[tokio::test]
async fn a_web_download_reaches_nothing_inside() {
    // As an operator has it by default, any port allowed, with 127.0.0.2 standing for the Internet.
    let it = start_with(|settings| {
        let rules = web::Rules::public().any_port().allow("127.0.0.2/32".parse().unwrap());
        settings.web = web::Client::new(rules, web::Limits::default());
    })
    .await;
    let talk = it.member();
    let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = inside.local_addr().unwrap().port();
    let id = create(&talk, "raw").await;
    let ask = |uri: &str| json!({"method": {"name": "web-download", "uri": uri}});
    for uri in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
        format!("http://user@127.0.0.2:{port}/"),
    ] {
        let said = talk.post(&import(&id), ask(&uri)).await.expect(400);
        assert!(message(&said).contains("does not pass filtering"), "{uri}: {said}");
    }
    for host in ["2130706433", "0x7f000001", "0177.0.0.1", "localhost"] {
        talk.post(&import(&id), ask(&format!("http://{host}:{port}/"))).await.expect(202);
        let task = task_of(&talk, &id).await;
        assert!(task["message"].as_str().unwrap().contains("may not be fetched from"), "{host}: {task}");
    }
    let outside = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let url = format!("http://{}/", outside.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = outside.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let answer = format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{port}/\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    talk.post(&import(&id), ask(&url)).await.expect(202);
    let task = task_of(&talk, &id).await;
    assert!(task["message"].as_str().unwrap().contains("a loopback address"), "{task}");
    assert_eq!(show(&talk, &id).await["status"], "queued");
    // Nobody ever knocked.
    let knock = tokio::time::timeout(std::time::Duration::from_millis(50), inside.accept()).await;
    assert!(knock.is_err());
}

/// CVE-2015-1195 and its kin: a tenant points an image at a file or a store of the cloud, or at what only the cloud reaches.
#[tokio::test]
async fn a_location_reaches_nothing_inside() {
    let it = start_with(|settings| {
        let rules = web::Rules::public().any_port().allow("127.0.0.2/32".parse().unwrap());
        settings.web = web::Client::new(rules, web::Limits::default());
    })
    .await;
    let talk = it.member();
    let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = inside.local_addr().unwrap().port();
    let id = create(&talk, "raw").await;
    let add = |url: &str| json!([{"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}}}]);
    for url in [
        "file:///etc/shadow".to_owned(),
        "filesystem:///etc/shadow".to_owned(),
        "swift+config://x/y".to_owned(),
        "cinder://7f000001".to_owned(),
        format!("store://file/{id}"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://10.0.0.1/".to_owned(),
        format!("http://127.0.0.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://user@127.0.0.2:{port}/"),
    ] {
        let value = json!([{"url": url, "metadata": {}}]);
        patch(&talk, &id, add(&url)).await.expect(400);
        patch(&talk, &id, json!([{"op": "replace", "path": "/locations", "value": value}])).await.expect(400);
        for talk in [&talk, &it.admin()] {
            let said = talk.post(&format!("/image/v2/images/{id}/locations"), json!({"url": url})).await.expect(400);
            assert!(message(&said).contains("does not pass filtering"), "{url}: {said}");
        }
        talk.post("/image/v2/images", json!({"name": "n", "locations": value})).await.expect(403);
    }
    // Past the look at the text: by a name, and by a redirect.
    let outside = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let redirect = format!("http://{}/", outside.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = outside.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let answer = format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{port}/\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    for url in [redirect, format!("http://2130706433:{port}/"), format!("http://localhost:{port}/")] {
        let said = patch(&talk, &id, add(&url)).await.expect(400);
        assert!(message(&said).contains("may not be fetched from"), "{url}: {said}");
        let shown = show(&talk, &id).await;
        assert_eq!((&shown["status"], &shown["locations"]), (&json!("queued"), &json!([])), "{url}");
    }
    let knock = tokio::time::timeout(std::time::Duration::from_millis(50), inside.accept()).await;
    assert!(knock.is_err());
    assert_eq!(it.files("file"), 0);
}

/// OSSA-2013-027: data that is at hand is still given to those only whom the policy admits.
#[tokio::test]
async fn a_download_asks_the_policy_each_time() {
    let it = start().await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    upload(&talk, &id, vec![1; 600]).await.expect(204);
    let path = format!("/image/v2/images/{id}/file");
    assert_eq!(talk.get(&path).await.status, 200);
    it.talk.as_("reader@p1").get(&path).await.expect(403);
    it.talk.as_("member@p2").get(&path).await.expect(404);
    it.talk.get(&path).await.expect(401);
}

/// Mass assignment: what the cloud itself says of an image cannot be said by a tenant.
#[tokio::test]
async fn what_the_cloud_found_out_is_not_told_to_it() {
    let it = start().await;
    let talk = it.member();
    for name in [
        "status",
        "size",
        "checksum",
        "os_hash_value",
        "stores",
        "created_at",
        "direct_url",
        "virtual_size",
        "os_glance_failed_import",
    ] {
        let said = talk.post("/image/v2/images", json!({"name": "n", name: "active"})).await;
        assert_eq!(said.status, 403, "{name}");
    }
    talk.post("/image/v2/images", json!({"name": "n", "owner": "p2"})).await.expect(403);
}
