// SPDX-License-Identifier: Apache-2.0
//! `/v3/users/{user_id}/application_credentials`

use std::sync::Arc;

use ::store::Tx;
use access::Policy;
use api::{Cx, Fault, Reply, Routes, created, json, no_content};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contracts::caller::{AccessRule, Caller};
use http::StatusCode;
use serde_json::{Value, json};
use types::{RoleId, Secret, Timestamp, UserId};

use super::{ApplicationCredential, NewCredential, table};
use crate::{
    Identity,
    access_rule::{self, RuleRequest},
    delegation::{DelegatedBy, Delegation},
    error::{Error, Result as Outcome},
    power::Wielder,
    reply,
    role::table::AllRoles,
};

static LIST: Policy = Policy::new("identity:list_application_credentials", READ, "List a user's application credentials");
static GET: Policy = Policy::new("identity:get_application_credential", READ, "Show an application credential");
static CREATE: Policy =
    Policy::new("identity:create_application_credential", "user_id:%(user_id)s", "Make an application credential for oneself")
        .only_for_projects();
static DELETE: Policy = Policy::new(
    "identity:delete_application_credential",
    "rule:admin_required or user_id:%(user_id)s",
    "Delete an application credential",
);

const READ: &str = "rule:admin_required or (role:reader and system_scope:all) or user_id:%(user_id)s";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/users/{user_id}/application_credentials", &LIST, list)
        .post("/v3/users/{user_id}/application_credentials", &CREATE, create)
        .get("/v3/users/{user_id}/application_credentials/{credential_id}", &GET, show)
        .delete("/v3/users/{user_id}/application_credentials/{credential_id}", &DELETE, delete)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, user) = (cx.allowed()?.clone(), user_id(&cx));
    let name = cx.query().get("name").map(str::to_owned);
    let (credentials, roles) =
        room.list(move |tx| Ok((table::list(tx, &allowed, &user, name.as_deref())?, AllRoles::load(tx)?))).await?;
    let views: Vec<Value> = credentials.iter().map(|credential| view(&cx, credential, &roles)).collect();
    reply::collection(&cx, "application_credentials", &views)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, user, id) = (cx.allowed()?.clone(), user_id(&cx), cx.param("credential_id").to_owned());
    let (credential, roles) = room.read(move |tx| Ok((table::get(tx, &allowed, &user, &id)?, AllRoles::load(tx)?))).await?;
    json(StatusCode::OK, &json!({"application_credential": view(&cx, &credential, &roles)}))
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewCredential = cx.document("application_credential").await?;
    let delegation = refuse_restricted(&room, &cx).await?;
    let caller = Arc::clone(cx.caller()?);
    let project_id = cx.project()?.clone();
    let rules = new.access_rules.clone().into_iter().map(RuleRequest::check).collect::<Result<Vec<_>, _>>()?;
    if rules.len() > access_rule::MOST {
        return Err(Fault::bad_request(format!("An application credential has at most {} access rules.", access_rule::MOST)));
    }
    let secret = match &new.secret {
        Some(secret) => secret.0.clone(),
        None => generate_secret()?,
    };
    let mut credential = ApplicationCredential {
        id: uuid::Uuid::new_v4().simple().to_string(),
        user_id: user_id(&cx),
        project_id,
        name: new.name.as_str().to_owned(),
        description: new.description.clone(),
        secret_hash: Secret::new(room.passwords.hash(&secret).await.map_err(Error::from)?),
        expires_at: new.expires_at.as_deref().map(expiry).transpose()?,
        unrestricted: new.unrestricted.unwrap_or(false),
        role_ids: roles_of(&caller, &new)?,
        access_rules: vec![],
    };
    let (allowed, actor, row) = (cx.allowed()?.clone(), cx.actor(), credential.clone());
    let (expires_at, rules, roles) = room
        .change(move |tx| {
            let row =
                ApplicationCredential { expires_at: within_the_life_of(tx, delegation.as_ref(), row.expires_at)?, ..row.clone() };
            table::create(tx, &allowed, &actor, &row)?;
            let rules = access_rule::table::confine(tx, &actor, &row.user_id, &row.id, &rules)?;
            refuse_beyond(caller.access_rules.as_deref(), &rules)?;
            Ok((row.expires_at, rules, AllRoles::load(tx)?))
        })
        .await?;
    credential.expires_at = expires_at;
    credential.access_rules = rules;
    let mut view = view(&cx, &credential, &roles);
    // Told once, and never again: only its hash is kept.
    view["secret"] = secret.reveal().as_str().into();
    created(&json!({"application_credential": view}))
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    refuse_restricted(&room, &cx).await?;
    let (allowed, actor, user) = (cx.allowed()?.clone(), cx.actor(), user_id(&cx));
    let id = cx.param("credential_id").to_owned();
    let wielder = Wielder::of(&room, &cx).await?;
    room.change(move |tx| {
        // Power is asked about its owner, whom the path need not name.
        let credential = table::get(tx, &allowed, &user, &id)?;
        let over = wielder.over_keys_of(tx, &credential.user_id)?;
        table::delete(tx, &over.with(credential), &actor)
    })
    .await?;
    no_content()
}

/// A leaked credential must not be able to make itself successors, and a trustee none that outlive the trust.
async fn refuse_restricted(room: &Identity, cx: &Cx) -> Result<Option<Delegation>, Fault> {
    let delegation = Delegation::of_request(room, cx).await?;
    delegation.as_ref().map_or(Ok(()), Delegation::refuse_application_credentials)?;
    Ok(delegation)
}

/// What an unrestricted credential makes ends with it at the latest.
fn within_the_life_of(tx: &mut Tx, delegation: Option<&Delegation>, asked: Option<Timestamp>) -> Outcome<Option<Timestamp>> {
    let Some(Delegation { by: DelegatedBy::ApplicationCredential { id, .. }, .. }) = delegation else { return Ok(asked) };
    let maker = table::find(tx, id)?.ok_or_else(|| Error::not_found("Application Credential", id))?;
    match (asked, maker.expires_at) {
        (Some(asked), Some(end)) if asked > end => {
            Err(Error::Forbidden("An application credential makes none that outlives it: ask for an earlier expires_at.".into()))
        }
        (asked, end) => Ok(asked.or(end)),
    }
}

/// A token that is good for some requests only makes no credential that is good for others.
fn refuse_beyond(confines: Option<&[AccessRule]>, rules: &[AccessRule]) -> Outcome<()> {
    let Some(confines) = confines else { return Ok(()) };
    let same = |a: &AccessRule, b: &AccessRule| (&a.service, &a.method, &a.path) == (&b.service, &b.method, &b.path);
    if !rules.is_empty() && rules.iter().all(|rule| confines.iter().any(|own| same(own, rule))) {
        return Ok(());
    }
    Err(Error::Forbidden(
        "This token is confined by access rules, and so must be what it makes: give it some of the same rules.".into(),
    ))
}

/// The roles asked for, each one that the caller has; all of the caller's when none is asked for.
fn roles_of(caller: &Caller, new: &NewCredential) -> Result<Vec<RoleId>, Fault> {
    if new.roles.is_empty() {
        return Ok(caller.roles.iter().map(|role| role.id.clone()).collect());
    }
    let own = |asked: &super::RoleRequest| {
        let same = |role: &&contracts::caller::RoleFacts| match (&asked.id, &asked.name) {
            (Some(id), _) => *id == role.id,
            (None, Some(name)) => *name == role.name,
            (None, None) => false,
        };
        caller.roles.iter().find(same).map(|role| role.id.clone()).ok_or_else(|| {
            let name = asked.id.as_ref().map(RoleId::as_str).or(asked.name.as_deref()).unwrap_or("(neither id nor name)");
            Fault::bad_request(format!("Invalid application credential: you do not have the role {name} in this project."))
        })
    };
    new.roles.iter().map(own).collect()
}

fn expiry(text: &str) -> Result<Timestamp, Fault> {
    let at = Timestamp::parse(text).ok_or_else(|| {
        Fault::bad_request(format!("The 'expires_at' is an instant such as 2027-02-27T18:30:59Z, not '{text}'."))
    })?;
    if at <= Timestamp::now() {
        return Err(Fault::bad_request("The 'expires_at' must not be before now."));
    }
    Ok(at)
}

fn generate_secret() -> Result<Secret<String>, Fault> {
    let mut bytes = [0; 64];
    getrandom::fill(&mut bytes).map_err(Fault::internal)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

fn view(cx: &Cx, credential: &ApplicationCredential, all: &AllRoles) -> Value {
    let role = |id: &RoleId| all.by_id.get(id).map(|role| json!({"id": role.id, "name": role.name, "domain_id": role.domain_id}));
    let url = cx.url(&format!("/v3/users/{}/application_credentials/{}", credential.user_id, credential.id));
    let mut view = json!({
        "id": credential.id,
        "name": credential.name,
        "description": credential.description,
        "project_id": credential.project_id,
        "user_id": credential.user_id,
        "system": null,
        "roles": credential.role_ids.iter().filter_map(role).collect::<Vec<_>>(),
        "expires_at": credential.expires_at.map(Timestamp::naive_micros),
        "unrestricted": credential.unrestricted,
        "links": {"self": url},
    });
    if !credential.access_rules.is_empty() {
        view["access_rules"] = json!(credential.access_rules.iter().map(access_rule::view).collect::<Vec<_>>());
    }
    view
}

fn user_id(cx: &Cx) -> UserId {
    UserId::from(cx.param("user_id"))
}
