// SPDX-License-Identifier: Apache-2.0
//! A token of a trust: what the trustor delegated, in the name of whom the trust says, while all of it still holds.

use contracts::caller::TokenScope;
use store::Tx;
use types::{ProjectId, Timestamp};

use super::{Ground, project};
use crate::{
    error::{Error, Result},
    token::{Through, TrustFacts},
    trust::{delegate::delegated, table as trusts},
    user::Account,
};

pub fn ground(tx: &mut Tx, account: &Account, place: &ProjectId, trust: &str, issued_at: Timestamp) -> Result<Ground> {
    let trust = trusts::find(tx, trust)?
        .filter(|trust| !trust.is_expired() && *trust.speaks_for() == account.id && trust.project.as_ref() == Some(place))
        .ok_or(Error::Unauthorized)?;
    let delegated = match delegated(tx, &trust) {
        Err(Error::Forbidden(_)) => return Err(Error::Unauthorized),
        other => other?,
    };
    if issued_at <= delegated.void_until {
        return Err(Error::Unauthorized);
    }
    let until = trust.expires_at;
    let facts = TrustFacts { id: trust.id, impersonation: trust.impersonation, trustor: trust.trustor, trustee: trust.trustee };
    let scope = TokenScope::Project(project(tx, place)?);
    Ok(Ground { scope, roles: delegated.roles, through: Some(Through::Trust(facts)), access_rules: None, until })
}
