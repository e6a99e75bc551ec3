// SPDX-License-Identifier: Apache-2.0
//! Conversations with the image room, with images that qemu-img made and headers that nobody should open.
#![allow(clippy::unwrap_used)]

use std::{path::Path, process::Command};

use contracts::{audit::Audit, images::Images};
use serde_json::{Value, json};
use types::ImageId;
use world::{Talk, World};

use crate::{Image, MIGRATIONS, POLICIES, RULES, UploadLimits};

async fn start() -> (World, Image, Talk) {
    let world = World::new(&[MIGRATIONS]).await;
    let room = open(&world).await;
    let talk = world.talk(vec![room.service()], POLICIES, RULES);
    (world, room, talk)
}

async fn open(world: &World) -> Image {
    Image::open(world.store.clone(), world.folder.path().join("images"), UploadLimits { bytes: 1 << 20, ..Default::default() })
        .await
        .unwrap()
}

fn qemu_img(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let path = folder.join("made.img");
    let _ = std::fs::remove_file(&path);
    let mut all = vec!["create", "-q"];
    all.extend(arguments);
    let name = path.to_str().unwrap();
    let place = all.iter().position(|argument| *argument == "FILE").unwrap();
    all[place] = name;
    assert!(Command::new("qemu-img").args(&all).status().unwrap().success());
    std::fs::read(&path).unwrap()
}

async fn create(talk: &Talk, format: &str) -> String {
    let made =
        talk.post("/image/v2/images", json!({"name": "i", "disk_format": format, "container_format": "bare"})).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

async fn upload(talk: &Talk, id: &str, data: Vec<u8>) -> world::Said {
    talk.header("content-type", "application/octet-stream").send("PUT", &format!("/image/v2/images/{id}/file"), data).await
}

fn message(said: &Value) -> &str {
    said.as_str().unwrap_or_default()
}

#[tokio::test]
async fn an_image_goes_in_and_comes_out_the_same() {
    let (world, room, talk) = start().await;
    let talk = talk.as_("member@p1");
    let data = qemu_img(world.folder.path(), &["-f", "qcow2", "FILE", "64M"]);
    let id = create(&talk, "qcow2").await;
    upload(&talk, &id, data.clone()).await.expect(204);
    let shown = talk.get(&format!("/image/v2/images/{id}")).await.expect(200);
    assert_eq!(
        (&shown["status"], &shown["size"], &shown["virtual_size"]),
        (&json!("active"), &json!(data.len()), &json!(64 << 20))
    );
    assert_eq!(
        (&shown["visibility"], &shown["os_hash_algo"], &shown["owner"]),
        (&json!("shared"), &json!("sha512"), &json!("p1"))
    );
    let said = talk.get(&format!("/image/v2/images/{id}/file")).await;
    assert_eq!(said.headers["content-length"], data.len().to_string());
    assert_eq!(said.headers["content-md5"], shown["checksum"].as_str().unwrap());
    let part = talk.header("range", "bytes=4-7").get(&format!("/image/v2/images/{id}/file")).await;
    assert_eq!(
        (part.status.as_u16(), &part.headers["content-range"]),
        (206, &format!("bytes 4-7/{}", data.len()).parse().unwrap())
    );
    talk.header("range", "bytes=99999999-").get(&format!("/image/v2/images/{id}/file")).await.expect(416);
    upload(&talk, &id, data.clone()).await.expect(409);
    let facts = room.get(Some(&"p1".into()), &ImageId::new(id.as_str())).await.unwrap();
    assert_eq!(std::fs::read(room.file(&facts.id).await.unwrap()).unwrap(), data);
    assert_eq!(room.audit().await.unwrap(), []);
    talk.delete(&format!("/image/v2/images/{id}")).await.expect(204);
    talk.get(&format!("/image/v2/images/{id}")).await.expect(404);
    assert_eq!(std::fs::read_dir(world.folder.path().join("images")).unwrap().count(), 0);
    assert_eq!(room.audit().await.unwrap(), []);
}

#[tokio::test]
async fn hostile_content_is_refused_and_nothing_is_kept() {
    let (world, _room, talk) = start().await;
    let talk = talk.as_("member@p1");
    let folder = world.folder.path();
    let secret = folder.join("secret");
    std::fs::write(&secret, [7; 65536]).unwrap();
    let backing = qemu_img(folder, &["-f", "qcow2", "-F", "raw", "-b", secret.to_str().unwrap(), "FILE"]);
    let data_file = format!("data_file={},data_file_raw=on", folder.join("data").display());
    let external = qemu_img(folder, &["-f", "qcow2", "-o", &data_file, "FILE", "1M"]);
    let mut absurd = qemu_img(folder, &["-f", "qcow2", "FILE", "1M"]);
    absurd[24..32].copy_from_slice(&(1u64 << 62).to_be_bytes());
    let plain = qemu_img(folder, &["-f", "qcow2", "FILE", "1M"]);
    let table = [
        ("qcow2", backing.clone(), 400, "backing file"),
        ("qcow2", external, 400, "another file"),
        ("qcow2", absurd, 400, "would be a disk of"),
        ("raw", plain.clone(), 400, "declared as raw, but its content is qcow2"),
        ("raw", backing, 400, "declared as raw"),
        ("qcow2", vec![0; 4096], 400, "declared as qcow2"),
        ("qcow2", plain[..40].to_vec(), 400, "refused"),
        ("raw", vec![], 400, "empty"),
        ("raw", vec![1; (1 << 20) + 1], 413, "larger than"),
    ];
    for (format, data, status, words) in table {
        let id = create(&talk, format).await;
        let said = upload(&talk, &id, data).await.expect(status);
        assert!(message(&said).contains(words), "{format} {words}: {said}");
        let shown = talk.get(&format!("/image/v2/images/{id}")).await.expect(200);
        assert_eq!((&shown["status"], &shown["size"]), (&json!("queued"), &Value::Null));
        assert_eq!(std::fs::read_dir(folder.join("images")).unwrap().count(), 0, "{words}");
    }
}

#[tokio::test]
async fn tenants_see_their_own_and_what_is_public() {
    let (_world, _room, talk) = start().await;
    let (mine, theirs, admin) = (talk.as_("member@p1"), talk.as_("member@p2"), talk.as_("admin"));
    let id = create(&mine, "raw").await;
    let public = json!({"name": "public", "visibility": "public", "disk_format": "raw", "container_format": "bare"});
    mine.post("/image/v2/images", public.clone()).await.expect(403);
    let public = admin.post("/image/v2/images", public).await.expect(201)["id"].as_str().unwrap().to_owned();
    theirs.get(&format!("/image/v2/images/{id}")).await.expect(404);
    theirs.delete(&format!("/image/v2/images/{id}")).await.expect(404);
    upload(&theirs, &id, vec![1]).await.expect(404);
    theirs.get(&format!("/image/v2/images/{public}")).await.expect(200);
    theirs.delete(&format!("/image/v2/images/{public}")).await.expect(403);
    let seen = theirs.get("/image/v2/images").await.expect(200);
    assert_eq!(
        seen["images"].as_array().unwrap().iter().map(|image| image["name"].clone()).collect::<Vec<_>>(),
        [json!("public")]
    );
    assert_eq!(mine.get("/image/v2/images?name=i").await.expect(200)["images"][0]["id"], json!(id));
    assert_eq!(mine.get("/image/v2/images?owner=p2").await.expect(200)["images"], json!([]));
    talk.as_("reader@p1").post("/image/v2/images", json!({"name": "x"})).await.expect(403);
    talk.get("/image/v2/images").await.expect(401);
}

#[tokio::test]
async fn attributes_change_by_patch() {
    let (_world, _room, talk) = start().await;
    let talk = talk.as_("member@p1");
    let id = create(&talk, "raw").await;
    let patch = talk.header("content-type", "application/openstack-images-v2.1-json-patch");
    let path = format!("/image/v2/images/{id}");
    let shown = patch
        .patch(
            &path,
            json!([{"op": "replace", "path": "/name", "value": "n"}, {"op": "add", "path": "/hw_disk_bus", "value": "virtio"}]),
        )
        .await
        .expect(200);
    assert_eq!((&shown["name"], &shown["hw_disk_bus"]), (&json!("n"), &json!("virtio")));
    patch.patch(&path, json!([{"op": "remove", "path": "/hw_disk_bus"}])).await.expect(200);
    for (change, status) in [
        (json!([{"op": "replace", "path": "/hw_disk_bus", "value": "x"}]), 409),
        (json!([{"op": "replace", "path": "/status", "value": "active"}]), 403),
        (json!([{"op": "replace", "path": "/owner", "value": "p2"}]), 403),
        (json!([{"op": "replace", "path": "/visibility", "value": "public"}]), 403),
        (json!([{"op": "replace", "path": "/min_disk", "value": -1}]), 400),
        (json!([{"op": "add", "path": "/os_glance_x", "value": "1"}]), 403),
        (json!([{"op": "jump", "path": "/name"}]), 400),
        (json!({"op": "add"}), 400),
    ] {
        patch.patch(&path, change.clone()).await.expect(status);
    }
    talk.patch(&path, json!([])).await.expect(415);
    talk.put(&format!("{path}/tags/red"), json!(null)).await.expect(204);
    assert_eq!(talk.get("/image/v2/images?tag=red").await.expect(200)["images"][0]["tags"], json!(["red"]));
    talk.delete(&format!("{path}/tags/red")).await.expect(204);
    talk.delete(&format!("{path}/tags/red")).await.expect(404);
    patch.patch(&path, json!([{"op": "replace", "path": "/protected", "value": true}])).await.expect(200);
    talk.delete(&path).await.expect(403);
}

#[tokio::test]
async fn pages_follow_each_other() {
    let (world, _room, talk) = start().await;
    let talk = talk.as_("member@p1");
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
async fn what_a_crash_left_is_tidied() {
    let (world, room, talk) = start().await;
    let talk = talk.as_("member@p1");
    let id = create(&talk, "raw").await;
    let kept = create(&talk, "raw").await;
    upload(&talk, &kept, vec![1; 600]).await.expect(204);
    // As a crash in the middle of an upload leaves things: the row says `saving`, a file is half there.
    let saving = id.clone();
    world
        .store
        .write(move |tx| tx.execute("UPDATE images SET status = 'saving' WHERE id = $1", &[saving.as_str().into()]))
        .await
        .unwrap();
    let folder = world.folder.path().join("images");
    std::fs::write(folder.join(format!(".{id}.x.partial")), b"half").unwrap();
    std::fs::write(folder.join(&id), b"whole, but the row never said so").unwrap();
    std::fs::write(folder.join("of-a-deleted-image"), b"x").unwrap();
    upload(&talk, &id, vec![1]).await.expect(409);
    drop(room);
    let room = open(&world).await;
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    assert_eq!(talk.get(&format!("/image/v2/images/{id}")).await.expect(200)["status"], "queued");
    upload(&talk, &id, vec![1; 512]).await.expect(204);
    assert_eq!(talk.get(&format!("/image/v2/images/{kept}")).await.expect(200)["status"], "active");
    assert_eq!(room.audit().await.unwrap(), []);
}
