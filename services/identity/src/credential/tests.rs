// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};
use types::UserId;

use crate::world::{Answer, World};

const PATH: &str = "/v3/credentials";

struct Made {
    world: World,
    demo: String,
    user: String,
    project: String,
}

impl Made {
    async fn new() -> Self {
        let world = World::new().await;
        let (user, project, demo) = (world.id("users", "demo").await, world.id("projects", "demo").await, world.demo().await);
        Self { world, demo, user, project }
    }

    async fn post(&self, token: &str, fields: Value) -> Answer {
        self.world.ask("POST", PATH, token, json!({"credential": fields})).await
    }

    async fn patch(&self, token: &str, id: &str, fields: Value) -> Answer {
        self.world.ask("PATCH", &format!("{PATH}/{id}"), token, json!({"credential": fields})).await
    }

    fn ec2(&self, access: &str) -> Value {
        let blob = json!({"access": access, "secret": "secretKey"}).to_string();
        json!({"blob": blob, "project_id": self.project, "type": "ec2", "user_id": self.user})
    }

    fn totp(&self) -> Value {
        json!({"blob": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "type": "totp", "user_id": self.user})
    }

    /// A token of a new application credential of demo's, and the credential's id.
    async fn application_credential(&self, unrestricted: bool) -> (String, String) {
        let path = format!("/v3/users/{}/application_credentials", self.user);
        let body = json!({"application_credential": {"name": "program", "secret": "s", "unrestricted": unrestricted}});
        let made = self.world.ask("POST", &path, &self.demo, body).await;
        let id = made.body["application_credential"]["id"].as_str().unwrap().to_owned();
        let login = json!({"auth": {"identity": {
            "methods": ["application_credential"], "application_credential": {"id": id, "secret": "s"}}}});
        (self.world.ask("POST", "/v3/auth/tokens", "", login).await.token(), id)
    }
}

fn id(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body["credential"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_ec2_credential_has_keystones_shape() {
    let made = Made::new().await;
    let answer = made.post(&made.demo, made.ec2("181920")).await;
    let url = "http://cloud:80/identity/v3/credentials/3d3367228f9c7665266604462ec60029bcd83ad89614021a80b2eb879c572510";
    let expected = json!({
        "user_id": made.user, "project_id": made.project, "type": "ec2",
        "blob": "{\"access\":\"181920\",\"secret\":\"secretKey\"}",
        "id": "3d3367228f9c7665266604462ec60029bcd83ad89614021a80b2eb879c572510",
        "links": {"self": url},
    });
    assert_eq!(id(&answer), expected["id"]);
    assert_eq!(answer.body["credential"], expected, "as the sample of the original");
    let shown = made.world.get(&format!("{PATH}/{}", id(&answer)), &made.demo).await;
    assert_eq!(shown.body["credential"], expected);
    let listed = made.world.get(PATH, &made.demo).await;
    assert_eq!(listed.body["credentials"], json!([expected]));
    assert_eq!(listed.body["links"], json!({"next": null, "previous": null, "self": "http://cloud:80/identity/v3/credentials"}));

    let again = made.post(&made.demo, made.ec2("181920")).await;
    assert_eq!(again.status, 409, "{}", again.body);
    let changed = made.patch(&made.demo, &id(&answer), json!({"blob": "{\"access\":\"181920\",\"secret\":\"other\"}"})).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.body["credential"]["blob"], "{\"access\":\"181920\",\"secret\":\"other\"}");

    let path = format!("{PATH}/{}", id(&answer));
    assert_eq!(made.world.ask("DELETE", &path, &made.demo, Value::Null).await.status, 204);
    assert_eq!(made.world.get(&path, &made.demo).await.status, 403, "gone, it is not his any more");
    assert_eq!(made.world.get(&path, &made.world.admin).await.status, 404);
}

#[tokio::test]
async fn lists_are_filtered_by_user_and_type() {
    let made = Made::new().await;
    let (ec2, totp) = (id(&made.post(&made.demo, made.ec2("a")).await), id(&made.post(&made.demo, made.totp()).await));
    let of_admin = json!({"blob": "x", "type": "cert", "user_id": made.world.id("users", "admin").await});
    let cert = id(&made.post(&made.world.admin, of_admin).await);
    for (query, expected) in [
        ("?type=totp".to_owned(), vec![&totp]),
        (format!("?user_id={}&type=ec2", made.user), vec![&ec2]),
        (format!("?user_id={}", made.user), vec![&ec2, &totp]),
        (String::new(), vec![&ec2, &totp, &cert]),
        ("?type=nothing".to_owned(), vec![]),
    ] {
        let mut expected: Vec<String> = expected.into_iter().cloned().collect();
        expected.sort();
        let listed = made.world.get(&format!("{PATH}{query}"), &made.world.admin).await;
        assert_eq!(listed.all("credentials", "id"), expected, "{query}");
    }
}

#[tokio::test]
async fn a_user_sees_own_credentials_only() {
    let made = Made::new().await;
    let world = &made.world;
    let mine = id(&made.post(&made.demo, made.totp()).await);
    let admin_user = world.id("users", "admin").await;
    let seed = json!({"blob": "ADMINSEED", "type": "totp", "user_id": admin_user});
    let theirs = id(&made.post(&world.admin, seed.clone()).await);

    for query in ["", "?type=totp", &format!("?user_id={admin_user}")] {
        let listed = world.get(&format!("{PATH}{query}"), &made.demo).await;
        assert!(!listed.body.to_string().contains("ADMINSEED"), "{query}");
    }
    assert_eq!(world.get(PATH, &made.demo).await.all("credentials", "id"), std::slice::from_ref(&mine));
    let path = format!("{PATH}/{theirs}");
    assert_eq!(world.get(&path, &made.demo).await.status, 403);
    assert_eq!(made.patch(&made.demo, &theirs, json!({"blob": "x"})).await.status, 403);
    assert_eq!(world.ask("DELETE", &path, &made.demo, Value::Null).await.status, 403);
    assert_eq!(made.post(&made.demo, seed).await.status, 403, "nor for another user");
    assert_eq!(world.get(PATH, "").await.status, 401);
    assert_eq!(world.get(&format!("{PATH}/{mine}"), &world.admin).await.status, 200, "an administrator sees all");
}

#[tokio::test]
async fn an_update_moves_a_credential_to_nobody_else() {
    let made = Made::new().await;
    let (world, admin_user) = (&made.world, made.world.id("users", "admin").await);
    let admin_project = world.id("projects", "admin").await;
    let mine = id(&made.post(&made.demo, made.ec2("a")).await);
    for fields in [
        json!({"user_id": admin_user}),
        json!({"project_id": admin_project}),
        json!({"user_id": admin_user, "project_id": admin_project}),
    ] {
        assert_eq!(made.patch(&made.demo, &mine, fields.clone()).await.status, 403, "{fields}");
    }
    let shown = &world.get(&format!("{PATH}/{mine}"), &made.demo).await.body["credential"];
    assert_eq!((&shown["user_id"], &shown["project_id"]), (&json!(made.user), &json!(made.project)));
    let moved = made.patch(&world.admin, &mine, json!({"project_id": admin_project})).await;
    assert_eq!((moved.status.as_u16(), &moved.body["credential"]["project_id"]), (200, &json!(admin_project)));
}

#[tokio::test]
async fn nobody_writes_a_delegation_into_a_blob() {
    let made = Made::new().await;
    let mine = id(&made.post(&made.demo, made.ec2("a")).await);
    for key in ["trust_id", "app_cred_id", "access_token_id"] {
        let mut blob = json!({"access": "b", "secret": "s"});
        blob[key] = json!("0123456789abcdef0123456789abcdef");
        let mut new = made.ec2("b");
        new["blob"] = json!(blob.to_string());
        assert_eq!(made.post(&made.demo, new).await.status, 400, "made with a forged {key}");
        assert_eq!(
            made.patch(&made.demo, &mine, json!({"blob": blob.to_string()})).await.status,
            400,
            "changed to a forged {key}"
        );
    }
    let (program, credential) = made.application_credential(true).await;
    let bound = made.post(&program, made.ec2("c")).await;
    let blob: Value = serde_json::from_str(bound.body["credential"]["blob"].as_str().unwrap()).unwrap();
    assert_eq!(blob["app_cred_id"], json!(credential), "it stands for what the token stood for");
    let unbound = json!({"blob": "{\"access\":\"c\",\"secret\":\"s\"}"});
    for (token, fields) in [(&made.demo, unbound.clone()), (&program, unbound), (&made.demo, json!({"type": "cert"}))] {
        assert_eq!(made.patch(token, &id(&bound), fields).await.status, 400, "nor out of it");
    }
}

#[tokio::test]
async fn a_delegated_token_stays_within_its_part() {
    let made = Made::new().await;
    let world = &made.world;
    let other_project = world.create("projects", "project", json!({"name": "other"})).await;
    let role = world.id("roles", "member").await;
    world.grant(&format!("projects/{other_project}/users/{}/roles/{role}", made.user)).await;
    let mut elsewhere = made.ec2("elsewhere");
    elsewhere["project_id"] = json!(other_project);
    let (elsewhere_id, seed) =
        (id(&made.post(&made.demo, elsewhere.clone()).await), id(&made.post(&made.demo, made.totp()).await));
    let unbound = id(&made.post(&made.demo, made.ec2("unbound")).await);

    let (program, _) = made.application_credential(true).await;
    let here = id(&made.post(&program, made.ec2("here")).await);
    assert_eq!(world.get(PATH, &program).await.all("credentials", "id"), std::slice::from_ref(&here));
    for id in [&elsewhere_id, &seed, &unbound] {
        let path = format!("{PATH}/{id}");
        assert_eq!(world.get(&path, &program).await.status, 403);
        assert_eq!(world.ask("DELETE", &path, &program, Value::Null).await.status, 403);
        assert_eq!(made.patch(&program, id, json!({"blob": "{\"access\":\"x\"}"})).await.status, 403);
    }
    elsewhere["blob"] = json!("{\"access\": \"new\"}");
    assert_eq!(made.post(&program, elsewhere).await.status, 403, "not in another project");
    let mut seed_here = made.totp();
    seed_here["project_id"] = json!(made.project);
    assert_eq!(made.post(&program, seed_here.clone()).await.status, 403, "nor a second factor of the user's own");
    assert_eq!(made.patch(&program, &here, json!({"type": "totp"})).await.status, 400);
    assert_eq!(made.patch(&program, &here, json!({"project_id": other_project})).await.status, 403);
}

#[tokio::test]
async fn a_restricted_application_credential_makes_no_keys() {
    let made = Made::new().await;
    let (program, _) = made.application_credential(false).await;
    let refused = made.post(&program, made.ec2("a")).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert!(refused.message().contains("restricted"));
}

#[tokio::test]
async fn bad_input_is_refused_with_a_sentence() {
    let made = Made::new().await;
    let with = |key: &str, value: Value| {
        let mut fields = made.ec2("a");
        fields[key] = value;
        fields
    };
    for (fields, status) in [
        (json!({"blob": "x", "user_id": made.user}), 400),
        (json!({"type": "cert", "user_id": made.user}), 400),
        (json!({"blob": "x", "type": "cert"}), 400),
        (with("project_id", Value::Null), 400),
        (with("blob", json!("no json")), 400),
        (with("blob", json!("[]")), 400),
        (with("blob", json!("{\"secret\": \"s\"}")), 400),
        (with("blob", json!({"access": "a"})), 400),
        (with("project_id", json!("nothing")), 404),
        (with("type", json!("")), 400),
    ] {
        let answer = made.post(&made.demo, fields.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{fields} {}", answer.body);
        assert!(!answer.message().is_empty());
    }
}

#[tokio::test]
async fn blobs_are_sealed_at_rest_and_survive_a_rotation() {
    let made = Made::new().await;
    let world = &made.world;
    let long = "A".repeat(60_000);
    let cert = json!({"blob": long, "type": "cert", "user_id": made.user});
    let (seed, cert) = (id(&made.post(&made.demo, made.totp()).await), id(&made.post(&made.demo, cert).await));
    let kept = || async {
        world
            .store
            .read(|tx| {
                let rows = tx.query("SELECT encrypted_blob, key_hash FROM credentials ORDER BY id", &[])?;
                rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<store::Result<Vec<(String, String)>>>()
            })
            .await
            .unwrap()
    };
    let before = kept().await;
    let keystones_null_key = access::fernet::Key::parse(&format!("{}=", "A".repeat(43))).unwrap();
    for (sealed, _) in &before {
        assert!(!sealed.contains("GEZDGNBV") && !sealed.contains("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
        assert!(keystones_null_key.open(sealed).is_err());
    }
    world.room.rotate_credential_keys().await.unwrap();
    for ((old, old_hash), (new, new_hash)) in before.iter().zip(kept().await.iter()) {
        assert!(old != new && old_hash != new_hash, "all is under the new key");
    }
    let shown = world.get(&format!("{PATH}/{cert}"), &made.demo).await;
    assert_eq!(shown.body["credential"]["blob"], json!(long));
    let secrets = world.second_room().await.totp_secrets(&UserId::from(made.user.as_str())).await.unwrap();
    assert_eq!(secrets.iter().map(|secret| secret.reveal().as_str()).collect::<Vec<_>>(), ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"]);
    assert!(!seed.is_empty());
}

#[tokio::test]
async fn credentials_end_with_their_user() {
    let made = Made::new().await;
    let seed = id(&made.post(&made.demo, made.totp()).await);
    let path = format!("/v3/users/{}", made.user);
    assert_eq!(made.world.ask("DELETE", &path, &made.world.admin, Value::Null).await.status, 204);
    assert_eq!(made.world.get(&format!("{PATH}/{seed}"), &made.world.admin).await.status, 404);
}
