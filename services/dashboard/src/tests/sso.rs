// SPDX-License-Identifier: Apache-2.0
use http::{HeaderValue, Method, header};
use identity::{FederationSettings, OidcSettings};
use oidc::{AccessTokens, CLIENT, Person, Provider, SECRET};
use serde_json::{Value, json};
use types::Secret;
use web::{Client, Limits, Request, Rules};

use super::Cloud;
use crate::WEBSSO;

/// A museum whose people sign in to this cloud.
async fn museum(cloud: &Cloud) -> Provider {
    let person = Person { name: "anna", password: "pw", claims: json!({"preferred_username": "Anna"}) };
    let provider = Provider::start(vec![person], AccessTokens::Signed);
    let oidc = OidcSettings {
        identity_provider: "museum".into(),
        protocol: "openid".into(),
        issuer: provider.issuer().into(),
        client_id: CLIENT.into(),
        client_secret: Some(Secret::new(SECRET.into())),
        scopes: vec!["openid".into()],
        audiences: vec![],
        authorities: None,
    };
    let settings = FederationSettings {
        public_url: "http://cloud.test".into(),
        trusted_dashboards: vec![format!("http://cloud.test{WEBSSO}")],
        remote_id_attribute: None,
        authorization_minutes: 0,
        oidc: vec![oidc],
    };
    cloud.identity.federate(settings).unwrap();
    let mut admin = cloud.signed_in("admin", "admin").await;
    let rules = json!([{"local": [{"user": {"id": "{0}", "name": "{1}"}}],
        "remote": [{"type": "sub"}, {"type": "OIDC-preferred_username"}]}]);
    let remote_ids = [provider.issuer()];
    for (path, document) in [
        ("identity_providers/museum", json!({"identity_provider": {"enabled": true, "remote_ids": remote_ids}})),
        ("mappings/people", json!({"mapping": {"rules": rules}})),
        ("identity_providers/museum/protocols/openid", json!({"protocol": {"mapping_id": "people"}})),
    ] {
        admin.api("PUT", &format!("/identity/v3/OS-FEDERATION/{path}"), document).await.expect(201);
    }
    provider
}

fn path(address: &str) -> &str {
    address.strip_prefix("http://cloud.test").unwrap_or_else(|| panic!("{address}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_known_to_an_identity_provider_signs_in_there() {
    let cloud = Cloud::new().await;
    let _provider = museum(&cloud).await;
    let mut browser = cloud.browser();
    let away = browser.get("/dashboard/session/oidc?idp=museum&protocol=openid").await;
    let there = browser.get(path(away.header("location"))).await;
    assert_eq!(there.status, 302, "{}", there.text);
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    let request = Request::new(Method::POST, there.header("location")).header(header::CONTENT_TYPE, form);
    let client = Client::new(Rules::everything(), Limits::default());
    let back = client.send(request.bytes("username=anna&password=pw".to_owned())).await.unwrap();
    let page = browser.get(path(back.headers["location"].to_str().unwrap())).await;
    assert!(page.text.contains(&format!("action=\"http://cloud.test{WEBSSO}\"")), "{}", page.text);
    assert!(!page.header("content-security-policy").contains("sandbox"), "it hands the token over from our own address");
    let token = page.text.split_once("value=\"").unwrap().1.split_once('"').unwrap().0;
    // Another page that has a token of its own makes no session of this browser's with it.
    let mut elsewhere = browser.saying(&[("origin", "http://evil.test")]);
    assert_eq!(elsewhere.form(WEBSSO, &[("token", token)]).await.status, 403);
    let mut own = browser.saying(&[("origin", "http://cloud.test")]);
    assert_eq!(own.form(WEBSSO, &[("token", "x")]).await.status, 401);
    assert_eq!(own.form(WEBSSO, &[("token", token)]).await.header("location"), "/dashboard/");
    let session = own.script("GET", "/dashboard/session", Value::Null).await.expect(200);
    assert_eq!(session["token"]["user"]["name"], "Anna");
    assert_eq!(browser.get("/dashboard/session/oidc?idp=../../x&protocol=").await.status, 303);
    assert_eq!(browser.get("/dashboard/session/oidc").await.status, 400);
}
