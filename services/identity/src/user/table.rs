// SPDX-License-Identifier: Apache-2.0
//! The table of users.

use access::{Allowed, Scope};
use evidence::DomainRef;
use store::{Actor, Row, Select, Tx, params};
use types::{DomainId, Timestamp, UserId};

use super::{
    Account, NewUser, User, UserRef, UserUpdate,
    options::{self, UserOptions},
    password::Hashed,
};
use crate::{
    body::{Extra, merge, own_attributes, refuse_change},
    change,
    error::{Error, Result},
    federation::shadow::links,
    power::Over,
};

const COLUMNS: &str = "id, domain_id, name, enabled, default_project_id, options, extra, password_expires_at";

/// The users that the caller may see.
pub fn select(allowed: &Allowed<Scope>) -> Select {
    let select = Select::new("users", COLUMNS);
    match allowed.scope() {
        Scope::All => select,
        Scope::Domain(own) => select.scope("domain_id = ", own),
        Scope::User { user, .. } => select.scope("id = ", user),
        Scope::Project(_) => select.condition("1 = 0"),
    }
}

pub fn list(tx: &mut Tx, select: &Select) -> Result<Vec<User>> {
    select.rows(tx)?.iter().map(read).collect()
}

pub fn get(tx: &mut Tx, allowed: &Allowed<Scope>, id: &UserId) -> Result<User> {
    let admitted = |user: &User| match allowed.scope() {
        Scope::User { user: own, .. } => *own == user.id,
        other => other.admits_domain(&user.domain_id),
    };
    find(tx, id)?.filter(admitted).ok_or_else(|| Error::out_of_reach(allowed, "user", id.as_str()))
}

/// The user, whoever asks: for targets of policies.
pub fn find(tx: &mut Tx, id: &UserId) -> Result<Option<User>> {
    let row = tx.query_opt(&format!("SELECT {COLUMNS} FROM users WHERE id = $1"), &params![id])?;
    let Some(mut user) = row.as_ref().map(read).transpose()? else { return Ok(None) };
    user.federated = links::of_user(tx, id)?;
    Ok(Some(user))
}

/// What a login, and every check of a token, needs to know.
pub fn account(tx: &mut Tx, user: &UserRef) -> Result<Option<Account>> {
    const SELECT: &str = "SELECT u.id, u.name, u.enabled, d.id, d.name, d.enabled, u.default_project_id, u.password_hash, \
                          u.tokens_void_until, u.password_created_at, u.password_expires_at, u.password_is_own, u.options, \
                          u.created_at, u.last_active_at, u.failed_logins, u.last_failed_at FROM users u JOIN domains d ON d.id = u.domain_id WHERE ";
    let (condition, values) = match user {
        UserRef::Id(id) => ("u.id = $1", params![id].to_vec()),
        UserRef::Name { name, domain: DomainRef::Id(id) } => ("u.name = $1 AND d.id = $2", params![name, id].to_vec()),
        UserRef::Name { name, domain: DomainRef::Name(domain) } => {
            ("u.name = $1 AND d.name = $2", params![name, domain].to_vec())
        }
    };
    let Some(row) = tx.query_opt(&format!("{SELECT}{condition}"), &values)? else { return Ok(None) };
    Ok(Some(Account {
        id: row.get(0)?,
        name: row.get(1)?,
        enabled: row.get(2)?,
        domain_id: row.get(3)?,
        domain_name: row.get(4)?,
        domain_enabled: row.get(5)?,
        default_project_id: row.get(6)?,
        password_hash: row.get(7)?,
        tokens_void_until: row.get(8)?,
        password_created_at: row.get(9)?,
        password_expires_at: row.get(10)?,
        password_is_own: row.get(11)?,
        options: UserOptions::of(row.json(12)?),
        created_at: row.get(13)?,
        last_active_at: row.get(14)?,
        failed_logins: row.get(15)?,
        last_failed_at: row.get(16)?,
    }))
}

pub fn create(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    over: &Over<DomainId>,
    actor: &Actor,
    new: &NewUser,
    password: Option<&Hashed>,
) -> Result<User> {
    let domain_id = over.subject().clone();
    let known = tx.query_opt("SELECT 1 FROM domains WHERE id = $1", &params![&domain_id])?.is_some();
    if !known || !allowed.scope().admits_domain(&domain_id) {
        return Err(Error::out_of_reach(allowed, "domain", domain_id.as_str()));
    }
    let mut options = Extra::new();
    options::merge(&mut options, &new.options)?;
    let user = User {
        id: UserId::generate(),
        name: new.name.as_str().to_owned(),
        domain_id,
        enabled: new.enabled,
        default_project_id: new.default_project_id.clone(),
        password_expires_at: password.and_then(|password| password.expires_at(&UserOptions::of(options.clone()))),
        options,
        federated: new.federated.clone(),
        extra: own_attributes(new.extra.clone()),
    };
    let sql = "INSERT INTO users (id, domain_id, name, enabled, default_project_id, tokens_void_until, options, extra, \
               created_at) VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8)";
    let (options, extra) = documents(&user);
    let row = params![
        &user.id,
        &user.domain_id,
        &user.name,
        user.enabled,
        user.default_project_id.as_ref(),
        options,
        extra,
        Timestamp::now(),
    ];
    tx.execute(sql, &row).map_err(|error| taken(error, &user))?;
    if !user.federated.is_empty() {
        links::replace(tx, &over.with(user.id.clone()), &user.federated)?;
    }
    if let Some(password) = password {
        password.set(tx, &user.id, &UserOptions::of(user.options.clone()))?;
    }
    change::record(tx, actor, "user", user.id.as_str(), None, Some(&user))?;
    Ok(user)
}

pub fn update(
    tx: &mut Tx,
    allowed: &Allowed<Scope>,
    over: &Over<UserId>,
    actor: &Actor,
    update: &UserUpdate,
    password: Option<&Hashed>,
) -> Result<User> {
    let id = over.subject();
    let before = get(tx, allowed, id)?;
    refuse_change("id", id.as_str(), &update.extra)?;
    refuse_change("domain_id", before.domain_id.as_str(), &update.extra)?;
    let mut user = before.clone();
    if let Some(name) = &update.name {
        user.name = name.as_str().to_owned();
    }
    if let Some(enabled) = update.enabled {
        user.enabled = enabled;
    }
    if let Some(project) = &update.default_project_id {
        user.default_project_id = project.clone();
    }
    if let Some(options) = &update.options {
        options::merge(&mut user.options, options)?;
    }
    merge(&mut user.extra, update.extra.clone(), &["domain_id"]);
    let sql = "UPDATE users SET name = $2, enabled = $3, default_project_id = $4, options = $5, extra = $6 WHERE id = $1";
    let (options, extra) = documents(&user);
    tx.execute(sql, &params![id, &user.name, user.enabled, user.default_project_id.as_ref(), options, extra])
        .map_err(|error| taken(error, &user))?;
    if !update.federated.is_empty() {
        links::replace(tx, over, &update.federated)?;
        user.federated.clone_from(&update.federated);
    }
    if update.enabled.is_some() {
        // It is an administrator's word now, not the rule's for inactive users.
        tx.execute("UPDATE users SET closed_for_inactivity = 0 WHERE id = $1", &params![id])?;
    }
    if update.enabled == Some(true) {
        // Whoever enables a user opens the account again, whatever closed it.
        forget_failures(tx, id)?;
        note_activity(tx, id)?;
    }
    if let Some(password) = password {
        let options = UserOptions::of(user.options.clone());
        password.set(tx, id, &options)?;
        user.password_expires_at = password.expires_at(&options);
    }
    if !user.enabled || password.is_some() {
        void_tokens(tx, id)?;
    }
    change::record(tx, actor, "user", id.as_str(), Some(&before), Some(&user))?;
    Ok(user)
}

/// A new password, with no other change. The event says that it changed.
pub fn change_password(tx: &mut Tx, actor: &Actor, id: &UserId, password: &Hashed) -> Result<()> {
    let before = find(tx, id)?.ok_or_else(|| Error::not_found("user", id.as_str()))?;
    password.set(tx, id, &UserOptions::of(before.options.clone()))?;
    void_tokens(tx, id)?;
    let after = find(tx, id)?;
    change::record(tx, actor, "user", id.as_str(), Some(&before), after.as_ref())
}

/// After a right password the wrong ones before it do not count.
pub fn forget_failures(tx: &mut Tx, id: &UserId) -> Result<()> {
    tx.execute("UPDATE users SET failed_logins = 0, last_failed_at = NULL WHERE id = $1", &params![id])?;
    Ok(())
}

pub fn note_activity(tx: &mut Tx, id: &UserId) -> Result<()> {
    tx.execute("UPDATE users SET last_active_at = $2 WHERE id = $1", &params![id, Timestamp::now()])?;
    Ok(())
}

/// Replaces an outdated hash of the same password: nothing that anyone could notice.
pub fn refresh_hash(tx: &mut Tx, id: &UserId, outdated: &str, hash: &str) -> Result<()> {
    tx.execute("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2", &params![id, outdated, hash])?;
    Ok(())
}

pub fn delete(tx: &mut Tx, allowed: &Allowed<Scope>, over: &Over<UserId>, actor: &Actor) -> Result<()> {
    let id = over.subject();
    let user = get(tx, allowed, id)?;
    for sql in [
        "DELETE FROM former_passwords WHERE user_id = $1",
        "DELETE FROM used_passcodes WHERE user_id = $1",
        "DELETE FROM application_credentials WHERE user_id = $1",
        "DELETE FROM role_assignments WHERE actor_kind = 'user' AND actor_id = $1",
        "DELETE FROM group_members WHERE user_id = $1",
        "DELETE FROM users WHERE id = $1",
    ] {
        tx.execute(sql, &params![id])?;
    }
    change::record(tx, actor, "user", id.as_str(), Some(&user), None)
}

/// Voids every token that there is. One may be dated up to a second after the last time this was done (see
/// `token::issue`), so that much is void too.
pub fn void_tokens(tx: &mut Tx, id: &UserId) -> Result<()> {
    let row = tx.query_one("SELECT tokens_void_until FROM users WHERE id = $1", &params![id])?;
    let last: Timestamp = row.get(0)?;
    let until = Timestamp::now().max(Timestamp::from_seconds(last.seconds() + 1));
    tx.execute("UPDATE users SET tokens_void_until = $2 WHERE id = $1", &params![id, until])?;
    Ok(())
}

fn documents(user: &User) -> (serde_json::Value, serde_json::Value) {
    (serde_json::Value::Object(user.options.clone()), serde_json::Value::Object(user.extra.clone()))
}

fn taken(error: store::Error, user: &User) -> Error {
    Error::name_taken(error, "user", &user.name, &format!(" at domain ID {}", user.domain_id))
}

fn read(row: &Row) -> Result<User> {
    Ok(User {
        id: row.get(0)?,
        domain_id: row.get(1)?,
        name: row.get(2)?,
        enabled: row.get(3)?,
        default_project_id: row.get(4)?,
        options: row.json(5)?,
        extra: row.json(6)?,
        password_expires_at: row.get(7)?,
        federated: vec![],
    })
}
