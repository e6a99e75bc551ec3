// SPDX-License-Identifier: Apache-2.0
//! Who asks: real users with real tokens, made and logged in through the API.

use std::{collections::HashMap, sync::Arc};

use access::{keys::KeyRepository, payload::Payload};
use api::{Door, RequestBody};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use types::Timestamp;

use crate::{home::Home, secrets};

/// The columns. Refusals come first, so that what a later caller deletes is there for the earlier ones.
///
/// `other` is a manager of another project of the same domain, `abroad` the manager of another domain; `appcred` is a
/// restricted application credential of the member, and `ruled` is one that is good for [`RULED`] alone.
pub const CALLERS: [&str; 11] =
    ["none", "expired", "revoked", "ruled", "other", "abroad", "reader", "appcred", "member", "manager", "admin"];

/// The only request that the access rules of `ruled` allow.
pub const RULED: &str = "GET /compute/v2.1/servers";

pub struct Callers {
    tokens: HashMap<&'static str, String>,
    pub project: String,
    pub member: String,
    /// Whom the member's trusts are for.
    pub trustee: String,
}

pub struct Said {
    pub status: u16,
    pub body: String,
    pub token: String,
}

impl Said {
    /// What stands at this place of the document; a test that cannot find it has nothing to sweep.
    #[track_caller]
    pub fn at(&self, pointer: &str) -> String {
        let document: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let found = document.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("{pointer} is not in {} {}", self.status, self.body)).to_owned()
    }
}

const PASSWORD: &str = "sweeping the floor 7";

impl Callers {
    pub async fn log_in(door: &Arc<Door>, home: &Home) -> Self {
        let admin = secrets::read(home, secrets::ADMIN).unwrap();
        let cloud =
            log_in(door, "admin", admin.reveal(), json!({"project": {"name": "admin", "domain": {"id": "default"}}})).await;
        let made = Maker { door, cloud: &cloud };
        let roles = made.roles().await;
        let project = made.one("projects", "project", json!({"name": format!("{}-project", super::CANARY)})).await;
        let other_project = made.one("projects", "project", json!({"name": "elsewhere"})).await;
        let domain = made.one("domains", "domain", json!({"name": "abroad"})).await;
        let mut tokens = HashMap::from([("none", String::new())]);
        let mut ids = HashMap::new();
        let tenants = [
            ("reader", "reader", format!("projects/{project}")),
            ("member", "member", format!("projects/{project}")),
            ("manager", "manager", format!("projects/{project}")),
            ("admin", "admin", format!("projects/{project}")),
            ("subject", "member", format!("projects/{project}")),
            ("other", "manager", format!("projects/{other_project}")),
            ("abroad", "manager", format!("domains/{domain}")),
        ];
        for (name, role, place) in tenants {
            let user = json!({"name": format!("sweep-{name}"), "password": PASSWORD});
            let id = made.one("users", "user", user).await;
            made.put(&format!("/identity/v3/{place}/users/{id}/roles/{}", roles[role])).await;
            let (kind, place) = place.split_once('/').unwrap();
            let scope = json!({ kind.trim_end_matches('s'): {"id": place} });
            tokens.insert(name, log_in(door, &format!("sweep-{name}"), PASSWORD, scope).await);
            ids.insert(name, id);
        }
        let path = format!("/identity/v3/users/{}/application_credentials", ids["member"]);
        let rules = json!([{"service": "compute", "method": "GET", "path": "/v2.1/servers"}]);
        for (caller, wanted) in [
            ("appcred", json!({"name": "restricted", "secret": PASSWORD})),
            ("ruled", json!({"name": "ruled", "secret": PASSWORD, "access_rules": rules})),
        ] {
            let wanted = json!({ "application_credential": wanted }).to_string();
            let credential = talk(door, "POST", &path, &tokens["member"], &wanted, &[]).await.at("/application_credential/id");
            let own = json!({"id": credential, "secret": PASSWORD});
            let with = json!({"methods": ["application_credential"], "application_credential": own});
            let body = json!({"auth": {"identity": with}}).to_string();
            tokens.insert(caller, talk(door, "POST", "/identity/v3/auth/tokens", "", &body, &[]).await.token);
        }
        tokens.insert("expired", expired(home, &tokens["member"]));
        tokens.insert("revoked", revoked(door, &project).await);
        tokens.insert("cloud", cloud.clone());
        Self { project, member: ids["member"].clone(), trustee: ids["subject"].clone(), tokens }
    }

    pub fn token(&self, caller: &str) -> &str {
        &self.tokens[caller]
    }

    /// A token that the routes about tokens are asked about. It is another member's.
    pub fn subject(&self) -> &str {
        &self.tokens["subject"]
    }
}

struct Maker<'a> {
    door: &'a Arc<Door>,
    cloud: &'a str,
}

impl Maker<'_> {
    async fn one(&self, collection: &str, one: &str, fields: Value) -> String {
        let body = json!({ one: fields }).to_string();
        talk(self.door, "POST", &format!("/identity/v3/{collection}"), self.cloud, &body, &[]).await.at(&format!("/{one}/id"))
    }

    async fn put(&self, path: &str) {
        let said = talk(self.door, "PUT", path, self.cloud, "", &[]).await;
        assert_eq!(said.status, 204, "PUT {path}: {}", said.body);
    }

    async fn roles(&self) -> HashMap<String, String> {
        let said = talk(self.door, "GET", "/identity/v3/roles", self.cloud, "", &[]).await;
        let document: Value = serde_json::from_str(&said.body).unwrap();
        let text = |role: &Value, key: &str| role[key].as_str().unwrap().to_owned();
        document["roles"].as_array().unwrap().iter().map(|role| (text(role, "name"), text(role, "id"))).collect()
    }
}

async fn log_in(door: &Arc<Door>, user: &str, password: &str, scope: Value) -> String {
    let user = json!({"name": user, "domain": {"id": "default"}, "password": password});
    let body = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}});
    let said = talk(door, "POST", "/identity/v3/auth/tokens", "", &body.to_string(), &[]).await;
    assert_eq!(said.status, 201, "{}", said.body);
    said.token
}

/// A token of the cloud's own keys that was good until a while ago.
fn expired(home: &Home, token: &str) -> String {
    let keys = KeyRepository::open(home.secret("fernet-keys"), 3).unwrap();
    let opened = keys.ring().open(token).unwrap();
    let hours = |hours: i64| hours * 3_600_000_000;
    let mut payload = Payload::unpack(&opened.message).unwrap();
    payload.expires_at = Timestamp(Timestamp::now().0 - hours(1));
    keys.ring().seal(&payload.pack(), Timestamp(Timestamp::now().0 - hours(2))).unwrap()
}

async fn revoked(door: &Arc<Door>, project: &str) -> String {
    let token = log_in(door, "sweep-member", PASSWORD, json!({"project": {"id": project}})).await;
    let said = talk(door, "DELETE", "/identity/v3/auth/tokens", &token, "", &[("x-subject-token", token.clone())]).await;
    assert_eq!(said.status, 204, "{}", said.body);
    token
}

pub async fn talk(door: &Door, method: &str, path: &str, token: &str, body: &str, headers: &[(&str, String)]) -> Said {
    let mut request = http::Request::builder().method(method).uri(path).header("host", "cloud.test");
    if !token.is_empty() {
        request = request.header("x-auth-token", token);
    }
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let body: RequestBody = Full::from(body.to_owned()).map_err(|never| match never {}).boxed();
    let (parts, body) = door.handle(request.body(body).unwrap()).await.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let token = parts.headers.get("x-subject-token").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    Said { status: parts.status.as_u16(), body: String::from_utf8_lossy(&bytes).into_owned(), token }
}
