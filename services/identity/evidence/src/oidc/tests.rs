// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Instant;

use oidc::{AccessTokens, CLIENT, Person, Provider, SECRET, Signer};
use serde_json::{Value, json};
use types::Secret;

use super::{Connection, Denial, OidcSettings, claims, issuer::TRIES_A_MINUTE, jwt::Unverified, keys};

fn anna() -> Vec<Person> {
    vec![Person { name: "anna", password: "pw", claims: json!({"email": "anna@museum.test", "groups": ["staff", "keys"]}) }]
}

fn settings(issuer: &str) -> OidcSettings {
    OidcSettings {
        identity_provider: "museum".into(),
        protocol: "openid".into(),
        issuer: issuer.into(),
        client_id: CLIENT.into(),
        client_secret: Some(Secret::new(SECRET.into())),
        scopes: vec!["openid".into()],
        audiences: vec!["another".into()],
        authorities: None,
    }
}

fn connection(provider: &Provider) -> Connection {
    Connection::new(settings(provider.issuer())).unwrap()
}

/// Claims of anna, with one of them changed, or taken away.
fn bent(provider: &Provider, name: &str, value: Option<Value>) -> Value {
    let mut claims = provider.claims_of("anna");
    match value {
        Some(value) => claims.insert(name.to_owned(), value),
        None => claims.remove(name),
    };
    Value::Object(claims)
}

#[tokio::test]
async fn only_the_issuers_own_words_count() {
    let provider = Provider::start(anna(), AccessTokens::Signed);
    let connection = connection(&provider);
    let good = provider.sign(&Value::Object(provider.claims_of("anna")));
    let claims = connection.claims_of_bearer(&good).await.unwrap();
    assert_eq!(claims["email"], "anna@museum.test");
    for (name, fine) in [("aud", json!(["x", CLIENT])), ("aud", json!("another")), ("nbf", json!(1.5))] {
        let token = provider.sign(&bent(&provider, name, Some(fine)));
        connection.claims_of_bearer(&token).await.unwrap();
    }
    let far = u64::from(u32::MAX);
    for (name, value) in [
        ("iss", Some(json!("http://evil.test"))),
        ("iss", Some(json!(format!("{}/", provider.issuer())))),
        ("iss", None),
        ("aud", Some(json!("somebody else"))),
        ("aud", Some(json!([]))),
        ("aud", Some(json!({CLIENT: 1}))),
        ("aud", None),
        ("exp", Some(json!(1000))),
        ("exp", Some(json!("never"))),
        ("exp", Some(json!(null))),
        ("exp", None),
        ("nbf", Some(json!(far))),
        ("iat", Some(json!(far))),
        ("nbf", Some(json!("1"))),
    ] {
        let claims = bent(&provider, name, value);
        let refused = connection.claims_of_bearer(&provider.sign(&claims)).await;
        assert!(matches!(refused, Err(Denial::Refused(_))), "{name} of {claims}");
    }

    // Somebody else's key, under the name of the right one; and signatures that are none.
    let claims = Value::Object(provider.claims_of("anna"));
    let forged = Signer::generate("key-1").sign(&claims);
    let parts: Vec<&str> = good.split('.').collect();
    let other_body = forged.split('.').nth(1).unwrap();
    let header = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
    for token in [
        forged.clone(),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}", header(r#"{"alg":"none"}"#), parts[1], parts[2]),
        format!("{}.{}.", header(r#"{"alg":"none"}"#), parts[1]),
        format!("{}.{}.{}", header(r#"{"alg":"HS256","kid":"key-1"}"#), parts[1], parts[2]),
        format!("{}.{}.{}", header(r#"{"alg":"ES256","kid":"key-1","crit":["x"]}"#), parts[1], parts[2]),
        format!("{}.{}A.{}", parts[0], other_body, parts[2]),
        format!("{good}.x"),
        format!("eyJ.{}.{}", parts[1], parts[2]),
        String::new(),
        format!("eyJ{}.a.b", "A".repeat(20_000)),
    ] {
        assert!(matches!(connection.claims_of_bearer(&token).await, Err(Denial::Refused(_))), "{token}");
    }
}

#[tokio::test]
async fn keys_rotate_and_nobody_makes_us_fetch_without_end() {
    let started = Instant::now();
    let provider = Provider::start(anna(), AccessTokens::Signed);
    let connection = connection(&provider);
    let claims = Value::Object(provider.claims_of("anna"));
    let old = provider.sign(&claims);
    for _ in 0..5 {
        connection.claims_of_bearer(&old).await.unwrap();
    }
    assert_eq!(provider.asked("/jwks"), 1, "keys are kept");
    provider.rotate_keys();
    connection.claims_of_bearer(&provider.sign(&claims)).await.unwrap();
    assert_eq!(provider.asked("/jwks"), 2);
    assert!(connection.claims_of_bearer(&old).await.is_err(), "a key that is withdrawn signs no more");

    for number in 0..50 {
        let forged = Signer::generate(&format!("unknown-{number}")).sign(&claims);
        assert!(matches!(connection.claims_of_bearer(&forged).await, Err(Denial::Refused(_))));
    }
    let minutes = usize::try_from(started.elapsed().as_secs()).unwrap() / 60 + 1;
    assert!(provider.asked("/jwks") <= TRIES_A_MINUTE * minutes, "asked {} times", provider.asked("/jwks"));
    connection.claims_of_bearer(&provider.sign(&claims)).await.unwrap();
}

#[tokio::test]
async fn opaque_tokens_are_asked_about() {
    let provider = Provider::start(anna(), AccessTokens::Opaque);
    let connection = connection(&provider);
    let document = connection.issuer.document().await.unwrap();
    let endpoint = document.token_endpoint.clone().unwrap();
    let form = [("grant_type", "password"), ("username", "anna"), ("password", "pw")];
    let client = (CLIENT, connection.settings.client_secret.as_ref());
    let answer: Value = connection.issuer.post(&endpoint, &form, client, "test").await.unwrap();
    let token = answer["access_token"].as_str().unwrap();
    assert!(!token.contains('.'));
    let claims = connection.claims_of_bearer(token).await.unwrap();
    assert_eq!((claims["sub"].as_str(), claims["email"].as_str()), (Some("anna"), Some("anna@museum.test")));
    for wrong in ["never-issued", "a b c", "\u{e9}"] {
        assert!(matches!(connection.claims_of_bearer(wrong).await, Err(Denial::Refused(_))), "{wrong}");
    }

    let stranger = OidcSettings { client_id: "other".into(), audiences: vec![], ..settings(provider.issuer()) };
    let refused = Connection::new(stranger).unwrap().claims_of_bearer(token).await;
    assert!(matches!(refused, Err(Denial::Refused(_))), "the provider does not talk to strangers");
}

#[tokio::test]
async fn an_issuer_that_is_another_or_away_lets_nobody_in() {
    let provider = Provider::start(anna(), AccessTokens::Signed);
    let token = provider.sign(&Value::Object(provider.claims_of("anna")));
    let spelled_otherwise = Connection::new(settings(&format!("{}/", provider.issuer()))).unwrap();
    assert!(matches!(spelled_otherwise.claims_of_bearer(&token).await, Err(Denial::Unreachable { .. })));
    let connection = connection(&provider);
    connection.claims_of_bearer(&token).await.unwrap();
    drop(provider);
    connection.claims_of_bearer(&token).await.unwrap();
    let nowhere = Connection::new(settings("http://127.0.0.1:9")).unwrap();
    for _ in 0..TRIES_A_MINUTE + 1 {
        assert!(matches!(nowhere.claims_of_bearer(&token).await, Err(Denial::Unreachable { .. })));
    }
    assert!(Connection::new(settings("ftp://x")).is_err());
    let authorities = OidcSettings { authorities: Some("/nowhere.pem".into()), ..settings("https://x.test") };
    assert!(Connection::new(authorities).is_err());
}

/// Made by Python's `cryptography`.
#[test]
fn signatures_of_every_kind_that_is_taken() {
    let file: Value = serde_json::from_str(include_str!("../../testdata/signed_tokens.json")).unwrap();
    let keys = keys::read_set(&file);
    assert_eq!(keys.len(), 4);
    let good = file["good"].as_object().unwrap();
    assert_eq!(good.len(), 9);
    for (algorithm, token) in good {
        let token = token.as_str().unwrap();
        let claims = Unverified::read(token).unwrap().verify(&keys).unwrap_or_else(|| panic!("{algorithm}"));
        assert_eq!(claims["alg"], algorithm.as_str());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let altered = format!("{signed}.{first}{}", &signature[1..]);
        assert!(Unverified::read(&altered).unwrap().verify(&keys).is_none(), "{algorithm}");
    }
    for token in file["bad"].as_object().unwrap().values() {
        assert!(Unverified::read(token.as_str().unwrap()).is_err());
    }
    // A key that says what it is for signs nothing else.
    let mut bound = file.clone();
    bound["keys"][0]["alg"] = json!("RS512");
    let bound = keys::read_set(&bound);
    assert!(Unverified::read(good["RS256"].as_str().unwrap()).unwrap().verify(&bound).is_none());
    assert!(Unverified::read(good["RS512"].as_str().unwrap()).unwrap().verify(&bound).is_some());
    for useless in
        [json!({"use": "enc"}), json!({"alg": "HS256"}), json!({"alg": "RSA-OAEP"}), json!({"kty": "oct"}), json!({"n": "!"})]
    {
        let mut set = file.clone();
        set["keys"][0].as_object_mut().unwrap().extend(useless.as_object().unwrap().clone());
        assert_eq!(keys::read_set(&set).len(), 3, "{useless}");
    }
}

#[test]
fn claims_have_the_names_that_mappings_know() {
    let claims = json!({
        "iss": "https://sso.test/realm", "sub": "u1", "email_verified": true, "level": 3, "nothing": null,
        "groups": ["a;b", "c", {"no": 1}], "realm_access": {"roles": ["x"]},
        "HTTP_OIDC_SUB": "mallory", "OIDC-groups": ["admins"], "REMOTE_USER": "root",
    });
    let assertion = claims::assertion(claims.as_object().unwrap());
    let get = |name: &str| assertion.get(name).map(|values| values.join("|"));
    for name in ["sub", "OIDC-sub", "OIDC_CLAIM_sub", "HTTP_OIDC_SUB"] {
        assert_eq!(get(name).as_deref(), Some("u1"), "{name}");
    }
    assert_eq!(get("OIDC-groups").as_deref(), Some("a;b|c"));
    assert_eq!(get("REMOTE_USER").as_deref(), Some("u1@sso.test/realm"));
    assert_eq!(get("realm_access.roles").as_deref(), Some("x"));
    assert_eq!(get("HTTP_OIDC_REALM_ACCESS_ROLES").as_deref(), Some("x"));
    assert_eq!((get("email_verified").as_deref(), get("level").as_deref(), get("nothing")), (Some("true"), Some("3"), None));
}
