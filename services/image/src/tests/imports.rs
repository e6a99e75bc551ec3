// SPDX-License-Identifier: Apache-2.0
//! Imports: staged, from the web, from another image, and into further stores.

use contracts::audit::Audit;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{create, message, patch, qemu_img, show, stage, start, task_of, upload};

/// A web server that gives this to everybody.
pub async fn serve(content: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/image", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 2048];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", content.len()).as_bytes()).await;
            let _ = stream.write_all(&content).await;
        }
    });
    url
}

pub fn import(id: &str) -> String {
    format!("/image/v2/images/{id}/import")
}

#[tokio::test]
async fn staged_data_goes_into_all_stores() {
    let it = start().await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    talk.post(&import(&id), json!({"method": {"name": "glance-direct"}})).await.expect(409);
    stage(&talk, &id, vec![7; 700]).await.expect(204);
    assert_eq!((show(&talk, &id).await["status"].clone(), it.files("staging")), (json!("uploading"), 1));
    stage(&talk, &id, vec![7; 700]).await.expect(409);
    upload(&talk, &id, vec![7; 700]).await.expect(409);
    let asked = talk.post(&import(&id), json!({"method": {"name": "glance-direct"}, "all_stores": true})).await;
    let request = asked.headers["x-openstack-request-id"].to_str().unwrap().to_owned();
    asked.expect(202);
    let task = task_of(&talk, &id).await;
    assert_eq!((&task["status"], &task["request_id"]), (&json!("success"), &json!(request)), "{task}");
    assert_eq!(task["input"]["import_req"]["method"]["name"], "glance-direct");
    let shown = show(&talk, &id).await;
    assert_eq!((&shown["status"], &shown["stores"], &shown["size"]), (&json!("active"), &json!("file,slow"), &json!(700)));
    assert_eq!((&shown["os_glance_importing_to_stores"], &shown["os_glance_failed_import"]), (&json!(""), &json!("")));
    assert_eq!((it.files("file"), it.files("slow"), it.files("staging")), (1, 1, 0));
    assert_eq!(talk.get(&format!("/image/v2/images/{id}/file")).await.status, 200);
    assert_eq!(it.room.audit().await.unwrap(), []);
    talk.delete(&format!("/image/v2/images/{id}")).await.expect(204);
    assert_eq!((it.files("file"), it.files("slow")), (0, 0));
}

#[tokio::test]
async fn staged_data_that_is_refused_leaves_the_image_waiting() {
    let it = start().await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    stage(&talk, &id, qemu_img(it.world.folder.path(), &["-f", "qcow2", "FILE", "1M"])).await.expect(204);
    talk.post(&import(&id), json!({"method": {"name": "glance-direct"}})).await.expect(202);
    let task = task_of(&talk, &id).await;
    assert!(task["message"].as_str().unwrap().contains("declared as raw, but its content is qcow2"), "{task}");
    let shown = show(&talk, &id).await;
    assert_eq!((&shown["status"], &shown["os_glance_failed_import"]), (&json!("queued"), &json!("file")));
    assert_eq!((it.files("file"), it.files("staging")), (0, 0));
    upload(&talk, &id, vec![1; 600]).await.expect(204);
}

#[tokio::test]
async fn an_image_comes_from_the_web() {
    let it = start().await;
    let talk = it.member();
    let url = serve(vec![3; 900]).await;
    let id = create(&talk, "raw").await;
    let ask = json!({"method": {"name": "web-download", "uri": url}, "stores": ["slow"]});
    talk.post(&import(&id), ask.clone()).await.expect(202);
    assert_eq!(task_of(&talk, &id).await["status"], "success");
    let shown = show(&talk, &id).await;
    assert_eq!((&shown["status"], &shown["stores"], &shown["size"]), (&json!("active"), &json!("slow"), &json!(900)));
    talk.post(&import(&id), ask).await.expect(409);
    let id = create(&talk, "raw").await;
    for (ask, status) in [
        (json!({"method": {"name": "web-download"}}), 400),
        (json!({"method": {"name": "by-post"}}), 400),
        (json!({"method": {"name": "web-download", "uri": url}, "stores": ["nowhere"]}), 409),
        (json!({"method": {"name": "web-download", "uri": url}, "stores": ["slow"], "all_stores": true}), 400),
        (json!({"method": {"name": "web-download", "uri": url}, "stores": []}), 400),
        (json!({"method": {"name": "web-download", "uri": "http://no such/"}}), 400),
        (json!({"method": {"name": "copy-image"}, "all_stores": true}), 403),
        (json!({}), 400),
    ] {
        talk.post(&import(&id), ask.clone()).await.expect(status);
    }
    // A name that nobody has fails while it is fetched, and the image waits again.
    let ask = json!({"method": {"name": "web-download", "uri": "http://does-not-exist.invalid/x"}});
    talk.post(&import(&id), ask).await.expect(202);
    let task = task_of(&talk, &id).await;
    assert!(task["message"].as_str().unwrap().contains("does-not-exist.invalid"), "{task}");
    assert_eq!(show(&talk, &id).await["status"], "queued");
}

#[tokio::test]
async fn an_operator_copies_an_image_and_takes_copies_away() {
    let it = start().await;
    let (talk, admin) = (it.member(), it.admin());
    let id = create(&talk, "raw").await;
    upload(&talk, &id, vec![9; 600]).await.expect(204);
    admin.post(&import(&id), json!({"method": {"name": "copy-image"}})).await.expect(400);
    admin.post(&import(&id), json!({"method": {"name": "copy-image"}, "stores": ["file"]})).await.expect(409);
    admin.post(&import(&id), json!({"method": {"name": "copy-image"}, "all_stores": true})).await.expect(202);
    assert_eq!(task_of(&talk, &id).await["status"], "success");
    assert_eq!(show(&talk, &id).await["stores"], "file,slow");
    talk.delete(&format!("/image/v2/stores/file/{id}")).await.expect(403);
    admin.delete(&format!("/image/v2/stores/odd/{id}")).await.expect(409);
    admin.delete(&format!("/image/v2/stores/file/{id}")).await.expect(204);
    assert_eq!((show(&talk, &id).await["stores"].clone(), it.files("file"), it.files("slow")), (json!("slow"), 0, 1));
    assert_eq!(talk.get(&format!("/image/v2/images/{id}/file")).await.status, 200);
    admin.delete(&format!("/image/v2/stores/file/{id}")).await.expect(404);
    admin.delete(&format!("/image/v2/stores/slow/{id}")).await.expect(403);
    assert_eq!(it.room.audit().await.unwrap(), []);
}

#[tokio::test]
async fn an_image_is_made_from_another_one_that_its_owner_sees() {
    let it = start().await;
    let (talk, theirs) = (it.member(), it.talk.as_("member@p2"));
    let source = create(&talk, "raw").await;
    upload(&talk, &source, vec![4; 600]).await.expect(204);
    let properties = [("hw_cpu_cores", "5"), ("os_distro", "debian"), ("speed", "fast")];
    let changes: Vec<Value> =
        properties.iter().map(|(name, value)| json!({"op": "add", "path": format!("/{name}"), "value": value})).collect();
    patch(&talk, &source, json!(changes)).await.expect(200);
    let ask = |image: &str, region: &str| json!({"method": {"name": "glance-download", "glance_image_id": image, "glance_region": region}});
    let id = create(&talk, "iso").await;
    let said = talk.post(&import(&id), ask("foo", "RegionOne")).await.expect(400);
    assert!(message(&said).contains("image id does not look like a UUID"), "{said}");
    talk.post(&import(&id), ask(&source, "Mars")).await.expect(202);
    assert_eq!(task_of(&talk, &id).await["status"], "failure");
    talk.post(&import(&id), ask(&source, "RegionOne")).await.expect(202);
    assert_eq!(task_of(&talk, &id).await["status"], "success");
    let shown = show(&talk, &id).await;
    assert_eq!(
        (&shown["status"], &shown["disk_format"], &shown["hw_cpu_cores"], shown.get("speed")),
        (&json!("active"), &json!("raw"), &json!("5"), None)
    );
    // Another project's import does not see it.
    let id = create(&theirs, "raw").await;
    theirs.post(&import(&id), ask(&source, "RegionOne")).await.expect(202);
    assert_eq!((&task_of(&theirs, &id).await["status"], it.files("file")), (&json!("failure"), 1));
}

#[tokio::test]
async fn tasks_are_for_administrators_and_make_their_image() {
    let it = start().await;
    let (talk, admin) = (it.member(), it.admin());
    let url = serve(vec![2; 800]).await;
    let task = |from: &str| {
        json!({"type": "import", "input": {"import_from": from, "import_from_format": "raw",
            "image_properties": {"name": "t", "disk_format": "raw", "container_format": "bare", "visibility": "public"}}})
    };
    talk.post("/image/v2/tasks", task(&url)).await.expect(403);
    talk.get("/image/v2/tasks").await.expect(403);
    admin.post("/image/v2/tasks", json!({"type": "clone", "input": task(&url)["input"]})).await.expect(400);
    admin.post("/image/v2/tasks", task("file:///etc/passwd")).await.expect(400);
    admin.post("/image/v2/tasks", task("http://169.254.169.254/x")).await.expect(400);
    let made = admin.post("/image/v2/tasks", task(&url)).await.expect(201);
    let image = made["image_id"].as_str().unwrap();
    assert_eq!(task_of(&admin, image).await["status"], "success");
    let shown = admin.get(&format!("/image/v2/tasks/{}", made["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(shown["result"]["image_id"], image);
    assert_eq!(show(&talk, image).await["status"], "active");
    assert_eq!(admin.get("/image/v2/tasks?status=success").await.expect(200)["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(admin.get("/image/v2/tasks?status=failure").await.expect(200)["tasks"], json!([]));
    admin.get("/image/v2/tasks/none").await.expect(404);
    // One whose source is not there fails and leaves no image.
    let made = admin.post("/image/v2/tasks", task("http://127.0.0.1:1/x")).await.expect(201);
    let path = format!("/image/v2/tasks/{}", made["id"].as_str().unwrap());
    for _ in 0..3000 {
        if admin.get(&path).await.expect(200)["status"] == "failure" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(admin.get(&path).await.expect(200)["status"], "failure");
    admin.get(&format!("/image/v2/images/{}", made["image_id"].as_str().unwrap())).await.expect(404);
}
