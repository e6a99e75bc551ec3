// SPDX-License-Identifier: Apache-2.0
//! Quotas, and uploads that try to go past them.

use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use store::Actor;
use types::ImageId;

use super::{create, imports::import, show, stage, start_with, task_of, upload};
use crate::{
    Error, Quota,
    data::{Judge, Meter, keep, receive},
    image::Status,
};

const MIB: usize = 1 << 20;

async fn used(talk: &world::Talk, resource: &str) -> Value {
    talk.get("/image/v2/info/usage").await.expect(200)["usage"][resource]["usage"].clone()
}

#[tokio::test]
async fn uploads_at_once_stay_within_the_quota() {
    let it = start_with(|settings| {
        settings.limits.bytes = 16 << 20;
        settings.quota = Quota { size_total: Some(2), ..Quota::default() };
    })
    .await;
    let talk = it.member();
    // Each alone would fit; together only two do.
    let uploads = (0..5).map(|round| {
        let talk = talk.clone();
        tokio::spawn(async move {
            let id = create(&talk, "raw").await;
            let length = MIB.to_string();
            let said = upload(&talk.header("content-length", &length), &id, vec![round; MIB]).await;
            (id, said.status.as_u16())
        })
    });
    let mut kept = Vec::new();
    for upload in uploads.collect::<Vec<_>>() {
        let (id, status) = upload.await.unwrap();
        assert!(matches!(status, 204 | 413), "{status}");
        if status == 204 {
            kept.push(id);
        } else {
            assert_eq!(show(&talk, &id).await["status"], "queued");
        }
    }
    assert!((1..=2).contains(&kept.len()), "{kept:?}");
    assert_eq!((used(&talk, "image_size_total").await, it.files("file")), (json!(kept.len()), kept.len()));
    // Another project has its own.
    let theirs = it.talk.as_("member@p2");
    let id = create(&theirs, "raw").await;
    upload(&theirs, &id, vec![9; 2 * MIB]).await.expect(204);
    upload(&theirs, &create(&theirs, "raw").await, vec![9; 512]).await.expect(413);
    theirs.delete(&format!("/image/v2/images/{id}")).await.expect(204);
    assert_eq!(used(&theirs, "image_size_total").await, 0);
}

#[tokio::test]
async fn counts_and_staged_bytes_are_limited() {
    let it = start_with(|settings| {
        settings.limits.bytes = 16 << 20;
        settings.quota = Quota { size_total: Some(3), stage_total: Some(1), count_total: Some(3), count_uploading: Some(1) };
    })
    .await;
    let (talk, admin) = (it.member(), it.admin());
    let (first, second) = (create(&talk, "raw").await, create(&talk, "raw").await);
    let third = create(&talk, "raw").await;
    talk.post("/image/v2/images", json!({"name": "one too many"})).await.expect(413);
    stage(&talk, &first, vec![1; MIB + 1]).await.expect(413);
    assert_eq!((show(&talk, &first).await["status"].clone(), it.files("staging")), (json!("queued"), 0));
    stage(&talk, &first, vec![1; MIB]).await.expect(204);
    assert_eq!((used(&talk, "image_stage_total").await, used(&talk, "image_count_uploading").await), (json!(1), json!(1)));
    upload(&talk, &second, vec![1; 600]).await.expect(413);
    talk.post(&import(&first), json!({"method": {"name": "glance-direct"}, "all_stores": true})).await.expect(202);
    assert_eq!(task_of(&talk, &first).await["status"], "success");
    // Two copies of one mebibyte each.
    assert_eq!((used(&talk, "image_size_total").await, used(&talk, "image_stage_total").await), (json!(2), json!(0)));
    upload(&talk, &second, vec![2; MIB]).await.expect(204);
    upload(&talk, &third, vec![3; 600]).await.expect(413);
    admin.post(&import(&second), json!({"method": {"name": "copy-image"}, "all_stores": true})).await.expect(202);
    assert_eq!(task_of(&talk, &second).await["status"], "failure");
    let shown = show(&talk, &second).await;
    assert_eq!(
        (&shown["status"], &shown["stores"], &shown["os_glance_failed_import"]),
        (&json!("active"), &json!("file"), &json!("slow"))
    );
    assert_eq!((used(&talk, "image_size_total").await, it.files("slow")), (json!(3), 1));
}

/// OSSA-2015-003 and 2014-028: deleting an image while it is uploaded, again and again, fills the disk past the quota.
#[tokio::test]
async fn an_image_that_is_deleted_while_its_data_comes_in_keeps_nothing() {
    let it = start_with(|settings| settings.quota = Quota { size_total: Some(2), ..Quota::default() }).await;
    let talk = it.member();
    let id = create(&talk, "raw").await;
    let saving = id.clone();
    let begin = "UPDATE images SET status = 'saving' WHERE id = $1";
    it.world.store.write(move |tx| tx.execute(begin, &[saving.as_str().into()])).await.unwrap();
    let (image, to) = (ImageId::new(id.as_str()), it.room.settings.stores[0].clone());
    let mut meter = Meter::new(&it.room, &image, Status::Saving, None);
    let chunks = stream::iter([Ok(Bytes::from(vec![1; 600]))]);
    let received = receive("p1", to.place.partial(), Judge::Later, Some(&mut meter), chunks).await.unwrap();
    // What is on its way counts, all that it may become.
    assert_eq!((used(&talk, "image_size_total").await, it.files("file")), (json!(2), 1));
    upload(&talk, &create(&talk, "raw").await, vec![1; 600]).await.expect(413);
    talk.delete(&format!("/image/v2/images/{id}")).await.expect(204);
    assert!(matches!(meter.grant(65 << 20).await, Err(Error::TooLarge(_) | Error::Gone)));
    let kept = keep(&it.room, &Actor::system("test"), &image, &to, received).await;
    assert!(matches!(kept, Err(Error::Gone)), "{kept:?}");
    assert_eq!((used(&talk, "image_size_total").await, it.files("file")), (json!(0), 0));
}
