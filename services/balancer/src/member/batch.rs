// SPDX-License-Identifier: Apache-2.0
//! `PUT /v2.0/lbaas/pools/{pool}/members`: all members of a pool at once, in one transaction. What is there and is named stays,
//! with what is said of it; what is not named goes, unless the query says `additive_only`.

use std::sync::Arc;

use api::{Cx, Reply};
use http::StatusCode;

use super::{
    Member, policy,
    says::{Place, Says},
    table::{change, insert, make_room, pool},
};
use crate::{
    Balancers,
    error::{Error, Result},
    input::documents,
    thing::{Shown, Thing},
};

pub(super) async fn replace(room: Arc<Balancers>, mut cx: Cx) -> Reply {
    let pool = pool(&room, &cx, &policy::UPDATE).await?;
    let is_additive = cx.query().flag("additive_only")?.unwrap_or(false);
    let mut wanted: Vec<(Place, Says)> = Vec::new();
    for mut input in documents(&mut cx, Member::MANY).await? {
        let place = Place::read(&room, &cx, &mut input).await?;
        let says = Says::read(&mut input)?;
        let _ = input.owner(&cx);
        input.finish()?;
        if wanted.iter().any(|(other, _)| (other.address, other.port) == (place.address, place.port)) {
            let message = format!("Member {}:{} is named twice.", place.address, place.port);
            return Err(Error::invalid(message).into());
        }
        wanted.push((place, says));
    }
    let changed = room.change(cx.actor(), pool.load_balancer_id.clone(), move |tx, edit| -> Result<()> {
        let there: Vec<Member> =
            Member::of(tx, &edit.balancer.id)?.into_iter().filter(|member| member.pool_id == pool.id).collect();
        for member in &there {
            match wanted.iter().find(|(place, _)| place.is_of(member)) {
                Some((_, says)) => drop(change(tx, edit, member, says)?),
                None if is_additive => {}
                None => member.remove(tx, edit.actor)?,
            }
        }
        let new: Vec<_> = wanted.iter().filter(|(place, _)| !there.iter().any(|member| place.is_of(member))).collect();
        if !new.is_empty() {
            make_room(tx, &pool, new.len())?;
        }
        new.into_iter().try_for_each(|(place, says)| insert(tx, edit, &pool, place, says).map(drop))
    });
    changed.await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}
