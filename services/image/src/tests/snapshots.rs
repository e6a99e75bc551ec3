// SPDX-License-Identifier: Apache-2.0
//! Images that compute makes of machines' disks: nobody else fills them, and they are whole or gone.

use std::collections::BTreeMap;

use bytes::Bytes;
use contracts::{
    RefusalKind,
    audit::Audit,
    images::{Chunks, Images, NewSnapshot},
};
use futures_util::stream;
use serde_json::json;
use types::ImageId;

use super::{Room, qemu_img, show, start, start_with, upload};
use crate::{Protection, Quota};

fn snapshot() -> NewSnapshot {
    NewSnapshot {
        id: ImageId::generate(),
        owner: "p1".into(),
        name: "web, as it was".into(),
        min_disk: 5,
        min_ram: 64,
        properties: BTreeMap::from([("image_type".to_owned(), "snapshot".to_owned())]),
        user: "u1".into(),
        roles: vec!["member".into()],
        request_id: "req-1".into(),
    }
}

fn sent(data: &[u8]) -> Chunks {
    let pieces: Vec<_> = data.chunks(1000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Box::pin(stream::iter(pieces))
}

/// Whose sender loses its connection on the way.
fn broken_off(data: &[u8]) -> Chunks {
    let broken = Err(std::io::Error::other("the connection was lost"));
    Box::pin(stream::iter([Ok(Bytes::copy_from_slice(&data[..1000])), broken]))
}

fn disk(it: &Room) -> Vec<u8> {
    qemu_img(it.world.folder.path(), &["-f", "qcow2", "FILE", "8M"])
}

#[tokio::test]
async fn a_snapshot_waits_for_its_data_and_takes_them_once() {
    let it = start().await;
    let (talk, snapshot, data) = (it.member(), snapshot(), disk(&it));
    let id = snapshot.id.as_str();
    it.room.ensure_snapshot(&snapshot).await.unwrap();
    it.room.ensure_snapshot(&snapshot).await.unwrap();
    let shown = show(&talk, id).await;
    let told = ["status", "visibility", "name", "disk_format", "container_format", "min_disk", "min_ram", "image_type", "owner"];
    assert_eq!(
        told.map(|name| shown[name].clone()),
        [
            json!("saving"),
            json!("private"),
            json!("web, as it was"),
            json!("qcow2"),
            json!("bare"),
            json!(5),
            json!(64),
            json!("snapshot"),
            json!("p1")
        ]
    );
    upload(&talk, id, data.clone()).await.expect(409);

    // What breaks off comes again, after a restart of the controller, too.
    let refusal = it.room.receive_snapshot(&snapshot.id, broken_off(&data)).await.unwrap_err();
    assert!(refusal.is_transient(), "{refusal}");
    assert_eq!(it.files("file"), 0);
    let it = it.restart().await;
    it.room.receive_snapshot(&snapshot.id, sent(&data)).await.unwrap();
    let shown = show(&it.member(), id).await;
    assert_eq!(
        (&shown["status"], &shown["size"], &shown["virtual_size"]),
        (&json!("active"), &json!(data.len()), &json!(8 << 20))
    );
    it.room.receive_snapshot(&snapshot.id, sent(b"something else")).await.unwrap();
    it.room.release_snapshot(&snapshot.id).await.unwrap();
    assert_eq!(show(&it.member(), id).await["os_hash_value"], shown["os_hash_value"], "what is there stays as it is");
    assert_eq!(it.room.audit().await.unwrap(), []);
}

#[tokio::test]
async fn a_snapshot_that_comes_to_nothing_is_gone() {
    let it = start().await;
    let snapshot = snapshot();
    it.room.ensure_snapshot(&snapshot).await.unwrap();
    // A guest that took QEMU over could send anything.
    let backed = qemu_img(it.world.folder.path(), &["-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", "-u", "FILE", "8M"]);
    let refusal = it.room.receive_snapshot(&snapshot.id, sent(&backed)).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    assert!(refusal.message.contains("backing file"), "{refusal}");
    it.room.release_snapshot(&snapshot.id).await.unwrap();
    it.room.release_snapshot(&snapshot.id).await.unwrap();
    it.member().get(&format!("/image/v2/images/{}", snapshot.id)).await.expect(404);
    let refusal = it.room.receive_snapshot(&snapshot.id, sent(&disk(&it))).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::NotFound);
    assert_eq!(it.files("file"), 0);
    assert_eq!(it.room.audit().await.unwrap(), []);
}

#[tokio::test]
async fn snapshots_are_within_the_quota_and_the_operators_rules() {
    let licence = Protection {
        name: "licence".into(),
        create: vec!["admin".into()],
        read: vec!["@".into()],
        update: vec![],
        delete: vec![],
    };
    let others = Protection { name: "*".into(), create: vec!["@".into()], ..licence.clone() };
    let it = start_with(|settings| {
        settings.quota = Quota { count_total: Some(1), ..Quota::default() };
        settings.protections = vec![licence, others];
    })
    .await;
    let with = |name: &str| {
        let mut snapshot = snapshot();
        snapshot.properties.insert(name.to_owned(), "x".into());
        snapshot
    };
    for name in ["licence", "owner", "os_glance_anything"] {
        assert_eq!(it.room.ensure_snapshot(&with(name)).await.unwrap_err().kind, RefusalKind::Forbidden, "{name}");
    }
    it.room.ensure_snapshot(&with("colour")).await.unwrap();
    assert_eq!(it.room.ensure_snapshot(&snapshot()).await.unwrap_err().kind, RefusalKind::Exhausted);
}
