// SPDX-License-Identifier: Apache-2.0
//! The tables of groups and of who is in them.

use access::{Allowed, Scope};
use store::{Actor, Row, Select, Tx, params};
use types::{DomainId, GroupId, Timestamp, UserId};

use super::{Group, GroupUpdate, Membership, NewGroup};
use crate::{
    body::{merge, own_attributes, refuse_change},
    change,
    error::{Error, Result},
    power::Over,
    user::{User, table as users},
};

const COLUMNS: &str = "id, domain_id, name, description, extra";

/// The groups that the caller may see.
pub fn select(allowed: &Allowed<Scope>) -> Select {
    let select = Select::new("user_groups", COLUMNS);
    match allowed.scope() {
        Scope::All => select,
        Scope::Domain(own) => select.scope("domain_id = ", own),
        Scope::Project(_) | Scope::User { .. } => select.condition("1 = 0"),
    }
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<Group>> {
    select.rows(tx)?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &GroupId) -> Result<Group> {
    find(tx, id)?
        .filter(|group| allowed.scope().admits_domain(&group.domain_id))
        .ok_or_else(|| Error::out_of_reach(allowed, "group", id.as_str()))
}

/// The group, whoever asks: for targets of policies.
pub fn find(tx: &mut Tx, id: &GroupId) -> Result<Option<Group>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM user_groups WHERE id = $1"), &params![id])?;
    row.as_ref().map(read).transpose()
}

/// The groups that a user is in.
pub fn of_user(tx: &mut Tx, user: &UserId) -> Result<Vec<Membership>> {
    let sql = format!(
        "SELECT {COLUMNS}, CASE WHEN id IN (SELECT group_id FROM group_members WHERE user_id = $1) THEN NULL ELSE \
         (SELECT max(f.valid_until) FROM federated_memberships f WHERE f.user_id = $1 AND f.group_id = user_groups.id) END \
         FROM user_groups WHERE id IN (SELECT group_id FROM group_members WHERE user_id = $1) \
         OR id IN (SELECT group_id FROM federated_memberships WHERE user_id = $1 AND valid_until > $2) ORDER BY name, id"
    );
    let rows = tx.query(&sql, &params![user, Timestamp::now()])?;
    rows.iter().map(|row| Ok(Membership { group: read(row)?, membership_expires_at: row.get(5)? })).collect()
}

/// The users who are in a group.
pub fn members(tx: &mut Tx, group: &GroupId, of: Select) -> Result<Vec<User>> {
    let in_group = "EXISTS (SELECT 1 FROM group_members m WHERE m.user_id = users.id AND m.group_id = ?)";
    users::list(tx, &of.condition_with(in_group, vec![group.into()]))
}

pub fn is_member(tx: &mut Tx, group: &GroupId, user: &UserId) -> Result<bool> {
    let sql = "SELECT 1 FROM group_members WHERE group_id = $1 AND user_id = $2 UNION ALL \
               SELECT 1 FROM federated_memberships WHERE group_id = $1 AND user_id = $2 AND valid_until > $3";
    Ok(!tx.query(sql, &params![group, user, Timestamp::now()])?.is_empty())
}

pub fn create(tx: &mut Tx, allowed: &Allowed<Scope>, over: &Over<DomainId>, actor: &Actor, new: &NewGroup) -> Result<Group> {
    let domain_id = over.subject().clone();
    let known = tx.query_opt("SELECT 1 FROM domains WHERE id = $1", &params![&domain_id])?.is_some();
    if !known || !allowed.scope().admits_domain(&domain_id) {
        return Err(Error::out_of_reach(allowed, "domain", domain_id.as_str()));
    }
    let group = Group {
        id: GroupId::generate(),
        name: new.name.as_str().to_owned(),
        domain_id,
        description: new.description.clone().unwrap_or_default(),
        extra: own_attributes(new.extra.clone()),
    };
    let sql = "INSERT INTO user_groups (id, domain_id, name, description, extra) VALUES ($1, $2, $3, $4, $5)";
    let extra = serde_json::Value::Object(group.extra.clone());
    tx.execute(sql, &params![&group.id, &group.domain_id, &group.name, &group.description, extra])
        .map_err(|error| taken(error, &group))?;
    change::record(tx, actor, "group", group.id.as_str(), None, Some(&group))?;
    Ok(group)
}

pub fn update(tx: &mut Tx, allowed: &Allowed<Scope>, over: &Over<GroupId>, actor: &Actor, update: &GroupUpdate) -> Result<Group> {
    let id = over.subject();
    let before = get(tx, allowed, id)?;
    refuse_change("id", id.as_str(), &update.extra)?;
    refuse_change("domain_id", before.domain_id.as_str(), &update.extra)?;
    let mut group = before.clone();
    if let Some(name) = &update.name {
        group.name = name.as_str().to_owned();
    }
    if let Some(description) = &update.description {
        group.description = description.clone().unwrap_or_default();
    }
    merge(&mut group.extra, update.extra.clone(), &["domain_id"]);
    let extra = serde_json::Value::Object(group.extra.clone());
    let sql = "UPDATE user_groups SET name = $2, description = $3, extra = $4 WHERE id = $1";
    tx.execute(sql, &params![id, &group.name, &group.description, extra]).map_err(|error| taken(error, &group))?;
    change::record(tx, actor, "group", id.as_str(), Some(&before), Some(&group))?;
    Ok(group)
}

pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, over: &Over<GroupId>, actor: &Actor) -> Result<()> {
    let id = over.subject();
    let group = get(tx, allowed, id)?;
    for sql in [
        "DELETE FROM role_assignments WHERE actor_kind = 'group' AND actor_id = $1",
        "DELETE FROM group_members WHERE group_id = $1",
        "DELETE FROM user_groups WHERE id = $1",
    ] {
        tx.execute(sql, &params![id])?;
    }
    change::record(tx, actor, "group", id.as_str(), Some(&group), None)
}

/// A user in a group, as it is or might be.
#[derive(Debug, Clone)]
pub struct Member {
    pub group: GroupId,
    pub user: UserId,
}

/// Puts a user into a group; that the user is there already is no error.
pub fn add(tx: &mut Tx, allowed: &Allowed<Member>, over: &Over<GroupId>, actor: &Actor) -> Result<()> {
    let Member { group, user } = allowed.thing();
    over.is_of(group)?;
    let sql = "INSERT INTO group_members (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    tx.execute(sql, &params![group, user])?;
    membership_changed(tx, actor, group, user, None, Some("member"))
}

pub fn remove(tx: &mut Tx, allowed: &Allowed<Member>, over: &Over<GroupId>, actor: &Actor) -> Result<()> {
    let Member { group, user } = allowed.thing();
    over.is_of(group)?;
    let sql = "DELETE FROM group_members WHERE group_id = $1 AND user_id = $2";
    if tx.execute(sql, &params![group, user])? == 0 {
        return Err(Error::NotFound { kind: "user in group", id: user.as_str().to_owned() });
    }
    membership_changed(tx, actor, group, user, Some("member"), None)
}

fn membership_changed(
    tx: &mut Tx,
    actor: &Actor,
    group: &GroupId,
    user: &UserId,
    before: Option<&str>,
    after: Option<&str>,
) -> Result<()> {
    let state = |word: &str| serde_json::json!({"group_id": group, "user_id": user, "is": word});
    let (before, after) = (before.map(state), after.map(state));
    change::record(tx, actor, "group_member", group.as_str(), before.as_ref(), after.as_ref())
}

fn taken(error: store::Error, group: &Group) -> Error {
    Error::name_taken(error, "group", &group.name, &format!(" at domain ID {}", group.domain_id))
}

fn read(row: &Row) -> Result<Group> {
    Ok(Group { id: row.get(0)?, domain_id: row.get(1)?, name: row.get(2)?, description: row.get(3)?, extra: row.json(4)? })
}
