// SPDX-License-Identifier: Apache-2.0
//! A token of a consumer: never more than the user granted to it, never more than the user still has.

use contracts::caller::TokenScope;
use store::Tx;
use types::ProjectId;

use super::{Ground, own_roles, project};
use crate::{
    assignment::Place,
    error::{Error, Result},
    oauth1::access_token::table as access_tokens,
    role::table::AllRoles,
    token::{ConsumerFacts, Through},
    user::Account,
};

pub fn ground(tx: &mut Tx, account: &Account, place: &ProjectId, access_token: &str) -> Result<Ground> {
    let scope = TokenScope::Project(project(tx, place)?);
    let mut ground = own_roles(tx, account, scope, &Place::Project(place.clone()))?;
    let token = access_tokens::granted(tx, access_token)?
        .filter(|token| token.user_id == account.id && token.project_id == *place && !token.is_expired())
        .ok_or(Error::Unauthorized)?;
    let granted = AllRoles::load(tx)?.closure(token.role_ids);
    ground.roles.retain(|role| granted.contains(&role.id));
    ground.until = Some(token.expires_at);
    ground.through = Some(Through::OAuth1(ConsumerFacts { access_token_id: token.id, consumer_id: token.consumer_id }));
    Ok(ground)
}
