// SPDX-License-Identifier: Apache-2.0
//! `/v3/OS-TRUST/trusts`

use std::sync::Arc;

use access::{Allowed, Policy, Target};
use api::{Access, Cx, Fault, Reply, Routes, json, no_content};
use http::StatusCode;
use serde_json::{Value, json};
use types::{RoleId, Timestamp};

use super::{
    Trust,
    request::NewTrust,
    table::{self, Whose},
};
use crate::{
    Identity,
    delegation::{DelegatedBy, Delegation},
    error::Error,
    reply::{self, linked},
    role::{Role, table::AllRoles},
};

static CREATE: Policy =
    Policy::new("identity:create_trust", "user_id:%(target.trust.trustor_user_id)s", "Trust another user").only_for_projects();
static LIST: Policy = Policy::new("identity:list_trusts", READ, "List all trusts");
static LIST_OF_TRUSTOR: Policy = Policy::new(
    "identity:list_trusts_for_trustor",
    "rule:admin_required or (role:reader and system_scope:all) or user_id:%(target.trust.trustor_user_id)s",
    "List the trusts that a user made",
);
static LIST_OF_TRUSTEE: Policy = Policy::new(
    "identity:list_trusts_for_trustee",
    "rule:admin_required or (role:reader and system_scope:all) or user_id:%(target.trust.trustee_user_id)s",
    "List the trusts that a user was given",
);
static GET: Policy = Policy::new("identity:get_trust", SHOW, "Show a trust");
static LIST_ROLES: Policy = Policy::new("identity:list_roles_for_trust", SHOW, "List the roles of a trust");
static GET_ROLE: Policy = Policy::new("identity:get_role_for_trust", SHOW, "Check that a trust delegates a role");
static DELETE: Policy = Policy::new(
    "identity:delete_trust",
    "rule:admin_required or user_id:%(target.trust.trustor_user_id)s",
    "End a trust, and all to whom it was passed on",
);

const READ: &str = "rule:admin_required or (role:reader and system_scope:all)";
const SHOW: &str = "rule:admin_required or (role:reader and system_scope:all) \
                    or user_id:%(target.trust.trustor_user_id)s or user_id:%(target.trust.trustee_user_id)s";

pub fn routes() -> Routes<Identity> {
    // Who trusts whom decides, so each request asks about that.
    let asked = Access::Authenticated;
    Routes::new()
        .get("/v3/OS-TRUST/trusts", asked, list)
        .asking(&[&LIST, &LIST_OF_TRUSTOR, &LIST_OF_TRUSTEE])
        .post("/v3/OS-TRUST/trusts", asked, create)
        .asking(&[&CREATE])
        .get("/v3/OS-TRUST/trusts/{trust_id}", asked, show)
        .asking(&[&GET])
        .delete("/v3/OS-TRUST/trusts/{trust_id}", asked, delete)
        .asking(&[&DELETE])
        .get("/v3/OS-TRUST/trusts/{trust_id}/roles", asked, list_roles)
        .asking(&[&LIST_ROLES])
        .get("/v3/OS-TRUST/trusts/{trust_id}/roles/{role_id}", asked, show_role)
        .asking(&[&GET_ROLE])
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let (trustor, trustee) = (cx.query().get("trustor_user_id"), cx.query().get("trustee_user_id"));
    let allowed = match (trustor, trustee) {
        (Some(trustor), _) => {
            let target = Target::new().with("target.trust.trustor_user_id", trustor);
            cx.allow(&LIST_OF_TRUSTOR, &target, Whose::Trustor(trustor.into()))?
        }
        (None, Some(trustee)) => {
            let target = Target::new().with("target.trust.trustee_user_id", trustee);
            cx.allow(&LIST_OF_TRUSTEE, &target, Whose::Trustee(trustee.into()))?
        }
        (None, None) => cx.allow(&LIST, &Target::new(), Whose::Everybodys)?,
    };
    refuse_programs(&room, &cx).await?;
    let select = table::select(&allowed);
    let trusts = room.list(move |tx| table::list(tx, &select)).await?;
    let views: Vec<Value> = trusts.iter().map(|trust| brief(&cx, trust)).collect();
    reply::collection(&cx, "trusts", &views)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewTrust = cx.document("trust").await?;
    let target = Target::new().with("target.trust.trustor_user_id", new.trustor_user_id.as_str());
    let allowed = cx.allow(&CREATE, &target, new.trustor_user_id.clone())?;
    let delegation = refuse_programs(&room, &cx).await?;
    // The policy may be relaxed by the operator; that one trusts in one's own name only, may not.
    if cx.caller()?.user.id != new.trustor_user_id {
        return Err(Error::Forbidden("The authenticated user should match the trustor.".to_owned()).into());
    }
    let actor = cx.actor();
    let (trust, roles) = room
        .change(move |tx| {
            let trust = new.made(tx, delegation.as_ref())?;
            table::create(tx, &allowed, &actor, &trust)?;
            Ok((trust, AllRoles::load(tx)?))
        })
        .await?;
    json(StatusCode::CREATED, &json!({"trust": full(&cx, &trust, &roles)?}))
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (trust, roles) = asked_for(&room, &cx, &GET).await?;
    json(StatusCode::OK, &json!({"trust": full(&cx, trust.thing(), &roles)?}))
}

async fn list_roles(room: Arc<Identity>, cx: Cx) -> Reply {
    let (trust, roles) = asked_for(&room, &cx, &LIST_ROLES).await?;
    json(StatusCode::OK, &json!({"roles": role_views(&cx, trust.thing(), &roles)?, "links": roles_links(&cx, trust.thing())}))
}

async fn show_role(room: Arc<Identity>, cx: Cx) -> Reply {
    let (trust, roles) = asked_for(&room, &cx, &GET_ROLE).await?;
    let id = RoleId::from(cx.param("role_id"));
    let role = roles.by_id.get(&id).filter(|role| trust.thing().roles.contains(&role.id));
    reply::show(&cx, role.ok_or_else(|| Error::not_found("role", id.as_str()))?)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (trust, _) = asked_for(&room, &cx, &DELETE).await?;
    let actor = cx.actor();
    room.change(move |tx| table::delete(tx, &trust, &actor)).await?;
    no_content()
}

/// The trust that the request is about, after the policy admitted the caller to it. One that buys no more tokens is
/// as good as gone.
async fn asked_for(room: &Identity, cx: &Cx, policy: &'static Policy) -> Result<(Allowed<Trust>, AllRoles), Fault> {
    let id = cx.param("trust_id").to_owned();
    let (found, roles) = room.read(move |tx| Ok((table::find(tx, &id)?, AllRoles::load(tx)?))).await?;
    let trust = found.filter(Trust::is_usable).ok_or_else(|| Error::not_found("trust", cx.param("trust_id")))?;
    let target = Target::new()
        .with("target.trust.trustor_user_id", trust.trustor.as_str())
        .with("target.trust.trustee_user_id", trust.trustee.as_str());
    let trust = cx.allow(policy, &target, trust)?;
    refuse_programs(room, cx).await?;
    Ok((trust, roles))
}

/// A program with an application credential or a key is for one project; trusts would let it reach beyond, so it has
/// nothing to do with them, restricted or not.
async fn refuse_programs(room: &Identity, cx: &Cx) -> Result<Option<Delegation>, Fault> {
    let delegation = Delegation::of_request(room, cx).await?;
    match &delegation {
        Some(Delegation {
            by: DelegatedBy::ApplicationCredential { .. } | DelegatedBy::AccessToken(_) | DelegatedBy::Ec2Key,
            ..
        }) => {
            let why = "Trusts cannot be managed with a token of an application credential or of a key. Log in as the user.";
            Err(Error::Forbidden(why.to_owned()).into())
        }
        Some(Delegation { by: DelegatedBy::Trust(_), .. }) | None => Ok(delegation),
    }
}

fn brief(cx: &Cx, trust: &Trust) -> Value {
    json!({
        "id": trust.id,
        "trustor_user_id": trust.trustor,
        "trustee_user_id": trust.trustee,
        "project_id": trust.project,
        "impersonation": trust.impersonation,
        "expires_at": trust.expires_at.map(Timestamp::zulu_micros),
        "remaining_uses": trust.remaining_uses,
        "redelegated_trust_id": trust.redelegated_trust,
        "redelegation_count": trust.redelegation_count,
        // A trust that was ended is gone here; Keystone's clients expect the word.
        "deleted_at": null,
        "links": {"self": cx.url(&path(trust))},
    })
}

fn full(cx: &Cx, trust: &Trust, all: &AllRoles) -> Result<Value, Fault> {
    let mut view = brief(cx, trust);
    view["roles"] = role_views(cx, trust, all)?;
    view["roles_links"] = roles_links(cx, trust);
    Ok(view)
}

/// Those that are still there.
fn role_views(cx: &Cx, trust: &Trust, all: &AllRoles) -> Result<Value, Fault> {
    let roles: Vec<&Role> = trust.roles.iter().filter_map(|id| all.by_id.get(id)).collect();
    let views: Vec<_> = roles.iter().map(|role| linked(cx, *role)).collect();
    serde_json::to_value(views).map_err(Fault::internal)
}

fn roles_links(cx: &Cx, trust: &Trust) -> Value {
    json!({"self": cx.url(&format!("{}/roles", path(trust))), "next": null, "previous": null})
}

fn path(trust: &Trust) -> String {
    format!("/v3/OS-TRUST/trusts/{}", trust.id)
}
