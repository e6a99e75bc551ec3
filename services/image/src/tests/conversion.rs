// SPDX-License-Identifier: Apache-2.0
//! Imports that keep disks in the operator's format, by a real qemu-img in its cage.

use std::{fs, process::Command};

use contracts::audit::Audit;
use disks::{Format, cage::Cage};
use md5::{Digest, Md5};
use serde_json::{Value, json};
use sha2::Sha512;

use super::{Room, create, imports::import, imports::serve, patch, qemu_img, show, stage, start_with, task_of, upload};
use crate::{Conversion, Settings};

const USER: u32 = 298_001;
const DISK: usize = 2 << 20;

pub fn converting(settings: &mut Settings, to: Format) {
    settings.import.conversion = Some(Conversion { to, cage: Cage::new(USER, USER) });
    settings.limits.bytes = 32 << 20;
}

async fn start(to: Format) -> Room {
    start_with(|settings| converting(settings, to)).await
}

/// A disk with something on it.
fn disk() -> Vec<u8> {
    (0..DISK).map(|at| if at < DISK / 4 { (at >> 3) as u8 ^ at as u8 } else { 0 }).collect()
}

/// The same disk as an image of another format.
fn image_of(raw: &[u8], driver: &str, options: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("raw"), dir.path().join("image"));
    fs::write(&from, raw).unwrap();
    let mut command = Command::new("qemu-img");
    command.args(["convert", "-f", "raw", "-O", driver]);
    if !options.is_empty() {
        command.args(["-o", options]);
    }
    assert!(command.args([&from, &to]).status().unwrap().success());
    fs::read(to).unwrap()
}

/// What a guest sees of a qcow2 image.
fn raw_of(qcow2: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("image"), dir.path().join("raw"));
    fs::write(&from, qcow2).unwrap();
    let status = Command::new("qemu-img").args(["convert", "-f", "qcow2", "-O", "raw"]).args([&from, &to]).status();
    assert!(status.unwrap().success());
    fs::read(to).unwrap()
}

/// The data of an image in a store's folder, found by the hash that the image shows.
fn kept(it: &Room, shown: &Value) -> Vec<u8> {
    let data = fs::read(it.world.folder.path().join("images/file").join(shown["os_hash_value"].as_str().unwrap())).unwrap();
    assert_eq!(shown["size"], data.len());
    assert_eq!(shown["checksum"], hex::encode(Md5::digest(&data)));
    assert_eq!(shown["os_hash_value"], hex::encode(Sha512::digest(&data)));
    data
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_each_format_are_kept_in_the_one_that_the_operator_wants() {
    let formats = [
        ("raw", "raw", ""),
        ("qcow2", "qcow2", ""),
        ("vmdk", "vmdk", "subformat=monolithicSparse"),
        ("vmdk", "vmdk", "subformat=streamOptimized"),
        ("vhd", "vpc", "force_size=on"),
        ("vhd", "vpc", "subformat=fixed,force_size=on"),
        ("vhdx", "vhdx", "subformat=dynamic"),
        ("vdi", "vdi", ""),
    ];
    for to in [Format::Raw, Format::Qcow2] {
        let it = start(to).await;
        let talk = it.member();
        for (format, driver, options) in formats {
            let id = create(&talk, format).await;
            stage(&talk, &id, image_of(&disk(), driver, options)).await.expect(204);
            talk.post(&import(&id), json!({"method": {"name": "glance-direct"}, "all_stores": true})).await.expect(202);
            let task = task_of(&talk, &id).await;
            assert_eq!(task["status"], "success", "{format} to {to}: {task}");
            let shown = show(&talk, &id).await;
            assert_eq!((&shown["status"], &shown["stores"]), (&json!("active"), &json!("file,slow")));
            assert_eq!(
                (&shown["disk_format"], &shown["virtual_size"]),
                (&json!(to.as_str()), &json!(DISK)),
                "{format} {options}"
            );
            let data = kept(&it, &shown);
            let content = if to == Format::Raw { data } else { raw_of(&data) };
            assert!(content == disk(), "{format} {options} to {to} is not the same disk");
            talk.delete(&format!("/image/v2/images/{id}")).await.expect(204);
            assert_eq!((it.files("file"), it.files("slow"), it.files("staging")), (0, 0, 0), "{format} {options}");
        }
        assert_eq!(it.room.audit().await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_imported_disk_stays_as_it_is() {
    let it = start(Format::Raw).await;
    let talk = it.member();
    let image = image_of(&disk(), "qcow2", "");
    let uploaded = create(&talk, "qcow2").await;
    upload(&talk, &uploaded, image.clone()).await.expect(204);
    assert_eq!(show(&talk, &uploaded).await["disk_format"], "qcow2");
    it.admin().post(&import(&uploaded), json!({"method": {"name": "copy-image"}, "stores": ["slow"]})).await.expect(202);
    assert_eq!(task_of(&talk, &uploaded).await["status"], "success");
    let shown = show(&talk, &uploaded).await;
    assert_eq!((&shown["disk_format"], &shown["stores"]), (&json!("qcow2"), &json!("file,slow")));
    // A location has a hash that somebody knows.
    let located = create(&talk, "qcow2").await;
    let url = serve(image.clone()).await;
    it.admin().post(&format!("/image/v2/images/{located}/locations"), json!({"url": url})).await.expect(202);
    assert_eq!(task_of(&talk, &located).await["status"], "success");
    assert_eq!(show(&talk, &located).await["disk_format"], "qcow2");
    // From the web, it is converted as any import.
    let fetched = create(&talk, "qcow2").await;
    talk.post(&import(&fetched), json!({"method": {"name": "web-download", "uri": url}})).await.expect(202);
    assert_eq!(task_of(&talk, &fetched).await["status"], "success");
    assert_eq!(show(&talk, &fetched).await["disk_format"], "raw");
    assert_eq!(it.room.audit().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_whose_content_is_an_image_is_not_converted_to_raw() {
    let it = start(Format::Raw).await;
    let talk = it.member();
    let folder = it.world.folder.path();
    fs::write(folder.join("secret"), [1; 512]).unwrap();
    let secret = folder.join("secret");
    let inner = qemu_img(folder, &["-f", "qcow2", "-F", "raw", "-b", secret.to_str().unwrap(), "FILE", "1M"]);
    let id = create(&talk, "qcow2").await;
    stage(&talk, &id, image_of(&inner, "qcow2", "")).await.expect(204);
    talk.post(&import(&id), json!({"method": {"name": "glance-direct"}})).await.expect(202);
    let task = task_of(&talk, &id).await;
    assert!(task["message"].as_str().unwrap().contains("declared as raw, but its content is qcow2"), "{task}");
    let shown = show(&talk, &id).await;
    assert_eq!((&shown["status"], &shown["disk_format"]), (&json!("queued"), &json!("qcow2")));
    assert_eq!((it.files("file"), it.files("staging")), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_fails_gives_back_what_was_declared() {
    let it = start(Format::Raw).await;
    let talk = it.member();
    fs::remove_dir(it.world.folder.path().join("slow")).unwrap();
    let id = create(&talk, "qcow2").await;
    let ask = |must_all: bool| json!({"method": {"name": "glance-direct"}, "stores": ["file", "slow"], "all_stores_must_succeed": must_all});
    stage(&talk, &id, image_of(&disk(), "qcow2", "")).await.expect(204);
    talk.post(&import(&id), ask(true)).await.expect(202);
    assert_eq!(task_of(&talk, &id).await["status"], "failure");
    let shown = show(&talk, &id).await;
    assert_eq!((&shown["status"], &shown["disk_format"], &shown["size"]), (&json!("queued"), &json!("qcow2"), &Value::Null));
    assert_eq!(it.files("file"), 0);

    stage(&talk, &id, image_of(&disk(), "qcow2", "")).await.expect(204);
    talk.post(&import(&id), ask(false)).await.expect(202);
    assert_eq!(task_of(&talk, &id).await["status"], "success");
    let shown = show(&talk, &id).await;
    assert_eq!((&shown["status"], &shown["disk_format"], &shown["stores"]), (&json!("active"), &json!("raw"), &json!("file")));
    assert_eq!(shown["os_glance_failed_import"], "slow");
    kept(&it, &shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_disk_that_is_too_large_is_not_even_begun() {
    let it = start_with(|settings| {
        converting(settings, Format::Raw);
        settings.quota.size_total = Some(3);
    })
    .await;
    let talk = it.member();
    for (size, words) in [("4M", "image_size_total is limited to 3"), ("64M", "larger than the 33554432 bytes")] {
        let id = create(&talk, "qcow2").await;
        stage(&talk, &id, qemu_img(it.world.folder.path(), &["-f", "qcow2", "FILE", size])).await.expect(204);
        talk.post(&import(&id), json!({"method": {"name": "glance-direct"}})).await.expect(202);
        let task = task_of(&talk, &id).await;
        assert!(task["message"].as_str().unwrap().contains(words), "{task}");
        assert_eq!((show(&talk, &id).await["status"].clone(), it.files("file")), (json!("queued"), 0));
    }
    let used = talk.get("/image/v2/info/usage").await.expect(200);
    assert_eq!(used["usage"]["image_size_total"]["usage"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_are_given_to_what_users_import() {
    let it = start_with(|settings| {
        settings.import.injection.properties = [("imported_by".to_owned(), "a user".to_owned())].into();
        settings.import.injection.except_roles = vec!["admin".into()];
    })
    .await;
    for (talk, given) in [(it.member(), json!("a user")), (it.admin(), Value::Null)] {
        let id = create(&talk, "raw").await;
        patch(&talk, &id, json!([{"op": "add", "path": "/imported_by", "value": "me"}])).await.expect(200);
        patch(&talk, &id, json!([{"op": "remove", "path": "/imported_by"}])).await.expect(200);
        stage(&talk, &id, vec![1; 600]).await.expect(204);
        talk.post(&import(&id), json!({"method": {"name": "glance-direct"}})).await.expect(202);
        assert_eq!(task_of(&talk, &id).await["status"], "success");
        assert_eq!(show(&talk, &id).await["imported_by"], given);
    }
}

/// Run by the next test where nothing of QEMU is to be found.
#[tokio::test]
#[ignore = "it needs a process of its own"]
async fn a_room_without_qemu_img() {
    let folder = tempfile::tempdir().unwrap();
    let store = store::Store::open(&format!("sqlite://{}", folder.path().join("db").display())).await.unwrap();
    store.migrate(&[crate::ROOM.migrations()]).await.unwrap();
    let mut settings = super::settings(folder.path());
    crate::Image::open(store.clone(), settings.clone()).await.map(drop).expect("without a conversion nothing is missing");
    converting(&mut settings, Format::Raw);
    let said = crate::Image::open(store, settings).await.map(drop).unwrap_err().to_string();
    assert!(said.contains("qemu-img cannot be used") && said.contains("install QEMU's tools"), "{said}");
}

#[test]
fn a_controller_without_qemu_img_says_so_at_its_start() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["tests::conversion::a_room_without_qemu_img", "--exact", "--ignored"])
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
