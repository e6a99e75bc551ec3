// SPDX-License-Identifier: Apache-2.0
//! `/v3/limits`

use std::sync::Arc;

use ::store::{Actor, Tx};
use access::{Allowed, Policy, Scope, Target};
use api::{Access, Cx, Fault, Reply, Routes, json};
use http::StatusCode;
use serde_json::json;

use super::{
    Limit, LimitUpdate, NewLimit,
    changes::{self, Changeable},
    table, two_levels,
};
use crate::{
    Identity,
    error::{Error, Result},
    filter,
    project::table as projects,
    reply,
    settings::LimitModel,
};

static MODEL: Policy = Policy::new("identity:get_limit_model", "", "Show how limits are enforced").also_for_domains();
static LIST: Policy = Policy::new("identity:list_limits", "", "List limits").also_for_domains();
static GET: Policy = Policy::new(
    "identity:get_limit",
    "rule:admin_required or (role:reader and system_scope:all) \
     or (domain_id:%(target.limit.domain.id)s or domain_id:%(target.limit.project.domain_id)s) \
     or (project_id:%(target.limit.project_id)s and not None:%(target.limit.project_id)s)",
    "Show a limit",
)
.also_for_domains();
static CREATE: Policy = Policy::new("identity:create_limits", "rule:admin_required", "Create limits");
static UPDATE: Policy = Policy::new("identity:update_limit", "rule:admin_required", "Change a limit");
static DELETE: Policy = Policy::new("identity:delete_limit", "rule:admin_required", "Delete a limit");

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/limits/model", &MODEL, show_model)
        .get("/v3/limits", &LIST, list)
        .post("/v3/limits", &CREATE, changes::create::<Limit>)
        // Whose limit it is decides who may see it.
        .get("/v3/limits/{limit_id}", Access::Asks(&GET), show)
        .patch("/v3/limits/{limit_id}", &UPDATE, changes::update::<Limit>)
        .missing_first(look)
        .delete("/v3/limits/{limit_id}", &DELETE, changes::delete::<Limit>)
        .missing_first(look)
}

async fn show_model(room: Arc<Identity>, _: Cx) -> Reply {
    let (name, description) = match room.settings.limit_model {
        LimitModel::Flat => ("flat", "Limit enforcement and validation does not take project hierarchy into consideration."),
        LimitModel::StrictTwoLevel => ("strict_two_level", "This model requires project hierarchy never exceeds a depth of two"),
    };
    json(StatusCode::OK, &json!({"model": {"name": name, "description": description}}))
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let filters = [
        ("service_id", "service_id = "),
        ("region_id", "region_id = "),
        ("resource_name", "resource_name = "),
        ("project_id", "project_id = "),
        ("domain_id", "domain_id = "),
    ];
    let select = filter::by_text(&cx, table::select(cx.allowed()?, cx.caller()?), &filters);
    let limits = room.list(move |tx| table::list(tx, &select)).await?;
    reply::list(&cx, &limits)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let id = changes::id::<Limit>(&cx);
    let (limit, domain_of_project) = room
        .read(move |tx| {
            let limit = table::find(tx, &id)?;
            let project = limit.as_ref().and_then(|limit| limit.project_id.clone());
            let project = project.map(|id| projects::find(tx, &id)).transpose()?.flatten();
            Ok((limit, project.map(|project| project.domain_id)))
        })
        .await?;
    let mut target = Target::new();
    if let Some(limit) = &limit {
        target = target.with_optional("target.limit.project_id", limit.project_id.clone());
        if let Some(domain) = &limit.domain_id {
            target = target.with("target.limit.domain.id", domain.as_str());
        }
    }
    if let Some(domain) = domain_of_project {
        target = target.with("target.limit.project.domain_id", domain);
    }
    cx.check(&GET, &target)?;
    reply::show(&cx, &limit.ok_or_else(|| Error::not_found("limit", cx.param("limit_id")))?)
}

fn look(room: Arc<Identity>, cx: &Cx) -> impl Future<Output = Result<(), Fault>> + use<> {
    let id = changes::id::<Limit>(cx);
    async move {
        let wanted = id.clone();
        let found = room.read(move |tx| table::find(tx, &wanted)).await?;
        found.map(|_| ()).ok_or_else(|| Error::not_found("limit", id).into())
    }
}

impl Changeable for Limit {
    const ID: &'static str = "limit_id";
    type New = NewLimit;
    type Update = LimitUpdate;

    fn create(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, new: &NewLimit) -> Result<Self> {
        table::create(tx, allowed, actor, new)
    }

    fn update(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str, update: &LimitUpdate) -> Result<Self> {
        table::update(tx, allowed, actor, id, update)
    }

    fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str) -> Result<()> {
        table::delete(tx, allowed, actor, id)
    }

    fn check(&self, tx: &mut Tx, model: LimitModel) -> Result<()> {
        match model {
            LimitModel::Flat => Ok(()),
            LimitModel::StrictTwoLevel => two_levels::refuse_misfit(tx, self),
        }
    }
}
