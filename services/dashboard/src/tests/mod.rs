// SPDX-License-Identifier: Apache-2.0
//! A cloud of identity and objects, with the menus before it, and browsers that come to it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod attack;
mod browser;
mod dist;
mod event;
mod session;
mod sso;

use std::sync::Arc;

use access::keys::KeyRepository;
use api::{Door, DoorParts, Front};
use identity::{Bootstrap, CATALOG, Identity};
use object::Objects;
use segments::Segments;
use serde_json::{Value, json};
use store::Store;
use tokio::sync::watch;
use types::Secret;
use world::World;

use crate::{Dashboard, EventLimits, Parts};
use browser::Browser;

static HEARS_ALL: access::Policy = access::Policy::new("operator:events", "rule:context_is_admin", "Follow all events");

pub struct Cloud {
    _world: World,
    pub store: Store,
    pub identity: Arc<Identity>,
    pub dashboard: Arc<Dashboard>,
    pub stop: watch::Sender<bool>,
}

impl Cloud {
    pub async fn new() -> Self {
        Self::at("http://cloud.test", EventLimits::default()).await
    }

    pub async fn at(public_url: &str, event_limits: EventLimits) -> Self {
        let plans = [identity::ROOM.plan(), object::ROOM.plan()];
        let policies: Vec<_> = plans.iter().flat_map(|plan| plan.policies.clone()).chain([&HEARS_ALL]).collect();
        let rules: Vec<_> = plans.iter().flat_map(|plan| plan.rules.clone()).collect();
        let world = World::new(&plans.map(|plan| plan.migrations)).await;
        let (store, folder) = (world.store.clone(), world.folder.path());
        let keys = |name: &str| KeyRepository::open(folder.join(name), 3).unwrap();
        let settings = identity::Settings::default();
        let identity = Identity::open(store.clone(), keys("keys"), keys("credential-keys"), settings).await.unwrap();
        let wanted = Bootstrap {
            base_url: public_url.to_owned(),
            region: "RegionOne".into(),
            catalog: CATALOG,
            admin_password: Secret::new("admin-pw".into()),
            immutable_roles: true,
        };
        identity.bootstrap(&wanted).await.unwrap();
        identity.ensure_demo(&Secret::new("demo-pw".into())).await.unwrap();
        let data = Segments::open(folder.join("objects"), segments::Settings { keep_free: 0, ..Default::default() }).unwrap();
        let objects = Objects::open(store.clone(), Arc::new(data), object::Settings::default()).await.unwrap();
        let policies = world::policies_in_force(&policies, &rules);
        let door = Door::new(DoorParts {
            services: vec![identity.service(), objects.service()],
            authenticator: identity.clone(),
            policies: policies.clone(),
            public_url: public_url.to_owned(),
            front: Front { greeting: "test", metrics: Some(Box::new(|| "figures".to_owned())) },
        });
        let door = door.unwrap();
        let (stop, stopping) = watch::channel(false);
        let dashboard = Dashboard::new(Parts {
            prefixes: door.prefixes().collect(),
            door: Arc::new(door),
            authenticator: identity.clone(),
            policies,
            store: store.clone(),
            hears_all: &HEARS_ALL,
            event_limits,
            public_url: public_url.to_owned(),
            region: "RegionOne".into(),
            stopping,
        });
        Self { _world: world, store, identity, dashboard: Arc::new(dashboard), stop }
    }

    pub fn browser(&self) -> Browser {
        Browser::of(self.dashboard.clone())
    }

    /// A browser in which this person signed in to his only project.
    pub async fn signed_in(&self, name: &str, project: &str) -> Browser {
        let mut browser = self.browser();
        browser.sign_in(name, project).await.expect(201);
        browser
    }

    /// Another project with a member of its own, `NAME-pw` his password.
    pub async fn tenant(&self, name: &str) -> String {
        let mut admin = self.signed_in("admin", "admin").await;
        let project = admin.api_post("/identity/v3/projects", json!({"project": {"name": name}})).await.expect(201);
        let user = json!({"user": {"name": name, "password": format!("{name}-pw")}});
        let user = admin.api_post("/identity/v3/users", user).await.expect(201);
        let role = admin.api_get("/identity/v3/roles?name=member").await.expect(200)["roles"][0]["id"].clone();
        let [project, user, role] = [&project["project"]["id"], &user["user"]["id"], &role].map(|id| id.as_str().unwrap());
        admin.api("PUT", &format!("/identity/v3/projects/{project}/users/{user}/roles/{role}"), Value::Null).await.expect(204);
        project.to_owned()
    }
}
