// SPDX-License-Identifier: Apache-2.0
//! A token of an application credential: never more than its owner has now, never more than the credential was given.

use contracts::caller::TokenScope;
use store::Tx;
use types::ProjectId;

use super::{Ground, own_roles, project};
use crate::{
    application_credential::{ApplicationCredential, table as credentials},
    assignment::Place,
    error::{Error, Result},
    token::{CredentialFacts, Through},
    user::Account,
};

pub fn ground(tx: &mut Tx, account: &Account, place: &ProjectId, credential: &str) -> Result<Ground> {
    let scope = TokenScope::Project(project(tx, place)?);
    let mut ground = own_roles(tx, account, scope, &Place::Project(place.clone()))?;
    let credential = credentials::find(tx, credential)?
        .filter(|found| found.user_id == account.id && found.project_id == *place && !found.is_expired())
        .ok_or(Error::Unauthorized)?;
    let granted = credentials::roles_within(tx, &credential)?;
    ground.roles.retain(|role| granted.contains(&role.id));
    ground.until = credential.expires_at;
    let ApplicationCredential { id, name, unrestricted, access_rules, .. } = credential;
    ground.access_rules = (!access_rules.is_empty()).then(|| access_rules.into());
    ground.through = Some(Through::ApplicationCredential(CredentialFacts { id, name, unrestricted }));
    Ok(ground)
}
