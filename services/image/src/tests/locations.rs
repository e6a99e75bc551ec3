// SPDX-License-Identifier: Apache-2.0
//! Locations: set by a tenant, fetched at once, and a label from then on.

use std::sync::{Arc, Mutex};

use contracts::audit::Audit;
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Semaphore,
};

use super::{
    create,
    imports::{import, serve},
    message, patch, qemu_img, show, start, start_with, task_of, upload,
};
use crate::Quota;

fn add(url: &str) -> Value {
    json!([{"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {"foo": "bar"}}}])
}

fn replace(locations: &Value) -> Value {
    json!([{"op": "replace", "path": "/locations", "value": locations}])
}

/// A web server whose content can be exchanged.
async fn changing(content: Arc<Mutex<Vec<u8>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/image", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 2048]).await;
            let now = content.lock().unwrap().clone();
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", now.len()).as_bytes()).await;
            let _ = stream.write_all(&now).await;
        }
    });
    url
}

/// A web server that sends half of what it announced, and the rest once it is let.
async fn hesitating(content: Vec<u8>) -> (String, Arc<Semaphore>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/image", listener.local_addr().unwrap());
    let (gate, kept) = (Arc::new(Semaphore::new(0)), Arc::new(content));
    let opened = gate.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (gate, content) = (gate.clone(), kept.clone());
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 2048]).await;
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", content.len());
                let _ = stream.write_all(head.as_bytes()).await;
                let (first, rest) = content.split_at(content.len() / 2);
                let _ = stream.write_all(first).await;
                gate.acquire().await.unwrap().forget();
                let _ = stream.write_all(rest).await;
            });
        }
    });
    (url, opened)
}

#[tokio::test]
async fn a_location_gives_an_image_its_data() {
    let it = start().await;
    let (talk, admin) = (it.member(), it.admin());
    let url = serve(vec![5; 700]).await;
    let id = create(&talk, "raw").await;
    assert_eq!(show(&talk, &id).await["locations"], json!([]));
    let set = patch(&talk, &id, add(&url)).await.expect(200);
    assert_eq!((&set["status"], &set["size"], &set["stores"]), (&json!("active"), &json!(700), &json!("file")));
    assert_eq!(set["locations"], json!([{"url": url, "metadata": {"foo": "bar", "store": "file"}}]));
    // Nobody said what its hashes are.
    assert_eq!((&set["checksum"], &set["os_hash_algo"], &set["os_hash_value"]), (&Value::Null, &Value::Null, &Value::Null));
    let other = format!("{url}#new");
    patch(&talk, &id, add(&url)).await.expect(400);
    let two = patch(&talk, &id, add(&other)).await.expect(200)["locations"].clone();
    assert_eq!((two[0]["url"].clone(), two[1]["url"].clone(), two.as_array().unwrap().len()), (json!(url), json!(other), 2));
    // The list as a whole only takes other metadata.
    assert_eq!(patch(&talk, &id, replace(&two)).await.expect(200)["locations"], two);
    let mut dated = two.clone();
    dated[0]["metadata"]["date"] = json!("2015-10-15");
    assert_eq!(patch(&talk, &id, replace(&dated)).await.expect(200)["locations"], dated);
    patch(&talk, &id, replace(&json!([dated[0]]))).await.expect(400);
    patch(&talk, &id, replace(&json!([dated[0], {"url": format!("{url}#3"), "metadata": {}}]))).await.expect(400);
    patch(&talk, &id, replace(&json!([]))).await.expect(403);
    patch(&talk, &id, json!([{"op": "remove", "path": "/locations"}])).await.expect(400);
    patch(&talk, &id, json!([{"op": "add", "path": "/locations/x", "value": dated[0]}])).await.expect(400);
    assert_eq!(show(&talk, &id).await["locations"], dated);
    // Others who see the image do not see them.
    patch(&talk, &id, json!([{"op": "replace", "path": "/visibility", "value": "community"}])).await.expect(200);
    assert_eq!(show(&it.talk.as_("member@p2"), &id).await["locations"], json!([]));
    patch(&it.talk.as_("member@p2"), &id, add(&format!("{url}#2"))).await.expect(403);
    patch(&it.talk.as_("reader@p1"), &id, add(&format!("{url}#2"))).await.expect(403);
    // The operator takes one away; the data stays, and is still theirs.
    let first = json!([{"op": "remove", "path": "/locations/0"}]);
    patch(&talk, &id, first.clone()).await.expect(403);
    patch(&admin, &id, json!([{"op": "remove", "path": "/locations/7"}])).await.expect(400);
    let left = patch(&admin, &id, first.clone()).await.expect(200);
    assert_eq!((left["locations"].as_array().unwrap().len(), &left["locations"][0]["url"]), (1, &json!(other)));
    patch(&admin, &id, first).await.expect(403);
    assert_eq!(talk.get(&format!("/image/v2/images/{id}/file")).await.status, 200);
    assert_eq!(it.room.audit().await.unwrap(), []);
    talk.delete(&format!("/image/v2/images/{id}")).await.expect(204);
    assert_eq!(it.files("file"), 0);
}

#[tokio::test]
async fn uploaded_data_is_a_location_of_the_clouds_own() {
    let it = start().await;
    let (talk, admin) = (it.member(), it.admin());
    let id = create(&talk, "raw").await;
    upload(&talk, &id, vec![8; 600]).await.expect(204);
    let own = show(&talk, &id).await["locations"].clone();
    assert_eq!(own, json!([{"url": format!("store://file/{id}"), "metadata": {"store": "file"}}]));
    let url = serve(vec![8; 600]).await;
    let two = patch(&talk, &id, add(&url)).await.expect(200)["locations"].clone();
    assert_eq!((two.as_array().unwrap().len(), &two[0], &two[1]["url"]), (2, &own[0], &json!(url)));
    let mut other = two.clone();
    other[0]["metadata"]["foo"] = json!("bar");
    patch(&talk, &id, replace(&other)).await.expect(400);
    patch(&talk, &id, replace(&two)).await.expect(200);
    // The cloud's own copies go by another way.
    let said = patch(&admin, &id, json!([{"op": "remove", "path": "/locations/0"}])).await.expect(403);
    assert!(message(&said).contains("DELETE /v2/stores/file"), "{said}");
    patch(&admin, &id, json!([{"op": "remove", "path": "/locations/1"}])).await.expect(200);
    assert_eq!(show(&talk, &id).await["locations"], own);
    assert_eq!(show(&talk, &id).await["os_hash_value"], hex::encode(Sha512::digest(vec![8; 600])));
}

/// OSSN-0065: whoever holds the server behind a location exchanges the data of an image that others trust.
#[tokio::test]
async fn the_data_of_an_active_image_is_never_exchanged() {
    let it = start().await;
    let (talk, admin) = (it.member(), it.admin());
    let content = Arc::new(Mutex::new(vec![1; 700]));
    let url = changing(content.clone()).await;
    let id = create(&talk, "raw").await;
    patch(&talk, &id, add(&url)).await.expect(200);
    *content.lock().unwrap() = vec![2; 700];
    let bytes = async || talk.get(&format!("/image/v2/images/{id}/file")).await.body.as_str().unwrap_or_default().to_owned();
    let before = bytes().await;
    assert_eq!(before.len(), 700);
    // Neither as it was nor longer is it the same.
    patch(&talk, &id, add(&format!("{url}#2"))).await.expect(409);
    *content.lock().unwrap() = vec![1; 701];
    patch(&talk, &id, add(&format!("{url}#2"))).await.expect(409);
    patch(&talk, &id, replace(&json!([{"url": format!("{url}#2"), "metadata": {}}]))).await.expect(400);
    for talk in [&talk, &admin] {
        talk.post(&format!("/image/v2/images/{id}/locations"), json!({"url": url})).await.expect(409);
    }
    upload(&talk, &id, vec![2; 700]).await.expect(409);
    // Further copies come from the first one, and a deactivated image is not touched at all.
    admin.post(&import(&id), json!({"method": {"name": "copy-image"}, "all_stores": true})).await.expect(202);
    assert_eq!(task_of(&talk, &id).await["status"], "success");
    talk.post(&format!("/image/v2/images/{id}/actions/deactivate"), Value::Null).await.expect(204);
    patch(&talk, &id, add(&format!("{url}#2"))).await.expect(409);
    talk.post(&format!("/image/v2/images/{id}/actions/reactivate"), Value::Null).await.expect(204);
    let it = it.restart().await;
    assert_eq!((bytes().await, it.room.audit().await.unwrap()), (before, vec![]));
    let shown = show(&it.member(), &id).await;
    assert_eq!((&shown["stores"], shown["locations"].as_array().unwrap().len()), (&json!("file,slow"), 2));
    // The copy that was fetched goes, and its label with it.
    admin.delete(&format!("/image/v2/stores/file/{id}")).await.expect(204);
    let own = json!([{"url": format!("store://slow/{id}"), "metadata": {"store": "slow"}}]);
    assert_eq!(show(&it.member(), &id).await["locations"], own);
}

#[tokio::test]
async fn what_is_said_of_the_data_is_shown_and_nothing_else() {
    let it = start().await;
    let talk = it.member();
    let url = serve(vec![4; 700]).await;
    let with = |url: &str, data: Value| json!([{"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}, "validation_data": data}}]);
    let good = json!({"checksum": "1".repeat(32), "os_hash_algo": "sha512", "os_hash_value": "deadbeef".repeat(16)});
    let id = create(&talk, "raw").await;
    for (name, value, status) in [
        ("checksum", json!("x".repeat(32)), 409),
        ("checksum", json!("1"), 409),
        ("os_hash_algo", json!("sha256"), 409),
        ("os_hash_value", json!("beef"), 409),
        ("os_hash_value", Value::Null, 400),
        ("size", json!(3), 400),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        patch(&talk, &id, with(&url, bad)).await.expect(status);
    }
    let set = patch(&talk, &id, with(&url, good.clone())).await.expect(200);
    let hashes = |shown: &Value| json!({"checksum": shown["checksum"], "os_hash_algo": shown["os_hash_algo"], "os_hash_value": shown["os_hash_value"]});
    assert_eq!((hashes(&set), set["locations"][0].get("validation_data")), (good.clone(), None));
    let second = format!("{url}#new");
    for (name, value) in
        [("checksum", "2".repeat(32)), ("os_hash_algo", "sha256".into()), ("os_hash_value", "beefdead".repeat(16))]
    {
        let mut other = good.clone();
        other[name] = json!(value);
        patch(&talk, &id, with(&second, other)).await.expect(409);
    }
    patch(&talk, &id, with(&second, good.clone())).await.expect(200);
    assert_eq!(hashes(&show(&talk, &id).await), good);
    // The name of the data inside is the true one.
    let inside = hex::encode(Sha512::digest(vec![4; 700]));
    assert!(it.world.folder.path().join("images/file").join(inside).exists());
    assert_eq!(it.room.audit().await.unwrap(), []);
}

#[tokio::test]
async fn a_location_by_its_own_api_must_have_its_hash() {
    let it = start().await;
    let (talk, admin) = (it.member(), it.admin());
    let content = vec![6; 700];
    let (url, sha256) = (serve(content.clone()).await, hex::encode(Sha256::digest(&content)));
    let id = create(&talk, "raw").await;
    let path = format!("/image/v2/images/{id}/locations");
    let ask = |algorithm: &str, value: &str| json!({"url": url, "validation_data": {"os_hash_algo": algorithm, "os_hash_value": value}});
    talk.post(&path, ask("sha512", "beef")).await.expect(400);
    talk.post(&path, ask("sha512", &sha256)).await.expect(400);
    talk.post(&path, ask("sha123", &sha256)).await.expect(400);
    talk.post(&path, json!({"url": url, "validation_data": {"os_hash_value": sha256}})).await.expect(400);
    it.talk.as_("member@p2").post(&path, json!({"url": url})).await.expect(404);
    it.talk.as_("reader@p1").post(&path, json!({"url": url})).await.expect(403);
    talk.post(&path, ask("sha512", &"be".repeat(64))).await.expect(202);
    assert_eq!(task_of(&talk, &id).await["status"], "failure");
    // Where it was looked for can still be seen, as in Glance; the next attempt takes its place.
    let shown = show(&talk, &id).await;
    assert_eq!((&shown["status"], &shown["stores"], &shown["os_hash_algo"]), (&json!("queued"), &json!("file"), &Value::Null));
    assert_eq!((&shown["locations"][0]["url"], it.files("file")), (&json!(url), 0));
    patch(&talk, &id, json!([{"op": "replace", "path": "/name", "value": "x"}])).await.expect(200);
    talk.post(&path, ask("sha256", &sha256)).await.expect(202);
    assert_eq!(task_of(&talk, &id).await["status"], "success");
    let shown = show(&talk, &id).await;
    assert_eq!((&shown["os_hash_algo"], &shown["os_hash_value"]), (&json!("sha256"), &json!(sha256)));
    assert_eq!((shown["checksum"].as_str().unwrap().len(), shown["locations"].as_array().unwrap().len()), (32, 1));
    admin.post(&path, ask("sha256", &sha256)).await.expect(409);
    // Only services see where the data really lies.
    let listed = it.talk.as_("service@p9").get(&path).await.expect(200);
    assert!(listed[0]["url"].as_str().unwrap().starts_with("file:///"), "{listed}");
    talk.get(&path).await.expect(403);
    for expected in ["md5", "sha1", "none"] {
        let id = create(&talk, "raw").await;
        let value = match expected {
            "md5" => hex::encode(<md5::Md5 as md5::Digest>::digest(&content)),
            "sha1" => hex::encode(<sha1::Sha1 as sha1::Digest>::digest(&content)),
            _ => String::new(),
        };
        let body = if value.is_empty() { json!({"url": url}) } else { ask(expected, &value) };
        talk.post(&format!("/image/v2/images/{id}/locations"), body).await.expect(202);
        assert_eq!(task_of(&talk, &id).await["status"], "success", "{expected}");
        let algorithm = if value.is_empty() { "sha512" } else { expected };
        assert_eq!(show(&talk, &id).await["os_hash_algo"], algorithm);
    }
}

#[tokio::test]
async fn what_was_called_raw_is_taken_for_what_it_is() {
    let it = start().await;
    let talk = it.member();
    let folder = it.world.folder.path();
    let id = create(&talk, "raw").await;
    let url = serve(qemu_img(folder, &["-f", "qcow2", "FILE", "16M"])).await;
    let set = patch(&talk, &id, add(&url)).await.expect(200);
    assert_eq!((&set["disk_format"], &set["virtual_size"]), (&json!("qcow2"), &json!(16 << 20)));
    // With all that is judged of that.
    std::fs::write(folder.join("base.img"), vec![0; 1 << 20]).unwrap();
    let hostile = qemu_img(folder, &["-f", "qcow2", "-b", folder.join("base.img").to_str().unwrap(), "-F", "raw", "FILE"]);
    let id = create(&talk, "raw").await;
    let said = patch(&talk, &id, add(&serve(hostile).await)).await.expect(400);
    assert!(message(&said).contains("backing file"), "{said}");
    // Who says qcow2 means it.
    let id = create(&talk, "qcow2").await;
    patch(&talk, &id, add(&serve(vec![1; 700]).await)).await.expect(400);
    let shown = show(&talk, &id).await;
    assert_eq!(
        (&shown["status"], &shown["locations"], shown.get("stores"), it.files("file")),
        (&json!("queued"), &json!([]), None, 1)
    );
}

#[tokio::test]
async fn a_location_beyond_the_quota_leaves_nothing() {
    let it = start_with(|settings| {
        settings.limits.bytes = 16 << 20;
        settings.web = web::Client::new(
            web::Rules::public().any_port().allow("127.0.0.1/32".parse().unwrap()),
            web::Limits { bytes: 16 << 20, ..Default::default() },
        );
        settings.quota = Quota { size_total: Some(1), count_uploading: Some(1), ..Quota::default() };
    })
    .await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    let said = patch(&talk, &id, add(&serve(vec![1; (1 << 20) + 1]).await)).await.expect(413);
    assert!(message(&said).contains("image_size_total"), "{said}");
    let shown = show(&talk, &id).await;
    assert_eq!((&shown["status"], &shown["locations"], it.files("file")), (&json!("queued"), &json!([]), 0));
    // One that is under way counts.
    let (url, gate) = hesitating(vec![2; 1 << 20]).await;
    let waiting = tokio::spawn({
        let (talk, id) = (talk.clone(), id.clone());
        async move { patch(&talk, &id, add(&url)).await }
    });
    while show(&talk, &id).await["status"] != "importing" {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let second = create(&talk, "raw").await;
    patch(&talk, &second, add(&serve(vec![3; 600]).await)).await.expect(413);
    gate.add_permits(9);
    waiting.await.unwrap().expect(200);
    patch(&talk, &second, add(&serve(vec![3; 600]).await)).await.expect(413);
    assert_eq!(talk.get("/image/v2/info/usage").await.expect(200)["usage"]["image_size_total"]["usage"], 1);
    assert_eq!(it.files("file"), 1);
}

#[tokio::test]
async fn of_patches_at_once_one_gives_the_data() {
    let it = start().await;
    let talk = it.member();
    for round in 0..5 {
        let id = create(&talk, "raw").await;
        let asks = (1..=3).map(|kind: u8| {
            let (talk, id) = (talk.clone(), id.clone());
            tokio::spawn(async move {
                let url = serve(vec![round * 10 + kind; 700]).await;
                (patch(&talk, &id, add(&url)).await.status.as_u16(), url)
            })
        });
        let (mut done, mut refused) = (Vec::new(), 0);
        for ask in asks.collect::<Vec<_>>() {
            match ask.await.unwrap() {
                (200, url) => done.push(url),
                (409, _) => refused += 1,
                (other, _) => panic!("{other}"),
            }
        }
        assert_eq!((done.len(), refused), (1, 2));
        assert_eq!(show(&talk, &id).await["locations"][0]["url"], done[0]);
    }
    assert_eq!((it.files("file"), it.room.audit().await.unwrap()), (5, vec![]));
}

#[tokio::test]
async fn an_image_that_is_deleted_during_its_fetch_leaves_nothing() {
    let it = start().await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    let (url, gate) = hesitating(vec![7; 700]).await;
    let waiting = tokio::spawn({
        let (talk, id) = (talk.clone(), id.clone());
        async move { patch(&talk, &id, add(&url)).await }
    });
    while it.files("file") == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(show(&talk, &id).await["status"], "importing");
    talk.delete(&format!("/image/v2/images/{id}")).await.expect(204);
    gate.add_permits(1);
    waiting.await.unwrap().expect(410);
    assert_eq!((it.files("file"), it.room.audit().await.unwrap()), (0, vec![]));
    let used = it.room.store.read(|tx| crate::quota::usage(tx, &"p1".into())).await.unwrap();
    assert_eq!((used.bytes, used.count), (0, 0));
}

#[tokio::test]
async fn what_takes_longer_than_a_request_goes_on_as_an_import() {
    let it = start_with(|settings| settings.patience = std::time::Duration::from_millis(200)).await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    let (url, gate) = hesitating(vec![9; 700]).await;
    let set = patch(&talk, &id, add(&url)).await.expect(200);
    assert_eq!((&set["status"], &set["locations"][0]["url"]), (&json!("importing"), &json!(url)));
    patch(&talk, &id, add(&url)).await.expect(409);
    gate.add_permits(1);
    assert_eq!(task_of(&talk, &id).await["status"], "success");
    assert_eq!(show(&talk, &id).await["status"], "active");
    // What is only compared has no import to go on as.
    let said = patch(&talk, &id, add(&format!("{url}#2"))).await.expect(400);
    assert!(message(&said).contains("could not be compared"), "{said}");
    assert_eq!(show(&talk, &id).await["locations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_operator_keeps_locations_from_tenants() {
    let it = start_with(|settings| settings.show_multiple_locations = false).await;
    let (talk, admin) = (it.member(), it.admin());
    let url = serve(vec![5; 700]).await;
    let id = create(&talk, "raw").await;
    for talk in [&talk, &admin] {
        patch(talk, &id, add(&url)).await.expect(403);
        assert_eq!(show(talk, &id).await.get("locations"), None);
    }
    let path = format!("/image/v2/images/{id}/locations");
    talk.post(&path, json!({"url": url})).await.expect(403);
    it.talk.as_("service@p9").post(&path, json!({"url": url})).await.expect(202);
    assert_eq!(task_of(&talk, &id).await["status"], "success");
}

#[tokio::test]
async fn there_is_an_end_to_labels() {
    let it = start().await;
    let talk = it.member();
    let url = serve(vec![5; 700]).await;
    let id = create(&talk, "raw").await;
    let with = |url: String, metadata: Value| json!([{"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": metadata}}]);
    patch(&talk, &id, with(format!("{url}{}", "x".repeat(256)), json!({}))).await.expect(400);
    patch(&talk, &id, with(url.clone(), json!({"x": "y".repeat(5000)}))).await.expect(400);
    patch(&talk, &id, with(url.clone(), json!("x"))).await.expect(400);
    patch(&talk, &id, json!([{"op": "add", "path": "/locations/-", "value": {"url": url}}])).await.expect(400);
    patch(&talk, &id, json!([add(&url)[0], add(&format!("{url}#2"))[0]])).await.expect(400);
    patch(&talk, &id, json!([add(&url)[0], {"op": "replace", "path": "/name", "value": "x"}])).await.expect(400);
    assert_eq!(show(&talk, &id).await["status"], "queued");
    for number in 0..10 {
        patch(&talk, &id, with(format!("{url}#{number}"), json!({}))).await.expect(200);
    }
    patch(&talk, &id, with(format!("{url}#10"), json!({}))).await.expect(413);
}
