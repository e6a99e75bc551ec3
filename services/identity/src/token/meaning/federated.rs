// SPDX-License-Identifier: Apache-2.0
//! A token of somebody whom an identity provider vouches for: what the user was given here, and what the groups were
//! given in which the login put the user, as long as the last login still puts the user there.

use access::payload::Federated;
use contracts::caller::TokenScope;
use store::Tx;

use super::Ground;
use crate::{
    assignment::{Place, effective},
    error::{Error, Result},
    federation::shadow::table as shadows,
    token::Through,
    user::Account,
};

pub fn ground(tx: &mut Tx, account: &Account, scope: TokenScope, place: Option<&Place>, said: &Federated) -> Result<Ground> {
    if !shadows::is_open(tx, &said.identity_provider, &said.protocol)? {
        return Err(Error::Unauthorized);
    }
    let mut groups = shadows::groups_of(tx, &account.id, &said.identity_provider)?;
    groups.retain(|group| said.groups.contains(group));
    let roles = match place {
        Some(place) => effective::roles_through(tx, &account.id, &groups, place)?,
        None => vec![],
    };
    let through = Some(Through::Federated(Federated { groups, ..said.clone() }));
    Ok(Ground { scope, roles, through, access_rules: None, until: None })
}
