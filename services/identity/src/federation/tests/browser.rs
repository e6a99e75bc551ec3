// SPDX-License-Identifier: Apache-2.0
//! Single sign-on, step by step as a browser takes them: to us, to the provider, back, and on to the dashboard.

use serde_json::Value;
use web::{Client, Limits, Request, Rules};

use super::{DASHBOARD, Federated};
use crate::world::Answer;

const WEBSSO: &str = "/v3/auth/OS-FEDERATION/identity_providers/museum/protocols/openid/websso";

struct Visit<'a> {
    federated: &'a Federated,
    cookie: String,
    /// The provider's login page.
    page: String,
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

impl<'a> Visit<'a> {
    async fn begin(federated: &'a Federated, path: &str) -> Self {
        let answer = federated.world.get(&format!("{path}?origin={}", encoded(DASHBOARD)), "").await;
        assert_eq!(answer.status, 302, "{}", answer.body);
        let cookie = header(&answer, "set-cookie");
        for part in ["Path=/identity/v3/auth/OS-FEDERATION", "HttpOnly", "SameSite=Lax", "Max-Age=600"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Secure"), "this cloud speaks plain HTTP");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { federated, cookie, page: header(&answer, "location").to_owned() }
    }

    fn asked(&self, name: &str) -> String {
        let query = self.page.split_once('?').unwrap().1;
        form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).unwrap().1.into_owned()
    }

    /// Logs in at the provider; the address to which it sends the browser back, below our `/identity`.
    async fn log_in(&self, name: &str) -> String {
        let client = Client::new(Rules::everything(), Limits::default());
        let form = http::HeaderValue::from_static("application/x-www-form-urlencoded");
        let request = Request::new(http::Method::POST, &self.page).header(http::header::CONTENT_TYPE, form);
        let answer = client.send(request.bytes(format!("username={name}&password=pw"))).await.unwrap();
        assert_eq!(answer.status, 302);
        let back = answer.headers["location"].to_str().unwrap();
        back.strip_prefix("http://cloud:80/identity").unwrap_or_else(|| panic!("{back}")).to_owned()
    }

    async fn come_back(&self, path: &str) -> Answer {
        self.federated.world.ask_with("GET", path, "", &[("cookie", &format!("a=b; {}", self.cookie))], Value::Null).await
    }
}

#[tokio::test]
async fn to_the_provider_and_back_with_a_token() {
    let federated = Federated::new().await;
    for path in [WEBSSO, "/v3/auth/OS-FEDERATION/websso/openid"] {
        let visit = Visit::begin(&federated, path).await;
        assert!(visit.page.starts_with(&format!("{}/authorize?", federated.provider.issuer())), "{}", visit.page);
        assert_eq!(visit.asked("scope"), "openid profile");
        assert_eq!(visit.asked("code_challenge_method"), "S256");
        assert_eq!(visit.asked("redirect_uri"), format!("http://cloud:80/identity{WEBSSO}/callback"));
        let page = visit.come_back(&visit.log_in("anna").await).await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
        assert_eq!((header(&page, "cache-control"), header(&page, "referrer-policy")), ("no-store", "origin"));
        assert!(header(&page, "content-security-policy").contains("default-src 'none'; script-src 'nonce-"));
        assert!(header(&page, "set-cookie").contains("Max-Age=0"));
        let text = page.body.as_str().unwrap();
        let action = "action=\"https://cloud.test/dashboard/auth/websso/?a=1&amp;b=&quot;2&quot;\"";
        assert!(text.contains(action) && !text.contains(DASHBOARD), "{text}");
        let token = text.split_once("value=\"").unwrap().1.split_once('"').unwrap().0;
        let shown = federated.show(token).await;
        // Her name and groups come from what the provider says of the user, not from the ID token.
        assert_eq!(shown.body["token"]["user"]["name"], "Anna");
        assert_eq!(shown.body["token"]["user"]["OS-FEDERATION"]["groups"][0]["id"], federated.group.as_str());
    }
}

#[tokio::test]
async fn a_way_back_is_good_for_one_browser_and_once() {
    let federated = Federated::new().await;
    let (anna, mallory) = (Visit::begin(&federated, WEBSSO).await, Visit::begin(&federated, WEBSSO).await);
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(anna.asked(name), mallory.asked(name));
        assert!(anna.asked(name).len() >= 43);
    }
    // Mallory's code in Anna's browser would log Anna in as Mallory.
    let back = mallory.log_in("ben").await;
    assert_eq!(anna.come_back(&back).await.status, 401);
    let swapped = back.replace(&mallory.asked("state"), &anna.asked("state"));
    assert_eq!(anna.come_back(&swapped).await.status, 401, "the code belongs to another verifier");

    let back = anna.log_in("anna").await;
    assert_eq!(federated.world.get(&back, "").await.status, 401, "no cookie");
    for wrong in [
        back.replace("state=", "state=x"),
        back.replace("iss=http", "iss=https"),
        back.replace("code=", "error=access_denied&code="),
        back.replace("code=", "cod="),
        back.replace("code=", "code=x"),
        back.replace("/museum/", "/other/"),
    ] {
        assert_eq!(anna.come_back(&wrong).await.status, 401, "{wrong}");
    }
    assert_eq!(anna.come_back(&back).await.status, 200);
    assert_eq!(anna.come_back(&back).await.status, 401, "a code is good once");

    let bent = Visit { cookie: format!("{}x", mallory.cookie), ..mallory };
    assert_eq!(bent.come_back(&bent.log_in("ben").await).await.status, 401);
    // A token is not a journey, and a journey is not a token.
    let token = Visit { cookie: format!("ferrostack-sso={}", federated.world.admin), ..bent };
    assert_eq!(token.come_back(&token.log_in("ben").await).await.status, 401);
    let journey = anna.cookie.split_once('=').unwrap().1;
    assert_eq!(federated.world.get("/v3/auth/projects", journey).await.status, 401);
}

#[tokio::test]
async fn a_token_goes_to_trusted_dashboards_only() {
    let federated = Federated::new().await;
    let world = &federated.world;
    assert_eq!(world.get(WEBSSO, "").await.status, 400);
    for origin in [
        "https://evil.test/",
        "https://cloud.test/",
        "https://cloud.test/dashboard/auth/websso/?a=1&b=\"2\"#",
        "https://cloud.test.evil.test/dashboard/auth/websso/?a=1&b=\"2\"",
        "HTTPS://cloud.test/dashboard/auth/websso/?a=1&b=\"2\"",
        "javascript:alert(1)",
    ] {
        let answer = world.get(&format!("{WEBSSO}?origin={}", encoded(origin)), "").await;
        assert_eq!(answer.status, 401, "{origin}");
        assert!(answer.headers.get("location").is_none() && answer.headers.get("set-cookie").is_none());
    }
    let origin = encoded(DASHBOARD);
    assert_eq!(world.get(&format!("/v3/auth/OS-FEDERATION/websso/saml2?origin={origin}"), "").await.status, 401);
    let off = serde_json::json!({"identity_provider": {"enabled": false}});
    federated.patch("identity_providers/museum", off).await;
    assert_eq!(world.get(&format!("{WEBSSO}?origin={origin}"), "").await.status, 403);
}
