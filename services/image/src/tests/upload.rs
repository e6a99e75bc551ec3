// SPDX-License-Identifier: Apache-2.0
//! Data in and out.

use contracts::{audit::Audit, images::Images};
use serde_json::{Value, json};
use types::ImageId;

use super::{create, message, qemu_img, show, start, upload};

#[tokio::test]
async fn an_image_goes_in_and_comes_out_the_same() {
    let it = start().await;
    let (room, talk) = (&it.room, it.member());
    let data = qemu_img(it.world.folder.path(), &["-f", "qcow2", "FILE", "64M"]);
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
    assert_eq!((it.files("file"), it.files("slow"), it.files("staging")), (0, 0, 0));
    assert_eq!(room.audit().await.unwrap(), []);
}

#[tokio::test]
async fn hostile_content_is_refused_and_nothing_is_kept() {
    let it = start().await;
    let talk = it.member();
    let folder = it.world.folder.path();
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
        ("qcow2", vec![], 400, "empty"),
        ("raw", vec![1; (1 << 20) + 1], 413, "larger than"),
    ];
    for (format, data, status, words) in table {
        let id = create(&talk, format).await;
        let said = upload(&talk, &id, data).await.expect(status);
        assert!(message(&said).contains(words), "{format} {words}: {said}");
        let shown = talk.get(&format!("/image/v2/images/{id}")).await.expect(200);
        assert_eq!((&shown["status"], &shown["size"]), (&json!("queued"), &Value::Null));
        assert_eq!(it.files("file"), 0, "{words}");
    }
}

#[tokio::test]
async fn images_with_the_same_data_share_it_and_none_loses_it() {
    let it = start().await;
    let (talk, data) = (it.member(), vec![5; 2000]);
    let (first, second) = (create(&talk, "raw").await, create(&talk, "raw").await);
    upload(&talk, &first, data.clone()).await.expect(204);
    upload(&talk, &second, data.clone()).await.expect(204);
    assert_eq!(it.files("file"), 1);
    talk.delete(&format!("/image/v2/images/{first}")).await.expect(204);
    assert_eq!(it.files("file"), 1);
    assert_eq!(talk.get(&format!("/image/v2/images/{second}/file")).await.status, 200);
    // Uploads and deletes of the same data, beside each other.
    let rounds = (0..8).map(|_| {
        let (talk, data) = (talk.clone(), data.clone());
        tokio::spawn(async move {
            for _ in 0..5 {
                let id = create(&talk, "raw").await;
                upload(&talk, &id, data.clone()).await.expect(204);
                assert_eq!(talk.get(&format!("/image/v2/images/{id}/file")).await.status, 200);
                talk.delete(&format!("/image/v2/images/{id}")).await.expect(204);
            }
        })
    });
    for round in rounds.collect::<Vec<_>>() {
        round.await.unwrap();
    }
    assert_eq!(it.room.audit().await.unwrap(), []);
    talk.delete(&format!("/image/v2/images/{second}")).await.expect(204);
    assert_eq!(it.files("file"), 0);
}

#[tokio::test]
async fn a_deactivated_image_is_not_handed_out() {
    let it = start().await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    let action = |word: &str| format!("/image/v2/images/{id}/actions/{word}");
    talk.post(&action("deactivate"), Value::Null).await.expect(403);
    upload(&talk, &id, vec![1; 600]).await.expect(204);
    talk.post(&action("deactivate"), Value::Null).await.expect(204);
    talk.post(&action("deactivate"), Value::Null).await.expect(204);
    assert_eq!(show(&talk, &id).await["status"], "deactivated");
    talk.get(&format!("/image/v2/images/{id}/file")).await.expect(403);
    assert_eq!(it.admin().get(&format!("/image/v2/images/{id}/file")).await.status, 200);
    let facts = it.room.get(Some(&"p1".into()), &ImageId::new(id.as_str())).await.unwrap();
    assert_eq!(facts.status, "deactivated");
    it.talk.as_("member@p2").post(&action("reactivate"), Value::Null).await.expect(404);
    talk.post(&action("reactivate"), Value::Null).await.expect(204);
    assert_eq!(talk.get(&format!("/image/v2/images/{id}/file")).await.status, 200);
}

#[tokio::test]
async fn data_that_is_not_what_was_announced_is_refused() {
    let it = start().await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    let said = upload(&talk.header("x-openstack-image-size", "700"), &id, vec![1; 600]).await.expect(400);
    assert!(message(&said).contains("700 bytes of data were announced, but 600 came"), "{said}");
    upload(&talk.header("x-image-meta-store", "nowhere"), &id, vec![1; 600]).await.expect(400);
    talk.header("content-type", "text/plain").send("PUT", &format!("/image/v2/images/{id}/file"), vec![1]).await.expect(415);
    assert_eq!((show(&talk, &id).await["status"].clone(), it.files("file")), (json!("queued"), 0));
    let nothing = talk.post("/image/v2/images", json!({"name": "n"})).await.expect(201);
    upload(&talk, nothing["id"].as_str().unwrap(), vec![1; 600]).await.expect(400);
}
