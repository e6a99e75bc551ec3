// SPDX-License-Identifier: Apache-2.0
//! Identity: Keystone's v3 API. Who there is (domains, projects, users, groups), who may do what where (roles and
//! their assignments), tokens that prove it, and the catalog that says where the services are.

mod access_rule;
#[cfg(test)]
mod advisories;
mod application_credential;
mod assignment;
mod body;
mod bootstrap;
mod catalog;
mod change;
mod credential;
mod delegation;
mod domain;
mod domain_config;
mod ec2;
mod error;
mod federation;
mod filter;
mod group;
mod json_home;
mod limit;
mod oauth1;
mod oauth2;
mod options;
mod password;
mod policy;
mod power;
mod project;
mod registered_limit;
mod reply;
mod retired;
mod role;
mod settings;
mod token;
mod trust;
mod user;
mod version;

#[cfg(test)]
mod key_by_key;
#[cfg(test)]
mod statuses;
#[cfg(test)]
mod world;

use std::{
    sync::{Arc, PoisonError, RwLock, Weak},
    time::Duration,
};

use access::{
    Policy,
    keys::{KeyRepository, KeyRing},
};
use api::{Cx, Fault, FaultStyle, Route, Routes, Service};
use http::{HeaderValue, header};
use store::{Heeding, Migrations, Step, Store, Tx};
use types::{DomainId, ProjectId};

pub use assignment::grants::RULES;
pub use bootstrap::{Bootstrap, CATALOG, CatalogEntry, REGION, Tenant};
pub use error::{Error, Result};
pub use federation::{
    FederationSettings,
    oidc::{OidcSettings, SettingsError},
};
pub use settings::{LimitModel, SecurityCompliance, Settings, Totp};
pub use token::LIFETIME;

pub const MIGRATIONS: Migrations = Migrations {
    room: "identity",
    steps: &[
        Step { number: 1, name: "identity", sql: include_str!("../migrations/0001_identity.sql") },
        Step { number: 2, name: "password rules", sql: include_str!("../migrations/0002_password_rules.sql") },
        Step { number: 3, name: "access rules", sql: include_str!("../migrations/0003_access_rules.sql") },
        Step { number: 4, name: "credentials", sql: include_str!("../migrations/0004_credentials.sql") },
        Step { number: 5, name: "oauth1", sql: include_str!("../migrations/0005_oauth1.sql") },
        Step { number: 10, name: "trusts", sql: include_str!("../migrations/0010_trusts.sql") },
        Step { number: 11, name: "limits", sql: include_str!("../migrations/0011_limits.sql") },
        Step { number: 12, name: "endpoint_filters", sql: include_str!("../migrations/0012_endpoint_filters.sql") },
        Step { number: 13, name: "policies", sql: include_str!("../migrations/0013_policies.sql") },
        Step { number: 14, name: "domain_config", sql: include_str!("../migrations/0014_domain_config.sql") },
        Step { number: 15, name: "resource_options", sql: include_str!("../migrations/0015_resource_options.sql") },
        Step { number: 20, name: "federation", sql: include_str!("../migrations/0020_federation.sql") },
        Step { number: 21, name: "inactive users", sql: include_str!("../migrations/0021_inactive_users.sql") },
        Step { number: 30, name: "first things", sql: include_str!("../migrations/0030_first_things.sql") },
        Step { number: 31, name: "revoked at", sql: include_str!("../migrations/0031_revoked_at.sql") },
    ],
};

/// The room: its tables, its keys, and what it keeps in memory.
pub struct Identity {
    store: Store,
    keys: KeyRepository,
    credential_keys: KeyRepository,
    passwords: password::Passwords,
    tokens: Arc<token::cache::TokenCache>,
    catalog: RwLock<catalog::Remembered>,
    federation: federation::Federation,
    settings: Settings,
    _heeding: [Heeding; 2],
}

/// A look at a directory, every so often.
const KEYS_ARE_LOOKED_AT: Duration = Duration::from_secs(5);

/// The kinds of events after which a token may mean something else.
const MEANINGFUL: &[&str] = &[
    "domain",
    "project",
    "user",
    "group",
    "group_member",
    "role",
    "implied_role",
    "role_assignment",
    "application_credential",
    "trust",
    "oauth1_consumer",
    "oauth1_access_token",
    "region",
    "catalog_service",
    "endpoint",
    "endpoint_group",
    "project_endpoint",
    "project_endpoint_group",
    "identity_provider",
    "service_provider",
    "federated_user",
];

impl Identity {
    /// Opens the room on migrated tables. `keys` seal tokens, `credential_keys` what users keep here.
    pub async fn open(
        store: Store,
        keys: KeyRepository,
        credential_keys: KeyRepository,
        settings: Settings,
    ) -> Result<Arc<Self>> {
        let tokens = Arc::<token::cache::TokenCache>::default();
        let room = Arc::new(Self {
            passwords: password::Passwords::new()?,
            tokens: Arc::clone(&tokens),
            _heeding: heed(&store, &tokens),
            catalog: RwLock::new(None),
            federation: federation::Federation::default(),
            settings,
            keys,
            credential_keys,
            store,
        });
        room.load_revoked().await?;
        tokio::spawn(heed_keys(Arc::downgrade(&room)));
        // Once also without the rule: it may have been taken back.
        room.converge_inactive().await?;
        if room.settings.security_compliance.disable_user_account_days_inactive.is_some() {
            tokio::spawn(user::inactivity::watch(Arc::downgrade(&room)));
        }
        Ok(room)
    }

    /// The API, to be served by the door.
    pub fn service(self: &Arc<Self>) -> Service {
        let room = || Arc::clone(self);
        let routes = Routes::new(room())
            .join(retired::routes(room()))
            .join(token::api::routes(room()))
            .join(token::revocations::routes(room()))
            .join(domain::api::routes(room()))
            .join(domain_config::api::routes(room()))
            .join(project::api::routes(room()))
            .join(user::api::routes(room()))
            .join(application_credential::api::routes(room()))
            .join(access_rule::api::routes(room()))
            .join(credential::api::routes(room()))
            .join(ec2::api::routes(room()))
            .join(ec2::tokens::routes(room()))
            .join(oauth1::consumer::api::routes(room()))
            .join(oauth1::request_token::api::routes(room()))
            .join(oauth1::access_token::api::routes(room()))
            .join(oauth2::api::routes(room()))
            .join(trust::api::routes(room()))
            .join(group::api::routes(room()))
            .join(role::api::routes(room()))
            .join(role::implied::routes(room()))
            .join(assignment::grants::routes(room()))
            .join(assignment::list::routes(room()))
            .join(catalog::region::api::routes(room()))
            .join(catalog::service::api::routes(room()))
            .join(catalog::endpoint::api::routes(room()))
            .join(catalog::endpoint_group::api::routes(room()))
            .join(catalog::project_endpoint::api::routes(room()))
            .join(policy::api::routes(room()))
            .join(policy::association::api::routes(room()))
            .join(registered_limit::api::routes(room()))
            .join(limit::api::routes(room()))
            .join(federation::routes(room()));
        let mut routes = routes.into_list();
        let home = json_home::document(&routes);
        routes.extend(version::routes(room(), home).into_list());
        Service {
            name: "identity",
            prefix: "/identity",
            faults: FaultStyle::Keystone,
            versions: None,
            routes: routes.into_iter().map(vary_by_token).collect(),
        }
    }

    /// The keys of what users keep here, as they lie on the disk at this moment: what another controller or a tool has
    /// sealed since with a newer key is opened too.
    fn credential_ring(&self) -> Arc<KeyRing> {
        reload(&self.credential_keys);
        self.credential_keys.ring()
    }

    /// Makes the staged key primary; nobody is logged out.
    pub fn rotate_keys(&self) -> Result<()> {
        Ok(self.keys.rotate(self.settings.token_lifetime)?)
    }

    async fn read<T: Send + 'static>(&self, f: impl Fn(&mut Tx) -> Result<T> + Send + Sync + 'static) -> Result<T> {
        self.store.read(f).await
    }

    async fn list<T: Send + 'static>(&self, f: impl Fn(&mut Tx) -> Result<T> + Send + Sync + 'static) -> Result<T> {
        self.store.list(f).await
    }

    /// Changes something; what tokens mean is looked up anew before the change is answered.
    async fn change<T: Send + 'static>(&self, f: impl Fn(&mut Tx) -> Result<T> + Send + Sync + 'static) -> Result<T> {
        let changed = self.store.write(f).await;
        // Also after an error: it may be that only the answer was lost.
        self.tokens.invalidate();
        changed
    }

    /// Changes something on which no token depends: limits, policies, the configuration of domains.
    async fn write<T: Send + 'static>(&self, f: impl Fn(&mut Tx) -> Result<T> + Send + Sync + 'static) -> Result<T> {
        self.store.write(f).await
    }

    /// The domain for something new: the one that is named; where none is, that of the parent, of the token, or the
    /// default one. Who may not do it in every domain names it, as in Keystone, whose rules ask the request about it.
    async fn domain_asked_for(&self, cx: &Cx, named: Option<&DomainId>, parent: Option<&str>) -> Result<DomainId, Fault> {
        use contracts::caller::TokenScope;
        let allowed = cx.allowed()?;
        match named {
            Some(named) => return Ok(named.clone()),
            None if !allowed.scope().is_all() => return Err(Error::Denied(allowed.to()).into()),
            None => {}
        }
        if let Some(parent) = parent {
            let id = ProjectId::from(parent);
            let found = self.read(move |tx| project::store::find(tx, &id)).await?;
            return Ok(found.map_or_else(|| DomainId::from(parent), |project| project.domain_id));
        }
        Ok(match &cx.caller()?.scope {
            TokenScope::Domain(domain) => domain.id.clone(),
            TokenScope::Project(project) => project.domain.id.clone(),
            TokenScope::Unscoped | TokenScope::System => domain::DEFAULT_ID.into(),
        })
    }

    fn remembered_catalog(&self, generation: u64) -> Option<Arc<catalog::Catalog>> {
        let remembered = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        remembered.as_ref().filter(|(at, _)| *at == generation).map(|(_, catalog)| Arc::clone(catalog))
    }

    fn remember_catalog(&self, generation: u64, catalog: Arc<catalog::Catalog>) {
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = Some((generation, catalog));
    }
}

/// Every policy of the room, for the enforcer.
pub fn policies() -> Vec<&'static Policy> {
    let mut all: Vec<&'static Policy> = vec![];
    all.extend(token::api::POLICIES);
    all.extend(retired::POLICIES);
    all.extend(token::revocations::POLICIES);
    all.extend(domain::api::POLICIES);
    all.extend(domain_config::api::POLICIES);
    all.extend(project::api::POLICIES);
    all.extend(user::api::POLICIES);
    all.extend(application_credential::api::POLICIES);
    all.extend(access_rule::api::POLICIES);
    all.extend(credential::api::POLICIES);
    all.extend(ec2::api::POLICIES);
    all.extend(ec2::tokens::POLICIES);
    all.extend(trust::api::POLICIES);
    all.extend(oauth1::consumer::api::POLICIES);
    all.extend(oauth1::request_token::api::POLICIES);
    all.extend(oauth1::access_token::api::POLICIES);
    all.extend(group::api::POLICIES);
    all.extend(role::api::POLICIES);
    all.extend(role::implied::POLICIES);
    all.extend(assignment::grants::POLICIES);
    all.extend(assignment::list::POLICIES);
    all.extend(catalog::region::api::POLICIES);
    all.extend(catalog::service::api::POLICIES);
    all.extend(catalog::endpoint::api::POLICIES);
    all.extend(catalog::endpoint_group::api::POLICIES);
    all.extend(catalog::project_endpoint::api::POLICIES);
    all.extend(policy::api::POLICIES);
    all.extend(policy::association::api::POLICIES);
    all.extend(registered_limit::api::POLICIES);
    all.extend(limit::api::POLICIES);
    all.extend(federation::policies());
    all
}

/// Lets the cache hear of all that changes what tokens mean, whoever changed it, in the very moment in which it is known.
fn heed(store: &Store, tokens: &Arc<token::cache::TokenCache>) -> [Heeding; 2] {
    let (changed, revoked) = (Arc::clone(tokens), Arc::clone(tokens));
    [
        store.heed(MEANINGFUL, move |_| changed.invalidate()),
        store.heed(&["token"], move |touched| revoked.hear_of_revoked(touched.ids("token"))),
    ]
}

/// Follows keys that a tool or another controller has rotated. A token is opened with a key that was staged for long, so
/// that it does not matter when exactly they are read.
async fn heed_keys(room: Weak<Identity>) {
    loop {
        tokio::time::sleep(KEYS_ARE_LOOKED_AT).await;
        let Some(room) = room.upgrade() else { return };
        reload(&room.keys);
        room.settle_revoked().await;
    }
}

fn reload(keys: &KeyRepository) {
    match keys.reload_if_changed() {
        Ok(true) => tracing::info!("the keys were rotated and are read anew"),
        Ok(false) => {}
        Err(error) => tracing::error!(cause = ?error, "the keys cannot be read; those read before stay in use"),
    }
}

/// All of Keystone's answers depend on the token.
fn vary_by_token(route: Route) -> Route {
    let handler = Arc::clone(&route.handler);
    let with_header = move |cx| -> contracts::BoxFuture<'static, api::Reply> {
        let reply = handler(cx);
        Box::pin(async move {
            let vary = HeaderValue::from_static("X-Auth-Token");
            match reply.await {
                Ok(mut response) => {
                    response.headers_mut().append(header::VARY, vary);
                    Ok(response)
                }
                Err(fault) => Err(fault.header(header::VARY, vary)),
            }
        })
    };
    Route { handler: Arc::new(with_header), ..route }
}
