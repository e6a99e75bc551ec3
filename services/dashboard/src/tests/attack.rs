// SPDX-License-Identifier: Apache-2.0
use api::Serves;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::Cloud;

#[tokio::test]
async fn pages_of_elsewhere_act_in_nobodys_session() {
    let cloud = Cloud::new().await;
    let browser = cloud.signed_in("demo", "demo").await;
    let marked = ("x-ferrostack-menus", "1");
    let elsewhere: [&[(&str, &str)]; 7] = [
        &[("sec-fetch-site", "cross-site"), marked],
        &[("sec-fetch-site", "same-site"), ("origin", "http://cloud.test:8082"), marked],
        // A tenant's page among the objects, in its sandbox.
        &[("sec-fetch-site", "cross-site"), ("origin", "null"), marked],
        &[("origin", "null"), marked],
        &[("origin", "http://evil.test"), marked],
        &[("origin", "http://cloud.test:8082"), marked],
        &[("origin", "http://cloud.test.evil.test"), marked],
    ];
    for says in elsewhere {
        let mut page = browser.saying(says);
        for (method, path) in [
            ("GET", "/dashboard/session"),
            ("DELETE", "/dashboard/session"),
            ("POST", "/dashboard/session"),
            ("POST", "/dashboard/session/scope"),
            ("POST", "/dashboard/session/websso"),
            ("POST", "/dashboard/sign-in"),
            ("POST", "/dashboard/sign-out"),
            ("GET", "/dashboard/events"),
            ("GET", "/dashboard/api/identity/v3/auth/projects"),
            ("GET", "/dashboard/download/object-store/v1/AUTH_x/c/o"),
        ] {
            let shown = page.send(method, path, &[], b"token=x".to_vec()).await;
            assert_eq!(shown.status, 403, "{} with {says:?}: {}", shown.request, shown.text);
            assert!(shown.headers.get("access-control-allow-origin").is_none());
        }
    }
    // What a page of elsewhere can send without asking first has no mark.
    let mut page = browser.saying(&[]);
    for (method, path) in
        [("POST", "/dashboard/session"), ("GET", "/dashboard/session"), ("POST", "/dashboard/api/identity/v3/auth/projects")]
    {
        assert_eq!(page.send(method, path, &[("content-type", "text/plain")], b"{}".to_vec()).await.status, 403);
    }
    let asked = browser.saying(&[("origin", "http://evil.test"), ("access-control-request-method", "POST")]);
    let shown = asked.clone().send("OPTIONS", "/dashboard/api/identity/v3/projects", &[], Vec::new()).await;
    assert_eq!(shown.status, 403);
    let own = browser.saying(&[("origin", "http://cloud.test"), marked]);
    assert_eq!(own.clone().get("/dashboard/session").await.status, 200, "our own page is not elsewhere");
}

#[tokio::test]
async fn the_way_to_the_apis_leads_nowhere_else() {
    let cloud = Cloud::new().await;
    let mut browser = cloud.signed_in("demo", "demo").await;
    for path in [
        "/metrics",
        "/",
        "/../metrics",
        "/%2e%2e/metrics",
        "/identity/../metrics",
        "/identity/%2E%2e/metrics",
        "/identity/..%5c../metrics",
        "/identity/v3/./auth/projects",
        "//identity/v3/auth/projects",
        "/identityx/v3",
        "/identity%2fv3/auth/projects",
        "/%69dentity/v3/auth/projects",
        "/http://evil.test/",
        "/dashboard/session",
        "/dashboard/api/identity/v3/auth/projects",
        "/healthcheck",
    ] {
        let shown = browser.api_get(path).await;
        assert_eq!(shown.status, 404, "{path}: {}", shown.text);
        assert!(!shown.text.contains("figures"), "{path}");
    }
    let shown = browser.send("GET", "/dashboard/download/identity/v3/auth/projects", &[], Vec::new()).await;
    assert_eq!(shown.status, 404);
    assert_eq!(browser.send("POST", "/dashboard/download/object-store/v1/A/c/o", &[], Vec::new()).await.status, 405);
}

#[tokio::test]
async fn nobody_but_the_session_says_who_asks() {
    let cloud = Cloud::new().await;
    let admin = cloud.signed_in("admin", "admin").await.token();
    let mut browser = cloud.signed_in("demo", "demo").await;
    let bearer = format!("Bearer {admin}");
    let (own, evil) = (("x-ferrostack-menus", "1"), ("x-forwarded-host", "evil.test"));
    let headers = [
        own,
        evil,
        ("x-auth-token", &*admin),
        ("x-subject-token", &*admin),
        ("authorization", &*bearer),
        ("x-service-token", &*admin),
    ];
    let shown = browser.send("GET", "/dashboard/api/identity/v3/auth/projects", &headers, Vec::new()).await;
    assert_eq!(shown.header("cache-control"), "no-store");
    assert!(!shown.text.contains("evil.test"));
    assert_eq!(shown.expect(200)["projects"][0]["name"], "demo");
    let shown = browser.send("GET", "/dashboard/api/identity/v3/users", &headers, Vec::new()).await;
    assert_eq!(shown.status, 403, "the administrator's token goes nowhere: {}", shown.text);
    browser.cookies.remove("ferrostack_session");
    let shown = browser.send("GET", "/dashboard/api/identity/v3/users", &headers, Vec::new()).await;
    assert_eq!(shown.status, 401, "without a session there is nobody");
}

#[tokio::test]
async fn two_cookies_of_one_name_are_none() {
    let cloud = Cloud::new().await;
    let (victim, mallory) = (cloud.signed_in("demo", "demo").await, cloud.signed_in("admin", "admin").await);
    let both = format!("ferrostack_session={}; ferrostack_session={}", mallory.token(), victim.token());
    let request = Request::get("/dashboard/session")
        .header("host", "cloud.test")
        .header("x-ferrostack-menus", "1")
        .header("cookie", both)
        .body(http_body_util::Empty::new().map_err(|never| match never {}).boxed());
    assert_eq!(cloud.dashboard.handle(request.unwrap()).await.status(), 401);
}

#[tokio::test]
async fn every_answer_keeps_what_it_is_to_this_page_and_this_browser() {
    let cloud = Cloud::new().await;
    let mut browser = cloud.signed_in("demo", "demo").await;
    for path in [
        "/dashboard/",
        "/dashboard/servers/7",
        "/dashboard/session",
        "/dashboard/events?x",
        "/dashboard/nothing",
        "/dashboard/api/identity/v3/auth/projects",
        "/dashboard/assets/nothing.js",
        "/dashboard/index.html",
    ] {
        let answer = browser.open("GET", path, &[("x-ferrostack-menus", "1")], Vec::new()).await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{path}");
    }
    let policy = browser.get("/dashboard/").await.header("content-security-policy").to_owned();
    assert!(policy.contains("script-src cloud.test/dashboard/;"), "only the application's own files run: {policy}");
    let evil = browser.send("GET", "/dashboard/", &[("host", "x; script-src *")], Vec::new()).await;
    assert!(!evil.header("content-security-policy").contains('*'), "{}", evil.header("content-security-policy"));
}

#[tokio::test]
async fn a_page_among_the_objects_is_nobodys() {
    let cloud = Cloud::new().await;
    let mut browser = cloud.signed_in("demo", "demo").await;
    let session = browser.script("GET", "/dashboard/session", Value::Null).await.expect(200);
    let account = format!("/object-store/v1/AUTH_{}", session["token"]["project"]["id"].as_str().unwrap());
    let own = [("x-ferrostack-menus", "1"), ("x-container-read", ".r:*"), ("content-type", "text/html")];
    let put = |path: String| format!("/dashboard/api{path}");
    assert_eq!(browser.send("PUT", &put(format!("{account}/site")), &own, Vec::new()).await.status, 201);
    let page = b"<script>steal()</script>".to_vec();
    let object = format!("{account}/site/a%22b%0D%0A..%2F..%2Fevil%3Cb%3E.html");
    assert_eq!(browser.send("PUT", &put(object.clone()), &own, page).await.status, 201);
    for path in [object.clone(), put(object.clone()), format!("/dashboard/download{object}")] {
        let shown = browser.send("GET", &path, &own, Vec::new()).await;
        assert_eq!(shown.status, 200, "{path}: {}", shown.text);
        let policy = shown.header("content-security-policy");
        assert!(policy.contains("sandbox") && !policy.contains("allow-same-origin"), "{path}: {policy}");
        assert_eq!(shown.header("x-content-type-options"), "nosniff", "{path}");
    }
    let shown = browser.send("GET", &format!("/dashboard/download{object}"), &[], Vec::new()).await;
    assert_eq!(shown.header("content-disposition"), "attachment; filename*=UTF-8''evil%3Cb%3E%2Ehtml");
    let named = format!("/dashboard/download{object}?name=..%2F%22x%22%0D%0Ay.txt");
    let shown = browser.send("GET", &named, &[], Vec::new()).await;
    assert_eq!(shown.header("content-disposition"), "attachment; filename*=UTF-8''%22x%22y%2Etxt");
    assert!(shown.text.contains("steal()"));
    // A part of it, as a browser asks that goes on with a download.
    let shown = browser.send("GET", &format!("/dashboard/download{object}"), &[("range", "bytes=0-7")], Vec::new()).await;
    assert_eq!((shown.status.as_u16(), &*shown.text), (206, "<script>"));
}

#[tokio::test]
async fn bodies_of_ours_are_short() {
    let cloud = Cloud::new().await;
    let mut browser = cloud.signed_in("demo", "demo").await;
    let long = json!({"project_id": "x".repeat(100_000)});
    assert_eq!(browser.script("POST", "/dashboard/session/scope", long).await.status, 413);
    let long = "x".repeat(100_000);
    assert_eq!(browser.form("/dashboard/sign-in", &[("username", &long)]).await.status, 413);
    assert_eq!(browser.form("/dashboard/session/websso", &[("token", &long)]).await.status, 413);
    let long = json!({"auth": "x".repeat(200_000)});
    assert_eq!(browser.script("POST", "/dashboard/session", long).await.status, 413);
}
