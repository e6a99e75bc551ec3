// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/lbaas/loadbalancers`.

use std::sync::Arc;

use api::{Access, Cx, Reply, Routes};
use http::StatusCode;
use serde_json::json;
use types::Timestamp;

use super::{LoadBalancer, create, policy, status::view, table};
use crate::{
    Balancers,
    error::Error,
    input::document,
    provider,
    thing::{Shown, Thing, handlers},
    tree::Tree,
};

const ALL: &str = "/v2.0/lbaas/loadbalancers";
const ONE: &str = "/v2.0/lbaas/loadbalancers/{id}";

pub(super) fn routes() -> Routes<Balancers> {
    Routes::new()
        .get(ALL, &policy::LIST, handlers::list::<LoadBalancer>)
        .post(ALL, Access::Asks(&policy::CREATE), create::create)
        .get(ONE, Access::Asks(&policy::SHOW), handlers::show::<LoadBalancer>)
        .put(ONE, Access::Asks(&policy::UPDATE), update)
        .delete(ONE, Access::Asks(&policy::DELETE), delete)
        .get("/v2.0/lbaas/loadbalancers/{id}/status", Access::Asks(&policy::STATUS), status)
        .get("/v2.0/lbaas/loadbalancers/{id}/stats", Access::Asks(&policy::STATS), stats)
        .put("/v2.0/lbaas/loadbalancers/{id}/failover", Access::Asks(&policy::FAILOVER), failover)
}

async fn update(room: Arc<Balancers>, mut cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    let balancer = handlers::visible::<LoadBalancer>(&room, &cx, &policy::UPDATE, &id).await?.into_thing();
    let mut input = document(&mut cx, LoadBalancer::ONE).await?;
    let (name, description) = (input.label("name")?, input.label("description")?);
    let (admin_state_up, tags) = (input.flag("admin_state_up")?, input.tags()?);
    input.nothing(&[
        ("vip_qos_policy_id", "There are no QoS policies."),
        ("vip_sg_ids", "Listeners say who may connect; the address has no security groups."),
    ])?;
    input.finish()?;
    let changed = room.change(cx.actor(), balancer.id.clone(), move |tx, edit| {
        let before = &edit.balancer;
        let mut after = before.clone();
        after.name = name.clone().unwrap_or(after.name);
        after.description = description.clone().unwrap_or(after.description);
        after.admin_state_up = admin_state_up.unwrap_or(after.admin_state_up);
        after.tags = tags.clone().unwrap_or(after.tags);
        after.updated_at = Some(Timestamp::now());
        after.save(tx, edit.actor, before)?;
        Ok(after.id)
    });
    let id = changed.await?;
    let changed = room.store.read(move |tx| LoadBalancer::get(tx, id.as_str())).await?;
    handlers::render(&room, &cx, StatusCode::OK, changed).await
}

async fn delete(room: Arc<Balancers>, cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    let balancer = handlers::visible::<LoadBalancer>(&room, &cx, &policy::DELETE, &id).await?;
    let is_cascade = cx.query().flag("cascade")?.unwrap_or(false);
    let (actor, id) = (cx.actor(), balancer.thing().id.clone());
    let of = id.clone();
    room.store.write(move |tx| table::begin_deletion(tx, &actor, &of, is_cascade)).await?;
    work::crash::point("balancer.deletion-begun");
    room.bell.ring_for([id.as_str()]);
    api::no_content()
}

async fn status(room: Arc<Balancers>, cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    let balancer = handlers::visible::<LoadBalancer>(&room, &cx, &policy::STATUS, &id).await?.into_thing();
    let tree = room.store.read(move |tx| Tree::read(tx, balancer.clone())).await?;
    api::json(StatusCode::OK, &view(&tree))
}

async fn stats(room: Arc<Balancers>, cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    let balancer = handlers::visible::<LoadBalancer>(&room, &cx, &policy::STATS, &id).await?;
    api::json(StatusCode::OK, &json!({"stats": provider::stats(&balancer.thing().provider)}))
}

/// What OVN carries is on every host, so that there is nowhere to go.
async fn failover(room: Arc<Balancers>, cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    let balancer = handlers::visible::<LoadBalancer>(&room, &cx, &policy::FAILOVER, &id).await?.into_thing();
    let what = "a failover: every host carries the load balancer, and none of them alone.".to_owned();
    Err(Error::Unsupported { provider: balancer.provider, what }.into())
}
