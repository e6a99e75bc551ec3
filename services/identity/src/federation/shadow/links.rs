// SPDX-License-Identifier: Apache-2.0
//! Who somebody is by identity providers, as the users of the API say and see it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::{Tx, params};
use types::UserId;

use crate::{
    error::{Error, Result},
    power::Over,
};

/// One identity provider, and the names by which it knows a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederatedObject {
    pub idp_id: String,
    pub protocols: Vec<FederatedName>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederatedName {
    pub protocol_id: String,
    pub unique_id: String,
}

pub fn of_user(tx: &mut Tx, user: &UserId) -> Result<Vec<FederatedObject>> {
    let sql = "SELECT provider_id, protocol_id, unique_id FROM federated_users WHERE user_id = $1 \
               ORDER BY provider_id, protocol_id, unique_id";
    let mut by_provider: BTreeMap<String, Vec<FederatedName>> = BTreeMap::new();
    for row in tx.query(sql, &params![user])? {
        let name = FederatedName { protocol_id: row.get(1)?, unique_id: row.get(2)? };
        by_provider.entry(row.get(0)?).or_default().push(name);
    }
    Ok(by_provider.into_iter().map(|(idp_id, protocols)| FederatedObject { idp_id, protocols }).collect())
}

/// Lets a user be these, and no others. What the one has whom a provider knows by such a name, the user has after the
/// next login: it may be anything that a mapping leads to, so this is for the cloud's administrators.
pub fn replace(tx: &mut Tx, over: &Over<UserId>, objects: &[FederatedObject]) -> Result<()> {
    if !over.is_the_clouds() {
        let why = "Only an administrator of the cloud says whom an identity provider knows as this user.";
        return Err(Error::Forbidden(why.to_owned()));
    }
    let user = over.subject();
    tx.execute("DELETE FROM federated_users WHERE user_id = $1", &params![user])?;
    for object in objects {
        if object.protocols.is_empty() {
            return Err(Error::Invalid("Invalid input for field/attribute federated: protocols is not empty.".to_owned()));
        }
        let provider = &object.idp_id;
        if tx.query_opt("SELECT 1 FROM identity_providers WHERE id = $1", &params![provider])?.is_none() {
            return Err(Error::Invalid(format!("Could not find Identity Provider: {provider}")));
        }
        for FederatedName { protocol_id, unique_id } in &object.protocols {
            let sql = "SELECT 1 FROM federation_protocols WHERE provider_id = $1 AND id = $2";
            if tx.query_opt(sql, &params![provider, protocol_id])?.is_none() {
                return Err(Error::Invalid(format!(
                    "Could not find federated protocol {protocol_id} for Identity Provider: {provider}."
                )));
            }
            let sql = "INSERT INTO federated_users (user_id, provider_id, protocol_id, unique_id) VALUES ($1, $2, $3, $4)";
            tx.execute(sql, &params![user, provider, protocol_id, unique_id]).map_err(|error| taken(error, unique_id))?;
        }
    }
    Ok(())
}

fn taken(error: store::Error, unique_id: &str) -> Error {
    if error.is_unique("unique_id") {
        return Error::conflict("federated_user", format!("Duplicate entry found with unique_id {unique_id}"));
    }
    error.into()
}
