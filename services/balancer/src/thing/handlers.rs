// SPDX-License-Identifier: Apache-2.0
//! The handlers that serve every kind of thing.
//!
//! Whoever asks for what another project has is told that he may not, as Octavia tells him; what nobody has is not found.

use std::sync::Arc;

use access::{Allowed, Policy, Scope, Target};
use api::{Cx, Fault, Reply};
use http::StatusCode;
use serde_json::{Value, json};
use store::Select;

use super::{
    Shown, Thing,
    listing::{self, Listing},
};
use crate::{
    Balancers,
    error::{Error, denied},
};

pub(crate) async fn list<T: Shown>(room: Arc<Balancers>, cx: Cx) -> Reply {
    let scope = cx.allowed()?.scope().clone();
    page::<T>(&room, &cx, &scope, T::select()).await
}

/// Those of a query that the caller sees and asks for.
pub(crate) async fn page<T: Shown>(room: &Balancers, cx: &Cx, scope: &Scope, select: Select) -> Reply {
    let (listing, select) = Listing::read(cx, T::ATTRIBUTES, scope, select)?;
    let is_reverse = listing.is_reverse();
    let read = room.store.list(move |tx| -> Result<_, Error> {
        let mut rows = T::rows(tx, &select)?;
        if is_reverse {
            rows.reverse();
        }
        T::views(tx, rows)
    });
    listing.answer(cx, T::MANY, read.await?)
}

pub(crate) async fn show<T: Shown>(room: Arc<Balancers>, cx: Cx) -> Reply {
    let thing = visible::<T>(&room, &cx, T::SHOW, cx.param("id")).await?;
    render(&room, &cx, StatusCode::OK, thing.into_thing()).await
}

/// The thing of this id, if there is one, with the yes to this policy.
pub(crate) async fn visible<T: Thing>(room: &Balancers, cx: &Cx, policy: &'static Policy, id: &str) -> Result<Allowed<T>, Fault> {
    let id = id.to_owned();
    let thing = room.store.read(move |tx| T::get(tx, &id)).await?;
    let target = Target::in_project(thing.project_id());
    cx.allow(policy, &target, thing).map_err(|_| denied())
}

pub(crate) async fn render<T: Shown>(room: &Balancers, cx: &Cx, status: StatusCode, thing: T) -> Reply {
    let view = room.store.read(move |tx| thing.clone().view(tx)).await?;
    one::<T>(cx, status, view)
}

pub(crate) fn one<T: Shown>(cx: &Cx, status: StatusCode, view: Value) -> Reply {
    api::json(status, &json!({ T::ONE: listing::with_fields(cx, view) }))
}
