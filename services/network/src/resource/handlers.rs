// SPDX-License-Identifier: Apache-2.0
//! The handlers that serve every kind of resource.

use std::sync::Arc;

use access::{Allowed, Scope, Target};
use api::{Cx, Fault, Reply, no_content};
use http::StatusCode;
use store::Tx;

use super::{By, Served, Shown};
use crate::{
    Result, Room, input,
    listing::{self, Listing, check_revision},
    who::Doer,
};

pub async fn list<R: Shown>(room: Arc<Room>, cx: Cx) -> Reply {
    let listing = R::listing(&cx)?;
    let (Some(listing), Ok(scope)) = (listing, cx.scope(R::GET)) else {
        return listing::one(&cx, StatusCode::OK, R::MANY, &[(); 0]);
    };
    let page = listing.clone();
    let found = room.list(move |tx| {
        let rows = page.ordered(rows_of::<R>(tx, scope.scope(), &page)?);
        let ends = rows.first().zip(rows.last()).map(|(first, last)| [first.id().to_owned(), last.id().to_owned()]);
        Ok((ends, R::with_rest(tx, rows)?))
    });
    let (ends, found) = found.await?;
    let views: Vec<_> = found.into_iter().map(|found| R::view(&room, &cx, found)).collect();
    listing.answer(&cx, R::MANY, &views, ends)
}

/// The rows of a page. One that is cut by ids alone costs what it holds, however many rows there are beside it.
fn rows_of<R: Shown>(tx: &mut Tx, scope: &Scope, page: &Listing) -> Result<Vec<R>> {
    let Some(limit) = page.limit_by_id() else {
        let select = R::narrow(page.apply(R::within(R::select(), scope)), page)?;
        return R::rows(tx, select);
    };
    let mut rows = Vec::new();
    for sight in R::sights(R::select(), scope) {
        rows.extend(R::rows(tx, R::narrow(page.apply(sight), page)?)?);
    }
    rows.sort_by(|one: &R, other| page.order_of_ids(one.id(), other.id()));
    rows.truncate(limit);
    Ok(rows)
}

pub async fn show<R: Shown>(room: Arc<Room>, cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    let scope = sight::<R>(&cx, &id)?;
    let found = room.read(move |tx| R::find(tx, &scope, &id)?.with_rest_of_one(tx)).await?;
    listing::one(&cx, StatusCode::OK, R::ONE, &R::view(&room, &cx, found))
}

/// One, or in one transaction as many as the request lists.
pub async fn create<R: Served>(room: Arc<Room>, mut cx: Cx) -> Reply {
    let (inputs, in_bulk) = input::documents(&mut cx, R::ONE, R::MANY).await?;
    let by = By::new(&room, Doer::of(&cx)?);
    let mut asks = Vec::with_capacity(inputs.len());
    for input in inputs {
        let (ask, target) = R::read_create(&room, &cx, input).await?;
        asks.push(cx.allow(R::CREATE, &target, ask)?);
    }
    let made = room.write(move |tx| asks.iter().map(|ask| R::create(tx, &by, ask)).collect::<Result<Vec<_>>>()).await?;
    let views: Vec<_> = made.into_iter().map(|found| R::view(&room, &cx, found)).collect();
    listing::created(&cx, R::ONE, R::MANY, &views, in_bulk)
}

pub async fn update<R: Served>(room: Arc<Room>, mut cx: Cx) -> Reply {
    let (row, target) = visible::<R>(&room, &cx, cx.param("id")).await?;
    let input = input::document(&mut cx, R::ONE).await?;
    let ask = row.read_update(&room, &cx, input, &target).await?;
    let by = By::new(&room, Doer::of(&cx)?);
    let allowed = cx.allow(R::UPDATE, &target, row.id().to_owned())?;
    let revision = listing::demanded_revision(&cx)?;
    let found = room.write(move |tx| {
        let row = allowed.try_of(|id| R::get(tx, id))?;
        check_revision(revision, row.thing().generation())?;
        R::update(tx, &by, &row, &ask)
    });
    let found = found.await?;
    listing::one(&cx, StatusCode::OK, R::ONE, &R::view(&room, &cx, found))
}

pub async fn delete<R: Served>(room: Arc<Room>, cx: Cx) -> Reply {
    let (row, target) = visible::<R>(&room, &cx, cx.param("id")).await?;
    let by = By::new(&room, Doer::of(&cx)?);
    let allowed = cx.allow(R::DELETE, &target, row.id().to_owned())?;
    row.check_delete(&cx)?;
    let revision = listing::demanded_revision(&cx)?;
    let gone = room.write(move |tx| {
        let row = allowed.try_of(|id| R::get(tx, id))?;
        check_revision(revision, row.thing().generation())?;
        R::delete(tx, &by, &row)
    });
    gone.await?;
    no_content()
}

/// How far the caller sees things of this kind; who sees none does not see this one.
fn sight<R: Shown>(cx: &Cx, id: &str) -> Result<Allowed<Scope>, Fault> {
    cx.scope(R::GET).map_err(|_| R::missing(id).into())
}

/// The row, if the caller may see it at all, and what a rule may ask about it; else it does not exist for him.
pub async fn visible<R: Shown>(room: &Arc<Room>, cx: &Cx, id: &str) -> Result<(R, Target), Fault> {
    let (scope, id) = (sight::<R>(cx, id)?, id.to_owned());
    let seen = room.read(move |tx| {
        let row = R::find(tx, &scope, &id)?;
        let target = row.target(tx)?;
        Ok((row, target))
    });
    seen.await
}
