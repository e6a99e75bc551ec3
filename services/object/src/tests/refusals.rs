// SPDX-License-Identifier: Apache-2.0
//! What Swift refuses, with its statuses.

use super::*;

#[tokio::test]
async fn bad_requests_are_refused_with_swifts_statuses() {
    let it = start().await;
    let talk = it.member();
    let to = |path: &str| format!("{ACCOUNT}/{path}");
    put(&talk, "none/o", b"x".to_vec()).await.expect(404);
    get(&talk, "none").await.expect(404);
    container(&talk, "c").await;
    put(&talk.header("etag", "0"), "c/o", b"x".to_vec()).await.expect(422);
    get(&talk, "c/o").await.expect(404);
    talk.send("PUT", &to("c/o"), Vec::new()).await.expect(411);
    talk.header("content-length", "5368709999").send("PUT", &to("c/o"), Vec::new()).await.expect(413);
    talk.header("content-length", "5").send("PUT", &to("c/o"), b"123".to_vec()).await.expect(400);
    put(&talk.header("x-object-manifest", "nothing"), "c/o", Vec::new()).await.expect(400);
    talk.send("PUT", &to(&"c".repeat(257)), Vec::new()).await.expect(400);
    talk.send("PATCH", &to("c/o"), Vec::new()).await.expect(405);
    talk.send("PUT", ACCOUNT, Vec::new()).await.expect(405);
    get(&talk, "c?limit=10001").await.expect(412);
    get(&talk.header("accept", "image/png"), "c").await.expect(406);
    talk.header("x-container-meta-quota-bytes", "much").send("POST", &to("c"), Vec::new()).await.expect(400);
    talk.header("x-container-read", ".x:*").send("POST", &to("c"), Vec::new()).await.expect(400);
    talk.header("x-container-write", ".r:*").send("POST", &to("c"), Vec::new()).await.expect(400);
    let long = "v".repeat(257);
    talk.header("x-container-meta-a", &long).send("POST", &to("c"), Vec::new()).await.expect(400);
    put(&talk.header("if-none-match", "*"), "c/o", b"x".to_vec()).await.expect(201);
    put(&talk.header("if-none-match", "*"), "c/o", b"y".to_vec()).await.expect(412);
    put(&talk.header("if-none-match", "abc"), "c/o", b"y".to_vec()).await.expect(400);
    let said = get(&talk, "c/o").await;
    assert_eq!(said.body, "x");
    let said = get(&talk, "c/%3Cb%3E").await;
    assert_eq!(said.body, "<html><h1>Not Found</h1><p>The resource could not be found.</p></html>");
    let trans = header(&said, "x-trans-id");
    assert!(trans.starts_with("tx") && trans.len() == 34, "{trans}");
    it.is_sound().await;
}
