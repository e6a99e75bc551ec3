// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::world::{Answer, World};

const PATH: &str = "/v3/OS-OAUTH2/token";

async fn credential(world: &World) -> String {
    let path = format!("/v3/users/{}/application_credentials", world.id("users", "demo").await);
    let body = json!({"application_credential": {"name": "client", "secret": "se:cret", "roles": [{"name": "reader"}]}});
    let made = world.ask("POST", &path, &world.demo().await, body).await;
    made.body["application_credential"]["id"].as_str().unwrap().to_owned()
}

async fn ask(world: &World, authorization: &str, form: &str) -> Answer {
    let headers = [("authorization", authorization), ("content-type", "application/x-www-form-urlencoded")];
    world.ask_raw("POST", PATH, "", &headers, form.to_owned()).await
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

#[tokio::test]
async fn a_client_gets_a_bearer_token_of_its_application_credential() {
    let world = World::new().await;
    let id = credential(&world).await;
    for (authorization, form) in [
        (basic(&id, "se:cret"), "grant_type=client_credentials".to_owned()),
        ("Other".to_owned(), format!("grant_type=client_credentials&client_id={id}&client_secret=se%3Acret")),
    ] {
        let answer = ask(&world, &authorization, &form).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!((&answer.body["token_type"], &answer.body["expires_in"]), (&json!("Bearer"), &json!(3600)));
        assert_eq!(answer.body.as_object().unwrap().len(), 3);
        let token = answer.body["access_token"].as_str().unwrap();
        let shown = world.ask_with("GET", "/v3/auth/tokens", token, &[("x-subject-token", token)], Value::Null).await;
        assert_eq!(shown.status, 200, "{}", shown.body);
        assert_eq!(shown.body["token"]["application_credential"]["id"], json!(id));
        assert_eq!(shown.body["token"]["roles"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn errors_have_oauths_form() {
    let world = World::new().await;
    let id = credential(&world).await;
    let right = basic(&id, "se:cret");
    let grant = "grant_type=client_credentials";
    for (authorization, form, status, error) in [
        (right.as_str(), "", 400, "invalid_request"),
        (&right, "grant_type=password", 400, "unsupported_grant_type"),
        ("", grant, 401, "invalid_client"),
        ("Basic", grant, 401, "invalid_client"),
        ("Basic %%%", grant, 401, "invalid_client"),
        (&basic(&id, "wrong"), grant, 401, "invalid_client"),
        (&basic(&id, ""), grant, 401, "invalid_client"),
        (&basic("nobody", "se:cret"), grant, 401, "invalid_client"),
    ] {
        let answer = ask(&world, authorization, form).await;
        assert_eq!(answer.status.as_u16(), status, "{authorization} {form}: {}", answer.body);
        assert_eq!(answer.body["error"], json!(error), "{authorization} {form}");
        assert!(answer.body["error_description"].is_string());
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401);
    }
    assert_eq!(world.get(PATH, "").await.status, 405);
}

#[tokio::test]
async fn refusals_do_not_tell_a_wrong_client_from_a_wrong_secret() {
    let world = World::new().await;
    let id = credential(&world).await;
    let (wrong, unknown) = (basic(&id, "wrong"), basic("nobody", "wrong"));
    let (wrong, unknown) = (
        ask(&world, &wrong, "grant_type=client_credentials").await,
        ask(&world, &unknown, "grant_type=client_credentials").await,
    );
    assert_eq!(wrong.body, unknown.body);
}
