// SPDX-License-Identifier: Apache-2.0
//! What must be there before anybody can log in. Each step ensures: run again, it finds things as they are.

use std::sync::Arc;

use access::Allowed;
use evidence::DomainRef;
use store::{Actor, Tx, params};
use types::{ProjectId, RoleId, Secret, ServiceId, UserId};

use crate::{
    Identity,
    assignment::{Assignment, Holder, Place, table as assignments},
    body::Extra,
    catalog::{
        endpoint::{Interface, NewEndpoint, table as endpoints},
        region::{NewRegion, table as regions},
        service::{NewService, table as services},
    },
    domain::{self, NewDomain, table as domains},
    error::{Error, Result},
    power::{Cloud, Over},
    project::{NewProject, table as projects},
    role::{NewRole, table as roles},
    user::{Account, NewUser, UserRef, password::Hashed, table as users},
};

/// A service of this cloud, and where below the cloud's address it answers.
#[derive(Debug, Clone, Copy)]
pub struct CatalogEntry {
    pub kind: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub path: &'static str,
}

pub const CATALOG: &[CatalogEntry] = &[
    CatalogEntry { kind: "identity", name: "keystone", description: "Identity", path: "/identity/v3" },
    CatalogEntry { kind: "compute", name: "nova", description: "Compute", path: "/compute/v2.1" },
    CatalogEntry { kind: "network", name: "neutron", description: "Network", path: "/network" },
    CatalogEntry { kind: "image", name: "glance", description: "Image", path: "/image" },
    CatalogEntry { kind: "block-storage", name: "cinder", description: "Block storage", path: "/volume/v3" },
    // What clients of old look for.
    CatalogEntry { kind: "volumev3", name: "cinderv3", description: "Block storage", path: "/volume/v3" },
    CatalogEntry { kind: "placement", name: "placement", description: "Placement", path: "/placement" },
    CatalogEntry {
        kind: "object-store",
        name: "swift",
        description: "Object Store",
        path: "/object-store/v1/AUTH_%(project_id)s",
    },
    CatalogEntry { kind: "load-balancer", name: "octavia", description: "Load balancers", path: "/load-balancer" },
];

pub const REGION: &str = "RegionOne";

#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// `http://host:port`
    pub base_url: String,
    pub region: String,
    pub catalog: &'static [CatalogEntry],
    pub admin_password: Secret<String>,
    /// Whether the roles are made so that nobody changes or deletes them before saying that they may be.
    pub immutable_roles: bool,
}

/// A project and the user who was given a role in it.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub project: ProjectId,
    pub user: UserId,
}

/// Each role with the one that it implies.
const ROLES: [(&str, Option<&str>); 5] =
    [("reader", None), ("member", Some("reader")), ("manager", Some("member")), ("admin", Some("manager")), ("service", None)];

const DEMO_WAS_MADE: &str = "SELECT name FROM identity_first_things WHERE name = 'demo'";
const NOTE_DEMO: &str = "INSERT INTO identity_first_things (name) VALUES ('demo') ON CONFLICT DO NOTHING";

impl Identity {
    /// Ensures the default domain, the roles, the administrator, and the catalog. The password is for the first time.
    pub async fn bootstrap(&self, wanted: &Bootstrap) -> Result<Tenant> {
        let settings = wanted.clone();
        self.ensure(move |tx| {
            ensure_default_domain(tx)?;
            ensure_roles(tx, settings.immutable_roles)?;
            ensure_catalog(tx, &settings)
        })
        .await?;
        let admin = self.ensure_tenant("admin", "admin", &["admin"], &wanted.admin_password).await?;
        let user = admin.user.clone();
        self.ensure(move |tx| grant(tx, &user, "admin", Place::System)).await?;
        Ok(admin)
    }

    /// Makes a project `demo` with a user `demo`, who is an ordinary member of it: once. From then on they are their owner's,
    /// who may change them, or delete them for good.
    pub async fn ensure_demo(&self, password: &Secret<String>) -> Result<()> {
        let hash = self.hash_for_demo(password).await?;
        self.make_demo(hash).await
    }

    /// Both; their passwords are hashed at once, for that takes longer than all else.
    pub async fn bootstrap_with_demo(&self, wanted: &Bootstrap, demo_password: &Secret<String>) -> Result<Tenant> {
        let (admin, hash) = tokio::try_join!(self.bootstrap(wanted), self.hash_for_demo(demo_password))?;
        self.make_demo(hash).await?;
        Ok(admin)
    }

    /// None if the demo was made before.
    async fn hash_for_demo(&self, password: &Secret<String>) -> Result<Option<Hashed>> {
        let was_made = self.read(demo_was_made).await?;
        if was_made { Ok(None) } else { self.hash_for_bootstrap(password).await.map(Some) }
    }

    async fn make_demo(&self, hash: Option<Hashed>) -> Result<()> {
        let Some(hash) = hash else { return Ok(()) };
        self.ensure(move |tx| {
            if !demo_was_made(tx)? {
                tenant(tx, ("demo", "demo", &["member"]), Some(&hash))?;
                tx.execute(NOTE_DEMO, &[])?;
            }
            Ok(())
        })
        .await
    }

    /// Ensures a project, a user, and the user's roles in it, all in the default domain. The password is for a user who
    /// has none yet.
    pub async fn ensure_tenant(
        &self,
        project: &'static str,
        user: &'static str,
        roles: &'static [&'static str],
        password: &Secret<String>,
    ) -> Result<Tenant> {
        let reference = by_name(user);
        let known = self.read(move |tx| users::account(tx, &reference)).await?;
        // A password that the user has is his: he may have changed it since, and a restart must not put it back.
        let has_password = known.is_some_and(|account| account.password_hash.is_some());
        let hash = if has_password { None } else { Some(self.hash_for_bootstrap(password).await?) };
        self.ensure(move |tx| tenant(tx, (project, user, roles), hash.as_ref())).await
    }

    /// Makes what is missing. Where another controller makes the same at the same moment, it is found the next time.
    async fn ensure<T: Send + 'static>(&self, f: impl Fn(&mut Tx) -> Result<T> + Send + Sync + 'static) -> Result<T> {
        let f = Arc::new(f);
        let once = || {
            let f = Arc::clone(&f);
            self.change(move |tx| f(tx))
        };
        for _ in 0..RACES {
            match once().await {
                Err(Error::Conflict { .. }) => {}
                outcome => return outcome,
            }
        }
        once().await
    }
}

/// How often a bootstrap may find that it was not alone.
const RACES: usize = 5;

fn actor() -> Actor {
    Actor::system("bootstrap")
}

fn work() -> Allowed<access::Scope> {
    Allowed::for_work("bootstrap")
}

fn over<T>(subject: T) -> Over<T> {
    Over::for_work("bootstrap", subject)
}

fn by_name(user: &str) -> UserRef {
    UserRef::Name { name: user.to_owned(), domain: DomainRef::Id(domain::DEFAULT_ID.into()) }
}

fn demo_was_made(tx: &mut Tx) -> Result<bool> {
    Ok(tx.query_opt(DEMO_WAS_MADE, &[])?.is_some())
}

/// A project, a user, and the user's roles in it.
fn tenant(tx: &mut Tx, (project, user, roles): (&str, &str, &[&str]), hash: Option<&Hashed>) -> Result<Tenant> {
    let project = ensure_project(tx, project)?;
    let account = users::account(tx, &by_name(user))?;
    let user = ensure_user(tx, user, account, hash)?;
    for role in roles {
        grant(tx, &user, role, Place::Project(project.clone()))?;
    }
    Ok(Tenant { project, user })
}

fn ensure_default_domain(tx: &mut Tx) -> Result<()> {
    match domains::get(tx, &work(), &domain::DEFAULT_ID.into()) {
        Err(Error::NotFound { .. }) => {
            let new: NewDomain =
                from_json(serde_json::json!({"name": domain::DEFAULT_NAME, "description": "The default domain"}))?;
            domains::create(tx, &work(), &over(Cloud), &actor(), domain::DEFAULT_ID.into(), &new)?;
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Roles that are there stay as they are: it may be on purpose that they are not immutable.
fn ensure_roles(tx: &mut Tx, immutable: bool) -> Result<()> {
    let options = if immutable { serde_json::json!({"immutable": true}) } else { serde_json::json!({}) };
    for (name, implied) in ROLES {
        let role = match roles::named(tx, name)? {
            Some(role) => role,
            None => {
                let new: NewRole = from_json(serde_json::json!({"name": name, "options": options}))?;
                roles::create(tx, &work(), &actor(), &new)?
            }
        };
        if let Some(implied) = implied {
            let implied = role_id(tx, implied)?;
            roles::imply(tx, &work(), &over(Cloud), &actor(), &role.id, &implied)?;
        }
    }
    Ok(())
}

fn ensure_project(tx: &mut Tx, name: &str) -> Result<ProjectId> {
    let sql = "SELECT id FROM projects WHERE domain_id = $1 AND name = $2";
    if let Some(row) = tx.query_opt(sql, &params![domain::DEFAULT_ID, name])? {
        return Ok(row.get(0)?);
    }
    let new: NewProject = from_json(serde_json::json!({"name": name}))?;
    Ok(projects::create(tx, &work(), &over(domain::DEFAULT_ID.into()), &actor(), &new)?.id)
}

fn ensure_user(tx: &mut Tx, name: &str, known: Option<Account>, password: Option<&Hashed>) -> Result<UserId> {
    match (known, password) {
        (Some(account), None) => Ok(account.id),
        (Some(account), Some(hash)) => {
            users::change_password(tx, &actor(), &account.id, hash)?;
            Ok(account.id)
        }
        (None, hash) => {
            let new: NewUser = from_json(serde_json::json!({"name": name}))?;
            Ok(users::create(tx, &work(), &over(domain::DEFAULT_ID.into()), &actor(), &new, hash)?.id)
        }
    }
}

fn grant(tx: &mut Tx, user: &UserId, role: &str, place: Place) -> Result<()> {
    let role = role_id(tx, role)?;
    let assignment = Assignment { holder: Holder::User(user.clone()), place, role, inherited: false };
    assignments::grant(tx, &Allowed::for_work_on("bootstrap", assignment.clone()), &over(assignment), &actor())
}

fn role_id(tx: &mut Tx, name: &str) -> Result<RoleId> {
    Ok(roles::named(tx, name)?.ok_or_else(|| Error::not_found("role", name))?.id)
}

/// Ensures region, services and endpoints. An endpoint with another address is given this one: the cloud has moved.
fn ensure_catalog(tx: &mut Tx, wanted: &Bootstrap) -> Result<()> {
    if let Err(Error::NotFound { .. }) = regions::get(tx, &work(), &wanted.region) {
        let new =
            NewRegion { id: Some(wanted.region.clone()), description: None, parent_region_id: None, extra: Extra::default() };
        regions::create(tx, &work(), &actor(), &new)?;
    }
    for entry in wanted.catalog {
        let service = ensure_service(tx, entry)?;
        let url = format!("{}{}", wanted.base_url.trim_end_matches('/'), entry.path);
        for interface in Interface::ALL {
            ensure_endpoint(tx, &service, &wanted.region, interface, &url)?;
        }
    }
    Ok(())
}

fn ensure_service(tx: &mut Tx, entry: &CatalogEntry) -> Result<ServiceId> {
    let sql = "SELECT id FROM catalog_services WHERE type = $1 AND name = $2 ORDER BY id";
    if let Some(row) = tx.query_opt(sql, &params![entry.kind, entry.name])? {
        return Ok(row.get(0)?);
    }
    let new: NewService =
        from_json(serde_json::json!({"type": entry.kind, "name": entry.name, "description": entry.description}))?;
    Ok(services::create(tx, &work(), &actor(), &new)?.id)
}

fn ensure_endpoint(tx: &mut Tx, service: &ServiceId, region: &str, interface: Interface, url: &str) -> Result<()> {
    let sql = "SELECT id, url FROM catalog_endpoints WHERE service_id = $1 AND region_id = $2 AND interface = $3 ORDER BY id";
    let known = tx.query_opt(sql, &params![service, region, interface.as_str()])?;
    match known {
        Some(row) if row.get::<&str>(1)? == url => Ok(()),
        Some(row) => {
            let moved = from_json(serde_json::json!({"url": url}))?;
            endpoints::update(tx, &work(), &actor(), &row.get(0)?, &moved).map(drop)
        }
        None => {
            let new: NewEndpoint = from_json(serde_json::json!({
                "service_id": service, "region_id": region, "interface": interface, "url": url
            }))?;
            endpoints::create(tx, &work(), &actor(), &new).map(drop)
        }
    }
}

/// What we ask of ourselves goes through the same checks as what clients ask.
fn from_json<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| Error::Invalid(error.to_string()))
}
