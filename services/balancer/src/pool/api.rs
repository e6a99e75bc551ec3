// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/lbaas/pools`.

use std::sync::Arc;

use api::{Access, Cx, Fault, Reply, Routes};
use http::StatusCode;
use types::{PoolId, Timestamp};

use super::{PROTOCOLS, Pool, policy, says::Says};
use crate::{
    Balancers,
    error::{Error, Result},
    health_monitor::HealthMonitor,
    input::document,
    listener::{Listener, fitting_pools},
    load_balancer::LoadBalancer,
    member::Member,
    quota,
    thing::{Shown, Thing, handlers},
};

const ALL: &str = "/v2.0/lbaas/pools";
const ONE: &str = "/v2.0/lbaas/pools/{id}";

pub(super) fn routes() -> Routes<Balancers> {
    Routes::new()
        .get(ALL, &policy::LIST, handlers::list::<Pool>)
        .post(ALL, Access::Asks(&policy::CREATE), create)
        .get(ONE, Access::Asks(&policy::SHOW), handlers::show::<Pool>)
        .put(ONE, Access::Asks(&policy::UPDATE), update)
        .delete(ONE, Access::Asks(&policy::DELETE), delete)
}

async fn create(room: Arc<Balancers>, mut cx: Cx) -> Reply {
    let mut input = document(&mut cx, Pool::ONE).await?;
    let balancer = input.id("loadbalancer_id")?.flatten();
    let listener = input.id("listener_id")?.flatten();
    let protocol = input.required_word("protocol", &PROTOCOLS)?;
    let says = Says::read(&mut input)?;
    let algorithm = input.required("lb_algorithm", says.lb_algorithm.clone())?;
    input.nothing(&[
        ("members", "Members are added one by one, or by a batch update."),
        ("healthmonitor", "A health monitor is made once there is the pool."),
    ])?;
    // Whose it is follows from its load balancer.
    let _ = input.owner(&cx);
    input.finish()?;
    let balancer = match (balancer, &listener) {
        (Some(balancer), _) => balancer,
        (None, Some(listener)) => {
            let id = listener.clone();
            room.store.read(move |tx| Listener::get(tx, &id)).await?.load_balancer_id.into_string()
        }
        (None, None) => {
            return Err(Fault::bad_request("Validation failure: Must provide at least one of: loadbalancer_id or listener_id"));
        }
    };
    let balancer = handlers::visible::<LoadBalancer>(&room, &cx, &policy::CREATE, &balancer).await?.into_thing();
    let made = room.change(cx.actor(), balancer.id.clone(), move |tx, edit| {
        quota::take(tx, &edit.balancer.project_id, &quota::POOLS, 1)?;
        let mut pool = Pool {
            id: PoolId::generate(),
            project_id: edit.balancer.project_id.clone(),
            load_balancer_id: edit.balancer.id.clone(),
            name: String::new(),
            description: String::new(),
            admin_state_up: true,
            tags: Vec::new(),
            protocol: protocol.clone(),
            lb_algorithm: algorithm.clone(),
            session_persistence: None,
            provisioning_status: "PENDING_CREATE".to_owned(),
            operating_status: "OFFLINE".to_owned(),
            changed_in: edit.balancer.generation,
            created_at: Timestamp::now(),
            updated_at: None,
        };
        says.apply(&mut pool);
        pool.insert(tx, edit.actor)?;
        if let Some(listener) = &listener {
            let before = Listener::get(tx, listener)?;
            if before.load_balancer_id != edit.balancer.id {
                return Err(Error::missing(Listener::WORD, listener));
            }
            if before.default_pool_id.is_some() {
                return Err(Error::conflict("This listener already has a default pool."));
            }
            if !fitting_pools(&before.protocol).contains(&pool.protocol.as_str()) {
                return Err(Error::invalid(format!(
                    "The pool protocol '{}' is invalid while the listener protocol is '{}'.",
                    pool.protocol, before.protocol
                )));
            }
            let mut after = before.clone();
            after.default_pool_id = Some(pool.id.clone());
            edit.touch(&mut after.provisioning_status, &mut after.changed_in);
            after.save(tx, edit.actor, &before)?;
        }
        Ok(pool.id)
    });
    let id = made.await?;
    let made = room.store.read(move |tx| Pool::get(tx, id.as_str())).await?;
    handlers::render(&room, &cx, StatusCode::CREATED, made).await
}

async fn update(room: Arc<Balancers>, mut cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    let pool = handlers::visible::<Pool>(&room, &cx, &policy::UPDATE, &id).await?.into_thing();
    let mut input = document(&mut cx, Pool::ONE).await?;
    let says = Says::read(&mut input)?;
    input.finish()?;
    let changed = room.change(cx.actor(), pool.load_balancer_id, move |tx, edit| {
        let before = Pool::get(tx, &id)?;
        let mut after = before.clone();
        says.apply(&mut after);
        edit.touch(&mut after.provisioning_status, &mut after.changed_in);
        after.updated_at = Some(Timestamp::now());
        after.save(tx, edit.actor, &before)?;
        Ok(after.id)
    });
    let id = changed.await?;
    let changed = room.store.read(move |tx| Pool::get(tx, id.as_str())).await?;
    handlers::render(&room, &cx, StatusCode::OK, changed).await
}

/// With its members and its health monitor; listeners that led to it lead nowhere.
async fn delete(room: Arc<Balancers>, cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    let pool = handlers::visible::<Pool>(&room, &cx, &policy::DELETE, &id).await?.into_thing();
    let gone = room.change(cx.actor(), pool.load_balancer_id, move |tx, edit| -> Result<()> {
        let Some(pool) = Pool::find(tx, &id)? else { return Ok(()) };
        for before in Listener::of(tx, &edit.balancer.id)? {
            if before.default_pool_id.as_ref() == Some(&pool.id) {
                let mut after = before.clone();
                after.default_pool_id = None;
                edit.touch(&mut after.provisioning_status, &mut after.changed_in);
                after.save(tx, edit.actor, &before)?;
            }
        }
        for monitor in HealthMonitor::of(tx, &edit.balancer.id)?.iter().filter(|monitor| monitor.pool_id == pool.id) {
            monitor.remove(tx, edit.actor)?;
        }
        for member in Member::of(tx, &edit.balancer.id)?.iter().filter(|member| member.pool_id == pool.id) {
            member.remove(tx, edit.actor)?;
        }
        pool.remove(tx, edit.actor)
    });
    gone.await?;
    api::no_content()
}
