// SPDX-License-Identifier: Apache-2.0
use serde_json::{Value, json};

use super::{Cloud, browser::login};
use crate::EventLimits;

#[tokio::test]
async fn a_session_is_a_token_in_a_cookie_and_over_when_the_token_is() {
    let cloud = Cloud::new().await;
    let mut browser = cloud.browser();
    assert_eq!(browser.script("GET", "/dashboard/session", Value::Null).await.status, 401);
    let shown = browser.sign_in("demo", "demo").await;
    let cookie = shown.header("set-cookie");
    for part in ["ferrostack_session=", "; Path=/dashboard;", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "this cloud speaks plain HTTP");
    assert_eq!(shown.expect(201)["token"]["project"]["name"], "demo");
    let session = browser.script("GET", "/dashboard/session", Value::Null).await.expect(200);
    assert_eq!(session["token"]["user"]["name"], "demo");
    assert!(session["token"]["catalog"].as_array().is_some_and(|catalog| !catalog.is_empty()));
    let projects = browser.api_get("/identity/v3/auth/projects").await.expect(200);
    assert_eq!(projects["projects"].as_array().unwrap().len(), 1);

    let mut other = browser.clone();
    let ended = browser.script("DELETE", "/dashboard/session", Value::Null).await;
    assert!(ended.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(ended.status, 204);
    let refused = other.api_get("/identity/v3/auth/projects").await;
    assert_eq!((refused.status.as_u16(), refused.header("x-ferrostack-session")), (401, "ended"));
    assert!(refused.headers.get("set-cookie").is_none(), "an answer that is late does not end a session that came after");
    let gone = other.script("GET", "/dashboard/session", Value::Null).await;
    assert!(gone.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(gone.status, 401);
}

#[tokio::test]
async fn no_answer_shows_the_token_of_a_session() {
    let cloud = Cloud::new().await;
    let mut browser = cloud.browser();
    let mut answers = vec![browser.sign_in("demo", "demo").await];
    let token = browser.token();
    for (method, path, document) in [
        ("GET", "/dashboard/session", Value::Null),
        ("GET", "/dashboard/api/identity/v3/auth/tokens", Value::Null),
        ("GET", "/dashboard/api/identity/v3/auth/catalog", Value::Null),
        ("GET", "/dashboard/api/identity/v3/nothing", Value::Null),
        ("GET", "/dashboard/api/identity/v3/users", Value::Null),
        ("POST", "/dashboard/api/identity/v3/auth/tokens", login("demo", "demo")),
        ("GET", "/dashboard/", Value::Null),
        ("GET", "/dashboard/servers", Value::Null),
        ("GET", "/dashboard/nothing/../there", Value::Null),
        ("GET", "/dashboard/assets/nothing.js", Value::Null),
        ("POST", "/dashboard/session/scope", json!({"project_id": "nothing"})),
        ("POST", "/dashboard/session/scope", json!({"system": "all"})),
    ] {
        answers.push(browser.script(method, path, document).await);
    }
    for shown in answers {
        let readable = shown.headers.iter().filter(|(name, _)| *name != "set-cookie");
        let said: String = readable.map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect();
        assert!(!said.contains(&token) && !shown.text.contains(&token), "{}: {said}{}", shown.request, shown.text);
        assert!(!said.to_lowercase().contains("token:"), "{}: {said}", shown.request);
    }
}

#[tokio::test]
async fn a_session_moves_to_another_project_and_other_pages_hear_of_it() {
    let cloud = Cloud::new().await;
    cloud.tenant("museum").await;
    let mut admin = cloud.signed_in("admin", "admin").await;
    let before = admin.script("GET", "/dashboard/session", Value::Null).await.expect(200);
    let first = admin.clone();
    let before = before["token"]["project"]["id"].as_str().unwrap().to_owned();
    let moved = admin.script("POST", "/dashboard/session/scope", json!({"system": "all"})).await.expect(201);
    assert_eq!(moved["token"]["system"]["all"], true);
    assert_eq!(admin.api_get("/identity/v3/projects").await.status, 200);
    // A page that has not heard of it does nothing in the wrong place.
    let asked = [("x-ferrostack-menus", "1"), ("x-ferrostack-scope", before.as_str())];
    let refused = admin.send("GET", "/dashboard/api/identity/v3/projects", &asked, Vec::new()).await;
    assert_eq!((refused.status.as_u16(), refused.header("x-ferrostack-session")), (409, "elsewhere"));
    let asked = [("x-ferrostack-menus", "1"), ("x-ferrostack-scope", "system")];
    assert_eq!(admin.send("GET", "/dashboard/api/identity/v3/projects", &asked, Vec::new()).await.status, 200);
    let late = admin.clone();
    let again = admin.script("POST", "/dashboard/session/scope", json!({"project_id": before})).await.expect(201);
    assert_eq!(again["token"]["project"]["id"], before.as_str());
    assert_eq!(late.clone().api_get("/identity/v3/projects").await.status, 401, "the token before is revoked");
    assert_eq!(admin.api_get("/identity/v3/projects").await.status, 200);
    for wrong in [json!({}), json!({"system": "some"}), json!({"project_id": before, "system": "all"}), json!([])] {
        assert_eq!(admin.script("POST", "/dashboard/session/scope", wrong).await.status, 400);
    }
    assert_eq!(admin.script("GET", "/dashboard/session", Value::Null).await.status, 200, "a refusal ends nothing");
    let (mut first, mut latest) = (first, admin.clone());
    admin.script("DELETE", "/dashboard/session", Value::Null).await.expect(204);
    assert_eq!(first.api_get("/identity/v3/projects").await.status, 401, "all tokens of the session are revoked with it");
    assert_eq!(latest.api_get("/identity/v3/projects").await.status, 401);
}

#[tokio::test]
async fn a_refusal_that_is_not_about_the_session_does_not_end_it() {
    let cloud = Cloud::new().await;
    let mut browser = cloud.signed_in("demo", "demo").await;
    let session = browser.script("GET", "/dashboard/session", Value::Null).await.expect(200);
    let path = format!("/identity/v3/users/{}/password", session["token"]["user"]["id"].as_str().unwrap());
    let wrong = json!({"user": {"original_password": "wrong", "password": "new"}});
    let refused = browser.api_post(&path, wrong).await;
    assert_eq!((refused.status.as_u16(), refused.header("x-ferrostack-session")), (401, ""));
    assert_eq!(browser.script("GET", "/dashboard/session", Value::Null).await.status, 200);
}

#[tokio::test]
async fn who_runs_no_scripts_signs_in_and_out_by_forms() {
    let cloud = Cloud::new().await;
    let mut browser = cloud.browser();
    let page = browser.get("/dashboard/").await;
    assert!(page.text.contains("id_username") && page.text.contains("name=\"region\" value=\"RegionOne\""), "{}", page.text);
    let key = page.text.split_once("csrfmiddlewaretoken\" value=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    let fields = |password: &'static str| {
        [("username", "demo"), ("password", password), ("domain", "Default"), ("csrfmiddlewaretoken", key.as_str())]
    };
    let refused = browser.form("/dashboard/sign-in", &fields("<b>wrong</b>")).await;
    assert_eq!(refused.status, 401);
    assert!(refused.text.contains("role=\"alert\"") && refused.text.contains("id_username"), "{}", refused.text);
    assert!(!refused.text.contains("<b>") && !browser.cookies.contains_key("ferrostack_session"));
    let done = browser.form("/dashboard/sign-in", &fields("demo-pw")).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, "/dashboard/"));
    let page = browser.get("/dashboard/").await;
    assert!(page.text.contains("<h1>Overview</h1>") && page.text.contains("in the project demo"), "{}", page.text);
    assert_eq!(browser.form("/dashboard/sign-out", &[("csrfmiddlewaretoken", "no")]).await.status, 403);
    let mut other = browser.clone();
    assert_eq!(browser.form("/dashboard/sign-out", &[("csrfmiddlewaretoken", &key)]).await.status, 303);
    assert!(browser.get("/dashboard/").await.text.contains("id_username"));
    assert!(other.get("/dashboard/").await.text.contains("id_username"), "the token is revoked");
}

#[tokio::test]
async fn with_tls_cookies_are_of_this_very_host() {
    let cloud = Cloud::at("https://cloud.test", EventLimits::default()).await;
    let mut browser = cloud.browser();
    let shown = browser.sign_in("demo", "demo").await;
    let cookie = shown.header("set-cookie");
    assert!(cookie.starts_with("__Host-ferrostack_session=") && cookie.contains("; Path=/; Secure"), "{cookie}");
    assert_eq!(browser.script("GET", "/dashboard/session", Value::Null).await.status, 200);
    // One without the prefix may be another's.
    let token = browser.cookies.remove("__Host-ferrostack_session").unwrap();
    browser.cookies.insert("ferrostack_session".into(), token);
    assert_eq!(browser.script("GET", "/dashboard/session", Value::Null).await.status, 401);
}
