// SPDX-License-Identifier: Apache-2.0
//! `/v3/domains/{domain_id}/config`

use std::sync::Arc;

use access::Policy;
use api::{Cx, Fault, Reply, Routes, json, no_content};
use http::StatusCode;
use serde_json::{Value, json};
use types::DomainId;

use super::{Config, Part, invalid, options, table};
use crate::{Identity, domain, error::Result};

static GET: Policy = Policy::new(
    "identity:get_domain_config",
    "rule:admin_required or (role:reader and system_scope:all)",
    "Show the configuration of a domain",
);
static GET_DEFAULT: Policy = Policy::new(
    "identity:get_domain_config_default",
    "rule:admin_required or (role:reader and system_scope:all)",
    "Show what holds for a domain without a configuration",
);
static GET_COMPLIANCE: Policy =
    Policy::new("identity:get_security_compliance_domain_config", "", "Show what a password must be like").also_for_domains();
static CREATE: Policy = Policy::new("identity:create_domain_config", "rule:admin_required", "Configure a domain");
static UPDATE: Policy =
    Policy::new("identity:update_domain_config", "rule:admin_required", "Change the configuration of a domain");
static DELETE: Policy =
    Policy::new("identity:delete_domain_config", "rule:admin_required", "Delete the configuration of a domain");

#[rustfmt::skip]
pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/domains/config/default", &GET_DEFAULT, show_default)
        .get("/v3/domains/config/{group}/default", &GET_DEFAULT, show_default)
        .get("/v3/domains/config/{group}/{option}/default", &GET_DEFAULT, show_default)
        .get("/v3/domains/{domain_id}/config/security_compliance", &GET_COMPLIANCE, show_compliance)
        .get("/v3/domains/{domain_id}/config/security_compliance/{option}", &GET_COMPLIANCE, show_compliance)
        .get("/v3/domains/{domain_id}/config", &GET, show)
        .put("/v3/domains/{domain_id}/config", &CREATE, create)
        .patch("/v3/domains/{domain_id}/config", &UPDATE, update)
        .delete("/v3/domains/{domain_id}/config", &DELETE, delete)
        .get("/v3/domains/{domain_id}/config/{group}", &GET, show)
        .patch("/v3/domains/{domain_id}/config/{group}", &UPDATE, update)
        .delete("/v3/domains/{domain_id}/config/{group}", &DELETE, delete)
        .get("/v3/domains/{domain_id}/config/{group}/{option}", &GET, show)
        .patch("/v3/domains/{domain_id}/config/{group}/{option}", &UPDATE, update)
        .delete("/v3/domains/{domain_id}/config/{group}/{option}", &DELETE, delete)
}

async fn show_default(_: Arc<Identity>, cx: Cx) -> Reply {
    let config = match Part::new(cx.param("group"), cx.param("option"))? {
        Part::Whole => options::all_defaults(),
        Part::Group(group) => json!({ &group: options::defaults(options::group(&group)?) }),
        Part::Option(group, option) => options::default_of(&group, &option)?,
    };
    answer(StatusCode::OK, &config)
}

/// The rules for passwords are the same in all domains; Keystone tells them as those of the default domain.
async fn show_compliance(room: Arc<Identity>, cx: Cx) -> Reply {
    if cx.param("domain_id") != domain::DEFAULT_ID {
        let why = "Reading security compliance information for any domain other than the default domain is not supported";
        return Err(invalid(why.to_owned()).into());
    }
    let rules = &room.settings.security_compliance;
    let config = match cx.param("option") {
        "" => json!({"security_compliance": {
            "password_regex": rules.password_regex, "password_regex_description": rules.password_regex_description,
        }}),
        "password_regex" => json!({"password_regex": rules.password_regex}),
        "password_regex_description" => json!({"password_regex_description": rules.password_regex_description}),
        _ => {
            let why = "Reading security compliance values other than password_regex and password_regex_description \
                       is not allowed";
            return Err(invalid(why.to_owned()).into());
        }
    };
    answer(StatusCode::OK, &config)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, domain, part) = (cx.allowed()?.clone(), domain_id(&cx), part(&cx)?);
    let of = part.clone();
    let config = room
        .read(move |tx| {
            domain::table::get(tx, &allowed, &domain)?;
            table::get(tx, &allowed, &domain, &of)
        })
        .await?;
    match part {
        // Who asks for one option is told the option, without its group.
        Part::Option(group, _) => answer(StatusCode::OK, &json!(config.get(&group))),
        Part::Whole | Part::Group(_) => answer(StatusCode::OK, &json!(config)),
    }
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let config = document(&mut cx, &Part::Whole).await?;
    let (allowed, actor, domain, ring) = (cx.allowed()?.clone(), cx.actor(), domain_id(&cx), room.credential_ring());
    let (config, was_there) = room
        .write(move |tx| {
            domain::table::get(tx, &allowed, &domain)?;
            table::replace(tx, &ring, &allowed, &actor, &domain, &config)
        })
        .await?;
    answer(if was_there { StatusCode::OK } else { StatusCode::CREATED }, &json!(config))
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let part = part(&cx)?;
    let config = document(&mut cx, &part).await?;
    let (allowed, actor, domain, ring) = (cx.allowed()?.clone(), cx.actor(), domain_id(&cx), room.credential_ring());
    let config = room
        .write(move |tx| {
            domain::table::get(tx, &allowed, &domain)?;
            table::update(tx, &ring, &allowed, &actor, (&domain, &part), &config)
        })
        .await?;
    answer(StatusCode::OK, &json!(config))
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, domain, part) = (cx.allowed()?.clone(), cx.actor(), domain_id(&cx), part(&cx)?);
    room.write(move |tx| {
        domain::table::get(tx, &allowed, &domain)?;
        table::delete(tx, &allowed, &actor, &domain, &part)
    })
    .await?;
    no_content()
}

async fn document(cx: &mut Cx, part: &Part) -> Result<Config, Fault> {
    let document: Value = cx.document("config").await?;
    Ok(part.read(document)?)
}

fn answer(status: StatusCode, config: &Value) -> Reply {
    json(status, &json!({"config": config}))
}

fn part(cx: &Cx) -> Result<Part> {
    Part::new(cx.param("group"), cx.param("option"))
}

fn domain_id(cx: &Cx) -> DomainId {
    DomainId::from(cx.param("domain_id"))
}
