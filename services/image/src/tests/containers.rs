// SPDX-License-Identifier: Apache-2.0
//! Data in containers: taken as it is, or unpacked where the operator wants it, and never believed.

use std::{fs, io::Write, path::Path, process::Command};

use contracts::audit::Audit;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use super::{conversion::converting, imports::import, message, qemu_img, show, stage, start, start_with, task_of, upload};

async fn create(talk: &world::Talk, disk: &str, container: &str) -> String {
    let ask = json!({"name": "i", "disk_format": disk, "container_format": container});
    talk.post("/image/v2/images", ask).await.expect(201)["id"].as_str().unwrap().to_owned()
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn tar(folder: &Path, names: &[&str]) -> Vec<u8> {
    for name in names {
        fs::write(folder.join(name), [7; 900]).unwrap();
    }
    Command::new("tar").arg("-cC").arg(folder).args(names).output().unwrap().stdout
}

#[tokio::test]
async fn containers_are_taken_as_they_are() {
    let it = start().await;
    let talk = it.member();
    let folder = tempfile::tempdir().unwrap();
    let appliance = tar(folder.path(), &["a.ovf", "disk.vmdk"]);
    let layers = tar(folder.path(), &["layer.tar", "manifest.json"]);
    let qcow2 = qemu_img(folder.path(), &["-f", "qcow2", "FILE", "1M"]);
    for (disk, container, data) in
        [("vmdk", "ova", appliance.clone()), ("raw", "docker", layers.clone()), ("qcow2", "compressed", packed(&qcow2))]
    {
        for staged in [false, true] {
            let id = create(&talk, disk, container).await;
            if staged {
                stage(&talk, &id, data.clone()).await.expect(204);
                talk.post(&import(&id), json!({"method": {"name": "glance-direct"}})).await.expect(202);
                assert_eq!(task_of(&talk, &id).await["status"], "success");
            } else {
                upload(&talk, &id, data.clone()).await.expect(204);
            }
            let shown = show(&talk, &id).await;
            assert_eq!((&shown["status"], &shown["size"]), (&json!("active"), &json!(data.len())), "{container}");
            // What is inside was not looked at.
            assert_eq!((&shown["virtual_size"], &shown["container_format"]), (&Value::Null, &json!(container)));
        }
    }
    for (container, data, words) in [
        ("ova", layers, "not the description"),
        ("ova", qcow2.clone(), "a header of the tar is not one"),
        ("ova", appliance[..2000].to_vec(), "ends before"),
        ("docker", qcow2.clone(), "a header of the tar is not one"),
        ("compressed", qcow2, "no gzip file"),
        ("compressed", b"PK\x03\x04 and what follows".to_vec(), "a zip file"),
    ] {
        let id = create(&talk, "qcow2", container).await;
        let said = upload(&talk, &id, data).await.expect(400);
        assert!(message(&said).contains(words), "{container}: {said}");
        assert_eq!(show(&talk, &id).await["status"], "queued");
    }
    assert_eq!(it.files("file"), 3, "of two with the same data one is kept");
    assert_eq!(it.room.audit().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_disk_is_unpacked_judged_and_bounded() {
    let it = start_with(|settings| {
        converting(settings, disks::Format::Raw);
        settings.import.unpacked_bytes = Some(4 << 20);
        settings.quota.size_total = Some(6);
    })
    .await;
    let talk = it.member();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), [1; 512]).unwrap();
    let secret = folder.path().join("secret");
    let backed = qemu_img(folder.path(), &["-f", "qcow2", "-F", "raw", "-b", secret.to_str().unwrap(), "FILE", "1M"]);
    let qcow2 = qemu_img(folder.path(), &["-f", "qcow2", "FILE", "1M"]);
    let asked = json!({"method": {"name": "glance-direct"}});

    for (disk, data, words) in [
        ("qcow2", packed(&backed), "has a backing file"),
        ("raw", packed(&qcow2), "declared as raw, but its content is qcow2"),
        ("raw", packed(&vec![0; 32 << 20]), "larger than the 4194304 bytes that are unpacked"),
        ("raw", packed(&[1; 600])[..30].to_vec(), "cannot be unpacked"),
        ("raw", vec![1; 600], "cannot be unpacked"),
        // Two gzips deep there is no disk that was declared.
        ("qcow2", packed(&packed(&qcow2)), "its content is raw"),
    ] {
        let id = create(&talk, disk, "compressed").await;
        stage(&talk, &id, data).await.expect(204);
        talk.post(&import(&id), asked.clone()).await.expect(202);
        let task = task_of(&talk, &id).await;
        assert!(task["message"].as_str().unwrap().contains(words), "{words}: {task}");
        let shown = show(&talk, &id).await;
        assert_eq!((&shown["status"], &shown["container_format"]), (&json!("queued"), &json!("compressed")));
        assert_eq!((it.files("file"), it.files("staging")), (0, 0));
    }

    let disk: Vec<u8> = (0..700_000u32).map(|at| (at >> 9) as u8).collect();
    for (format, data, virtual_size) in [("raw", packed(&disk), 700_416), ("qcow2", packed(&qcow2), 1 << 20)] {
        let id = create(&talk, format, "compressed").await;
        stage(&talk, &id, data).await.expect(204);
        talk.post(&import(&id), asked.clone()).await.expect(202);
        let task = task_of(&talk, &id).await;
        assert_eq!(task["status"], "success", "{task}");
        let shown = show(&talk, &id).await;
        let formats = (&shown["status"], &shown["container_format"], &shown["disk_format"], &shown["virtual_size"]);
        assert_eq!(formats, (&json!("active"), &json!("bare"), &json!("raw"), &json!(virtual_size)));
    }
    // An upload is kept as it comes: only an import unpacks.
    let id = create(&talk, "raw", "compressed").await;
    upload(&talk, &id, packed(&disk)).await.expect(204);
    assert_eq!(show(&talk, &id).await["container_format"], "compressed");
    assert_eq!(it.room.audit().await.unwrap(), []);
}
