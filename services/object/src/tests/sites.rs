// SPDX-License-Identifier: Apache-2.0
//! Containers as web sites.

use super::*;

async fn say(talk: &Talk, container: &str, headers: &[(&str, &str)]) {
    let talk = headers.iter().fold(talk.clone(), |talk, (name, value)| talk.header(name, value));
    talk.send("POST", &format!("{ACCOUNT}/{container}"), Vec::new()).await.expect(204);
}

async fn page(talk: &Talk, path: &str, content: &str) {
    put(talk, path, content.as_bytes().to_vec()).await.expect(201);
}

#[tokio::test]
async fn a_container_is_a_public_site_with_pages_folders_lists_and_errors() {
    let it = start().await;
    let (talk, visitor) = (it.member(), it.talk.clone());
    container(&talk, "web").await;
    for (name, content) in [
        ("index.html", "front"),
        ("404error.html", "not here"),
        ("docs/index.html", "docs"),
        ("files/<b>&\".txt", "x"),
        ("files/deep/javascript:alert(1)", "x"),
    ] {
        page(&talk, &format!("web/{}", crate::place::percent(name)), content).await;
    }
    get(&visitor, "web/").await.expect(401);
    say(&talk, "web", &[("x-container-read", ".r:*"), ("x-container-meta-web-index", "index.html")]).await;
    say(&talk, "web", &[("x-container-meta-web-error", "error.html")]).await;

    let moved = get(&visitor, "web").await;
    assert_eq!((moved.status.as_u16(), header(&moved, "location")), (301, format!("{ACCOUNT}/web/").as_str()));
    let front = get(&visitor, "web/").await;
    assert_eq!((front.status.as_u16(), front.body.as_str().unwrap()), (200, "front"));
    assert_eq!(header(&front, "content-type"), "text/html");
    // The dashboard is at the same address: a tenant's page is of no origin.
    assert!(header(&front, "content-security-policy").starts_with("sandbox "), "{:?}", front.headers);
    assert!(!header(&front, "content-security-policy").contains("allow-same-origin"));
    assert_eq!(get(&visitor, "web/docs").await.status, 301);
    assert_eq!(get(&visitor, "web/docs/").await.body.as_str().unwrap(), "docs");
    let missing = get(&visitor, "web/none").await;
    assert_eq!((missing.status.as_u16(), missing.body.as_str().unwrap()), (404, "not here"));
    assert_eq!(visitor.send("HEAD", &format!("{ACCOUNT}/web/"), Vec::new()).await.status, 200);
    // No list where none is said to be: neither what a folder holds nor that it is there.
    assert_eq!(get(&visitor, "web/files/").await.status, 404);
    assert_eq!(get(&visitor, "web/files").await.status, 404);

    say(&talk, "web", &[("x-container-read", ".r:*,.rlistings"), ("x-container-meta-web-listings", "true")]).await;
    say(&talk, "web", &[("x-container-meta-web-listings-css", "list.css")]).await;
    let list = get(&visitor, "web/files/").await;
    let html = list.body.as_str().unwrap();
    assert_eq!(list.status, 200);
    assert!(html.contains("<link rel=\"stylesheet\" type=\"text/css\" href=\"../list.css\" />"), "{html}");
    assert!(
        html.contains("<a href=\"./%3Cb%3E%26%22.txt\">&lt;b&gt;&amp;&quot;.txt</a>") || html.contains("&lt;b&gt;&amp;"),
        "{html}"
    );
    assert!(html.contains("href=\"./deep/\"") && !html.contains("<b>"), "{html}");
    let deep = get(&visitor, "web/files/deep/").await;
    assert!(deep.body.as_str().unwrap().contains("href=\"./javascript%3Aalert%281%29\""), "{}", deep.body);
    assert_eq!(get(&visitor, "web/files").await.status, 301);
    // Who brings a token speaks to the API, unless he says otherwise.
    assert!(get(&talk, "web?format=json").await.expect(200).is_array());
    assert_eq!(get(&talk.header("x-web-mode", "true"), "web/").await.body.as_str().unwrap(), "front");
}

#[tokio::test]
async fn a_site_shows_what_may_be_read_and_nothing_else() {
    let it = start().await;
    let (talk, visitor) = (it.member(), it.talk.clone());
    container(&talk, "web").await;
    page(&talk, "web/index.html", "front").await;
    page(&talk, "web/401error.html", "go away").await;
    say(&talk, "web", &[("x-container-meta-web-index", "index.html"), ("x-container-meta-web-listings", "true")]).await;
    say(&talk, "web", &[("x-container-meta-web-error", "error.html")]).await;
    for path in ["web", "web/", "web/index.html", "web/none", "web/none/", "web/401error.html"] {
        let said = get(&visitor, path).await;
        assert_eq!(said.status, 401, "{path}");
        assert!(!said.body.to_string().contains("front"), "{path}");
    }
    // Read by all, listed by nobody.
    say(&talk, "web", &[("x-container-read", ".r:*"), ("x-remove-container-meta-web-index", "x")]).await;
    assert_eq!(get(&visitor, "web/").await.status, 401);
    assert_eq!(get(&visitor, "web/401error.html").await.status, 200);
    // Not what another container holds, however its name is written.
    container(&talk, "secret").await;
    page(&talk, "secret/x", "secret").await;
    say(&talk, "web", &[("x-container-meta-web-index", "../secret/x"), ("x-container-meta-web-error", "/../secret/x")]).await;
    for path in ["web/", "web/..%2Fsecret/x", "web/../secret/x", "web/none/"] {
        let said = get(&visitor, path).await;
        assert!(!said.status.is_success() || !said.body.to_string().contains("secret"), "{path}: {}", said.body);
    }
}
