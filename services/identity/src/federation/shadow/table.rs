// SPDX-License-Identifier: Apache-2.0
//! The tables of shadow users and of the groups that their last login put them in.

use evidence::mapping::MappedUser;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use store::{Actor, Tx, params};
use types::{DomainId, GroupId, Timestamp, UserId};

use crate::{
    change,
    error::{Error, Result},
    federation::denied::denied,
};

/// What Python's `quote` leaves as it is.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~').remove(b'/');
const KIND: &str = "federated_user";
const LONGEST_NAME: usize = 255;

/// Whom an identity provider speaks of: the key of a shadow.
#[derive(Debug, Clone)]
pub struct Link<'a> {
    pub provider: &'a str,
    pub protocol: &'a str,
}

/// Finds the shadow of somebody, or makes it. Its name follows what the identity provider says. Answers whether anything
/// is new.
pub fn ensure(tx: &mut Tx, actor: &Actor, link: &Link<'_>, user: &MappedUser, domain: &DomainId) -> Result<(UserId, bool)> {
    let known_as = user.id.as_ref().or(user.name.as_ref()).ok_or_else(|| denied("the mapping names nobody"))?;
    let unique_id = utf8_percent_encode(known_as, QUOTED).to_string();
    let wanted = user.name.as_ref().unwrap_or(known_as);
    if wanted.chars().count() > LONGEST_NAME || unique_id.len() > LONGEST_NAME {
        return Err(denied(format!("a name has at most {LONGEST_NAME} characters")));
    }
    let sql = "SELECT f.user_id, u.domain_id, u.name FROM federated_users f JOIN users u ON u.id = f.user_id \
               WHERE f.provider_id = $1 AND f.protocol_id = $2 AND f.unique_id = $3";
    if let Some(row) = tx.query_opt(sql, &params![link.provider, link.protocol, &unique_id])? {
        let (id, domain, name): (UserId, DomainId, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        // A user of this cloud's own whom an administrator linked keeps the name that he was given here.
        if id != public_id(&domain, &unique_id) {
            return Ok((id, false));
        }
        let free = free_name(tx, &domain, wanted, &unique_id, &id)?;
        if free != name {
            tx.execute("UPDATE users SET name = $2 WHERE id = $1", &params![&id, &free])?;
            record(tx, actor, &id, Some(&name), &free)?;
        }
        return Ok((id, free != name));
    }
    let id = public_id(domain, &unique_id);
    let name = free_name(tx, domain, wanted, &unique_id, &id)?;
    if tx.query_opt("SELECT 1 FROM users WHERE id = $1", &params![&id])?.is_some() {
        refuse_unless_orphan(tx, &id)?;
    } else {
        let extra = match &user.email {
            Some(email) => serde_json::json!({"email": email}),
            None => serde_json::json!({}),
        };
        let sql = "INSERT INTO users (id, domain_id, name, enabled, tokens_void_until, options, extra) \
                   VALUES ($1, $2, $3, 1, 0, '{}', $4)";
        tx.execute(sql, &params![&id, domain, &name, extra])?;
    }
    let sql = "INSERT INTO federated_users (user_id, provider_id, protocol_id, unique_id) VALUES ($1, $2, $3, $4)";
    tx.execute(sql, &params![&id, link.provider, link.protocol, &unique_id])?;
    record(tx, actor, &id, None, &name)?;
    Ok((id, true))
}

/// Remembers in which groups this login put the user; those of logins before end. `valid_until` is for what the user
/// has beside tokens of the login itself: application credentials and trusts. Answers whether anything is new.
pub fn set_groups(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    provider: &str,
    groups: &[GroupId],
    valid_until: Timestamp,
) -> Result<bool> {
    let now = Timestamp::now();
    let sql = "SELECT group_id, valid_until FROM federated_memberships WHERE user_id = $1 AND provider_id = $2 ORDER BY group_id";
    let (mut before, mut come_alive): (Vec<GroupId>, bool) = (vec![], false);
    for row in tx.query(sql, &params![user, provider])? {
        before.push(row.get(0)?);
        come_alive |= row.get::<Timestamp>(1)? <= now && valid_until > now;
    }
    for gone in before.iter().filter(|group| !groups.contains(group)) {
        let sql = "DELETE FROM federated_memberships WHERE user_id = $1 AND group_id = $2 AND provider_id = $3";
        tx.execute(sql, &params![user, gone, provider])?;
    }
    let sql = "INSERT INTO federated_memberships (user_id, group_id, provider_id, valid_until) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (user_id, group_id, provider_id) DO UPDATE SET valid_until = excluded.valid_until";
    for group in groups {
        tx.execute(sql, &params![user, group, provider, valid_until])?;
    }
    let is_news = come_alive || before.as_slice() != groups;
    if is_news {
        let state = |groups: &[GroupId]| serde_json::json!({"user_id": user, "identity_provider": provider, "groups": groups});
        let (before, after) = (state(&before), state(groups));
        change::record(tx, actor, KIND, user.as_str(), Some(&before), Some(&after))?;
    }
    Ok(is_news)
}

/// The groups in which the last login by this identity provider put the user, and which are still there.
pub fn groups_of(tx: &mut Tx, user: &UserId, provider: &str) -> Result<Vec<GroupId>> {
    let sql = "SELECT group_id FROM federated_memberships WHERE user_id = $1 AND provider_id = $2 ORDER BY group_id";
    Ok(tx.query(sql, &params![user, provider])?.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?)
}

/// When the first of the user's memberships that count beside tokens ends.
pub fn next_lapse(tx: &mut Tx, user: &UserId) -> Result<Option<Timestamp>> {
    let sql = "SELECT min(valid_until) FROM federated_memberships WHERE user_id = $1 AND valid_until > $2";
    Ok(tx.query_one(sql, &params![user, Timestamp::now()])?.get(0)?)
}

/// Whether people may come by this protocol of this identity provider.
pub fn is_open(tx: &mut Tx, provider: &str, protocol: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM identity_providers p JOIN federation_protocols f ON f.provider_id = p.id \
               WHERE p.id = $1 AND f.id = $2 AND p.enabled = 1";
    Ok(tx.query_opt(sql, &params![provider, protocol])?.is_some())
}

/// Keystone's way: SHA-256 over the domain, the word `user`, and the id by the identity provider.
fn public_id(domain: &DomainId, unique_id: &str) -> UserId {
    let mut hash = Sha256::new();
    for part in [domain.as_str(), "user", unique_id] {
        hash.update(part);
    }
    UserId::new(hex::encode(hash.finalize()))
}

/// A user with this id is there already. If no identity provider speaks for it any more, and it has no password, it is
/// the same person's shadow of before. Else somebody of another provider would walk in.
fn refuse_unless_orphan(tx: &mut Tx, id: &UserId) -> Result<()> {
    let sql = "SELECT 1 FROM users u WHERE u.id = $1 AND u.password_hash IS NULL \
               AND NOT EXISTS (SELECT 1 FROM federated_users f WHERE f.user_id = u.id)";
    if tx.query_opt(sql, &params![id])?.is_some() {
        return Ok(());
    }
    tracing::warn!(user = %id, "a federated login was refused: this user of the domain comes by another provider or protocol");
    Err(Error::conflict(KIND, "this user of the domain comes by another identity provider or protocol"))
}

/// Names are unique in a domain; where two people have one, the second keeps the id by the identity provider.
fn free_name(tx: &mut Tx, domain: &DomainId, wanted: &str, unique_id: &str, user: &UserId) -> Result<String> {
    let sql = "SELECT 1 FROM users WHERE domain_id = $1 AND name = $2 AND id <> $3";
    for name in [wanted, unique_id] {
        if tx.query_opt(sql, &params![domain, name, user])?.is_none() {
            return Ok(name.to_owned());
        }
    }
    Ok(user.as_str().to_owned())
}

fn record(tx: &mut Tx, actor: &Actor, id: &UserId, before: Option<&str>, after: &str) -> Result<()> {
    let state = |name: &str| serde_json::json!({"user_id": id, "name": name});
    let (before, after) = (before.map(state), state(after));
    change::record(tx, actor, KIND, id.as_str(), before.as_ref(), Some(&after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_that_keystone_derives() {
        // hashlib.sha256(b"default" + b"user" + b"anna%40museum.test").hexdigest()
        let id = public_id(&"default".into(), &utf8_percent_encode("anna@museum.test", QUOTED).to_string());
        assert_eq!(id.as_str(), "e89e997c289db2b3bfecd59aca20da5eb902a16b7875a4bdc21f9ada1420c192");
    }
}
