// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use types::Timestamp;

use super::new_word;
use crate::world::{ADMIN_PASSWORD, Answer, World, password_login, token_login};

const REQUEST_TOKEN: &str = "/v3/OS-OAUTH1/request_token";
const ACCESS_TOKEN: &str = "/v3/OS-OAUTH1/access_token";
const TOKENS: &str = "/v3/auth/tokens";

/// A consumer's side, written after RFC 5849 and not after our own check of it.
#[derive(Clone)]
pub struct Consumer {
    key: String,
    secret: String,
}

#[derive(Clone)]
pub struct Pair {
    key: String,
    secret: String,
}

impl Consumer {
    fn header(&self, path: &str, token: Option<&Pair>, more: &[(&str, &str)]) -> String {
        self.header_at(path, token, more, Timestamp::now().seconds(), &new_word())
    }

    fn header_at(&self, path: &str, token: Option<&Pair>, more: &[(&str, &str)], seconds: i64, nonce: &str) -> String {
        let mut params = BTreeMap::from([
            ("oauth_consumer_key", self.key.clone()),
            ("oauth_nonce", nonce.to_owned()),
            ("oauth_signature_method", "HMAC-SHA1".to_owned()),
            ("oauth_timestamp", seconds.to_string()),
            ("oauth_version", "1.0".to_owned()),
        ]);
        params.extend(token.map(|token| ("oauth_token", token.key.clone())));
        params.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let pairs: Vec<String> = params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let pairs = pairs.join("&").replace('=', "%3D").replace('&', "%26");
        // The address as the client wrote it, but for the port that it need not write.
        let address = format!("http://cloud/identity{path}").replace(':', "%3A").replace('/', "%2F");
        let key = format!("{}&{}", self.secret, token.map(|token| token.secret.as_str()).unwrap_or_default());
        let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(format!("POST&{address}&{pairs}").as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes()).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let fields: Vec<String> = params.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        format!("OAuth realm=\"\", {}, oauth_signature=\"{signature}\"", fields.join(", "))
    }
}

pub struct Made {
    pub world: World,
    admin_user: String,
    project: String,
    consumer: Consumer,
}

impl Made {
    pub async fn new() -> Self {
        let world = World::new().await;
        let (admin_user, project) = (world.id("users", "admin").await, world.id("projects", "admin").await);
        let body = json!({"consumer": {"description": "a console"}});
        let made = world.ask("POST", "/v3/OS-OAUTH1/consumers", &world.admin, body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let text = |name: &str| made.body["consumer"][name].as_str().unwrap().to_owned();
        let consumer = Consumer { key: text("id"), secret: text("secret") };
        Self { world, admin_user, project, consumer }
    }

    async fn post(&self, path: &str, authorization: &str) -> (u16, BTreeMap<String, String>) {
        self.post_for(&self.project, path, authorization).await
    }

    async fn post_for(&self, project: &str, path: &str, authorization: &str) -> (u16, BTreeMap<String, String>) {
        let headers = [("authorization", authorization), ("requested-project-id", project)];
        let (status, body) = self.world.ask_for_text("POST", path, &headers).await;
        let text = std::str::from_utf8(&body).unwrap();
        assert!(status != 201 || !text.contains('%'), "there are clients who do not decode the instant: {text}");
        (status, form_urlencoded::parse(&body).into_owned().collect())
    }

    pub async fn request_token(&self) -> Pair {
        let (status, fields) =
            self.post(REQUEST_TOKEN, &self.consumer.header(REQUEST_TOKEN, None, &[("oauth_callback", "oob")])).await;
        assert_eq!(status, 201);
        pair(&fields)
    }

    pub async fn authorize(&self, request: &Pair, token: &str, roles: Value) -> Answer {
        let path = format!("/v3/OS-OAUTH1/authorize/{}", request.key);
        self.world.ask("PUT", &path, token, json!({"roles": roles})).await
    }

    /// An access token for these roles.
    pub async fn access_token(&self, roles: Value) -> Pair {
        let request = self.request_token().await;
        let authorized = self.authorize(&request, &self.world.admin, roles).await;
        assert_eq!(authorized.status, 200, "{}", authorized.body);
        let verifier = authorized.body["token"]["oauth_verifier"].as_str().unwrap();
        let header = self.consumer.header(ACCESS_TOKEN, Some(&request), &[("oauth_verifier", verifier)]);
        let (status, fields) = self.post(ACCESS_TOKEN, &header).await;
        assert_eq!(status, 201);
        pair(&fields)
    }

    async fn log_in(&self, authorization: &str) -> Answer {
        let body = json!({"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}});
        self.world.ask_with("POST", TOKENS, "", &[("authorization", authorization)], body).await
    }

    async fn token(&self, access: &Pair) -> String {
        let answer = self.log_in(&self.consumer.header(TOKENS, Some(access), &[])).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.token()
    }

    pub fn path(&self, access: &Pair) -> String {
        format!("/v3/users/{}/OS-OAUTH1/access_tokens/{}", self.admin_user, access.key)
    }
}

fn pair(fields: &BTreeMap<String, String>) -> Pair {
    assert!(Timestamp::parse(&fields["oauth_expires_at"]).unwrap() > Timestamp::now());
    Pair { key: fields["oauth_token"].clone(), secret: fields["oauth_token_secret"].clone() }
}

#[tokio::test]
async fn consumers_have_keystones_shape() {
    let made = Made::new().await;
    let world = &made.world;
    let path = format!("/v3/OS-OAUTH1/consumers/{}", made.consumer.key);
    let expected = json!({
        "id": made.consumer.key, "description": "a console", "links": {"self": format!("http://cloud:80/identity{path}")},
    });
    let listed = world.get("/v3/OS-OAUTH1/consumers", &world.admin).await;
    assert_eq!(listed.body["consumers"], json!([expected]), "without its secret");
    assert_eq!(world.get(&path, &world.admin).await.body["consumer"], expected);
    let changed = world.ask("PATCH", &path, &world.admin, json!({"consumer": {"description": "other", "note": "x"}})).await;
    assert_eq!((changed.status.as_u16(), &changed.body["consumer"]["description"]), (200, &json!("other")));
    assert_eq!(changed.body["consumer"]["note"], "x");
    for bad in [json!({"secret": "x"}), json!({}), json!({"description": 1}), json!({"id": "x"})] {
        let answer = world.ask("PATCH", &path, &world.admin, json!({"consumer": bad})).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    let demo = world.demo().await;
    for (method, path) in [("GET", path.as_str()), ("DELETE", &path), ("GET", "/v3/OS-OAUTH1/consumers")] {
        assert_eq!(world.ask(method, path, &demo, Value::Null).await.status, 403, "{method} {path}");
    }
    let body = json!({"consumer": {"description": "mine"}});
    assert_eq!(world.ask("POST", "/v3/OS-OAUTH1/consumers", &demo, body).await.status, 403);
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(&path, &world.admin).await.status, 404);
}

#[tokio::test]
async fn a_consumer_has_what_was_authorized_and_no_more() {
    let made = Made::new().await;
    let world = &made.world;
    let access = made.access_token(json!([{"name": "member"}])).await;
    let answer = made.log_in(&made.consumer.header(TOKENS, Some(&access), &[])).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let token = &answer.body["token"];
    assert_eq!(token["OS-OAUTH1"], json!({"access_token_id": access.key, "consumer_id": made.consumer.key}));
    assert_eq!((&token["user"]["id"], &token["project"]["id"]), (&json!(made.admin_user), &json!(made.project)));
    assert_eq!(token["methods"], json!(["oauth1"]));
    let mut roles: Vec<&str> = token["roles"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["member", "reader"], "not admin, though the user is one");

    let token = answer.token();
    assert_eq!(world.get("/v3/users", &token).await.status, 403);
    for scope in [json!({"project": {"id": made.project}}), json!({"system": {"all": true}}), json!("unscoped")] {
        assert_eq!(world.ask("POST", TOKENS, "", token_login(&token, scope)).await.status, 403, "nor by rescoping");
    }
    let path = format!("/v3/users/{}/application_credentials", made.admin_user);
    let body = json!({"application_credential": {"name": "successor"}});
    assert_eq!(world.ask("POST", &path, &token, body).await.status, 403, "nor by a credential that stays");

    let role = world.id("roles", "admin").await;
    let grant = format!("/v3/projects/{}/users/{}/roles/{role}", made.project, made.admin_user);
    assert_eq!(world.ask("DELETE", &grant, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get("/v3/auth/projects", &token).await.status, 401, "the user himself has nothing left here");
}

#[tokio::test]
async fn an_ec2_key_of_a_consumer_stays_within_the_access_token() {
    let made = Made::new().await;
    let world = &made.world;
    let access = made.access_token(json!([{"name": "member"}])).await;
    let token = made.token(&access).await;
    let path = format!("/v3/users/{}/credentials/OS-EC2", made.admin_user);
    let key = world.ask("POST", &path, &token, json!({"tenant_id": made.project})).await;
    assert_eq!(key.status, 201, "{}", key.body);
    let kept = world.get(&format!("/v3/credentials?user_id={}", made.admin_user), &world.admin).await;
    let blob: Value = serde_json::from_str(kept.body["credentials"][0]["blob"].as_str().unwrap()).unwrap();
    assert_eq!(blob["access_token_id"], json!(access.key));
}

#[tokio::test]
async fn a_signed_request_is_accepted_once() {
    let made = Made::new().await;
    let header = made.consumer.header(REQUEST_TOKEN, None, &[]);
    assert_eq!(made.post(REQUEST_TOKEN, &header).await.0, 201);
    assert_eq!(made.post(REQUEST_TOKEN, &header).await.0, 401, "replayed");
    let access = made.access_token(json!([{"name": "reader"}])).await;
    let login = made.consumer.header(TOKENS, Some(&access), &[]);
    assert_eq!(made.log_in(&login).await.status, 201);
    assert_eq!(made.log_in(&login).await.status, 401, "replayed");
    for (seconds, status) in [(-9 * 60, 201), (9 * 60, 201), (-11 * 60, 401), (11 * 60, 401)] {
        let at = Timestamp::now().seconds() + seconds;
        let header = made.consumer.header_at(REQUEST_TOKEN, None, &[], at, &new_word());
        assert_eq!(made.post(REQUEST_TOKEN, &header).await.0, status, "{seconds}");
    }
}

#[tokio::test]
async fn only_who_knows_the_secrets_signs() {
    let made = Made::new().await;
    let (unknown, wrong) = (
        Consumer { key: new_word(), secret: made.consumer.secret.clone() },
        Consumer { key: made.consumer.key.clone(), secret: new_word() },
    );
    for (consumer, status) in [(&unknown, 404), (&wrong, 401)] {
        assert_eq!(made.post(REQUEST_TOKEN, &consumer.header(REQUEST_TOKEN, None, &[])).await.0, status);
    }
    let header = made.consumer.header(REQUEST_TOKEN, None, &[]);
    assert_eq!(made.post_for("nowhere", REQUEST_TOKEN, &header).await.0, 404);
    for header in ["", "OAuth", "Basic abc"] {
        assert_eq!(made.post(REQUEST_TOKEN, header).await.0, 400, "{header}");
    }
    let no_project = [("authorization", made.consumer.header(REQUEST_TOKEN, None, &[]))];
    let headers: Vec<(&str, &str)> = no_project.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(made.world.ask_for_text("POST", REQUEST_TOKEN, &headers).await.0, 400);

    let request = made.request_token().await;
    let verifier = made.authorize(&request, &made.world.admin, json!([{"name": "reader"}])).await;
    let verifier = verifier.body["token"]["oauth_verifier"].as_str().unwrap();
    let stolen = Pair { secret: new_word(), ..request.clone() };
    let other = made.request_token().await;
    for (consumer, token, verifier, status) in [
        (&made.consumer, &request, "AAAAAAAA", 401),
        (&made.consumer, &stolen, verifier, 401),
        (&wrong, &request, verifier, 401),
        (&unknown, &request, verifier, 401),
        (&made.consumer, &other, verifier, 401),
        (&made.consumer, &request, "", 401),
        (&made.consumer, &request, verifier, 201),
        (&made.consumer, &request, verifier, 404),
    ] {
        let header = consumer.header(ACCESS_TOKEN, Some(token), &[("oauth_verifier", verifier)]);
        assert_eq!(made.post(ACCESS_TOKEN, &header).await.0, status, "{verifier}");
    }

    let access = made.access_token(json!([{"name": "reader"}])).await;
    let forged = Pair { secret: new_word(), ..access.clone() };
    for (consumer, access, status) in
        [(&wrong, &access, 401), (&unknown, &access, 401), (&made.consumer, &forged, 401), (&made.consumer, &request, 404)]
    {
        assert_eq!(made.log_in(&consumer.header(TOKENS, Some(access), &[])).await.status, status);
    }
    assert_eq!(made.log_in(&made.consumer.header(TOKENS, None, &[])).await.status, 400, "without a token");
    assert_eq!(made.log_in(&made.consumer.header(ACCESS_TOKEN, Some(&access), &[])).await.status, 401, "for another address");
}

#[tokio::test]
async fn a_user_grants_own_roles_only() {
    let made = Made::new().await;
    let (world, request) = (&made.world, made.request_token().await);
    let unheld = world.create("roles", "role", json!({"name": "unheld"})).await;
    for (roles, status) in [
        (json!([{"id": unheld}]), 401),
        (json!([{"name": "unheld"}]), 401),
        (json!([{"name": "nothing"}]), 404),
        (json!([{}]), 400),
        (json!([{"id": "x", "name": "y"}]), 400),
        (json!("admin"), 400),
    ] {
        assert_eq!(made.authorize(&request, &world.admin, roles.clone()).await.status.as_u16(), status, "{roles}");
    }
    let reader = json!([{"name": "reader"}]);
    assert_eq!(made.authorize(&request, &world.demo().await, reader.clone()).await.status, 403, "the policy's rule");
    let nothing = Pair { key: new_word(), secret: String::new() };
    assert_eq!(made.authorize(&nothing, &world.admin, reader.clone()).await.status, 404);

    let access = made.access_token(json!([{"name": "admin"}])).await;
    let delegated = made.token(&access).await;
    assert_eq!(made.authorize(&request, &delegated, reader.clone()).await.status, 403, "not with what was granted itself");
    assert_eq!(world.get(&made.path(&access), &delegated).await.status, 403, "nor are grants looked after so");
    assert_eq!(made.authorize(&request, &world.admin, reader).await.status, 200);
}

#[tokio::test]
async fn access_tokens_are_listed_shown_and_taken_back() {
    let made = Made::new().await;
    let world = &made.world;
    let access = made.access_token(json!([{"name": "member"}])).await;
    let path = made.path(&access);
    let url = format!("http://cloud:80/identity{path}");
    let shown = world.get(&path, &world.admin).await;
    let view = &shown.body["access_token"];
    assert_eq!((&view["id"], &view["consumer_id"]), (&json!(access.key), &json!(made.consumer.key)), "{view}");
    assert_eq!((&view["project_id"], &view["authorizing_user_id"]), (&json!(made.project), &json!(made.admin_user)));
    assert_eq!(view["links"], json!({"roles": format!("{url}/roles"), "self": url}));
    assert_eq!(view.as_object().unwrap().len(), 6, "and no secret: {view}");
    let listed = world.get(&format!("/v3/users/{}/OS-OAUTH1/access_tokens", made.admin_user), &world.admin).await;
    assert_eq!(listed.body["access_tokens"], json!([view]));
    let role = world.id("roles", "member").await;
    let roles = world.get(&format!("{path}/roles"), &world.admin).await;
    assert_eq!(roles.all("roles", "id"), std::slice::from_ref(&role));
    let one = world.get(&format!("{path}/roles/{role}"), &world.admin).await;
    assert_eq!(one.body["role"]["links"]["self"], format!("http://cloud:80/identity/v3/roles/{role}"));
    let admin_role = world.id("roles", "admin").await;
    assert_eq!(world.get(&format!("{path}/roles/{admin_role}"), &world.admin).await.status, 404);

    let others = path.replace(&made.admin_user, &world.id("users", "demo").await);
    assert_eq!(world.get(&others, &world.admin).await.status, 404, "it is not demo's");
    assert_eq!(world.ask("DELETE", &others, &world.admin, Value::Null).await.status, 404);
    let demo = world.demo().await;
    assert_eq!(world.get(&path, &demo).await.status, 403);
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get(&path, &world.admin).await.status, 404);
}

#[tokio::test]
async fn tokens_end_with_their_consumer_and_their_access_token() {
    let made = Made::new().await;
    let world = &made.world;
    let (first, second) =
        (made.access_token(json!([{"name": "reader"}])).await, made.access_token(json!([{"name": "reader"}])).await);
    let (of_first, of_second) = (made.token(&first).await, made.token(&second).await);
    assert_eq!(world.ask("DELETE", &made.path(&first), &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get("/v3/auth/projects", &of_first).await.status, 401);
    assert_eq!(made.log_in(&made.consumer.header(TOKENS, Some(&first), &[])).await.status, 404);
    assert_eq!(world.get("/v3/auth/projects", &of_second).await.status, 200);

    let path = format!("/v3/OS-OAUTH1/consumers/{}", made.consumer.key);
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert_eq!(world.get("/v3/auth/projects", &of_second).await.status, 401);
    assert_eq!(made.log_in(&made.consumer.header(TOKENS, Some(&second), &[])).await.status, 404);
}

#[tokio::test]
async fn secrets_are_sealed_at_rest_and_survive_a_rotation() {
    let made = Made::new().await;
    let access = made.access_token(json!([{"name": "reader"}])).await;
    let kept = || async {
        let read = made.world.store.read(|tx| {
            let sql = "SELECT secret FROM oauth1_consumers UNION ALL SELECT secret FROM oauth1_access_tokens";
            tx.query(sql, &[])?.iter().map(|row| row.get(0)).collect::<store::Result<Vec<String>>>()
        });
        read.await.unwrap()
    };
    let before = kept().await;
    assert!(before.len() == 2 && !before.contains(&made.consumer.secret) && !before.contains(&access.secret));
    made.world.room.rotate_credential_keys().await.unwrap();
    assert!(before.iter().zip(kept().await).all(|(old, new)| *old != new));
    made.token(&access).await;
}

#[tokio::test]
async fn what_another_user_granted_is_not_granted_over() {
    let made = Made::new().await;
    let (world, request) = (&made.world, made.request_token().await);
    let other = world.create("users", "user", json!({"name": "other", "password": ADMIN_PASSWORD})).await;
    let role = world.id("roles", "admin").await;
    world.grant(&format!("projects/{}/users/{other}/roles/{role}", made.project)).await;
    let scope = json!({"project": {"id": made.project}});
    let others = world.ask("POST", TOKENS, "", password_login("other", ADMIN_PASSWORD, scope)).await.token();
    let reader = json!([{"name": "reader"}]);
    assert_eq!(made.authorize(&request, &world.admin, reader.clone()).await.status, 200);
    assert_eq!(made.authorize(&request, &others, reader.clone()).await.status, 409);
    assert_eq!(made.authorize(&request, &world.admin, reader).await.status, 200, "the same user thinks again");
}
