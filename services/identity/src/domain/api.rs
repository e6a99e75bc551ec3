// SPDX-License-Identifier: Apache-2.0
//! `/v3/domains`

use std::sync::Arc;

use access::{Allowed, Policy};
use api::{Cx, Fault, Reply, Routes, no_content};
use types::DomainId;

use super::{DomainUpdate, NewDomain, table};
use crate::{Identity, filter, power::Wielder, reply};

static LIST: Policy = Policy::new(
    "identity:list_domains",
    "rule:admin_required or (role:reader and system_scope:all) or (role:reader and domain_id:%(target.domain.id)s)",
    "List domains",
)
.also_for_domains();
static GET: Policy = Policy::new(
    "identity:get_domain",
    "rule:admin_required or (role:reader and system_scope:all) or token.domain.id:%(target.domain.id)s \
     or token.project.domain.id:%(target.domain.id)s",
    "Show a domain",
)
.also_for_domains();
static CREATE: Policy = Policy::new("identity:create_domain", "rule:admin_required", "Create a domain");
static UPDATE: Policy = Policy::new("identity:update_domain", "rule:admin_required", "Change a domain");
static DELETE: Policy = Policy::new("identity:delete_domain", "rule:admin_required", "Delete a domain and all in it");

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/domains", &LIST, list)
        .post("/v3/domains", &CREATE, create)
        .get("/v3/domains/{domain_id}", &GET, show)
        .patch("/v3/domains/{domain_id}", &UPDATE, update)
        .missing_first(look)
        .delete("/v3/domains/{domain_id}", &DELETE, delete)
        .missing_first(look)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let select = table::select(&filter::within_domain_of_token(&cx)?);
    let select = reply::paged(&cx, filter::by_name_and_enabled(&cx, select)?)?;
    let domains = room.list(move |tx| table::list(tx, &select)).await?;
    reply::page(&cx, &domains)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, id) = (cx.allowed()?.clone(), DomainId::from(cx.param("domain_id")));
    let domain = room.read(move |tx| table::get(tx, &allowed, &id)).await?;
    reply::show(&cx, &domain)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewDomain = cx.document("domain").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), DomainId::generate());
    let wielder = Wielder::of(&room, &cx).await?;
    let domain = room
        .change(move |tx| {
            let over = wielder.over_cloud(tx)?;
            table::create(tx, &allowed, &over, &actor, id.clone(), &new)
        })
        .await?;
    reply::created(&cx, &domain)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: DomainUpdate = cx.document("domain").await?;
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), DomainId::from(cx.param("domain_id")));
    let wielder = Wielder::of(&room, &cx).await?;
    let domain = room
        .change(move |tx| {
            let over = wielder.over_cloud(tx)?;
            table::update(tx, &allowed, &over, &actor, &id, &update)
        })
        .await?;
    reply::show(&cx, &domain)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), DomainId::from(cx.param("domain_id")));
    let wielder = Wielder::of(&room, &cx).await?;
    room.change(move |tx| {
        let over = wielder.over_cloud(tx)?;
        table::delete(tx, &allowed, &over, &actor, &id)
    })
    .await?;
    no_content()
}

fn look(room: Arc<Identity>, cx: &Cx) -> impl Future<Output = Result<(), Fault>> + use<> {
    let id = DomainId::from(cx.param("domain_id"));
    async move {
        room.read(move |tx| table::get(tx, &Allowed::for_work("say whether a domain is there"), &id)).await?;
        Ok(())
    }
}
