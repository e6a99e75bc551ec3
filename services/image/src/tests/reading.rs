// SPDX-License-Identifier: Apache-2.0
//! Data in several stores, of which some fail: by a missing file, by silence, or in the middle.

use std::{fs, process::Command, time::Duration};

use contracts::images::Images;
use lab::ObjectStore;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use types::ImageId;

use super::{
    Room,
    bucket::{bucket, bucket_at},
    create,
    imports::import,
    message, show, start, start_with, task_of, upload,
};
use crate::{Image, Settings, StoreSettings};

fn content() -> Vec<u8> {
    (0..700_000u32).map(|at| b'a' + (at >> 9) as u8 % 26).collect()
}

/// An object store that sends this much of an object, and then nothing more; less than none of it is no answer at all.
async fn hanging(sends: Option<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            if let Some(part) = &sends {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(b"HTTP/1.1 206 Partial Content\r\ncontent-length: 700000\r\n\r\n").await;
                let _ = stream.write_all(part).await;
            }
            held.push(stream);
        }
    });
    url
}

fn far(settings: &Settings, endpoint: &str) -> StoreSettings {
    let limits = web::Limits { idle: Duration::from_millis(300), ..web::Limits::default() };
    bucket_at(settings, endpoint, "access", "secret", limits)
}

async fn download(talk: &world::Talk, id: &str) -> Vec<u8> {
    text(&talk.get(&format!("/image/v2/images/{id}/file")).await).to_vec()
}

fn text(said: &world::Said) -> &[u8] {
    message(&said.body).as_bytes()
}

/// The same tables and folders with other settings.
async fn with_settings(it: &Room, change: impl FnOnce(&mut Settings)) -> (Image, world::Talk) {
    let mut settings = it.room.settings.as_ref().clone();
    change(&mut settings);
    let room = Image::open(it.world.store.clone(), settings).await.unwrap();
    let talk = it.world.talk(vec![room.service()], &crate::ROOM.policies(), &crate::ROOM.rules()).as_("member@p1");
    (room, talk)
}

#[tokio::test]
async fn a_missing_file_is_read_from_the_next_store() {
    let it = start().await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    upload(&talk, &id, content()).await.expect(204);
    it.admin().post(&import(&id), json!({"method": {"name": "copy-image"}, "all_stores": true})).await.expect(202);
    assert_eq!(task_of(&talk, &id).await["status"], "success");
    let blob = show(&talk, &id).await["os_hash_value"].as_str().unwrap().to_owned();
    let (heavier, lighter) =
        (it.world.folder.path().join("images/file").join(&blob), it.world.folder.path().join("slow").join(&blob));
    fs::remove_file(&heavier).unwrap();
    assert!(download(&talk, &id).await == content());
    assert_eq!(Images::file(&it.room, &ImageId::from(id.as_str())).await.unwrap(), lighter);
    // One that was cut short is no better.
    fs::write(&heavier, &content()[..5000]).unwrap();
    assert!(download(&talk, &id).await == content());
    let part = talk.header("range", "bytes=4990-5009").get(&format!("/image/v2/images/{id}/file")).await;
    assert!(*text(&part) == content()[4990..5010]);
    // With all of them gone there is an error, and no end before the end.
    fs::remove_file(&heavier).unwrap();
    fs::remove_file(&lighter).unwrap();
    assert_eq!(talk.get(&format!("/image/v2/images/{id}/file")).await.status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_is_read_from_whichever_store_answers() {
    let store = ObjectStore::start().unwrap();
    let it = start_with(|settings| settings.stores.push(bucket(settings, &store, &store.secret))).await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    upload(&talk.header("x-image-meta-store", "far"), &id, content()).await.expect(204);
    it.admin().post(&import(&id), json!({"method": {"name": "copy-image"}, "stores": ["slow"]})).await.expect(202);
    assert_eq!(task_of(&talk, &id).await["status"], "success");

    // It does not answer; it sends half and hangs; it is down.
    let down = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for endpoint in [hanging(None).await, hanging(Some(content()[..300_000].to_vec())).await, format!("http://{down}")] {
        let (_room, talk) = with_settings(&it, |settings| settings.stores[2] = far(settings, &endpoint)).await;
        assert!(download(&talk, &id).await == content(), "{endpoint}");
        let part = talk.header("range", "bytes=1000-1999").get(&format!("/image/v2/images/{id}/file")).await;
        assert!(*text(&part) == content()[1000..2000], "{endpoint}");
    }

    // A host gets its file from the bucket that answers, past the one that sends half.
    it.admin().delete(&format!("/image/v2/stores/slow/{id}")).await.expect(204);
    let half = hanging(Some(content()[..300_000].to_vec())).await;
    let key = id.clone();
    let both = "UPDATE images SET stores = '[\"far\",\"broken\"]', holds = '[\"far\",\"broken\"]' WHERE id = $1";
    it.world.store.write(move |tx| tx.execute(both, &[key.as_str().into()])).await.unwrap();
    let (room, _) = with_settings(&it, |settings| {
        let broken = StoreSettings { id: "broken".into(), weight: 100, ..far(settings, &half) };
        settings.stores.push(broken);
    })
    .await;
    let near = Images::file(&room, &ImageId::from(id.as_str())).await.unwrap();
    assert!(fs::read(near).unwrap() == content());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_hangs_while_data_goes_up_is_given_up_in_time() {
    let endpoint = hanging(None).await;
    let it = start_with(|settings| settings.stores.push(far(settings, &endpoint))).await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    let said = upload(&talk.header("x-image-meta-store", "far"), &id, content()).await;
    assert_eq!(said.status, 503);
    assert_eq!(show(&talk, &id).await["status"], "queued");
    assert_eq!(fs::read_dir(it.room.settings.store("far").unwrap().place.scratch()).unwrap().count(), 0);
}

/// Run by the next test in a namespace of mounts, so that the small disk goes with the process.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a process of its own"]
async fn a_room_whose_disk_is_small() {
    let store = ObjectStore::start().unwrap();
    let it = start_with(|settings| settings.stores.push(bucket(settings, &store, &store.secret))).await;
    let near = it.room.settings.near();
    nix::mount::mount(Some("tmpfs"), &near, Some("tmpfs"), nix::mount::MsFlags::empty(), Some("size=1m")).unwrap();
    let talk = it.member().header("x-image-meta-store", "far");
    let ids: Vec<ImageId> = {
        let mut ids = Vec::new();
        for first in 0..2 {
            let id = create(&talk, "raw").await;
            upload(&talk, &id, [vec![first], content()].concat()).await.expect(204);
            ids.push(ImageId::from(id.as_str()));
        }
        ids
    };
    // The second has room once the first, which nobody used since, is gone.
    for id in &ids {
        Images::file(&it.room, id).await.unwrap();
        assert_eq!(it.files("near"), 1);
    }
    // Something else fills the disk.
    fs::create_dir(near.join("others")).unwrap();
    fs::write(near.join("others/data"), vec![1; 300_000]).unwrap();
    fs::remove_file(Images::file(&it.room, &ids[1]).await.unwrap()).unwrap();
    fs::write(near.join("others/more"), vec![1; 300_000]).unwrap();
    let said = Images::file(&it.room, &ids[0]).await.unwrap_err().to_string();
    assert!(said.contains("The controller's disk under") && said.contains("images/near"), "{said}");
    let left: Vec<_> = fs::read_dir(&near).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["others"], "nothing half-made is left");
}

#[test]
fn a_full_disk_is_named_and_nothing_half_made_is_left() {
    let output = Command::new("unshare")
        .arg("--mount")
        .arg(std::env::current_exe().unwrap())
        .args(["tests::reading::a_room_whose_disk_is_small", "--exact", "--ignored"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
