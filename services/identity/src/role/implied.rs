// SPDX-License-Identifier: Apache-2.0
//! `/v3/roles/{prior}/implies` and `/v3/role_inferences`: who has one role has others with it.

use std::sync::Arc;

use access::Policy;
use api::{Cx, Fault, Reply, Routes, json, no_content};
use http::StatusCode;
use serde_json::{Value, json};
use types::RoleId;

use super::{
    Role,
    table::{self, AllRoles},
};
use crate::{Identity, error::Error, power::Wielder, reply::Resource};

static LIST_ALL: Policy = Policy::new("identity:list_role_inference_rules", READ, "List which roles imply which");
static LIST: Policy = Policy::new("identity:list_implied_roles", READ, "List the roles that a role implies");
static GET: Policy = Policy::new("identity:get_implied_role", READ, "Show that a role implies another");
static CHECK: Policy = Policy::new("identity:check_implied_role", READ, "Check that a role implies another");
static CREATE: Policy = Policy::new("identity:create_implied_role", "rule:admin_required", "Make a role imply another");
static DELETE: Policy = Policy::new("identity:delete_implied_role", "rule:admin_required", "End that a role implies another");

const READ: &str = "rule:admin_required or (role:reader and system_scope:all)";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/role_inferences", &LIST_ALL, list_all)
        .get("/v3/roles/{role_id}/implies", &LIST, list)
        .missing_first(look)
        .get("/v3/roles/{role_id}/implies/{implied_role_id}", &GET, show)
        .missing_first(look)
        .head("/v3/roles/{role_id}/implies/{implied_role_id}", &CHECK, check)
        .missing_first(look)
        .put("/v3/roles/{role_id}/implies/{implied_role_id}", &CREATE, create)
        .missing_first(look)
        .delete("/v3/roles/{role_id}/implies/{implied_role_id}", &DELETE, delete)
        .missing_first(look)
}

/// The roles that the path names, one or two.
fn look(room: Arc<Identity>, cx: &Cx) -> impl Future<Output = Result<(), Fault>> + use<> {
    let named = ["role_id", "implied_role_id"].map(|name| cx.param(name).to_owned());
    async move {
        let all = room.read(AllRoles::load).await?;
        named.iter().filter(|id| !id.is_empty()).try_for_each(|id| known(&all, id).map(|_| ()))
    }
}

async fn list_all(room: Arc<Identity>, cx: Cx) -> Reply {
    let all = room.read(AllRoles::load).await?;
    let mut priors: Vec<&RoleId> = all.implications.iter().map(|(prior, _)| prior).collect();
    priors.dedup();
    let inferences: Vec<Value> = priors
        .into_iter()
        .filter_map(|prior| {
            let role = all.by_id.get(prior)?;
            Some(json!({"prior_role": brief(&cx, role), "implies": implied_by(&cx, &all, prior)}))
        })
        .collect();
    json(StatusCode::OK, &json!({"role_inferences": inferences, "links": {"self": cx.own_url()}}))
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let all = room.read(AllRoles::load).await?;
    let prior = known(&all, cx.param("role_id"))?;
    let inference = json!({"prior_role": brief(&cx, prior), "implies": implied_by(&cx, &all, &prior.id)});
    json(StatusCode::OK, &json!({"role_inference": inference, "links": {"self": cx.own_url()}}))
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let all = room.read(AllRoles::load).await?;
    let pair = (known(&all, cx.param("role_id"))?, known(&all, cx.param("implied_role_id"))?);
    refuse_not_implied(&all, pair)?;
    pair_reply(&cx, StatusCode::OK, pair)
}

async fn check(room: Arc<Identity>, cx: Cx) -> Reply {
    let all = room.read(AllRoles::load).await?;
    refuse_not_implied(&all, (known(&all, cx.param("role_id"))?, known(&all, cx.param("implied_role_id"))?))?;
    no_content()
}

async fn create(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let (prior, implied) = (RoleId::from(cx.param("role_id")), RoleId::from(cx.param("implied_role_id")));
    let wielder = Wielder::of(&room, &cx).await?;
    let (prior, implied) = room
        .change(move |tx| {
            let over = wielder.over_cloud(tx)?;
            let pair = (table::get(tx, &prior)?, table::get(tx, &implied)?);
            // Keystone's `prohibited_implied_role`: nothing may make someone an administrator unawares.
            if pair.1.name == "admin" || AllRoles::load(tx)?.closure([implied.clone()]).contains(&prior) {
                return Err(Error::Forbidden(format!("{implied} cannot be an implied role of {prior}.")));
            }
            table::imply(tx, &allowed, &over, &actor, &prior, &implied)?;
            Ok(pair)
        })
        .await?;
    pair_reply(&cx, StatusCode::CREATED, (&prior, &implied))
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor) = (cx.allowed()?.clone(), cx.actor());
    let (prior, implied) = (RoleId::from(cx.param("role_id")), RoleId::from(cx.param("implied_role_id")));
    let wielder = Wielder::of(&room, &cx).await?;
    room.change(move |tx| {
        let over = wielder.over_cloud(tx)?;
        table::imply_no_more(tx, &allowed, &over, &actor, &prior, &implied)
    })
    .await?;
    no_content()
}

fn known<'a>(all: &'a AllRoles, id: &str) -> Result<&'a Role, Fault> {
    all.by_id.get(&RoleId::from(id)).ok_or_else(|| Error::not_found("role", id).into())
}

fn refuse_not_implied(all: &AllRoles, (prior, implied): (&Role, &Role)) -> Result<(), Fault> {
    let is_there = all.implications.iter().any(|(a, b)| *a == prior.id && *b == implied.id);
    if is_there { Ok(()) } else { Err(table::not_implied(&prior.id, &implied.id).into()) }
}

fn implied_by(cx: &Cx, all: &AllRoles, prior: &RoleId) -> Vec<Value> {
    let implied = all.implications.iter().filter(|(role, _)| role == prior);
    implied.filter_map(|(_, implied)| all.by_id.get(implied)).map(|role| brief(cx, role)).collect()
}

fn pair_reply(cx: &Cx, status: StatusCode, (prior, implied): (&Role, &Role)) -> Reply {
    let inference = json!({"prior_role": brief(cx, prior), "implies": brief(cx, implied)});
    json(status, &json!({"role_inference": inference, "links": {"self": cx.own_url()}}))
}

fn brief(cx: &Cx, role: &Role) -> Value {
    json!({"id": role.id, "name": role.name, "description": role.description, "links": {"self": role.url(cx)}})
}
