// SPDX-License-Identifier: Apache-2.0
//! Sharing.

use contracts::images::Images;
use serde_json::json;
use types::ImageId;

use super::{Room, create, patch, show, start, start_with, upload};

async fn ids(it: &Room, who: &str, query: &str) -> usize {
    let page = it.talk.as_(who).get(&format!("/image/v2/images?{query}")).await.expect(200);
    page["images"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_shared_image_is_seen_at_once_and_listed_once_it_is_taken() {
    let it = start().await;
    let (mine, theirs, others) = (it.member(), it.talk.as_("member@p2"), it.talk.as_("member@p3"));
    let id = create(&mine, "raw").await;
    upload(&mine, &id, vec![1; 600]).await.expect(204);
    let members = format!("/image/v2/images/{id}/members");
    theirs.get(&members).await.expect(404);
    let made = mine.post(&members, json!({"member": "p2"})).await.expect(200);
    assert_eq!((&made["status"], &made["member_id"], &made["image_id"]), (&json!("pending"), &json!("p2"), &json!(id)));
    mine.post(&members, json!({"member": "p2"})).await.expect(409);
    mine.post(&members, json!({"member": ""})).await.expect(400);
    mine.post(&members, json!({"member": "p3"})).await.expect(200);
    // Seen and used before it is taken; listed by those who ask for what is pending.
    show(&theirs, &id).await;
    assert_eq!(theirs.get(&format!("/image/v2/images/{id}/file")).await.status, 200);
    assert_eq!(it.room.get(Some(&"p2".into()), &ImageId::new(id.as_str())).await.unwrap().status, "active");
    assert_eq!((ids(&it, "member@p2", "").await, ids(&it, "member@p2", "member_status=pending").await), (0, 1));
    // Only the member himself takes it, and he alone is what he sees.
    let own = format!("{members}/p2");
    mine.put(&own, json!({"status": "accepted"})).await.expect(403);
    others.put(&own, json!({"status": "accepted"})).await.expect(404);
    theirs.put(&own, json!({"status": "taken"})).await.expect(400);
    assert_eq!(theirs.put(&own, json!({"status": "accepted"})).await.expect(200)["status"], "accepted");
    assert_eq!(theirs.get(&members).await.expect(200)["members"].as_array().unwrap().len(), 1);
    assert_eq!(mine.get(&members).await.expect(200)["members"].as_array().unwrap().len(), 2);
    theirs.get(&format!("{members}/p3")).await.expect(404);
    for (query, count) in [("", 1), ("visibility=shared", 1), ("member_status=rejected", 0), ("member_status=all", 1)] {
        assert_eq!(ids(&it, "member@p2", query).await, count, "{query}");
    }
    // To see is not to change.
    theirs.delete(&format!("/image/v2/images/{id}")).await.expect(403);
    patch(&theirs, &id, json!([{"op": "replace", "path": "/name", "value": "x"}])).await.expect(403);
    theirs.post(&members, json!({"member": "p4"})).await.expect(403);
    theirs.delete(&format!("{members}/p3")).await.expect(403);
    theirs.put(&own, json!({"status": "rejected"})).await.expect(200);
    assert_eq!(ids(&it, "member@p2", "").await, 0);
    mine.delete(&own).await.expect(204);
    mine.delete(&own).await.expect(404);
    theirs.get(&format!("/image/v2/images/{id}")).await.expect(404);
    let before = it.world.store.statements();
    ids(&it, "member@p3", "member_status=all").await;
    assert_eq!(it.world.store.statements() - before, 1);
    mine.delete(&format!("/image/v2/images/{id}")).await.expect(204);
    let left = it.world.store.read(|tx| tx.query_one("SELECT count(*) FROM image_members", &[])).await.unwrap();
    assert_eq!(left.get::<i64>(0).unwrap(), 0);
}

#[tokio::test]
async fn only_shared_images_have_members() {
    let it = start_with(|settings| settings.limits.members = 1).await;
    let mine = it.member();
    let id = create(&mine, "raw").await;
    let members = format!("/image/v2/images/{id}/members");
    mine.post(&members, json!({"member": "p2"})).await.expect(200);
    mine.post(&members, json!({"member": "p3"})).await.expect(413);
    let to = |visibility: &str| json!([{"op": "replace", "path": "/visibility", "value": visibility}]);
    patch(&mine, &id, to("private")).await.expect(200);
    mine.post(&members, json!({"member": "p3"})).await.expect(403);
    it.talk.as_("member@p2").get(&format!("/image/v2/images/{id}")).await.expect(404);
    assert_eq!(ids(&it, "member@p2", "member_status=all").await, 0);
    patch(&mine, &id, to("community")).await.expect(200);
    it.talk.as_("member@p9").get(&format!("/image/v2/images/{id}")).await.expect(200);
    for (query, count) in [("", 0), ("visibility=community", 1), ("visibility=all", 1), ("visibility=public", 0)] {
        assert_eq!(ids(&it, "member@p9", query).await, count, "{query}");
    }
    it.talk.as_("reader@p1").post(&members, json!({"member": "p3"})).await.expect(403);
}
