// SPDX-License-Identifier: Apache-2.0
//! Copies, and many deletes at once.

use super::*;

#[tokio::test]
async fn a_copy_shares_data_and_outlives_what_it_was_made_of() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    container(&talk, "d").await;
    put(&talk.header("x-object-meta-a", "1").header("content-type", "text/x"), "c/o", large(0)).await.expect(201);
    let said = talk
        .header("destination", "d/o")
        .header("x-object-meta-b", "2")
        .send("COPY", &format!("{ACCOUNT}/c/o"), Vec::new())
        .await;
    assert_eq!((said.status.as_u16(), header(&said, "x-copied-from")), (201, "c/o"));
    talk.header("x-copy-from", "/c/o")
        .header("x-fresh-metadata", "true")
        .send("PUT", &format!("{ACCOUNT}/d/p"), Vec::new())
        .await
        .expect(201);
    talk.header("destination", "c/o")
        .header("content-type", "text/y")
        .send("COPY", &format!("{ACCOUNT}/c/o"), Vec::new())
        .await
        .expect(201);
    assert_eq!(header(&get(&talk, "c/o").await, "content-type"), "text/y");
    talk.delete(&format!("{ACCOUNT}/c/o")).await.expect(204);
    let said = get(&talk, "d/o").await;
    assert_eq!((header(&said, "x-object-meta-a"), header(&said, "x-object-meta-b")), ("1", "2"));
    assert_eq!(said.body.as_str().unwrap().as_bytes(), large(0));
    assert_eq!(header(&get(&talk, "d/p").await, "x-object-meta-a"), "");
    // Nobody copies what he may not read, or to where he may not write.
    let other = it.talk.as_("member@p2");
    other.send("PUT", "/object-store/v1/AUTH_p2/e", Vec::new()).await.expect(201);
    let steal = other.header("x-copy-from", "d/o").header("x-copy-from-account", "AUTH_p1");
    steal.send("PUT", "/object-store/v1/AUTH_p2/e/o", Vec::new()).await.expect(403);
    talk.header("destination", "e/o")
        .header("destination-account", "AUTH_p2")
        .send("COPY", &format!("{ACCOUNT}/d/o"), Vec::new())
        .await
        .expect(403);
    it.work_until_nothing_is_left().await;
    it.is_sound().await;
}

#[tokio::test]
async fn many_are_deleted_in_one_request() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    put(&talk, "c/a%20b", large(0)).await.expect(201);
    let list = b"c/a%20b\n/c/none\nc\nc\n".to_vec();
    let said = talk.header("accept", "application/json").send("POST", &format!("{ACCOUNT}?bulk-delete"), list.clone()).await;
    let said = said.expect(200);
    assert_eq!((&said["Number Deleted"], &said["Number Not Found"]), (&2.into(), &2.into()));
    assert_eq!(said["Response Status"], "200 OK");
    container(&talk, "c").await;
    let other = it.talk.as_("member@p2").header("accept", "application/json");
    let said = other.send("POST", &format!("{ACCOUNT}?bulk-delete"), b"c/x\nc\n".to_vec()).await.expect(200);
    assert_eq!((&said["Number Deleted"], said["Errors"].as_array().unwrap().len()), (&0.into(), 2));
    it.work_until_nothing_is_left().await;
    it.is_sound().await;
}
