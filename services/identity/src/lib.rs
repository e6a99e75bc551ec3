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

use access::keys::{KeyRepository, KeyRing};
use api::{Cx, Fault, FaultStyle, Room, Route, Service};
use evidence::password::Passwords;
use http::{HeaderValue, header};
use store::{Heeding, Step, Store, Tx};
use types::{DomainId, ProjectId};

pub use bootstrap::{Bootstrap, CATALOG, CatalogEntry, REGION, Tenant};
pub use error::{Error, Result};
pub use evidence::oidc::{OidcSettings, SettingsError};
pub use federation::FederationSettings;
pub use settings::{LimitModel, SecurityCompliance, Settings, Totp};
pub use token::LIFETIME;

/// What the room is made of; the documents by which clients find their way ([`version`]) are made from this list.
pub static ROOM: Room<Identity> = Room {
    name: "identity",
    prefix: "/identity",
    faults: FaultStyle::Keystone,
    versions: None,
    steps: &[
        Step { number: 1, name: "identity", sql: include_str!("../migrations/0001_identity.sql") },
        Step { number: 15, name: "resource_options", sql: include_str!("../migrations/0015_resource_options.sql") },
        Step { number: 30, name: "first things", sql: include_str!("../migrations/0030_first_things.sql") },
        Step { number: 31, name: "revoked at", sql: include_str!("../migrations/0031_revoked_at.sql") },
    ],
    drawers: &[
        retired::DRAWER,
        token::DRAWER,
        domain::DRAWER,
        domain_config::DRAWER,
        project::DRAWER,
        user::DRAWER,
        application_credential::DRAWER,
        access_rule::DRAWER,
        credential::DRAWER,
        ec2::DRAWER,
        oauth1::DRAWER,
        oauth2::DRAWER,
        trust::DRAWER,
        group::DRAWER,
        role::DRAWER,
        assignment::DRAWER,
        catalog::DRAWER,
        policy::DRAWER,
        registered_limit::DRAWER,
        limit::DRAWER,
        federation::DRAWER,
    ],
};

pub(crate) type Drawer = api::Drawer<Identity>;

/// The room: its tables, its keys, and what it keeps in memory.
pub struct Identity {
    store: Store,
    keys: KeyRepository,
    credential_keys: KeyRepository,
    passwords: Passwords,
    tokens: Arc<token::cache::TokenCache>,
    access_keys: ec2::keys::Remembered,
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
            passwords: Passwords::new()?,
            tokens: Arc::clone(&tokens),
            _heeding: heed(&store, &tokens),
            access_keys: ec2::keys::Remembered::default(),
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
        let mut routes = ROOM.table().of(self);
        let home = json_home::document(&routes);
        routes.extend(version::routes(home).of(self));
        ROOM.service_of(routes.into_iter().map(vary_by_token).collect())
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
            let found = self.read(move |tx| project::table::find(tx, &id)).await?;
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
