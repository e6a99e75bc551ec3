// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, clippy::panic)]
//! The room behind the real door, over a database of its own: what the conversations of the tests speak to.

use std::{path::Path, sync::Arc};

use access::{BASE_RULES, Enforcer, InForce, keys::KeyRepository};
use api::{Door, DoorParts, Front, RequestBody};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use store::Store;
use types::Secret;

use crate::{Bootstrap, CATALOG, Identity, REGION, ROOM, Settings};

pub const ADMIN_PASSWORD: &str = "correct horse";
pub const DEMO_PASSWORD: &str = "battery staple";

pub struct World {
    pub room: Arc<Identity>,
    pub store: Store,
    pub door: Door,
    /// A token of the administrator for the project `admin`.
    pub admin: String,
    folder: tempfile::TempDir,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    /// With the operator's own settings.
    pub async fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = database::new_database(folder.path()).await;
        Self::on(&url, folder, settings).await
    }

    /// On this empty database.
    pub async fn on(url: &str, folder: tempfile::TempDir, settings: Settings) -> Self {
        let store = Store::open(url).await.unwrap();
        store.migrate(&[ROOM.migrations()]).await.unwrap();
        let room = open_room(&store, folder.path(), settings).await;
        room.bootstrap(&bootstrap()).await.unwrap();
        room.ensure_demo(&Secret::new(DEMO_PASSWORD.to_owned())).await.unwrap();
        let door = door(&room);
        let mut world = Self { room, store, door, admin: String::new(), folder };
        world.admin = world.login("admin", ADMIN_PASSWORD, Some("admin")).await;
        world
    }

    /// Another controller, with connections of its own to the database.
    pub async fn another_controller(&self, url: &str) -> Arc<Identity> {
        open_room(&Store::open(url).await.unwrap(), self.folder.path(), Settings::default()).await
    }

    /// Another room on the same tables and keys.
    pub async fn second_room(&self) -> Arc<Identity> {
        open_room(&self.store, self.folder.path(), Settings::default()).await
    }

    pub async fn ask(&self, method: &str, path: &str, token: &str, body: Value) -> Answer {
        self.ask_with(method, path, token, &[], body).await
    }

    pub async fn ask_with(&self, method: &str, path: &str, token: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.ask_raw(method, path, token, headers, text).await
    }

    pub async fn ask_raw(&self, method: &str, path: &str, token: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/identity{path}")).header("host", "cloud:80");
        if !token.is_empty() {
            request = request.header("x-auth-token", token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body: RequestBody = Full::from(body).map_err(|never| match never {}).boxed();
        let (parts, body) = self.door.handle(request.body(body).unwrap()).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { read(&bytes) };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A request without a token and a body; the answer's status and text.
    pub async fn ask_for_text(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(format!("/identity{path}")).header("host", "cloud:80");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body: RequestBody = Full::from("").map_err(|never| match never {}).boxed();
        let (parts, body) = self.door.handle(request.body(body).unwrap()).await.into_parts();
        (parts.status.as_u16(), body.collect().await.unwrap().to_bytes().to_vec())
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask("GET", path, token, Value::Null).await
    }

    /// A token of a user of the default domain, for a project of it.
    pub async fn login(&self, user: &str, password: &str, project: Option<&str>) -> String {
        let scope = project.map_or(json!("unscoped"), |name| json!({"project": {"name": name, "domain": {"id": "default"}}}));
        let answer = self.ask("POST", "/v3/auth/tokens", "", password_login(user, password, scope)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.token()
    }

    pub async fn demo(&self) -> String {
        self.login("demo", DEMO_PASSWORD, Some("demo")).await
    }

    /// Creates something as the administrator; answers its id.
    pub async fn create(&self, collection: &str, one: &str, fields: Value) -> String {
        let answer = self.ask("POST", &format!("/v3/{collection}"), &self.admin, json!({ one: fields })).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body[one]["id"].as_str().unwrap().to_owned()
    }

    /// The id of something with this name.
    pub async fn id(&self, collection: &str, name: &str) -> String {
        let answer = self.get(&format!("/v3/{collection}?name={name}"), &self.admin).await;
        answer.body[collection][0]["id"].as_str().unwrap_or_else(|| panic!("no {name}: {}", answer.body)).to_owned()
    }

    pub async fn grant(&self, path: &str) {
        let answer = self.ask("PUT", &format!("/v3/{path}"), &self.admin, Value::Null).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
}

impl Answer {
    pub fn token(&self) -> String {
        self.headers["x-subject-token"].to_str().unwrap().to_owned()
    }

    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    /// The values of one field of a list, sorted.
    pub fn all(&self, collection: &str, field: &str) -> Vec<String> {
        let list = self.body[collection].as_array().unwrap_or_else(|| panic!("no {collection}: {}", self.body));
        let mut all: Vec<String> = list.iter().map(|item| item[field].as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    }
}

/// The document, or the text if it is none.
fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8(bytes.to_vec()).unwrap()))
}

pub fn password_login(user: &str, password: &str, scope: Value) -> Value {
    let user = json!({"name": user, "domain": {"id": "default"}, "password": password});
    json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}})
}

pub fn token_login(token: &str, scope: Value) -> Value {
    json!({"auth": {"identity": {"methods": ["token"], "token": {"id": token}}, "scope": scope}})
}

pub fn bootstrap() -> Bootstrap {
    Bootstrap {
        base_url: "http://cloud:80".to_owned(),
        region: REGION.to_owned(),
        catalog: CATALOG,
        admin_password: Secret::new(ADMIN_PASSWORD.to_owned()),
        immutable_roles: true,
    }
}

pub async fn open_room(store: &Store, folder: &Path, settings: Settings) -> Arc<Identity> {
    let keys = KeyRepository::open(folder.join("keys"), 3).unwrap();
    let credential_keys = KeyRepository::open(folder.join("credential-keys"), 3).unwrap();
    Identity::open(store.clone(), keys, credential_keys, settings).await.unwrap()
}

fn door(room: &Arc<Identity>) -> Door {
    let rules: Vec<_> = BASE_RULES.iter().copied().chain(ROOM.rules()).collect();
    Door::new(DoorParts {
        services: vec![room.service()],
        authenticator: Arc::clone(room) as _,
        policies: InForce::new(Enforcer::new(&ROOM.policies(), &rules, None).unwrap()),
        public_url: "http://cloud:80".to_owned(),
        front: Front { greeting: "test", metrics: None },
    })
    .unwrap()
}
