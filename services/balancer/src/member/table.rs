// SPDX-License-Identifier: Apache-2.0
//! Members in their pools: found, added and changed.

use access::Policy;
use api::{Cx, Fault};
use store::Tx;
use types::Timestamp;

use super::{
    Member,
    says::{Place, Says},
};
use crate::{
    Balancers, Edit,
    error::{Error, Result},
    pool::Pool,
    quota,
    thing::{Thing, handlers},
};

/// The pool that the path names, with the yes to this policy.
pub(super) async fn pool(room: &Balancers, cx: &Cx, policy: &'static Policy) -> Result<Pool, Fault> {
    Ok(handlers::visible::<Pool>(room, cx, policy, cx.param("pool")).await?.into_thing())
}

/// The member that the path names, if it is of the pool that it names.
pub(super) fn of_pool(tx: &mut Tx, pool: &Pool, id: &str) -> Result<Member> {
    let member = Member::find(tx, id)?.filter(|member| member.pool_id == pool.id);
    member.ok_or_else(|| Error::missing(Member::WORD, id))
}

pub(super) fn add(tx: &mut Tx, edit: &Edit<'_>, pool: &Pool, place: &Place, says: &Says) -> Result<Member> {
    if Member::of(tx, &edit.balancer.id)?.iter().any(|member| member.pool_id == pool.id && place.is_of(member)) {
        return Err(Error::conflict(format!(
            "Another member on this pool is already using ip {} on protocol_port {}",
            place.address, place.port
        )));
    }
    make_room(tx, pool, 1)?;
    insert(tx, edit, pool, place, says)
}

/// So many more members of a pool that is there.
pub(super) fn make_room(tx: &mut Tx, pool: &Pool, more: usize) -> Result<()> {
    // One that went meanwhile has none.
    Pool::get(tx, pool.id.as_str())?;
    quota::take(tx, &pool.project_id, &quota::MEMBERS, i64::try_from(more).unwrap_or(i64::MAX))
}

/// For who has looked that there is no such member, and made room.
pub(super) fn insert(tx: &mut Tx, edit: &Edit<'_>, pool: &Pool, place: &Place, says: &Says) -> Result<Member> {
    let mut member = place.member(edit, pool);
    says.apply(&mut member);
    member.insert(tx, edit.actor)?;
    Ok(member)
}

pub(super) fn change(tx: &mut Tx, edit: &Edit<'_>, before: &Member, says: &Says) -> Result<Member> {
    let mut after = before.clone();
    says.apply(&mut after);
    edit.touch(&mut after.provisioning_status, &mut after.changed_in);
    after.updated_at = Some(Timestamp::now());
    after.save(tx, edit.actor, before)?;
    Ok(after)
}
