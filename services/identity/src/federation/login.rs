// SPDX-License-Identifier: Apache-2.0
//! From what an identity provider says to a user who is logged in: mapped, found here, put into groups.

use access::payload::{Federated, Methods};
use evidence::{
    DomainRef,
    mapping::{Assertion, Mapped, MappedUser, UserKind},
};
use store::{Actor, Tx, params};
use types::{GroupId, Timestamp};

use super::{
    denied::{denied, resolve_domain},
    mapping::table as mappings,
    protocol::table as protocols,
    provider::{IdentityProvider, table as providers},
    shadow::{provision, table as shadows, table::Link},
};
use crate::{
    Identity,
    error::{Error, Result},
    token::proved::{Bound, Proved},
    user::{Account, UserRef, table as users},
};

/// What a token has room for.
const MOST_GROUPS: usize = 250;

impl Identity {
    /// Refuses unless people may come by this protocol of this identity provider; said in Keystone's words.
    pub(super) async fn check_way(&self, provider: &str, protocol: &str) -> Result<()> {
        let (provider, protocol) = (provider.to_owned(), protocol.to_owned());
        self.read(move |tx| way(tx, &provider, &protocol).map(drop)).await
    }

    /// Takes the identity provider's word, which is known to be its word.
    pub(super) async fn take_word(&self, provider: &str, protocol: &str, word: Assertion, actor: &Actor) -> Result<Proved> {
        let (provider, protocol, actor) = (provider.to_owned(), protocol.to_owned(), actor.clone());
        let (remote_id, minutes) = self.federation.habits();
        let taken = self.store.write(move |tx| take(tx, &provider, &protocol, &word, &actor, (&remote_id, minutes))).await;
        // A new shadow, a new name or other groups: what tokens mean may have changed.
        if !matches!(taken, Ok(Taken { is_news: false, .. })) {
            self.tokens.invalidate();
        }
        let Taken { account, federated, .. } = taken?;
        let mut proved = Proved { bound: federated.map(Bound::Federated), ..Proved::default() };
        proved.add(account, Methods::MAPPED)?;
        Ok(proved)
    }
}

struct Taken {
    account: Account,
    /// `None`: a user of our own, for whom the identity provider only keeps the password.
    federated: Option<Federated>,
    is_news: bool,
}

fn take(
    tx: &mut Tx,
    provider: &str,
    protocol: &str,
    word: &Assertion,
    actor: &Actor,
    (remote_id, minutes): (&str, u32),
) -> Result<Taken> {
    let (idp, way) = way(tx, provider, protocol)?;
    check_remote_id(&idp, way.remote_id_attribute.as_deref().filter(|name| !name.is_empty()).unwrap_or(remote_id), word)?;
    let mapping = mappings::find(tx, &way.mapping_id)?.ok_or_else(|| Error::not_found("mapping", &way.mapping_id))?;
    let rules = mapping.read().map_err(|cause| denied(format!("the mapping {} cannot be read: {cause}", mapping.id)))?;
    let mapped = rules.apply(word).map_err(|cause| denied(format!("mapping {}: {cause}", mapping.id)))?;
    if mapped.user.kind == UserKind::Local {
        return Ok(Taken { account: local_user(tx, &mapped.user, &idp)?, federated: None, is_news: false });
    }
    let groups = groups(tx, &mapped)?;
    let domain = match &mapped.user.domain {
        Some(named) => resolve_domain(tx, named)?,
        None => idp.domain_id.clone(),
    };
    let link = Link { provider, protocol };
    let (user, mut is_news) = shadows::ensure(tx, actor, &link, &mapped.user, &domain)?;
    let minutes = idp.authorization_ttl.unwrap_or(minutes);
    let valid_until = Timestamp::now().plus(std::time::Duration::from_secs(u64::from(minutes) * 60));
    is_news |= shadows::set_groups(tx, actor, &user, provider, &groups, valid_until)?;
    is_news |= provision::ensure(tx, actor, &user, &domain, &mapped, &idp.domain_id)?;
    let account = users::account(tx, &UserRef::Id(user))?.ok_or(Error::Unauthorized)?;
    let federated = Federated { groups, identity_provider: provider.to_owned(), protocol: protocol.to_owned() };
    Ok(Taken { account, federated: Some(federated), is_news })
}

/// The identity provider, which must be enabled, and its protocol.
fn way(tx: &mut Tx, provider: &str, protocol: &str) -> Result<(IdentityProvider, super::protocol::Protocol)> {
    let idp = providers::find(tx, provider)?.ok_or_else(|| providers::not_found(provider))?;
    if !idp.enabled {
        return Err(Error::Forbidden(format!("Identity Provider {provider} is disabled")));
    }
    let way = protocols::find(tx, provider, protocol)?.ok_or_else(|| protocols::not_found(provider, protocol))?;
    Ok((idp, way))
}

/// An identity provider that is known by some names must have said one of them.
fn check_remote_id(idp: &IdentityProvider, attribute: &str, word: &Assertion) -> Result<()> {
    if idp.remote_ids.is_empty() {
        return Ok(());
    }
    match word.get(attribute).map(Vec::as_slice) {
        Some([name]) if idp.remote_ids.contains(name) => Ok(()),
        Some([name]) => Err(denied(format!("'{name}' is not among the remote ids of the identity provider {}", idp.id))),
        _ => Err(denied(format!("the identity provider {} did not name itself in {attribute}", idp.id))),
    }
}

fn local_user(tx: &mut Tx, user: &MappedUser, idp: &IdentityProvider) -> Result<Account> {
    let reference = match (&user.id, &user.name) {
        (Some(id), _) => UserRef::Id(id.as_str().into()),
        (None, Some(name)) => {
            let domain = user.domain.clone().unwrap_or_else(|| DomainRef::Id(idp.domain_id.clone()));
            UserRef::Name { name: name.clone(), domain }
        }
        (None, None) => return Err(denied("the mapping names nobody")),
    };
    users::account(tx, &reference)?.ok_or_else(|| denied("the mapping names a local user who is not there"))
}

/// A group named by its id must be there; one named by its name may be of another cloud.
fn groups(tx: &mut Tx, mapped: &Mapped) -> Result<Vec<GroupId>> {
    let mut groups = vec![];
    for id in &mapped.group_ids {
        tx.query_opt("SELECT 1 FROM user_groups WHERE id = $1", &params![id])?
            .ok_or_else(|| denied(format!("the mapping names the group {id}, which is not there")))?;
        groups.push(id.clone());
    }
    for group in &mapped.group_names {
        let domain = resolve_domain(tx, &group.domain)?;
        let sql = "SELECT id FROM user_groups WHERE domain_id = $1 AND name = $2";
        if let Some(row) = tx.query_opt(sql, &params![&domain, &group.name])? {
            groups.push(row.get(0)?);
        }
    }
    groups.sort();
    groups.dedup();
    if groups.len() > MOST_GROUPS {
        return Err(denied(format!("the mapping puts a user into more than {MOST_GROUPS} groups")));
    }
    Ok(groups)
}
