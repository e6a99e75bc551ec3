// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;
use types::Timestamp;

use crate::world::{Answer, World, token_login};

const HOUR: i64 = 3600;

struct Made {
    world: World,
    demo: String,
    user: String,
    project: String,
    /// A token of a service.
    service: String,
}

struct Key {
    access: String,
    secret: String,
}

impl Made {
    async fn new() -> Self {
        let world = World::new().await;
        let (user, project, demo) = (world.id("users", "demo").await, world.id("projects", "demo").await, world.demo().await);
        let gateway = world.create("users", "user", json!({"name": "gateway", "password": "gate"})).await;
        let (role, admin_project) = (world.id("roles", "service").await, world.id("projects", "admin").await);
        world.grant(&format!("projects/{admin_project}/users/{gateway}/roles/{role}")).await;
        let service = world.login("gateway", "gate", Some("admin")).await;
        Self { world, demo, user, project, service }
    }

    fn path(&self) -> String {
        format!("/v3/users/{}/credentials/OS-EC2", self.user)
    }

    async fn create(&self, token: &str) -> Answer {
        self.world.ask("POST", &self.path(), token, json!({"tenant_id": self.project})).await
    }

    async fn key(&self, token: &str) -> Key {
        let answer = self.create(token).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let text = |name: &str| answer.body["credential"][name].as_str().unwrap().to_owned();
        Key { access: text("access"), secret: text("secret") }
    }

    async fn ec2(&self, token: &str, credentials: Value) -> Answer {
        self.world.ask("POST", "/v3/ec2tokens", token, json!({"credentials": credentials})).await
    }

    async fn s3(&self, token: &str, credentials: Value) -> Answer {
        self.world.ask("POST", "/v3/s3tokens", token, json!({"credentials": credentials})).await
    }

    async fn application_credential(&self, fields: Value) -> (String, String) {
        let path = format!("/v3/users/{}/application_credentials", self.user);
        let made = self.world.ask("POST", &path, &self.demo, json!({"application_credential": fields})).await;
        let id = made.body["application_credential"]["id"].as_str().unwrap().to_owned();
        let login = json!({"auth": {"identity": {
            "methods": ["application_credential"], "application_credential": {"id": id, "secret": "s"}}}});
        (self.world.ask("POST", "/v3/auth/tokens", "", login).await.token(), id)
    }
}

impl Key {
    /// A request of version 2, signed `seconds` from now.
    fn signed(&self, seconds: i64) -> Value {
        let at = Timestamp::from_seconds(Timestamp::now().seconds() + seconds).zulu();
        let query = format!(
            "AWSAccessKeyId={}&Action=DescribeInstances&SignatureMethod=HmacSHA256&SignatureVersion=2&Timestamp={}",
            self.access,
            at.replace(':', "%3A")
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap();
        mac.update(format!("GET\ncloud:8773\n/services/Cloud\n{query}").as_bytes());
        json!({
            "access": self.access, "signature": STANDARD.encode(mac.finalize().into_bytes()),
            "host": "cloud:8773", "verb": "GET", "path": "/services/Cloud",
            "params": {
                "AWSAccessKeyId": self.access, "Action": "DescribeInstances", "SignatureVersion": "2",
                "SignatureMethod": "HmacSHA256", "Timestamp": at,
            },
        })
    }

    /// An S3 request of version 1 with this text in the place of its date.
    fn signed_s3(&self, date: &str) -> Value {
        let text = format!("GET\n\n\n{date}\n/bucket/object");
        let mut mac = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        json!({"access": self.access, "token": URL_SAFE.encode(text), "signature": signature})
    }
}

fn in_seconds(seconds: i64) -> String {
    (Timestamp::now().seconds() + seconds).to_string()
}

#[tokio::test]
async fn a_key_is_made_shown_listed_and_deleted() {
    let made = Made::new().await;
    let answer = made.create(&made.demo).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let key = &answer.body["credential"];
    let access = key["access"].as_str().unwrap();
    let url = format!("http://cloud:80/identity{}/{access}", made.path());
    let expected = json!({
        "access": access, "secret": key["secret"], "tenant_id": made.project, "user_id": made.user, "trust_id": null,
        "links": {"self": url},
    });
    assert_eq!((*key).clone(), expected);
    let path = format!("{}/{access}", made.path());
    assert_eq!(made.world.get(&path, &made.demo).await.body["credential"], expected);
    let listed = made.world.get(&made.path(), &made.demo).await;
    assert_eq!(listed.body["credentials"], json!([expected]));
    assert_eq!(made.world.get("/v3/credentials?type=ec2", &made.demo).await.body["credentials"].as_array().unwrap().len(), 1);
    assert_eq!(made.world.ask("DELETE", &path, &made.demo, Value::Null).await.status, 204);
    assert_eq!(made.world.get(&path, &made.demo).await.status, 404);
    assert_eq!(made.world.ask("POST", &made.path(), &made.demo, json!({"tenant_id": "none"})).await.status, 404);
    assert_eq!(made.world.ask("POST", &made.path(), &made.demo, json!({})).await.status, 400);
}

#[tokio::test]
async fn keys_of_other_users_are_refused() {
    let made = Made::new().await;
    let (world, key) = (&made.world, made.key(&made.demo).await);
    world.create("users", "user", json!({"name": "eve", "password": "eve"})).await;
    let (eve, role) = (world.id("users", "eve").await, world.id("roles", "member").await);
    world.grant(&format!("projects/{}/users/{eve}/roles/{role}", made.project)).await;
    let eves = world.login("eve", "eve", Some("demo")).await;
    let theirs = format!("{}/{}", made.path(), key.access);
    let through_own = format!("/v3/users/{eve}/credentials/OS-EC2/{}", key.access);
    for path in [theirs.as_str(), through_own.as_str()] {
        assert_eq!(world.get(path, &eves).await.status, 403, "{path}");
        assert_eq!(world.ask("DELETE", path, &eves, Value::Null).await.status, 403, "{path}");
    }
    assert_eq!(world.get(&made.path(), &eves).await.status, 403);
    assert_eq!(made.create(&eves).await.status, 403);
    for path in [&theirs, &through_own] {
        assert_eq!(world.get(path, &world.admin).await.body["credential"]["user_id"], json!(made.user), "{path}");
    }
    let nobodys = format!("/v3/users/nobody/credentials/OS-EC2/{}", key.access);
    assert_eq!(world.get(&nobodys, &world.admin).await.status, 404);
}

#[tokio::test]
async fn a_signature_buys_a_service_a_token_of_the_user() {
    let made = Made::new().await;
    let key = made.key(&made.demo).await;
    let answer = made.ec2(&made.service, key.signed(0)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let token = &answer.body["token"];
    assert_eq!((&token["user"]["id"], &token["project"]["id"]), (&json!(made.user), &json!(made.project)));
    assert_eq!(token["methods"], json!(["ec2credential"]));
    assert!(token["catalog"].is_array());
    assert_eq!(made.world.get("/v3/auth/projects", &answer.token()).await.status, 200);

    let date = in_seconds(60);
    let answer = made.s3(&made.service, key.signed_s3(&date)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["token"]["user"]["id"], json!(made.user));
    assert!(!answer.headers.contains_key("x-subject-token"));

    let mut forged = key.signed(0);
    forged["params"]["Action"] = json!("TerminateInstances");
    assert_eq!(made.ec2(&made.service, forged).await.status, 401);
    let mut unknown = key.signed(0);
    unknown["access"] = json!("nobody");
    assert_eq!(made.ec2(&made.service, unknown).await.status, 404);
    assert_eq!(made.ec2(&made.service, json!({})).await.status, 401);
    assert_eq!(made.ec2(&made.service, json!({"access": 1})).await.status, 400);
    let by_other_name = made.world.ask("POST", "/v3/ec2tokens", &made.service, json!({"ec2Credentials": key.signed(0)})).await;
    assert_eq!(by_other_name.status, 200);

    let path = format!("{}/{}", made.path(), key.access);
    assert_eq!(made.world.ask("DELETE", &path, &made.demo, Value::Null).await.status, 204);
    assert_eq!(made.ec2(&made.service, key.signed(0)).await.status, 404);
}

#[tokio::test]
async fn only_services_may_ask() {
    let made = Made::new().await;
    let key = made.key(&made.demo).await;
    let date = in_seconds(60);
    let world = &made.world;
    let corp = world.create("domains", "domain", json!({"name": "corp"})).await;
    let boss = world.create("users", "user", json!({"name": "boss", "domain_id": corp, "password": "pw"})).await;
    for role in ["admin", "service"] {
        world.grant(&format!("domains/{corp}/users/{boss}/roles/{}", world.id("roles", role).await)).await;
    }
    let login = json!({"auth": {"scope": {"domain": {"id": corp}},
        "identity": {"methods": ["password"], "password": {"user": {"id": boss, "password": "pw"}}}}});
    let of_a_domain = world.ask("POST", "/v3/auth/tokens", "", login).await.token();
    for (token, status) in
        [("", 401), (made.demo.as_str(), 403), (&of_a_domain, 403), (&made.service, 200), (&made.world.admin, 200)]
    {
        assert_eq!(made.ec2(token, key.signed(0)).await.status.as_u16(), status, "ec2tokens");
        assert_eq!(made.s3(token, key.signed_s3(&date)).await.status.as_u16(), status, "s3tokens");
    }
}

#[tokio::test]
async fn an_old_signature_is_refused() {
    let made = Made::new().await;
    let key = made.key(&made.demo).await;
    for (seconds, status) in [(-10 * 60, 200), (10 * 60, 200), (-16 * 60, 401), (16 * 60, 401), (-24 * HOUR, 401)] {
        assert_eq!(made.ec2(&made.service, key.signed(seconds)).await.status.as_u16(), status, "{seconds}");
    }
    let rfc2822 = |seconds: i64| {
        let at = jiff::Timestamp::from_second(Timestamp::now().seconds() + seconds).unwrap();
        jiff::fmt::rfc2822::to_string(&at.to_zoned(jiff::tz::TimeZone::UTC)).unwrap()
    };
    for (date, status) in [
        (rfc2822(0), 200),
        (rfc2822(-HOUR), 401),
        (rfc2822(HOUR), 401),
        (in_seconds(-1), 401),
        (in_seconds(HOUR), 200),
        (String::new(), 401),
        ("now".to_owned(), 401),
    ] {
        assert_eq!(made.s3(&made.service, key.signed_s3(&date)).await.status.as_u16(), status, "{date}");
    }
}

#[tokio::test]
async fn a_key_stays_within_the_application_credential_that_made_it() {
    let made = Made::new().await;
    let world = &made.world;
    let (restricted, _) = made.application_credential(json!({"name": "narrow", "secret": "s"})).await;
    assert_eq!(made.create(&restricted).await.status, 403, "a restricted one makes no keys");

    let fields = json!({"name": "wide", "secret": "s", "unrestricted": true, "roles": [{"name": "member"}]});
    let role = world.id("roles", "manager").await;
    world.grant(&format!("projects/{}/users/{}/roles/{role}", made.project, made.user)).await;
    let (wide, id) = made.application_credential(fields).await;
    let key = made.key(&wide).await;
    let answer = made.ec2(&made.service, key.signed(0)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let token = &answer.body["token"];
    assert_eq!(token["application_credential"], json!({"id": id, "name": "wide", "restricted": false}));
    assert_eq!(answer.body["token"]["roles"].as_array().unwrap().len(), 2, "member and reader, not manager: {token}");

    let path = format!("/v3/users/{}/application_credentials/{id}", made.user);
    assert_eq!(world.ask("DELETE", &path, &made.demo, Value::Null).await.status, 204);
    assert_eq!(made.ec2(&made.service, key.signed(0)).await.status, 404, "the key ends with it");
}

#[tokio::test]
async fn a_key_uses_up_the_trust_that_made_it() {
    let made = Made::new().await;
    let world = &made.world;
    let trustee = world.create("users", "user", json!({"name": "trustee", "password": "trusted"})).await;
    let trust = json!({"trust": {
        "trustor_user_id": made.user, "trustee_user_id": trustee, "project_id": made.project,
        "impersonation": false, "roles": [{"name": "member"}], "remaining_uses": 2,
    }});
    let trust = world.ask("POST", "/v3/OS-TRUST/trusts", &made.demo, trust).await;
    assert_eq!(trust.status, 201, "{}", trust.body);
    let trust = trust.body["trust"]["id"].as_str().unwrap().to_owned();
    let login = world.login("trustee", "trusted", None).await;
    let scope = json!({"OS-TRUST:trust": {"id": trust}});
    let token = world.ask("POST", "/v3/auth/tokens", "", token_login(&login, scope)).await.token();

    let path = format!("/v3/users/{trustee}/credentials/OS-EC2");
    let answer = world.ask("POST", &path, &token, json!({"tenant_id": made.project})).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body["credential"]["trust_id"], json!(trust));
    let text = |name: &str| answer.body["credential"][name].as_str().unwrap().to_owned();
    let key = Key { access: text("access"), secret: text("secret") };
    let worth = made.ec2(&made.service, key.signed(0)).await;
    assert_eq!(worth.status, 200, "{}", worth.body);
    assert_eq!(worth.body["token"]["user"]["id"], json!(trustee), "without impersonation");
    assert_eq!(worth.body["token"]["OS-TRUST:trust"]["id"], json!(trust));
    assert_eq!(made.ec2(&made.service, key.signed(0)).await.status, 401, "both uses are taken");
}

#[tokio::test]
async fn a_token_of_a_key_buys_nothing_further() {
    let made = Made::new().await;
    let world = &made.world;
    let other = world.create("projects", "project", json!({"name": "other"})).await;
    let role = world.id("roles", "member").await;
    world.grant(&format!("projects/{other}/users/{}/roles/{role}", made.user)).await;
    let key = made.key(&made.demo).await;
    let token = made.ec2(&made.service, key.signed(0)).await.token();

    for scope in [json!({"project": {"id": other}}), json!({"project": {"id": made.project}}), json!("unscoped")] {
        assert_eq!(world.ask("POST", "/v3/auth/tokens", "", token_login(&token, scope)).await.status, 403);
    }
    assert_eq!(made.create(&token).await.status, 403);
    let path = format!("/v3/users/{}/application_credentials", made.user);
    let body = json!({"application_credential": {"name": "successor"}});
    assert_eq!(world.ask("POST", &path, &token, body).await.status, 403);
    let seed = json!({"credential": {"type": "totp", "blob": "SEED", "user_id": made.user}});
    assert_eq!(world.ask("POST", "/v3/credentials", &token, seed).await.status, 403);
}

#[tokio::test]
async fn a_key_is_worth_what_its_user_is() {
    let made = Made::new().await;
    let (world, key) = (&made.world, made.key(&made.demo).await);
    let role = world.id("roles", "member").await;
    let grant = format!("/v3/projects/{}/users/{}/roles/{role}", made.project, made.user);
    assert_eq!(world.ask("DELETE", &grant, &world.admin, Value::Null).await.status, 204);
    assert_eq!(made.ec2(&made.service, key.signed(0)).await.status, 401, "no role is left");
    assert_eq!(world.ask("PUT", &grant, &world.admin, Value::Null).await.status, 204);
    assert_eq!(made.ec2(&made.service, key.signed(0)).await.status, 200);
    let user = format!("/v3/users/{}", made.user);
    assert_eq!(world.ask("PATCH", &user, &world.admin, json!({"user": {"enabled": false}})).await.status, 200);
    assert_eq!(made.ec2(&made.service, key.signed(0)).await.status, 401, "disabled");
}

/// OSSA-2013-032: a key that a trustee makes is worth the trust, not the trustor.
#[tokio::test]
async fn a_key_made_under_a_trust_is_worth_the_trust() {
    let made = Made::new().await;
    let world = &made.world;
    let role = world.id("roles", "manager").await;
    world.grant(&format!("projects/{}/users/{}/roles/{role}", made.project, made.user)).await;
    let demo = world.demo().await;
    let bob = world.create("users", "user", json!({"name": "bob", "password": "builder"})).await;
    let trust = json!({"trust": {"trustor_user_id": made.user, "trustee_user_id": bob, "project_id": made.project,
                                 "impersonation": true, "roles": [{"name": "member"}]}});
    let trust = world.ask("POST", "/v3/OS-TRUST/trusts", &demo, trust).await;
    let id = trust.body["trust"]["id"].as_str().unwrap_or_else(|| panic!("{}", trust.body)).to_owned();
    let mut login = crate::world::password_login("bob", "builder", json!({"OS-TRUST:trust": {"id": id}}));
    login["auth"]["identity"]["password"]["user"]["domain"] = json!({"id": "default"});
    let trustee = world.ask("POST", "/v3/auth/tokens", "", login).await.token();

    let key = made.key(&trustee).await;
    let answer = made.ec2(&made.service, key.signed(0)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["token"]["OS-TRUST:trust"]["id"], json!(id));
    let roles: Vec<_> = answer.body["token"]["roles"].as_array().unwrap().iter().map(|role| &role["name"]).collect();
    assert_eq!(roles, ["member", "reader"], "not manager, which the trustor is besides");

    assert_eq!(world.ask("DELETE", &format!("/v3/OS-TRUST/trusts/{id}"), &demo, Value::Null).await.status, 204);
    assert_eq!(made.ec2(&made.service, key.signed(0)).await.status, 404, "the key ends with the trust");
}

/// For the S3 door, which checks signatures itself.
#[tokio::test]
async fn a_key_is_good_for_what_its_user_may_now() {
    use contracts::access_keys::AccessKeys;
    let made = Made::new().await;
    let (world, key) = (&made.world, made.key(&made.demo).await);
    let find = async || world.room.find(&key.access).await.unwrap();
    let found = find().await.unwrap();
    assert_eq!(*found.secret.reveal(), key.secret);
    assert_eq!(found.caller.project_id().unwrap().as_str(), made.project);
    // The same token stands for it again.
    assert_eq!(find().await.unwrap().caller, found.caller);
    assert!(world.room.find("nobody's").await.unwrap().is_none());

    let role = world.id("roles", "member").await;
    let grant = format!("/v3/projects/{}/users/{}/roles/{role}", made.project, made.user);
    assert_eq!(world.ask("DELETE", &grant, &world.admin, Value::Null).await.status, 204);
    assert!(find().await.is_none(), "no role is left");
    assert_eq!(world.ask("PUT", &grant, &world.admin, Value::Null).await.status, 204);
    assert!(find().await.is_some());

    let user = format!("/v3/users/{}", made.user);
    assert_eq!(world.ask("PATCH", &user, &world.admin, json!({"user": {"enabled": false}})).await.status, 200);
    assert!(find().await.is_none(), "disabled");
    assert_eq!(world.ask("PATCH", &user, &world.admin, json!({"user": {"enabled": true}})).await.status, 200);
    assert!(find().await.is_some());

    let path = format!("{}/{}", made.path(), key.access);
    assert_eq!(world.ask("DELETE", &path, &world.admin, Value::Null).await.status, 204);
    assert!(find().await.is_none(), "deleted");
}
