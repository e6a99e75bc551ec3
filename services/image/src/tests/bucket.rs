// SPDX-License-Identifier: Apache-2.0
//! A store that is a bucket: the same images, and what an object store that fails does to them.

use contracts::{audit::Audit, images::Images};
use lab::ObjectStore;
use serde_json::json;
use types::{ImageId, Secret};

use super::{create, show, start_with, upload};
use crate::{
    InBucket, Place, Settings, StoreSettings,
    data::released::{self, Named, Where},
};

pub fn bucket(settings: &Settings, store: &ObjectStore, secret: &str) -> StoreSettings {
    bucket_at(settings, &store.endpoint, &store.access, secret, web::Limits::default())
}

pub fn bucket_at(settings: &Settings, endpoint: &str, access: &str, secret: &str, limits: web::Limits) -> StoreSettings {
    let at = s3::BucketAt {
        endpoint: endpoint.into(),
        bucket: ObjectStore::BUCKET.into(),
        region: "us-east-1".into(),
        style: s3::Style::Path,
        keys: s3::Keys { access: access.into(), secret: Secret::new(secret.to_owned()) },
    };
    let bucket = s3::Bucket::new(at, web::Client::new(web::Rules::everything(), limits)).unwrap();
    let place = InBucket {
        bucket,
        prefix: "images/".into(),
        url: "s3://store/images".into(),
        scratch: settings.folder.join("outbound/far"),
    };
    StoreSettings { id: "far".into(), description: "A bucket".into(), place: Place::Bucket(place), weight: 10 }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_in_a_bucket_is_as_good_as_in_a_folder() {
    let store = ObjectStore::start().unwrap();
    let it = start_with(|settings| settings.stores.push(bucket(settings, &store, &store.secret))).await;
    let (talk, far) = (it.member(), it.room.settings.store("far").unwrap().place.clone());
    let detail = it.admin().get("/image/v2/info/stores/detail").await.expect(200);
    assert_eq!((&detail["stores"][2]["type"], &detail["stores"][2]["weight"]), (&json!("s3"), &json!(10)));

    let data: Vec<u8> = (0..700_000u32).map(|at| (at >> 9) as u8).collect();
    let ids = [create(&talk, "raw").await, create(&talk, "raw").await];
    for id in &ids {
        upload(&talk.header("x-image-meta-store", "far"), id, data.clone()).await.expect(204);
    }
    assert_eq!(far.names().await.unwrap().len(), 1, "two images with the same data share it");
    assert_eq!(std::fs::read_dir(far.scratch()).unwrap().count(), 0);
    let path = format!("/image/v2/images/{}/file", ids[0]);
    let all = talk.get(&path).await;
    assert_eq!((all.status.as_u16(), all.headers["content-length"].to_str().unwrap()), (200, "700000"));
    let part = talk.header("range", "bytes=1000-1002").get(&path).await;
    assert_eq!((part.status.as_u16(), part.headers["content-range"].to_str().unwrap()), (206, "bytes 1000-1002/700000"));

    // A host is sent a file, which is brought near once.
    let id = ImageId::from(ids[0].as_str());
    let near = Images::file(&it.room, &id).await.unwrap();
    assert!(std::fs::read(&near).unwrap() == data);
    far.remove(show(&talk, &ids[0]).await["os_hash_value"].as_str().unwrap()).await.unwrap();
    assert_eq!(Images::file(&it.room, &id).await.unwrap(), near);
    let findings = it.room.audit().await.unwrap();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings.iter().all(|finding| finding.kind == "missing"));

    for id in &ids {
        talk.delete(&format!("/image/v2/images/{id}")).await.expect(204);
    }
    assert!(far.names().await.unwrap().is_empty());
    assert_eq!(it.files("near"), 0, "what no image has any more is not kept near");
    assert!(it.room.audit().await.unwrap().is_empty());
    std::fs::write(&near, b"left by a crash between the row and the file").unwrap();
    let left = Named { place: Where::Near, name: near.file_name().unwrap().to_string_lossy().into_owned() };
    it.world.store.write(move |tx| released::insert(tx, &left)).await.unwrap();
    let it = it.restart().await;
    assert_eq!(it.files("near"), 0, "nor what a crash left");
    assert!(it.room.audit().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_filled_and_emptied_by_the_operators_copies() {
    let store = ObjectStore::start().unwrap();
    let it = start_with(|settings| settings.stores.push(bucket(settings, &store, &store.secret))).await;
    let (admin, far) = (it.admin(), it.room.settings.store("far").unwrap().place.clone());
    let id = create(&admin, "raw").await;
    upload(&admin, &id, vec![7; 4096]).await.expect(204);
    let copy = json!({"method": {"name": "copy-image"}, "stores": ["far"]});
    admin.post(&format!("/image/v2/images/{id}/import"), copy).await.expect(202);
    let copied = async {
        while show(&admin, &id).await["stores"] != "far,file" && show(&admin, &id).await["stores"] != "file,far" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), copied).await.expect("the copy");
    assert_eq!((it.files("file"), far.names().await.unwrap().len()), (1, 1));
    admin.delete(&format!("/image/v2/stores/far/{id}")).await.expect(204);
    assert_eq!((it.files("file"), far.names().await.unwrap().len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_fails_leaves_nothing_half_made_and_keeps_nobody_from_starting() {
    let store = ObjectStore::start().unwrap();
    let it = start_with(|settings| settings.stores.push(bucket(settings, &store, "not the secret"))).await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    let said = upload(&talk.header("x-image-meta-store", "far"), &id, vec![1; 600]).await;
    assert_eq!(said.status, 503);
    assert!(!said.body.to_string().contains("Signature"), "what the store said is for the operator: {}", said.body);
    assert_eq!(show(&talk, &id).await["status"], "queued");
    upload(&talk, &id, vec![1; 600]).await.expect(204);
    assert_eq!(std::fs::read_dir(it.room.settings.store("far").unwrap().place.scratch()).unwrap().count(), 0);
}
