// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/lbaas/pools/{pool}/members`.

use std::sync::Arc;

use api::{Access, Cx, Reply, Routes};
use http::StatusCode;

use super::{
    Member, batch, policy,
    says::{Place, Says},
    table::{add, change, of_pool, pool},
};
use crate::{
    Balancers,
    input::document,
    thing::{Shown, Thing, handlers},
};

const ALL: &str = "/v2.0/lbaas/pools/{pool}/members";
const ONE: &str = "/v2.0/lbaas/pools/{pool}/members/{id}";

pub(super) fn routes() -> Routes<Balancers> {
    Routes::new()
        .get(ALL, Access::Asks(&policy::LIST), list)
        .post(ALL, Access::Asks(&policy::CREATE), create)
        .put(ALL, Access::Asks(&policy::UPDATE), batch::replace)
        .get(ONE, Access::Asks(&policy::SHOW), show)
        .put(ONE, Access::Asks(&policy::UPDATE), update)
        .delete(ONE, Access::Asks(&policy::DELETE), delete)
}

async fn list(room: Arc<Balancers>, cx: Cx) -> Reply {
    let pool = pool(&room, &cx, &policy::LIST).await?;
    let scope = access::Scope::Project(pool.project_id.clone());
    handlers::page::<Member>(&room, &cx, &scope, Member::select().filter("pool_id = ", &pool.id)).await
}

async fn show(room: Arc<Balancers>, cx: Cx) -> Reply {
    let pool = pool(&room, &cx, &policy::SHOW).await?;
    let id = cx.param("id").to_owned();
    let member = room.store.read(move |tx| of_pool(tx, &pool, &id)).await?;
    handlers::render(&room, &cx, StatusCode::OK, member).await
}

async fn create(room: Arc<Balancers>, mut cx: Cx) -> Reply {
    let mut input = document(&mut cx, Member::ONE).await?;
    let place = Place::read(&room, &cx, &mut input).await?;
    let says = Says::read(&mut input)?;
    // Whose it is follows from its pool.
    let _ = input.owner(&cx);
    input.finish()?;
    let pool = pool(&room, &cx, &policy::CREATE).await?;
    let made = room.change(cx.actor(), pool.load_balancer_id.clone(), move |tx, edit| add(tx, edit, &pool, &place, &says));
    let made = made.await?;
    let made = room.store.read(move |tx| Member::get(tx, made.id.as_str())).await?;
    handlers::render(&room, &cx, StatusCode::CREATED, made).await
}

async fn update(room: Arc<Balancers>, mut cx: Cx) -> Reply {
    let mut input = document(&mut cx, Member::ONE).await?;
    let says = Says::read(&mut input)?;
    input.finish()?;
    let pool = pool(&room, &cx, &policy::UPDATE).await?;
    let id = cx.param("id").to_owned();
    let changed = room.change(cx.actor(), pool.load_balancer_id.clone(), move |tx, edit| {
        let before = of_pool(tx, &pool, &id)?;
        change(tx, edit, &before, &says)
    });
    let changed = changed.await?;
    let changed = room.store.read(move |tx| Member::get(tx, changed.id.as_str())).await?;
    handlers::render(&room, &cx, StatusCode::OK, changed).await
}

async fn delete(room: Arc<Balancers>, cx: Cx) -> Reply {
    let pool = pool(&room, &cx, &policy::DELETE).await?;
    let id = cx.param("id").to_owned();
    let gone = room.change(cx.actor(), pool.load_balancer_id.clone(), move |tx, edit| {
        let member = of_pool(tx, &pool, &id)?;
        member.remove(tx, edit.actor)
    });
    gone.await?;
    api::no_content()
}
