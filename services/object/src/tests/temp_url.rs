// SPDX-License-Identifier: Apache-2.0
//! Addresses that the owner signed.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::*;

fn sign(key: &str, text: &str) -> String {
    hex::encode(Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap().chain_update(text).finalize().into_bytes())
}

fn later() -> i64 {
    types::Timestamp::now().seconds() + 60
}

#[tokio::test]
async fn a_signed_address_opens_what_was_signed_and_nothing_else() {
    let it = start().await;
    let talk = it.member();
    container(&talk, "c").await;
    talk.header("x-account-meta-temp-url-key", "secret").send("POST", ACCOUNT, Vec::new()).await.expect(204);
    for name in ["o", "p", "dir/x"] {
        put(&talk, &format!("c/{name}"), b"data".to_vec()).await.expect(201);
    }
    let nobody = it.talk.clone();
    let at = later();
    for base in ["/v1", "/object-store/v1"] {
        let signature = sign("secret", &format!("GET\n{at}\n{base}/AUTH_p1/c/o"));
        let said = get(&nobody, &format!("c/o?temp_url_sig={signature}&temp_url_expires={at}")).await;
        assert_eq!(
            (said.status.as_u16(), header(&said, "content-disposition")),
            (200, "attachment; filename=\"o\"; filename*=UTF-8''o")
        );
        let with = |path: &str| format!("{path}?temp_url_sig={signature}&temp_url_expires={at}");
        get(&nobody, &with("c/p")).await.expect(401);
        nobody.send("DELETE", &format!("{ACCOUNT}/{}", with("c/o")), Vec::new()).await.expect(401);
        put(&nobody, &with("c/o"), b"x".to_vec()).await.expect(401);
        // A bad signature is refused whoever brings it.
        get(&talk, &format!("c/o?temp_url_sig={signature}0&temp_url_expires={at}")).await.expect(401);
        get(&nobody, &format!("c/o?temp_url_sig={signature}")).await.expect(401);
        assert_eq!(nobody.send("HEAD", &format!("{ACCOUNT}/{}", with("c/o")), Vec::new()).await.status, 200);
    }
    let past = at - 120;
    let signature = sign("secret", &format!("GET\n{past}\n/v1/AUTH_p1/c/o"));
    get(&nobody, &format!("c/o?temp_url_sig={signature}&temp_url_expires={past}")).await.expect(401);
    let signature = sign("secret", &format!("PUT\n{at}\n/v1/AUTH_p1/c/new"));
    put(&nobody, &format!("c/new?temp_url_sig={signature}&temp_url_expires={at}"), b"new".to_vec()).await.expect(201);
    get(&nobody, &format!("c/new?temp_url_sig={signature}&temp_url_expires={at}")).await.expect(401);
    let signature = sign("secret", &format!("GET\n{at}\nprefix:/v1/AUTH_p1/c/dir/"));
    let query = format!("temp_url_sig={signature}&temp_url_expires={at}&temp_url_prefix=dir/");
    get(&nobody, &format!("c/dir/x?{query}")).await.expect(200);
    get(&nobody, &format!("c/o?{query}")).await.expect(401);
    // As Swift's own client writes it, where a service's name stands before the version.
    let signature = sign("secret", &format!("GET\n{at}\nprefix:/object-store/v1/AUTH_p1/c/dir/"));
    let query = format!("temp_url_sig={signature}&temp_url_expires={at}&temp_url_prefix=c/dir/");
    get(&nobody, &format!("c/dir/x?{query}")).await.expect(200);
    get(&nobody, &format!("c/o?{query}")).await.expect(401);
    // What consists of others is read by it, too; none is put by it.
    put(&talk.header("x-object-manifest", "c/dir/"), "c/all", Vec::new()).await.expect(201);
    let signature = sign("secret", &format!("GET\n{at}\n/v1/AUTH_p1/c/all"));
    let said = get(&nobody, &format!("c/all?temp_url_sig={signature}&temp_url_expires={at}")).await;
    assert_eq!((said.status.as_u16(), said.body.as_str().unwrap()), (200, "data"));
    put(&talk, "c/empty", Vec::new()).await.expect(201);
    let signature = sign("secret", &format!("POST\n{at}\n/v1/AUTH_p1/c/empty"));
    let address = format!("{ACCOUNT}/c/empty?temp_url_sig={signature}&temp_url_expires={at}");
    nobody.header("x-object-manifest", "c/dir/").send("POST", &address, Vec::new()).await.expect(400);
    // The key is shown to owners only, and is nowhere in the stream of events.
    let said = it.talk.as_("reader@p1").send("HEAD", ACCOUNT, Vec::new()).await;
    assert_eq!((said.status.as_u16(), header(&said, "x-account-meta-temp-url-key")), (204, ""));
    assert_eq!(header(&talk.send("HEAD", ACCOUNT, Vec::new()).await, "x-account-meta-temp-url-key"), "secret");
    let told = it
        .world
        .store
        .read(|tx| tx.query_one("SELECT COUNT(*) FROM events WHERE after_state LIKE '%secret%'", &[])?.get::<i64>(0));
    assert_eq!(told.await.unwrap(), 0);
}
