// SPDX-License-Identifier: Apache-2.0
//! Conversations with a room over its real route table, in process: the real door, policies and store; only the
//! identity room's side of the authenticator's door is played here, so that a test names its caller in one word.
//!
//! ```ignore
//! let world = World::new().await;
//! let talk = world.talk(vec![room.service()], &ROOM.policies(), &ROOM.rules());
//! talk.as_("member@p1").post("/compute/v2.1/servers", json!({…})).await.expect(202);
//! ```
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc)]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use access::{BASE_RULES, Enforcer, InForce, Policy};
use api::{Door, DoorParts, Front, Limits, RequestBody, Service};
use contracts::{
    BoxFuture,
    caller::{Authenticator, Caller, DomainFacts, ProjectFacts, RoleFacts, TokenFacts, TokenScope, Unauthenticated, UserFacts},
};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use store::{Migrations, Store};
use tempfile::TempDir;
use types::Timestamp;

/// A store of its own, on the engine that the run was asked to use, and a folder.
pub struct World {
    pub store: Store,
    pub folder: TempDir,
}

impl World {
    pub async fn new(migrations: &[Migrations]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&database::new_database(folder.path()).await).await.unwrap();
        store.migrate(migrations).await.unwrap();
        Self { store, folder }
    }

    /// Whom tokens name here, for rooms that ask by themselves.
    pub fn authenticator(&self) -> Arc<dyn Authenticator> {
        Arc::new(Tokens)
    }

    pub fn talk(&self, services: Vec<Service>, policies: &[&'static Policy], rules: &[(&'static str, &'static str)]) -> Talk {
        let door = Door::new(DoorParts {
            services,
            authenticator: self.authenticator(),
            policies: policies_in_force(policies, rules),
            public_url: "http://cloud.test".into(),
            front: Front { greeting: "test", metrics: None },
        });
        Talk { door: Arc::new(door.unwrap()), token: None, version: None, headers: Vec::new() }
    }
}

/// What the door judges by, for a room that asks policies itself.
pub fn policies_in_force(policies: &[&'static Policy], rules: &[(&'static str, &'static str)]) -> InForce {
    let rules: Vec<_> = BASE_RULES.iter().chain(rules).copied().collect();
    InForce::new(Enforcer::new(policies, &rules, None).unwrap())
}

/// A client of one door. `as_` and `version` make a client that differs in that.
#[derive(Clone)]
pub struct Talk {
    pub door: Arc<Door>,
    token: Option<String>,
    version: Option<String>,
    headers: Vec<(String, String)>,
}

#[derive(Clone)]
pub struct Said {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The document, or the text if it is none.
    pub body: Value,
    pub request: String,
}

impl Talk {
    /// `role`, `role@project` or `role@project/user`: an admin, member or reader also has the roles that his implies.
    #[must_use]
    pub fn as_(&self, who: &str) -> Self {
        Self { token: Some(who.to_owned()), ..self.clone() }
    }

    /// Before the door was given to anybody.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        let door = Arc::into_inner(self.door).expect("nobody else has the door");
        Self { door: Arc::new(door.with_limits(limits)), ..self }
    }

    /// `compute 2.60`
    #[must_use]
    pub fn version(&self, version: &str) -> Self {
        Self { version: Some(version.to_owned()), ..self.clone() }
    }

    #[must_use]
    pub fn header(&self, name: &str, value: &str) -> Self {
        let mut talk = self.clone();
        talk.headers.push((name.to_owned(), value.to_owned()));
        talk
    }

    pub async fn get(&self, path: &str) -> Said {
        self.send("GET", path, Vec::new()).await
    }

    pub async fn delete(&self, path: &str) -> Said {
        self.send("DELETE", path, Vec::new()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Said {
        self.send("POST", path, body.to_string().into_bytes()).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Said {
        self.send("PUT", path, body.to_string().into_bytes()).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Said {
        self.send("PATCH", path, body.to_string().into_bytes()).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Said {
        let mut request = Request::builder().method(method).uri(path).header("host", "cloud.test");
        if let Some(token) = &self.token {
            request = request.header("x-auth-token", token);
        }
        if let Some(version) = &self.version {
            request = request.header("openstack-api-version", version);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let body: RequestBody = Full::from(body).map_err(|never| match never {}).boxed();
        let (parts, body) = self.door.handle(request.body(body).unwrap()).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Said { status: parts.status, headers: parts.headers, body, request: format!("{method} {path}") }
    }
}

impl Said {
    /// The document of an answer with this status; any other fails the test and shows what was said.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.request, self.body);
        self.body
    }
}

/// Tokens that are good for nothing any more.
static REVOKED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// This token is good for nothing from now on, in all worlds of this process.
pub fn revoke(token: &str) {
    REVOKED.lock().unwrap().insert(token.to_owned());
}

struct Tokens;

impl Authenticator for Tokens {
    fn caller<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Arc<Caller>, Unauthenticated>> {
        let is_good = !REVOKED.lock().unwrap().contains(token);
        Box::pin(async move { caller(token).filter(|_| is_good).map(Arc::new).ok_or(Unauthenticated::BadToken) })
    }
}

/// Whom such a word names.
pub fn caller(token: &str) -> Option<Caller> {
    let (role, rest) = token.split_once('@').unwrap_or((token, ""));
    let roles: &[&str] = match role {
        "admin" => &["admin", "manager", "member", "reader"],
        "manager" => &["manager", "member", "reader"],
        "member" => &["member", "reader"],
        "reader" => &["reader"],
        "service" => &["service"],
        "load-balancer_observer" => &["load-balancer_observer"],
        "load-balancer_global_observer" => &["load-balancer_global_observer"],
        "load-balancer_member" => &["load-balancer_member"],
        "nobody" => &[],
        _ => return None,
    };
    let (project, user) = rest.split_once('/').unwrap_or((rest, ""));
    let user = if user.is_empty() { format!("user-of-{project}") } else { user.to_owned() };
    let domain = DomainFacts { id: "default".into(), name: "Default".into() };
    let scope = match project {
        "" if role == "admin" => {
            TokenScope::Project(ProjectFacts { id: "admin".into(), name: "admin".into(), domain: domain.clone() })
        }
        "" => TokenScope::Unscoped,
        project => TokenScope::Project(ProjectFacts { id: project.into(), name: project.into(), domain: domain.clone() }),
    };
    Some(Caller {
        user: UserFacts { id: user.as_str().into(), name: user, domain },
        scope,
        roles: roles.iter().map(|role| RoleFacts { id: (*role).into(), name: (*role).to_owned() }).collect(),
        token: TokenFacts {
            methods: vec!["password".into()],
            issued_at: Timestamp(0),
            expires_at: Timestamp(i64::MAX),
            audit_ids: vec!["a".into()],
        },
        access_rules: None,
    })
}
