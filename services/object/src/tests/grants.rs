// SPDX-License-Identifier: Apache-2.0
//! Who may what.

use super::*;

async fn say(it: &Room, read: &str, write: &str) {
    let talk = it.member().header("x-container-read", read).header("x-container-write", write);
    talk.send("POST", &format!("{ACCOUNT}/c"), Vec::new()).await.expect(204);
}

/// Reading, listing, writing: the status of each.
async fn may(talk: &Talk) -> [u16; 3] {
    let read = get(talk, "c/o").await.status.as_u16();
    let list = get(talk, "c").await.status.as_u16();
    let write = put(talk, "c/new", b"x".to_vec()).await.status.as_u16();
    [read, list, write]
}

#[tokio::test]
async fn a_yes_is_for_one_container_and_one_right() {
    let it = start().await;
    container(&it.member(), "c").await;
    put(&it.member(), "c/o", b"x".to_vec()).await.expect(201);
    let nobody = it.talk.clone();
    let other = it.talk.as_("member@p2/u2");
    let bad_token = it.talk.as_("stranger@p1");
    assert_eq!(may(&it.member()).await, [200, 200, 201]);
    assert_eq!(may(&it.talk.as_("reader@p1")).await, [200, 200, 403]);
    assert_eq!(may(&it.talk.as_("admin")).await, [200, 200, 201]);
    assert_eq!(may(&it.talk.as_("nobody@p1")).await, [403, 403, 403]);
    for who in [&nobody, &bad_token] {
        assert_eq!(may(who).await, [401, 401, 401]);
    }
    assert_eq!(may(&other).await, [403, 403, 403]);

    say(&it, ".r:*", "").await;
    assert_eq!(may(&nobody).await, [200, 401, 401]);
    assert_eq!(may(&bad_token).await, [200, 401, 401]);
    assert_eq!(may(&other).await, [200, 403, 403]);
    say(&it, ".r:*,.rlistings", "").await;
    assert_eq!(may(&nobody).await, [200, 200, 401]);
    say(&it, ".r:good.test", "").await;
    assert_eq!(may(&nobody.header("referer", "http://good.test/x")).await, [200, 401, 401]);
    assert_eq!(may(&nobody.header("referer", "http://bad.test/x")).await, [401, 401, 401]);

    say(&it, "p2:u2", "").await;
    assert_eq!(may(&other).await, [200, 200, 403]);
    assert_eq!(may(&it.talk.as_("member@p2/u3")).await, [403, 403, 403]);
    say(&it, "", "p2:*").await;
    assert_eq!(may(&other).await, [403, 403, 201]);
    say(&it, "*:*", "*:*").await;
    assert_eq!(may(&it.talk.as_("nobody@p9")).await, [200, 200, 201]);
    assert_eq!(may(&nobody).await, [401, 401, 401]);

    // What is said of one container is said of no other, nor of the account, nor of what it says.
    container(&it.member(), "d").await;
    get(&other, "d").await.expect(403);
    get(&other, "none").await.expect(403);
    other.get(ACCOUNT).await.expect(403);
    other.header("x-container-read", ".r:*").send("POST", &format!("{ACCOUNT}/c"), Vec::new()).await.expect(403);
    other.delete(&format!("{ACCOUNT}/c")).await.expect(403);
    let seen = other.send("HEAD", &format!("{ACCOUNT}/c"), Vec::new()).await;
    assert_eq!((seen.status.as_u16(), header(&seen, "x-container-read")), (204, ""));
    let seen = it.member().send("HEAD", &format!("{ACCOUNT}/c"), Vec::new()).await;
    assert_eq!(header(&seen, "x-container-read"), "*:*");
}

#[tokio::test]
async fn only_a_reseller_says_what_an_account_may_hold() {
    let it = start().await;
    let quota =
        |talk: Talk| async move { talk.header("x-account-meta-quota-bytes", "9").send("POST", ACCOUNT, Vec::new()).await };
    quota(it.member()).await.expect(403);
    quota(it.talk.as_("admin")).await.expect(204);
    container(&it.member(), "c").await;
    put(&it.member(), "c/o", vec![b'x'; 9]).await.expect(201);
    put(&it.member(), "c/p", b"x".to_vec()).await.expect(413);
    put(&it.member(), "c/o", vec![b'y'; 9]).await.expect(201);
    let said = it.member().send("HEAD", ACCOUNT, Vec::new()).await;
    assert_eq!(header(&said, "x-account-meta-quota-bytes"), "9");
    it.is_sound().await;
}

#[tokio::test]
async fn a_page_of_another_site_reads_what_the_owner_lets_it() {
    let it = start().await;
    container(&it.member(), "c").await;
    let ask = it.talk.header("origin", "http://a.test").header("access-control-request-method", "GET");
    let path = format!("{ACCOUNT}/c/o");
    ask.send("OPTIONS", &path, Vec::new()).await.expect(401);
    let set =
        it.member().header("x-container-meta-access-control-allow-origin", "http://a.test").header("x-container-read", ".r:*");
    set.send("POST", &format!("{ACCOUNT}/c"), Vec::new()).await.expect(204);
    put(&it.member(), "c/o", b"x".to_vec()).await.expect(201);
    let said = ask.send("OPTIONS", &path, Vec::new()).await;
    assert_eq!((said.status.as_u16(), header(&said, "access-control-allow-origin")), (200, "http://a.test"));
    let said = get(&it.talk.header("origin", "http://a.test"), "c/o").await;
    assert_eq!(header(&said, "access-control-allow-origin"), "http://a.test");
    let said = get(&it.talk.header("origin", "http://b.test"), "c/o").await;
    assert_eq!(header(&said, "access-control-allow-origin"), "");
}
