// SPDX-License-Identifier: Apache-2.0
//! How limits and registered limits are made, changed and deleted: many are made in one request, all or none.

use std::sync::Arc;

use access::{Allowed, Scope};
use api::{Cx, Fault, Reply, no_content};
use serde::de::DeserializeOwned;
use store::{Actor, Tx};

use crate::{
    Identity,
    error::Result,
    reply::{self, Resource},
    settings::LimitModel,
};

/// A kind of limit.
pub trait Changeable: Resource + Sized + Send + 'static {
    /// What the path calls its id.
    const ID: &'static str;
    type New: DeserializeOwned + Send + Sync + 'static;
    type Update: DeserializeOwned + Send + Sync + 'static;

    fn create(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, new: &Self::New) -> Result<Self>;
    fn update(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str, update: &Self::Update) -> Result<Self>;
    fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, actor: &Actor, id: &str) -> Result<()>;

    /// Refuses what was just written if it does not fit to the others.
    fn check(&self, _: &mut Tx, _: LimitModel) -> Result<()> {
        Ok(())
    }
}

pub async fn create<L: Changeable>(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: Vec<L::New> = cx.document(L::MANY).await?;
    if new.is_empty() {
        return Err(Fault::bad_request(format!("Invalid input for field/attribute {}: it names at least one.", L::MANY)));
    }
    let (allowed, actor, model) = (cx.allowed()?.clone(), cx.actor(), room.settings.limit_model);
    let made = room.write(move |tx| {
        let made = new.iter().map(|new| L::create(tx, &allowed, &actor, new)).collect::<Result<Vec<_>>>()?;
        // Only now: those of one request may lean on each other.
        made.iter().try_for_each(|limit| limit.check(tx, model))?;
        Ok(made)
    });
    reply::created_many(&cx, &made.await?)
}

pub async fn update<L: Changeable>(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: L::Update = cx.document(L::ONE).await?;
    let (allowed, actor, id, model) = (cx.allowed()?.clone(), cx.actor(), id::<L>(&cx), room.settings.limit_model);
    let changed = room.write(move |tx| {
        let changed = L::update(tx, &allowed, &actor, &id, &update)?;
        changed.check(tx, model)?;
        Ok(changed)
    });
    reply::show(&cx, &changed.await?)
}

pub async fn delete<L: Changeable>(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, id) = (cx.allowed()?.clone(), cx.actor(), id::<L>(&cx));
    room.write(move |tx| L::delete(tx, &allowed, &actor, &id)).await?;
    no_content()
}

pub fn id<L: Changeable>(cx: &Cx) -> String {
    cx.param(L::ID).to_owned()
}
